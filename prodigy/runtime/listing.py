"""Read a map's items beside the event loop: in a thread, and a command that prints them in a session of its own.

The run hears Ctrl-C while it reads. When the run rests first, the command and whatever it started are ended and its
answer is dropped. What cannot be read is a `Listed` with the reason.
"""

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from prodigy.errors import ProdigyError
from prodigy.kernel import effects as fx
from prodigy.kernel import signals as sig
from prodigy.kernel.outcome import STOP_SIGNALS
from prodigy.runtime.commands import Environment, encode, inherited_environment, keep_private, remove_private
from prodigy.runtime.reaper import Reaper
from prodigy.runtime.sweep import end_marked

OUTPUT_BYTES_MAX = 256 * 1024 * 1024
STDERR_BYTES_MAX = 2000
GRACE_S = 2.0
_LOOK_EVERY_S = 0.05


class Listing:
    """The reading of one map's items.

    Args:
        directory: where relative names and the command begin.
        run_folder: by its mark the command's leftovers are found.
        marks: go into the environment of the command, so that sweeps and the reaper find it.
        reaper: told which group runs.
    """

    def __init__(self, directory: Path, *, run_folder: Path, marks: Mapping[str, str], reaper: Reaper) -> None:
        self._directory = directory
        self._run_folder = run_folder
        self._marks = marks
        self._reaper = reaper
        self._starts = threading.Lock()
        self._group: int | None = None
        self._is_over = False

    def start(self, effect: fx.List, emit: Callable[[sig.Listed], None]) -> None:
        """Read the items that `effect` asks for; `emit` is called once, from another thread."""
        threading.Thread(target=self._read, args=(effect, emit), name="items", daemon=True).start()

    def stop(self) -> None:
        """End a command that is still at work, with all that it started: SIGTERM, after `GRACE_S` SIGKILL."""
        with self._starts:
            self._is_over = True
        if self._group is not None:
            end_marked(self._run_folder, grace_s=GRACE_S, group=self._group)

    def _read(self, effect: fx.List, emit: Callable[[sig.Listed], None]) -> None:
        from prodigy.runtime.items import read_items

        directory = self._directory / effect.working_dir
        listed = read_items(effect, directory=directory, run_command=self._command(effect))
        if not self._is_over:
            emit(listed)

    def _command(self, effect: fx.List) -> Callable[[str], bytes]:
        from prodigy.runtime.items import ItemsRefused

        def run_command(text: str) -> bytes:
            """Return what a command prints."""
            told = {**effect.environment, **self._marks, "PRODIGY_STEP": effect.at}
            environment = inherited_environment() | encode(told)
            private = fx.values_folder(os.path.realpath(self._run_folder), effect.epoch)
            try:
                keep_private(private, effect.files)
                with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                    code = self._wait(
                        self._spawn(text, self._directory / effect.working_dir, environment, out, err), out, err
                    )
                    if problem := _problem(code, out, err):
                        refused = ItemsRefused(f"the command for map.input {problem}")
                        refused.may_be_stopped = (code if code >= 0 else 128 - code) in STOP_SIGNALS.values()
                        raise refused
                    out.seek(0)
                    return out.read()
            except (OSError, ValueError, ProdigyError) as problem:
                raise ItemsRefused(f"the command for map.input cannot run: {problem}") from problem
            finally:
                remove_private(private)

        return run_command

    def _spawn(
        self, text: str, directory: Path, environment: Environment, out: IO[bytes], err: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        from prodigy.runtime.items import ItemsRefused

        with self._starts:
            if self._is_over:
                raise ItemsRefused("the run is stopping")
            process = subprocess.Popen(
                ["sh", "-c", text],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=directory,
                env=environment,
                start_new_session=True,
            )
            self._group = process.pid
        self._reaper.add(process.pid)
        return process

    def _wait(self, process: subprocess.Popen[bytes], out: IO[bytes], err: IO[bytes]) -> int:
        """Return the command's exit code, when it and all that it left running have ended; too much output ends it."""
        while process.poll() is None and not _is_too_much(out, err):
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK_EVERY_S)
        if not self._is_over:
            end_marked(self._run_folder, grace_s=GRACE_S, group=process.pid)
        code, self._group = process.wait(), None
        self._reaper.discard(process.pid)
        return code


def _problem(code: int, out: IO[bytes], err: IO[bytes]) -> str:
    """Return what went wrong with a command that has ended, or nothing."""
    if _is_too_much(out, err):
        return f"printed more than {OUTPUT_BYTES_MAX >> 20} MiB"
    if code == 0:
        return ""
    err.seek(max(0, _size(err) - STDERR_BYTES_MAX))
    said = err.read().decode(errors="replace").strip()
    return f"failed: {said or (f'exit code {code}' if code > 0 else f'killed by signal {-code}')}"


def _is_too_much(out: IO[bytes], err: IO[bytes]) -> bool:
    return max(_size(out), _size(err)) > OUTPUT_BYTES_MAX


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size
