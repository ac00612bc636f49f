"""Why something failed, in one line: how the command ended, and the last line of what it said that says something.

The end of what a program printed is seldom its last line: stack frames, a hint where a log lies, `make` repeating an
exit code. Those are passed over if anything else was said. Everything that shows an error in one line uses this.
"""

import re

from prodigy.plan.phrases import clipped

LINE_CHARS_MAX = 300
HANDLER_TOO = "its on_failure failed too: "
BARE_EXIT = "exit code "  # all there is to say of a command that printed nothing

_SEPARATOR = " · "
# What a shell returns for a command that it could not run, or that a signal ended.
_LIKELY = {
    126: "cannot be run",
    127: "not found",
    129: "hung up",
    130: "interrupted",
    131: "quit",
    132: "illegal instruction",
    134: "aborted",
    135: "bus error",
    136: "arithmetic error",
    137: "killed",
    139: "segmentation fault",
    141: "broken pipe",
    143: "terminated",
}
_LED_BY = re.compile(r"(killed by SIG\w+|timed out after [0-9.e+]+ s|gave no sign of work for [0-9.e+]+ s)\n")

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?")
_SAYS = re.compile(r"\w")
# Lines of a stack: what is indented below belongs to it, up to the next line that is not.
_STACK = re.compile(r'Traceback \(most recent call last\)|\s+at \S|\s+File "|\s+\.\.\. \d+ more')
_GOROUTINE = re.compile(r"goroutine \d+ \[")
_NOISE = re.compile(
    r"""
      npm\ (ERR!|error)\s*(code|errno|syscall|path|command|Exit\ status|Lifecycle|Failed\ at|This\ is\ probably)\b.*
    | npm\ (ERR!|error)\s*(\d*\s*|A\ complete\ log\ .*|.*-debug(-\d+)?\.log)
    | (g?make)(\[\d+\])?:\ (\*\*\*\ (\[.*\]\ Error\ \d+|Waiting\ for)|Entering|Leaving).*
    | (.*\b)?exit(ed)?\ (with\ )?(code|status):?\ ?\d+\.?
    | Node\.js\ v[\d.]+
    | \s*(note:\ run\ with|For\ (more|further)\ information|Some\ details\ are\ omitted).*
    | (?P<rule>[=!*#_-])(?P=rule){2}.*(?P=rule){3}
    """,
    re.VERBOSE,
)


def cause(error: str, exit_code: int | None = None) -> str:
    """Return why something failed in one line, at most about `LINE_CHARS_MAX` characters: `exit 1 · ValueError: x`.

    Args:
        error: as events have it, the last lines of what was said; empty where nothing is known.
        exit_code: the command's; None where there was none, or it was ended.
    """
    own, _, handlers = error.partition(f"\n{HANDLER_TOO}")
    found = _joined(own, exit_code)
    return f"{found}; {HANDLER_TOO}{_joined(handlers, None)}" if handlers else found


def meaningful_line(text: str) -> str:
    """Return the last line that says something, without escape sequences; empty where no line does.

    Stack frames, lines that only repeat an exit code and the like are returned only if there is nothing else. If a
    line overwrote itself, its last text counts.
    """
    found = fallback = ""
    is_stack = is_goroutine = False
    for line in _ESCAPES.sub("", text).splitlines():
        is_goroutine = is_goroutine and bool(line.strip())
        if not _SAYS.search(line):
            fallback = fallback or line.strip()
            continue
        fallback = line
        is_goroutine = is_goroutine or bool(_GOROUTINE.match(line))
        is_stack = bool(_STACK.match(line)) or (is_stack and line[0].isspace())
        if not (is_stack or is_goroutine or _NOISE.fullmatch(line)):
            found = line
    return clipped((found or fallback).strip(" \t|"), LINE_CHARS_MAX)


def _joined(error: str, exit_code: int | None) -> str:
    """Return how a command ended and what it said, whichever is known."""
    ended = _ended(exit_code)
    if led := _LED_BY.match(f"{error}\n"):
        ended, error = led[1], error[led.end() :]
    if exit_code and error == f"{BARE_EXIT}{exit_code}":
        return ended
    return _SEPARATOR.join(part for part in (ended, meaningful_line(error)) if part)


def _ended(exit_code: int | None) -> str:
    if not exit_code:
        return ""
    likely = _LIKELY.get(exit_code)
    return f"exit {exit_code}" + (f", {likely}?" if likely else "")
