"""Write the logs that later versions must still open: `python -m tests.histories.record` adds those that are missing.

A history is written once, by the code of its day, and never again; what it folds to is recorded beside it. A run's
whole log is played in the simulated world: framing, chain, codec and kernel are the real ones.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from prodigy.kernel import signals as sig
from prodigy.kernel.align import align
from prodigy.kernel.evolve import fold
from prodigy.kernel.state import State
from prodigy.store.journal import decode
from prodigy.store.log import Scan
from prodigy.store.values import Values
from tests.simulation.plans import FAIL, SLOW, compiled, step
from tests.simulation.world import OK, Crash, Ending, World, meaning, stopped_at

FOLDER = Path(__file__).parent
STATES = FOLDER / "states.json"


def opened(log: bytes, values: Path) -> State:
    """Return the state that a log folds to, read as a resume would read it."""
    records = ((record.time, decode(record, Values(values), name="the history")) for record in Scan([log]))
    return fold(State(), records)


def summary(state: State) -> dict[str, Any]:
    """Return what a state means, as JSON has it, and a digest of that."""
    told = {
        **meaning(state),
        "seq": state.seq,
        "generation": state.generation,
        "version": state.version,
        "number": state.number,
        "max_retries": state.max_retries,
        "in_flight": dict(state.in_flight),
        "time": state.time,
    }
    digest = sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return {"status": state.status, "seq": state.seq, "digest": digest}


def crash_at(world: World, append: int) -> None:
    """Cook, die at this append, and be recovered."""
    world.disk.crash_at, world.disk.crash_mode = append, "torn"
    try:
        world.cook()
    except Crash:
        world.disk.crash_at = None
        return
    raise AssertionError("the run ended before it could crash")


def handled() -> World:
    """Retries, handlers, conditions, a stop inside a handler."""
    plan = compiled(
        step("a", retry=2, on_failure=[{"shell": "clean"}, {"claude": "/diagnose ${a.error}"}], checkpoint=True),
        step("b", when="${a.success}"),
        step("c", when="${a.partial_success}"),
    )
    world = World(plan, {"a": [FAIL, SLOW, FAIL]})
    world.watch = stopped_at("a.on_failure[1]")
    world.cook()
    world.resume()
    return world


def captured() -> World:
    """Captures of every format, variables, a crash with a torn turn."""
    plan = compiled(
        step("a", capture="config", capture_format="json"),
        step("b", capture="files", capture_format="lines", env={"MODE": "${mode}"}),
        {"id": "c", "shell": "use ${config.x} ${files}", "timeout": "5m"},
        variables={"mode": "fast"},
        env={"LEVEL": "3"},
    )
    world = World(plan, {"a": [Ending(output='{"x": 1.5, "y": null}\n')], "b": [Ending(output="one\ntwo é\n")]})
    crash_at(world, 3)
    world.resume()
    return world


def edited() -> World:
    """A failed run, its workflow edited, resumed with more retries, and failed again."""
    world = World(compiled(step("a"), {"shell": "one"}, step("b")), {"commands[1]": [FAIL]})
    world.cook()
    plan = compiled(step("a"), step("new"), {"shell": "one, mended"}, step("b"))
    alignment = align(world.state, plan)
    revision = sig.Revision(plan=plan, workflow_text="…", moved=alignment.moved, dropped=alignment.dropped)
    world.script["commands[2]"] = [FAIL]
    world.resume(revision=revision, max_retries=1)
    return world


def paused() -> World:
    """A tolerated failure, a step that asks whether it may be repeated, a run that waits for the answer."""
    plan = compiled(
        step("a"),
        step("b", when="${a.exit_code} != 0"),
        step("c", allow_failure=True),
        step("d", on_interrupt="ask"),
    )
    world = World(plan, {"a": [FAIL, OK], "c": [Ending(signal="SIGKILL")]})
    world.watch = stopped_at("d")
    world.cook()
    world.resume()
    return world


def started_over() -> World:
    """The second generation of a run, interrupted while it waits."""
    world = World(compiled(step("a", retry=1), step("b")), {"a": [FAIL, OK]})
    world.watch = stopped_at("a", attempt=2)
    world.cook(generation=2, version=7, from_chain="0123456789abcdef", reason="resume --force")
    return world


def spelled() -> World:
    """Captured numbers that keep the spelling of the step that printed them."""
    plan = compiled(
        step("a", capture="config", capture_format="json"),
        step("b", capture="rate", capture_format="number"),
        {"id": "c", "shell": "use ${config.version} ${rate}"},
    )
    world = World(plan, {"a": [Ending(output='{"version": 1.10}\n')], "b": [Ending(output="+5\n")]})
    crash_at(world, 4)
    world.resume()
    return world


HISTORIES: dict[str, Callable[[], World]] = {
    "format-1-handled": handled,
    "format-1-captured": captured,
    "format-1-edited": edited,
    "format-1-paused": paused,
    "format-1-started-over": started_over,
    "format-1-spelled": spelled,
}


def main() -> None:
    """Write what is missing; what is there stays as it is."""
    states = json.loads(STATES.read_text()) if STATES.exists() else {}
    for name, make in HISTORIES.items():
        path = FOLDER / f"{name}.jsonl"
        if not path.exists():
            path.write_bytes(bytes(make().disk.data))
            states[name] = summary(opened(path.read_bytes(), FOLDER))
    STATES.write_text(json.dumps(states, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
