"""Turn a rendered command into what `exec` needs: arguments, environment, standard input, private files.

Values never become program text here: they travel in the environment or in private files under the run's
`values-in-use/<epoch>`, which are gone when the attempt is. A command that cannot be started for a reason its
author can mend is `CannotStart`, whose message says what and what to do.
"""

import errno
import os
import shlex
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, assert_never

from prodigy.kernel.effects import RenderedClaude, RenderedShell, Spawn
from prodigy.plan.shell.interpreter import shell_of
from prodigy.runtime.claude.arguments import NOT_FOUND, PROGRAM, STAND_IN, arguments_of, why_uncallable
from prodigy.runtime.claude.environment import inheritable
from prodigy.store.files import FOLDER_MODE, opened, private_folder, write_all

SCRIPT_ARGUMENT_BYTES_MAX = 100 * 1024  # an argument holds 128 KiB on Linux, its terminating NUL included
SCRIPT_NAME = "script"
STANDARD_SHELL = "/bin/sh"
EXHAUSTED = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # too much of something just now
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)  # the place of our own files, never the command's fault
ROOM_S_MAX = 300.0
VALUE_TOO_LONG = (
    "a value is too long for one argument of a program (128 KiB on Linux); "
    "pass the path of a file that holds it: ${name|file}"
)
NO_PROGRAM = "is no program that can be run; check it with `command -v`"
_DEFAULT_PATH = os.defpath.encode()
_TEXT_ERRORS = "surrogateescape"  # what came from file names and the environment goes back byte for byte

Environment = dict[bytes, bytes]


class CannotStart(Exception):
    """The command cannot be started; the message is a sentence for the author of the workflow."""


class Prepared(NamedTuple):
    """What `exec` needs. `has_folder`: private files were written into the attempt's folder."""

    arguments: list[str]
    program: str
    environment: Environment
    has_folder: bool = True


def encode(environment: Mapping[str, str]) -> Environment:
    """Return environment entries as the bytes that `exec` takes."""
    return {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}


def inherited_environment() -> Environment:
    """Return the environment that we were started with.

    Where the locale is C, Python gives itself another one (PEP 538), in its environment too: no wish of the caller's.
    """
    environment = encode(os.environ)
    with suppress(OSError), open("/proc/self/environ", "rb") as file:
        if not any(entry.startswith(b"LC_CTYPE=") for entry in file.read().split(b"\0")):
            environment.pop(b"LC_CTYPE", None)
    return environment


def prepare(effect: Spawn, folder: str, *, inherited: Environment, marks: Environment, directory: str = "") -> Prepared:
    """Return how to start `effect`, its private files written into `folder`, which is made if it is needed.

    Args:
        inherited: the environment below everything the effect sets.
        marks: the environment above it.
        directory: where the name of a program begins that is a path.

    Raises:
        CannotStart: no such program, or a prompt that is too long.
        OSError: the disk or the system refused a file.
        ProdigyError: something that is not ours stands where a private file should.
        ValueError: text that no argument or environment can hold.
    """
    keep_private(folder, effect.files)
    match effect.command:
        case RenderedShell():
            return _shell(effect, effect.command, folder, inherited, marks)
        case RenderedClaude():
            return _claude(effect, effect.command, directory, inherited, marks)
        case never:
            assert_never(never)


def why_not(error: OSError, directory: str) -> str:
    """Return why a command could not start in `directory`, as a sentence that also says what to do."""
    if error.errno == errno.E2BIG:
        return f"cannot start, its script and values are too long for the system: {VALUE_TOO_LONG}"
    if error.errno in EXHAUSTED:
        return (
            f"cannot start for {ROOM_S_MAX:g} s now: {error.strerror}; run fewer things at once, "
            "or raise the limit (`ulimit -a`), then `prodigy resume`"
        )
    if not os.path.isdir(directory):
        return f"the working directory {directory} is not there; create it first, or mend `working_dir`"
    return f"cannot start: {error}"


def give_children_default_signals() -> None:
    """See to it that commands start with every signal at its default and none blocked, whatever we inherited.

    A signal that we ignore stays ignored across `exec`, one that we handle does not: so an ignored one gets a
    handler that does nothing. (With SIGCHLD ignored the system would collect our children before we can.)
    Python's own (SIGPIPE, SIGXFSZ) are restored by `child.start`. Main thread only; elsewhere nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, _ignore)


def _ignore(_number: int, _frame: object) -> None:
    """Stand in for SIG_IGN."""


def find_program(name: str, environment: Environment) -> str | None:
    """Return the path of an executable as `exec` would find it with this environment, or None.

    Looked for anew each time: an earlier step may just have installed it. But `sh` is the system's own, as for make,
    cron and system(3), whatever PATH says.
    """
    if "/" in name:
        return name
    if name == "sh" and _has_standard_shell():
        return STANDARD_SHELL
    for program in _candidates(name, environment.get(b"PATH", _DEFAULT_PATH)):
        if os.access(program, os.X_OK) and os.path.isfile(program):
            return program
    return None


@cache
def _has_standard_shell() -> bool:
    return os.access(STANDARD_SHELL, os.X_OK)


@lru_cache
def _candidates(name: str, path: bytes) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for folder in os.fsdecode(path).split(os.pathsep))


def _shell(effect: Spawn, command: RenderedShell, folder: str, inherited: Environment, marks: Environment) -> Prepared:
    files = {name: str(_private_file(folder, name, content)) for name, content in command.files.items()}
    own = {**effect.environment, **command.variables, **files}
    environment = {**inherited, **encode(own), **marks} if own else inherited | marks
    words = _words(command.interpreter)
    program = find_program(words[0], environment)
    if program is None:
        raise CannotStart(f"the interpreter {words[0]!r} was not found on PATH; check it with `command -v {words[0]}`")
    if shell_of(command.interpreter) and _fits(command.script):
        has_folder = bool(files or effect.files)
        return Prepared([*words, "-c", command.script], program, environment, has_folder=has_folder)
    return Prepared([*words, str(_private_file(folder, SCRIPT_NAME, command.script))], program, environment)


def _fits(script: str) -> bool:
    """Say whether a script can be an argument; most are so short that nobody need count their bytes."""
    most = SCRIPT_ARGUMENT_BYTES_MAX
    return len(script) <= most // 4 or len(script.encode(errors=_TEXT_ERRORS)) <= most


def _words(interpreter: str) -> list[str]:
    if interpreter.isalnum():
        return [interpreter]

    try:
        words = shlex.split(interpreter)
    except ValueError as error:
        raise CannotStart(f"the interpreter {interpreter!r} cannot be read: {error}") from error
    if not words:
        raise CannotStart("the interpreter is empty; leave `interpreter:` away for sh")
    return words


def _claude(
    effect: Spawn, command: RenderedClaude, directory: str, inherited: Environment, marks: Environment
) -> Prepared:
    if why := why_uncallable(command):
        raise CannotStart(why)
    environment = {**inheritable(inherited), **encode(effect.environment), **marks}
    words = claude_words(program_in(command.program, directory), environment)
    if words is None:
        raise CannotStart(NOT_FOUND if not command.program else f"claude_bin {command.program} {NO_PROGRAM}")
    return Prepared([*words, *arguments_of(command)], words[0], environment)


def program_in(name: str, directory: str) -> str:
    """Return the name of a program as it is found from everywhere: one that is a path begins in `directory`."""
    return os.path.join(directory, os.path.expanduser(name)) if "/" in name else name


def claude_words(name: str, environment: Environment) -> list[str] | None:
    """Return how the program that stands for Claude Code begins to be called, `claude` where it has no name, or None.

    The stand-in that is a part of us can be called wherever we are, also where nobody has put it on the PATH.
    """
    program = find_program(name or PROGRAM, environment)
    if program and os.access(program, os.X_OK):
        return [program]
    return [sys.executable, "-P", "-m", "prodigy.fake_claude"] if name == STAND_IN else None


def keep_private(folder: str, files: Mapping[str, str]) -> None:
    """Write private files, by name, into a folder that is made if there are any.

    Raises:
        OSError, ProdigyError, ValueError: as for `prepare`.
    """
    for name, content in files.items():
        _private_file(folder, name, content)


def remove_private(folder: str) -> None:
    """Remove a folder of private files, if it is there."""
    if not os.path.lexists(folder):
        return
    with suppress(OSError):  # the next coordinator tries again
        for name in os.listdir(folder):
            os.unlink(f"{folder}/{name}")
        os.rmdir(folder)


def _private_file(folder: str, name: str, content: str) -> Path:
    path = _private_folder(folder) / name
    with opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
        write_all(descriptor, content.encode(errors=_TEXT_ERRORS))
    return path


def _private_folder(folder: str) -> Path:
    """Make a folder that need not outlive us: unlike the store's, its name is not synced to the disk."""
    path = Path(folder)
    private_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(FOLDER_MODE)
        path.chmod(FOLDER_MODE)  # whatever the umask is
    return private_folder(path)
