"""What to type next about a run: one rule for whoever advises.

The commands are given without the program's name and with the run's real id, so they can be typed as they stand. For
a run at rest, the command that goes on with it is marked: lists have room for one.
"""

import shlex
from collections.abc import Iterator
from typing import Literal

import msgspec

from prodigy.kernel.budget import fits, reservation
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.plan.nodes import Run
from prodigy.plan.phrases import agreeing

Culprit = Literal["step", "map", "other"]


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a run as decides what to type next.

    `status` is as people know it, `stopping` and `running` only of one that is owned. `failed_at` is where it failed,
    paused or was cancelled, which `culprit` is: a step that printed something, a map with items, or anything else.
    `dead` counts dead letters, `left` the items that resume would go on with, `awaiting` is what waits for an answer. A
    run that paused because something stands in claude's way `is_held`, and where that is its budget `needs_budget`. A
    run that this machine's global folder does not know `needs_trust`.
    """

    workflow_id: str
    status: str
    failed_at: str | None = None
    culprit: Culprit = "other"
    dead: int = 0
    left: int = 0
    awaiting: tuple[str, ...] = ()
    is_held: bool = False
    needs_budget: bool = False
    is_mirror_only: bool = False
    needs_trust: bool = False


class NextStep(msgspec.Struct, frozen=True, kw_only=True):
    """Why, in words before a colon, and the command without the program's name; `goes_on` where it moves the run."""

    why: str
    command: str
    goes_on: bool = False


def rest_of(state: State, status: str = "", *, is_mirror_only: bool = False, needs_trust: bool = False) -> Rest:
    """Return what decides the next step; `status` is that of the log where it is not given."""
    waiting = tuple(at for at, here in state.nodes.items() if here.status is Status.AWAITING)
    return Rest(
        workflow_id=state.run.workflow_id,
        status=status or state.status,
        failed_at=state.failed_at,
        culprit=_culprit(state),
        dead=sum(items.dead for items in state.maps.values()),
        left=sum(items.pending + len(items.active) + items.failed for items in state.maps.values()),
        awaiting=waiting,
        is_held=is_held(state),
        needs_budget=is_held(state) and not fits(state, reservation(state, state.failed_at or "")),
        is_mirror_only=is_mirror_only,
        needs_trust=needs_trust,
    )


def next_steps(rest: Rest) -> list[NextStep]:
    """Return what to type next, the best first; nothing about a run that is completed as it should be."""
    if rest.is_mirror_only:
        return [] if rest.status == "completed" else [_resume(rest, "go on with")]
    match rest.status:
        case "completed":
            return list(_completed(rest))
        case "failed":
            return list(_failed(rest))
        case "paused":
            return list(_paused(rest))
        case "damaged":
            return [NextStep(why="look", command=f"checkpoints validate {rest.workflow_id}")]
        case "cancelled":
            return [_resume(rest, "to be asked again")]
        case "running" | "stopping":
            return [*_approvals(rest, "answer yes"), *_live(rest)]
        case _:
            return [_resume(rest, "go on with")]


def way_on(rest: Rest) -> NextStep | None:
    """Return the command that goes on with a run, or None where there is none."""
    return next((step for step in next_steps(rest) if step.goes_on), None)


def is_held(state: State) -> bool:
    """Whether a run has paused for what stands in claude's way: a limit, the account, its budget."""
    return state.status == "paused" and state.failed_at is not None and state.node(state.failed_at).held_attempt > 0


def _culprit(state: State) -> Culprit:
    if state.failed_at in state.maps:
        return "map"
    node = state.plan.nodes.get(state.failed_at or "")
    has_said = node is not None and isinstance(node.body, Run) and state.culprit.output_file
    return "step" if has_said else "other"


def _completed(rest: Rest) -> Iterator[NextStep]:
    if rest.dead:
        yield NextStep(why="see what failed", command=f"dlq list {rest.workflow_id}")
        yield _retry(rest, f"put {_them(rest)} back")


def _failed(rest: Rest) -> Iterator[NextStep]:
    """Yield where to look, and what goes on: dead letters have to be put back only where they failed the map."""
    run = rest.workflow_id
    if rest.culprit == "map":
        yield NextStep(why="look", command=f"logs {run} --failed")
    elif rest.failed_at is not None:
        command = "logs" if rest.culprit == "step" else "explain"
        yield NextStep(why="look", command=f"{command} {run} {shlex.quote(rest.failed_at)}")
    if rest.culprit == "map" and rest.dead:
        yield _retry(rest, f"mend it, then put {_them(rest)} back")
        if rest.left:
            yield _resume(rest, f"or go on without {_them(rest)}")
    else:
        yield _resume(rest, "mend it, then go on")


def _paused(rest: Rest) -> Iterator[NextStep]:
    """Yield what answers the question that was read, and no later one, before `--yes`, which answers all."""
    if rest.is_held:
        if rest.needs_budget:
            yield NextStep(why="let it cost more, for example $10", command=f"budget {rest.workflow_id} --raise 10")
        yield _resume(rest, "then go on" if rest.needs_budget else "mend it, then go on")
        return
    yield from _approvals(rest, "answer yes")
    yield _resume(rest, "or answer yes to all that is asked" if rest.awaiting else "answer yes")


def _them(rest: Rest) -> str:
    return agreeing(rest.dead, "it", "them")


def _live(rest: Rest) -> Iterator[NextStep]:
    yield NextStep(why="watch it", command=f"status {rest.workflow_id} --watch")
    if rest.status == "running":
        yield NextStep(why="stop it", command=f"stop {rest.workflow_id}")


def _approvals(rest: Rest, why: str) -> Iterator[NextStep]:
    for at in rest.awaiting:
        yield NextStep(why=why, command=f"approve {rest.workflow_id} {shlex.quote(at)}", goes_on=True)


def _retry(rest: Rest, why: str) -> NextStep:
    return NextStep(why=why, command=f"dlq retry {rest.workflow_id}", goes_on=True)


def _resume(rest: Rest, why: str) -> NextStep:
    options = " --yes" if rest.status == "paused" and not rest.is_held else ""
    options += " --from-checkpoint mirror" if rest.is_mirror_only else ""
    options += " --trust" if rest.needs_trust else ""
    return NextStep(why=why, command=f"resume {rest.workflow_id}{options}", goes_on=True)
