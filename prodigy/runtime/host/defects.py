"""Handle defects of prodigy itself: the run ends at once, with a sentence and a file to report it with.

Callbacks, tasks and threads fail where nobody waits for their result, and a run that went on without them might wait
for ever. So their failures are all caught in one place, and none of them needs a guard of its own.
"""

import asyncio
import os
import platform
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import prodigy
from prodigy.errors import Defect, ProdigyError
from prodigy.store.files import opened, private_folder, write_all
from prodigy.store.layout import home

REPORTS_FOLDER = "defects"
_CHARS_MAX = 300

Crash = Callable[[BaseException], None]


@contextmanager
def heard(loop: asyncio.AbstractEventLoop, crash: Crash) -> Iterator[None]:
    """Call `crash` on the loop's thread with whatever fails in a callback, a task or a thread meanwhile."""
    before = threading.excepthook

    def hear_thread(told: threading.ExceptHookArgs) -> None:
        try:
            loop.call_soon_threadsafe(crash, told.exc_value or told.exc_type())
        except RuntimeError:  # the loop is closed
            before(told)

    def hear_callback(_: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
        if failure := told.get("exception"):
            crash(failure)

    def hear_task(task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (failure := task.exception()):
            crash(failure)

    def make_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **more: Any
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **more)
        task.add_done_callback(hear_task)
        return task

    loop.set_exception_handler(hear_callback)
    loop.set_task_factory(make_task)  # type: ignore[arg-type]  # typeshed wants a generic protocol
    threading.excepthook = hear_thread
    try:
        yield
    finally:
        threading.excepthook = before


def defect(failure: BaseException, *, folder: Path | None = None, then: str = "") -> Defect:
    """Return the error that tells people of a mistake of ours, its traceback written into a private file.

    Args:
        folder: where the file is written, of a run; else and if it cannot be, `PRODIGY_HOME` or the temporary folder.
        then: what to type next, as a sentence.
    """
    what = " ".join(f"{type(failure).__name__}: {failure}".split())[:_CHARS_MAX]
    path = _written(failure, folder)
    hint = f"Please report it with {path}, which holds the traceback." if path else "Its traceback cannot be written."
    return Defect(f"prodigy itself failed at this: {what}", hint=f"{hint} {then}".strip())


def _written(failure: BaseException, folder: Path | None) -> Path | None:
    name = f"defect-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    text = "".join(traceback.format_exception(failure))
    system = f"prodigy {prodigy.__version__}, Python {platform.python_version()}, {platform.platform()}"
    data = f"{system}\nprodigy {' '.join(sys.argv[1:2])}\n\n{text}".encode(errors="backslashreplace")
    for place in _places(folder):
        with suppress(OSError, ProdigyError):
            path = place() / name
            with opened(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) as descriptor:
                write_all(descriptor, data)
            return path
    return None


def _places(folder: Path | None) -> Iterator[Callable[[], Path]]:
    if folder is not None:
        yield lambda: folder
    yield lambda: private_folder(home() / REPORTS_FOLDER)
    yield lambda: Path(tempfile.mkdtemp(prefix="prodigy-"))
