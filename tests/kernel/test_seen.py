"""What `${…}` sees at each place: values of the workflow, of the item, results, outputs, the map as a whole."""

from typing import Any

from prodigy.kernel import events as ev
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import State
from tests.kernel.story import breaks, ends, fails, given, starts, succeeds, waits
from tests.kernel.test_map import at_work, bad, begins, good
from tests.simulation.plans import compiled, in_stages, mapped, stage, step

UNKNOWN = "unknown"


def seen(state: State, at: str, *names: str) -> list[Any]:
    """Return the values of these names at an address."""
    found = (lookup_in(state, at)(name) for name in names)
    return [value if is_known else UNKNOWN for is_known, value in found]


def test_what_an_item_captures_is_seen_in_it_alone() -> None:
    """By its later steps, not by a neighbour's, nor by reduce."""
    two = mapped([], [step("x", capture="it"), step("y")], [step("r")], max_parallel=2)
    both = (begins("a"), begins("b"), ends("map[a].x", 7), ev.ValueCaptured(at="map[a].x", name="it", value="A"))
    state = at_work(two, *both).state
    assert [seen(state, at, "it") for at in ("map[a].y", "map[b].y", "reduce.r")] == [["A"], [UNKNOWN], [UNKNOWN]]


def test_an_item_is_its_value_its_key_and_its_place() -> None:
    """Elsewhere there is none."""
    state = at_work(mapped([], [step("x")], [step("r")]), begins("b"), keys="ab").state
    assert seen(state, "map[b].x", "item", "item_key", "item_index") == ["b", "b", 1]
    assert seen(state, "reduce.r", "item", "item_key") == [UNKNOWN, UNKNOWN]


def test_a_variable_of_the_environment_sees_the_variables() -> None:
    """Its own text is a template."""
    state = given(compiled(step("a"), variables={"region": "north"}, env={"PLACE": "in ${region}"})).state
    assert seen(state, "a", "PLACE", "region", "nothing") == ["in north", "north", UNKNOWN]


def test_the_workflow_tells_its_id_its_name_and_its_file() -> None:
    """And the last output of each kind of command."""
    asked = compiled(step("a"), {"shell": "use ${shell.output}"})
    state = given(asked, starts("a"), ends("a", 3, output="out")).state
    assert seen(state, "commands[1]", "workflow", "shell") == [
        {"id": "demo-000001", "name": "demo", "path": "demo.yaml"},
        {"output": "out"},
    ]


def test_a_map_is_told_whole() -> None:
    """Each item that succeeded or was let go, each dead letter, in the order of the list."""
    whole = mapped([], [step("x")], [{"shell": "sum ${map.results} ${map.dead_letters}", "id": "r"}], max_parallel=4)
    ended = (ends("map[c].x", 9, output="of c"), *good("c"), *bad("a"), *bad("d", "skipped"), *bad("b"))
    listed = ev.ItemsListed(at="map", keys=tuple("adcb"), items=tuple({"n": key} for key in "adcb"))
    began = (ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"), listed)
    state = given(whole, *began, *(begins(key) for key in "adcb"), *ended).state
    [value] = seen(state, "reduce.r", "map")
    row = {"output": "", "attempts": 1, "duration": 0.0, "outputs": {"x": ""}}
    dead = {"error": "boom", "step": "x", "attempts": 1}
    assert value == {
        "total": 4,
        "successful": 1,
        "failed": 2,
        "results": [
            {**row, "item": {"n": "d"}, "key": "d", "status": "skipped"},
            {**row, "item": {"n": "c"}, "key": "c", "status": "succeeded", "output": "of c", "outputs": {"x": "of c"}},
        ],
        "dead_letters": [{**dead, "item": {"n": "a"}, "key": "a"}, {**dead, "item": {"n": "b"}, "key": "b"}],
        "error": None,
    }


def test_of_a_map_that_nobody_asks_for_results_are_not_kept() -> None:
    """Its counts are."""
    state = at_work(mapped([], [step("x")], [step("r")]), begins("a"), ends("map[a].x", 7), good("a"), keys="a").state
    [value] = seen(state, "reduce.r", "map")
    assert value == {
        "total": 1,
        "successful": 1,
        "failed": 0,
        "results": None,
        "dead_letters": None,
        "error": None,
    }


def test_of_a_map_that_has_not_listed_its_items_nothing_is_known_but_its_error() -> None:
    """A handler may ask for that."""
    began = (ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    state = given(mapped([], [step("x")], [step("r")]), *began, *fails("map", 1, "no such file")).state
    [value] = seen(state, "reduce.r", "map")
    nothing = dict.fromkeys(("total", "successful", "failed", "results", "dead_letters"))
    assert value == {**nothing, "error": "no such file"}


def test_a_result_is_told_whole() -> None:
    """Of a step that ran; of one that did not, only that it has not succeeded."""
    ended = ends("a", 6, exit_code=3, error="three", stderr="three", output="out", output_file="outputs/a-2.log")
    told = (starts("a"), breaks("a", 3), waits("a", 2, 1.0), starts("a", 2), ended)
    asking = compiled(step("a", retry=1), {"shell": "use ${a.output} ${a.stderr}", "id": "b"})
    state = given(asking, *told).state
    fields = ("output", "output_file", "stderr", "exit_code", "error", "duration", "attempts")
    ran, pending = seen(state, "b", "a", "b")
    assert {name: ran[name] for name in fields} == {
        "output": "out",
        "output_file": "outputs/a-2.log",
        "stderr": "three",
        "exit_code": 3,
        "error": "three",
        "duration": 1.0,
        "attempts": 2,
    }
    assert {name: pending[name] for name in fields} == dict.fromkeys(fields)
    assert [ran["success"], ran["partial_success"], pending["success"], pending["partial_success"]] == [False] * 4


def test_success_and_partial_success_are_two_things() -> None:
    """A step that was handled has not succeeded."""
    two = compiled(step("a", on_failure={"shell": "clean"}), step("b"))
    handled = (starts("a"), breaks("a", 3), ev.HandlingStarted(at="a"), ev.NodeHandled(at="a"), starts("b"))
    a, b = seen(given(two, *handled, ends("b", 7), succeeds("b", 1)).state, "b", "a", "b")
    assert [a["success"], a["partial_success"]] == [False, True]
    assert [b["success"], b["partial_success"]] == [True, False]


def test_the_file_of_an_output_is_where_the_run_lies_now() -> None:
    """Where there is one."""
    told = (starts("a"), ends("a", 3, output_file="outputs/a-1.log"), succeeds("a", 1), starts("b"), ends("b", 7))
    state = given(compiled(step("a"), step("b")), *told).state
    moved = type(state)(**{name: getattr(state, name) for name in state.__struct_fields__} | {"folder": "/here"})
    a, b = seen(moved, "b", "a", "b")
    assert a["output_file"] == "/here/outputs/a-1.log"
    assert b["output_file"] == ""


def test_handlers_of_a_stage_see_why_it_failed() -> None:
    """By its name or as `stage`, with the step and how often it was tried."""
    stages = in_stages(stage("one", step("a"), retry=1, on_failure={"shell": "clean"}), stage("two", step("b")))
    failed = (starts("one.a"), breaks("one.a", 4), fails("one.a", 1), ev.HandlingStarted(at="one", error="boom"))
    located = ev.HandlingStarted(at="one", error="boom", step="one.a")
    began = ev.NodeStarted(at="one", attempt=1)
    at = "one.on_failure[0]"
    expected = {"error": "one.a: boom", "step": "one.a", "attempts": 1}
    assert seen(given(stages, began, *failed[:-1], located).state, at, "stage", "one") == [expected, expected]
    bare = {"error": "boom", "step": None, "attempts": 1}
    assert seen(given(stages, began, *failed).state, at, "stage", "two", "three") == [
        bare,
        {"error": None, "step": None, "attempts": 0},
        UNKNOWN,
    ]
