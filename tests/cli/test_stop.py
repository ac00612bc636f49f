"""`stop` of a run that does not run."""

from pathlib import Path

import pytest

from tests.cli.looks import piped, settle, told


def test_a_run_that_has_completed_is_not_to_be_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resume would refuse it."""
    workflow_id = told(settle(tmp_path, monkeypatch))
    refused = piped("stop", workflow_id)
    assert (refused.code, refused.err) == (
        6,
        f"error: {workflow_id} is not running\n  It is completed. Look at it: `prodigy status {workflow_id}`.\n",
    )
