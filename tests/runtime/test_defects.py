"""What fails where nobody waits for it is heard in one place, and only that."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from prodigy.runtime.host.defects import defect, heard


def failing() -> None:
    raise KeyError("boom")


async def failing_later() -> None:
    failing()


def in_a_callback(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(failing)


def in_a_task(loop: asyncio.AbstractEventLoop) -> None:
    loop.create_task(failing_later())


def in_a_thread(loop: asyncio.AbstractEventLoop) -> None:
    thread = threading.Thread(target=failing)
    thread.start()
    thread.join()


def cancelled(loop: asyncio.AbstractEventLoop) -> None:
    loop.create_task(asyncio.sleep(1000)).cancel()


def fine(loop: asyncio.AbstractEventLoop) -> None:
    loop.create_task(asyncio.sleep(0))


@pytest.mark.parametrize(
    ("begin", "count"), [(in_a_callback, 1), (in_a_task, 1), (in_a_thread, 1), (cancelled, 0), (fine, 0)]
)
def test_a_failure_is_heard_wherever_it_happens(begin: Callable[[asyncio.AbstractEventLoop], None], count: int) -> None:
    """On the loop's thread; a task that was cancelled has not failed."""
    loop, told = asyncio.new_event_loop(), list[tuple[str, threading.Thread]]()
    before = threading.excepthook

    def crash(failure: BaseException) -> None:
        told.append((str(failure), threading.current_thread()))

    with heard(loop, crash):
        begin(loop)
        loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert told == [("'boom'", threading.current_thread())] * count
    assert threading.excepthook is before


def test_a_defect_names_the_file_that_has_its_traceback(tmp_path: Path) -> None:
    """And says in one short line what failed."""
    try:
        failing()
    except KeyError as failure:
        told = defect(failure, folder=tmp_path, then="Then resume.")
    (path,) = tmp_path.iterdir()
    assert told.message == "prodigy itself failed at this: KeyError: 'boom'"
    assert told.hint == f"Please report it with {path}, which holds the traceback. Then resume."
    assert "in failing" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_report_goes_where_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The global folder, else the temporary one; nowhere if there is none."""
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "home"))
    assert f"{tmp_path}/home/defects/" in (defect(KeyError("boom"), folder=tmp_path / "gone").hint or "")
    (tmp_path / "file").touch()
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert f"{tmp_path}/prodigy-" in (defect(KeyError("boom")).hint or "")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert defect(KeyError("boom")).hint == "Its traceback cannot be written."
