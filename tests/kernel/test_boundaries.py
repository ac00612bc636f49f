"""Rules at a boundary, and rules that need two things at once: where bugs pass under tests of the ordinary case."""

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.digest import digest_of
from prodigy.kernel.effects import KEPT_OUTPUT_BYTES_MAX, effects
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.retry import attempts_allowed
from prodigy.kernel.scope import lookup_in
from tests.kernel.story import NOW, breaks, broke, ends, exited, fails, given, resume, run_fails, starts
from tests.kernel.test_map import at_work, begins, dies, good, plan
from tests.simulation.plans import compiled, in_stages, mapped, stage, step


def timed(key: str) -> tuple[ev.Event, ...]:
    """An item with a time of its own begins; three events, the last is its command's epoch."""
    at = f"map[{key}]"
    limit = ev.LimitStarted(at=at, attempt=1, left_s=9.0)
    return ev.NodeStarted(at=at, attempt=1), limit, starts(f"{at}.x", text="do x")


def test_the_end_of_an_items_time_ends_that_item_alone() -> None:
    """Its neighbours are at work at the same time, one of them under a key that begins alike."""
    now = at_work(plan(agent_timeout=9, max_parallel=3), timed("a"), timed("ab"), timed("b"), keys=["a", "ab", "b"])
    late = sig.LimitFired(time=NOW, at="map[a]", attempt=1)
    reached = ev.LimitReached(at="map[a]", timeout_s=9.0)
    state = now.when(late).then(reached)
    assert list(effects(state, reached, state.seq)) == [fx.Terminate(at="map[a].x", epoch=Epoch(8))]


def test_a_program_that_exits_0_after_its_timeout_has_failed() -> None:
    """It was told to end, and did so politely."""
    now = given(compiled(step("a", timeout=9)), starts("a"))
    late = "timed out after 9 s"
    now.when(exited("a", 3, timed_out_s=9.0)).then(
        ends("a", 3, timed_out_s=9.0, error=late), fails("a", 1, late), run_fails("a", late)
    )


def test_a_share_of_failures_that_is_just_the_threshold_is_none_too_many() -> None:
    """`failure_threshold: 0.5` of ten items lets five fail."""
    keys = [f"k{number}" for number in range(11)]
    told = [event for key in keys[:10] for event in begins(key)]
    ended: list[ev.Event] = []
    for place, key in enumerate(keys[:10]):
        epoch = 7 + 2 * place
        ended += dies(key, epoch) if place < 5 else [ends(f"map[{key}].x", epoch), *good(key)]
    now = at_work(plan(max_parallel=10, error_policy={"failure_threshold": 0.5}), *told, *ended[:-3], keys=keys)
    decided = now.when(exited("map[k9].x", 25)).events
    assert decided[-2:] == list(begins("k10"))


def test_the_failed_items_that_stopped_a_map_are_counted_as_failed() -> None:
    """`${map.failed}` is of all that failed, dead letters or not."""
    told = (*begins("a"), *begins("b"), breaks("map[a].x", 7), ev.NodeFailed(at="map[a].x", error="boom"))
    stopped = ev.ItemSettled(at="map", key="a", disposition="failed", error="boom", step="x")
    now = at_work(
        plan(max_parallel=2, error_policy={"on_item_failure": "stop"}),
        *told,
        ev.NodeFailed(at="map[a]", error="boom"),
        stopped,
    )
    known, value = lookup_in(now.state, "reduce.r")("map")
    assert known
    assert value["failed"] == 1
    assert value["successful"] == 0


def test_max_retries_gives_none_to_a_sibling_that_was_only_skipped() -> None:
    """It is for the failed step that resume begins with; what was skipped because of it has no `retry` still."""
    asking = compiled(step("a"), step("b", when="${a.success}"))
    failed = (starts("a"), breaks("a", 3), *fails("a", 1))
    skipped = ev.NodeSkipped(at="b", reason="${a.success} is false")
    unanswered = "boom (at a; no later step answered it)"
    resumed = given(asking, *failed, skipped, *run_fails("a", unanswered)).when(resume(max_retries=2)).state
    assert attempts_allowed(resumed, asking.nodes["a"]) == 3
    assert attempts_allowed(resumed, asking.nodes["b"]) == 1


def test_a_capture_inside_an_item_changes_the_digest() -> None:
    """A later step of the item sees it, so a fold that loses it is another fold."""
    one = mapped([], [step("x", capture="seen"), step("y")], [], max_parallel=2)
    began = (ev.NodeStarted(at="map[a]", attempt=1), starts("map[a].x", text="do x"), ends("map[a].x", 7))
    digests = {
        value: digest_of(at_work(one, *began, ev.ValueCaptured(at="map[a].x", name="seen", value=value)).state)
        for value in ("left", "right")
    }
    assert digests["left"] != digests["right"]


def test_the_last_output_is_kept_before_and_in_a_stage_that_may_be_skipped() -> None:
    """`${shell.output}` after it is of the last step that ran, whichever that was."""
    stages = in_stages(
        stage("one", step("a")),
        stage("two", step("b"), when="${wanted}"),
        stage("three", {"claude": "${shell.output}"}),
        variables={"wanted": True},
    )
    kept = {at for at, node in stages.nodes.items() if node.keeps_output}
    assert kept == {"one.a", "two.b"}


def test_a_failure_inside_a_timeout_of_its_stage_is_tried_again_in_time() -> None:
    """Two limits at once: the step's retry is scheduled, and the stage's time runs on."""
    both = in_stages(stage("one", step("a", retry=1, timeout=5), timeout=60))
    began = (ev.NodeStarted(at="one", attempt=1), ev.LimitStarted(at="one", attempt=1, left_s=60.0), starts("one.a"))
    decided = given(both, *began).when(broke("one.a", 5)).events
    assert [type(event) for event in decided] == [ev.CommandFinished, ev.RetryScheduled]


def test_what_a_step_captures_is_whole_and_its_result_keeps_the_end() -> None:
    """Also where it captures into its own id: 50 outputs of 10 MB would else be held in its results."""
    text = "x" * (KEPT_OUTPUT_BYTES_MAX + 5)
    asked = compiled(step("a", capture="a"), {"shell": "echo ${a} ${a.exit_code} ${a.output}"})
    finished, captured, *_ = given(asked, starts("a")).when(exited("a", 3, output=f"{text}\n")).events
    assert isinstance(finished, ev.CommandFinished)
    assert isinstance(captured, ev.ValueCaptured)
    assert len(finished.output) == KEPT_OUTPUT_BYTES_MAX - 1
    assert captured.value == text
