"""Forks: a new run that shares history, with other variables."""

from typing import Any

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.evolve import evolve
from prodigy.kernel.scope import lookup_in
from prodigy.plan.nodes import ROOT
from tests.kernel.story import NOW, ends, given, resume, resumes, run_completes, starts, succeeds
from tests.simulation.plans import compiled, step

PLAN = compiled(step("a", capture="x"), step("b"), variables={"v": "old", "w": "kept"})
DONE = (starts("a"), ends("a", 3), ev.ValueCaptured(at="a", name="x", value="old"), succeeds("a", 1))


def fork(**variables: Any) -> sig.Signal:
    return resume(fork=sig.Fork(workflow_id="demo-000002", from_workflow_id="demo-000001", variables=variables))


def forked(seq: int, captured: tuple[str, ...] | None = (), **variables: Any) -> ev.RunForked:
    return ev.RunForked(
        workflow_id="demo-000002",
        from_workflow_id="demo-000001",
        from_seq=seq,
        variables=variables,
        captured=captured,
    )


def test_a_fork_says_where_it_comes_from_and_goes_on() -> None:
    """With its own id."""
    state = given(PLAN, *DONE).when(fork(x="new")).then(forked(7, ("x",), x="new"), resumes(), starts("b"))
    assert ("demo-000002", 1) == (state.run.workflow_id, state.generation)


def test_a_fork_of_a_completed_run_is_no_nothing_to_do() -> None:
    """At its end it completes again."""
    told = (starts("a"), ends("a", 3), succeeds("a", 1), run_completes())
    state = given(compiled(step("a")), *told).when(fork()).then(forked(8), resumes(), ev.RunCompleted())
    assert "completed" == state.status


def test_changed_variables_replace_captures_else_the_workflows_variables() -> None:
    """The others are as they were."""
    events, state = given(PLAN, *DONE).when(fork(x="new", v="new"))
    lookup = lookup_in(state, ROOT)
    assert [(True, "new"), (True, "new"), (True, "kept")] == [lookup(name) for name in ("x", "v", "w")]
    assert forked(7, ("x",), x="new", v="new") == events[0]


def test_a_log_that_does_not_tell_which_variables_were_captured_folds_to_the_same() -> None:
    """As every log did that was written before it was told."""
    state = given(PLAN, *DONE).state
    told, untold = (evolve(state, forked(7, captured, x="new", v="new"), NOW) for captured in (("x",), None))
    assert told == untold


def test_what_a_fork_changes_is_decided_once() -> None:
    """A log says which variables were captured; a later prodigy that would decide otherwise folds it as it was."""
    state = evolve(given(PLAN, *DONE).state, forked(7, (), x="new"), NOW)
    assert (True, "old") == lookup_in(state, ROOT)("x")


def test_a_changed_variable_is_a_parameter_of_the_fork() -> None:
    """So an edited file, and a restart, are compiled with it; a capture is made anew by its step."""
    state = evolve(given(PLAN, *DONE).state, forked(7, ("x",), x="new", v="new"), NOW)
    assert {"v": "new"} == state.run.parameters
