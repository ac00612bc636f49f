"""Cleaning a run: the last word of its log, however the run stood."""

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from tests.kernel.story import NOW, Told, ends, given, run_completes, starts, stops, succeeds
from tests.simulation.plans import compiled, step

PLAN = compiled(step("a"))
DONE = (starts("a"), ends("a", 3), succeeds("a", 1), run_completes())
CLEAN = sig.CleanRequested(time=NOW, by="ann", size_bytes=7)


@pytest.mark.parametrize("told", [DONE, (starts("a"),), (starts("a"), stops())], ids=["completed", "killed", "stopped"])
def test_that_nothing_else_is_kept_is_the_last_word(told: tuple[Told, ...]) -> None:
    """How the run ended stays what it was, and nothing begins."""
    run = given(PLAN, *told)
    state = run.when(CLEAN).then(ev.RunCleaned(by="ann", size_bytes=7))
    assert (run.state.status, run.state.nodes) == (state.status, state.nodes)
