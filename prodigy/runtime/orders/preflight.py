"""Check before the first step what later steps need, rather than let them fail after hours of work.

A run does not begin if a step needs a program that is missing and that no earlier step can provide. What an earlier
step could still make is only noted. Nothing is run or written here.
"""

import os
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import NamedTuple

from prodigy.errors import Unprepared
from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.decide import decide
from prodigy.kernel.evolve import evolve
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.plan import expression
from prodigy.plan.nodes import Map, Plan
from prodigy.plan.reference import Reference, references
from prodigy.projections.needs import CLAUDE, Need, needs, told
from prodigy.runtime.claude.arguments import NOT_FOUND, UNBOUND_ROOT
from prodigy.runtime.clock import now
from prodigy.runtime.processes.commands import NO_PROGRAM, claude_words, find_program, program_in


class Outlook(NamedTuple):
    """What is missing: `lacks` surely ends the run, `notes` may."""

    lacks: tuple[str, ...]
    notes: tuple[str, ...]


def outlook(plan: Plan, directory: Path, done: Set[str] = frozenset(), *, claude_bin: str = "") -> Outlook:
    """Return what the steps of a plan that are not done would miss if they began now in `directory`."""
    missing = [need for need in needs(plan, done, claude_bin=claude_bin) if not _is_there(need, directory)]
    sure = [need for need in missing if need.is_sure and not need.may_come and (not need.folder or need.is_first)]
    others = [need for need in missing if need not in sure and (not need.folder or not need.may_come)]
    return Outlook(tuple(map(_sentence, sure)), tuple(map(_sentence, others)))


def require(plan: Plan, directory: Path, *, claude_bin: str = "") -> tuple[str, ...]:
    """Return what may be missing when a run of `plan` begins in `directory`, as sentences.

    Raises:
        Unprepared: the machine lacks what a step surely needs.
    """
    found = outlook(plan, directory, claude_bin=claude_bin)
    if found.lacks:
        hint = "nothing was run; where an earlier step brings it, name it in that step"
        raise Unprepared("\n       ".join(found.lacks), hint=hint)
    return found.notes


def still_missing(state: State, plan: Plan, moved: Mapping[str, str], directory: Path) -> tuple[str, ...]:
    """Return what a run that goes on as `plan` may miss: nothing is refused, for its next step says so itself.

    Args:
        moved: where steps stand in `plan` that stood elsewhere in the run's.
    """
    ended = (Status.SUCCEEDED, Status.HANDLED, Status.SKIPPED)
    done = {moved.get(at, at) for at, node in state.nodes.items() if node.status in ended}
    found = outlook(plan, directory, done, claude_bin=state.run.claude_bin)
    return (*found.lacks, *found.notes)


def items_now(plan: Plan, directory: Path) -> sig.Listed | None:
    """Return the items that a map would have if it listed them now, or why it could not.

    None where there is no map, or where that hangs on what the run will do: on a step's output, or on a command.
    """
    # `mode: mapreduce` alone makes a map, so there is one at most.
    at, body = next(((at, node.body) for at, node in plan.nodes.items() if isinstance(node.body, Map)), ("", None))
    if body is None or told(plan) & {str(reference.path[0]) for reference in _references(body)}:
        return None
    state = _begun(plan)
    effect = next(iter(fx.effects(state, ev.ListingStarted(at=at), state.seq + 1)), None)
    if isinstance(effect, fx.RejectList):
        return sig.Listed(time=state.time, at=effect.at, error=effect.reason)
    if not isinstance(effect, fx.List):
        return None
    from prodigy.runtime.host.items import read_items  # 1.4 ms that only a map should cost

    return read_items(effect, directory=directory / effect.working_dir)


def _references(body: Map) -> Iterator[Reference]:
    """Yield what decides which items there are."""
    source = body.source
    counts = (source.offset, source.max_items)
    for template in (source.text, *source.filled.values(), body.item_key, source.working_dir, *counts):
        yield from references(template) if isinstance(template, tuple) else ()
    yield from expression.references(source.filter) if source.filter else ()


def _begun(plan: Plan) -> State:
    """Return the state of a run of `plan` that has just begun, which nobody has written down."""
    cook = sig.CookRequested(
        time=now(),
        workflow_id="dry-run",
        workflow_path="",
        workflow_text="",
        directory="",
        number=1,
        plan=plan,
        prodigy_version="",
        parameters={},
    )
    state = State()
    for event in decide(state, cook).events[:1]:
        state = evolve(state, event, cook.time)
    return state


def _is_there(need: Need, directory: Path) -> bool:
    if need.folder:
        return os.path.isdir(directory / need.folder)
    if need.is_unbound:
        return os.geteuid() != 0 or "IS_SANDBOX" in os.environ
    if need.is_claude:
        return claude_words(program_in(need.program, str(directory)), _environment(need)) is not None
    if "/" in need.program:
        return os.access(directory / need.program, os.X_OK)
    return find_program(need.program, _environment(need)) is not None


def _environment(need: Need) -> dict[bytes, bytes]:
    return dict(os.environb) | ({} if need.path is None else {b"PATH": os.fsencode(need.path)})


def _sentence(need: Need) -> str:
    where = f"{need.at} (line {need.line})"
    if need.folder:
        made = "" if need.is_first else ", and no step before it makes one"
        return f"{where}: its working_dir {need.folder} is not there{made}"
    if need.is_unbound:
        return f"{where}: {UNBOUND_ROOT}"
    what = f"the interpreter {need.program!r} was not found on PATH"
    if need.is_claude:
        what = NOT_FOUND if need.program == CLAUDE else f"claude_bin {need.program} {NO_PROGRAM}"
    return f"{where}: {what}" + (" (an earlier step may bring it)" if need.may_come else "")
