"""`stop` of a run that does not run, or that ends before it hears of it."""

from pathlib import Path

import pytest

from prodigy.store import lock
from prodigy.store.lock import Holder
from tests.cli.looks import piped, settle, told
from tests.cli.whole import everywhere


def test_a_run_that_has_completed_is_not_to_be_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resume would refuse it."""
    workflow_id = told(settle(tmp_path, monkeypatch))
    refused = piped("stop", workflow_id)
    assert (refused.code, refused.err) == (
        6,
        f"error: {workflow_id} is not running\n  It is completed. Look at it: `prodigy status {workflow_id}`.\n",
    )


def test_a_run_that_ended_before_it_heard_is_not_to_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was live when it was asked, and has completed since."""
    workflow_id = told(settle(tmp_path, monkeypatch))
    owners = [Holder(pid=4711)]
    everywhere(monkeypatch, lock, "holder", lambda _: owners.pop(0) if owners else None)
    ended = piped("stop", workflow_id)
    asked = f"{workflow_id} was asked to stop (process 4711); waiting for it"
    assert (ended.code, ended.out.splitlines()) == (0, [asked, "it is completed"])
