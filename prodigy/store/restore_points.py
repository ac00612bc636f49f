"""Find a moment of a run: a checkpoint version, the beginning of a step or stage, an event.

A run's history may lie in several generations, and versions and names of all of them can be gone back to. The state
at a moment is folded from the log up to it, so a log that is damaged later on can still be used.
"""

from typing import NamedTuple

from prodigy.errors import DamagedState, RunNotFound, UsageProblem
from prodigy.kernel import events as ev
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.plan.address import is_template
from prodigy.plan.nodes import is_below
from prodigy.projections.naming import addresses_in, check_one, near_or_all
from prodigy.store.generation import LoggedEvent, damage_of
from prodigy.store.history import Lineage, begun_generation, lineage
from prodigy.store.layout import RunFolder

_ENTERS = (ev.NodeStarted, ev.CommandStarted, ev.ConfirmationRequested, ev.NodeSkipped, ev.NodeBypassed)


class RestorePoint(NamedTuple):
    """A moment: the state at it, and where it is.

    `at` is the node that is to begin with, where one was named; `target` is it too where it was never entered.
    """

    state: State
    generation: int
    seq: int
    chain: str
    target: str | None = None
    at: str | None = None


def version_number(text: str) -> int | None:
    """Return N of `vN` or `N`, or None when the text names no version."""
    digits = text[1:] if text[:1] == "v" else text
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None


def find_version(folder: RunFolder, version: int) -> RestorePoint:
    """Return the moment of a checkpoint version, in whichever generation it was made.

    Raises:
        UsageProblem: there is no such version; those that there are are listed.
        DamagedState: it is none of those before the damage.
    """
    begun_generation(folder)
    known: set[int] = set()
    damage: DamagedState | None = None
    for generation in reversed(folder.generations()):
        try:
            for moment, _, state in lineage(folder, generation).steps():
                if isinstance(moment.event, ev.CheckpointMarked | ev.RunRestored):
                    known.add(state.version)
                    if state.version == version:
                        return RestorePoint(state, moment.generation, moment.seq, moment.chain)
        except DamagedState as problem:  # an older generation may have it
            damage = damage or problem
    if damage is not None:
        raise damage
    raise UsageProblem(f"{folder.path.name} has no version v{version}", hint=_known(folder, known))


def find_seq(folder: RunFolder, seq: int) -> RestorePoint:
    """Return the moment right after event `seq` of the run's present history.

    What was decided because of the event belongs to it: a command's end is never parted from what came of it. What
    begins next does not.

    Raises:
        UsageProblem: there is no such event.
    """
    history = lineage(folder, begun_generation(folder).number)
    state, last = history.beginning, None
    for moment, _, after in history.steps():
        if last is not None and (last.ends_turn or isinstance(moment.event, _ENTERS)):
            break
        state, last = after, moment if last is not None or moment.seq == seq else None
    if last is None:
        raise UsageProblem(f"{folder.path.name} has no event {seq}; its last is {state.seq}", hint=_EVENTS)
    return RestorePoint(state, last.generation, last.seq, last.chain)


def find_node(folder: RunFolder, name: str, generation: int | None = None) -> RestorePoint:
    """Return the moment right before a step or stage was last entered; the latest one where it never was.

    Args:
        name: the id, the address or the `name:`.
        generation: whose history is looked at; the present one's without.

    Raises:
        UsageProblem: the run has no such step, or it is one of handlers that never began.
        RunNotFound: where it began is not in the history any more.
    """
    history = lineage(folder, generation or begun_generation(folder).number)
    state, found = history.beginning, None
    last: LoggedEvent | None = None
    for moment, before, after in history.steps():
        at = getattr(moment.event, "at", "")
        if at and isinstance(moment.event, _ENTERS) and last is not None:
            if _is_entered(before, at, name):
                found = RestorePoint(before, last.generation, last.seq, last.chain, at=at)
            elif target := _passed_over(before, moment.event, name):
                found = RestorePoint(before, last.generation, last.seq, last.chain, target=target, at=target)
        state, last = after, moment
    called = addresses_in(state.plan, name)
    check_one(folder.path.name, name, called)
    if found is not None:
        return found
    if last is None or not called:
        raise _no_such_step(folder, state, name)
    (address,) = called
    if is_template(address):
        raise UsageProblem(f"{name} is inside a map, for each item anew", hint="Name the map, a step, or a version.")
    if not _is_step(state, address):
        raise UsageProblem(
            f"{name} belongs to the handlers of a step, and they never began", hint="Name the step, or a version."
        )
    if state.node(address).status is not Status.PENDING:
        raise RunNotFound(
            f"where {name} began is not in the history of {folder.path.name}: it was lost, or the step has moved",
            hint=f"Go back to a version: {_versions({state.version})} is the last.",
        )
    return RestorePoint(state, last.generation, last.seq, last.chain, target=address, at=address)


def history_until(folder: RunFolder, until: str | None, generation: int | None) -> Lineage:
    """Return the history of a generation, of the present one without, up to where it is to stop.

    Args:
        until: `12` is an event, `v3` a version, which without `generation` may be in an older one; else it is a step or
            stage, before the last time that it began.

    Raises:
        UsageProblem: `until` is no event, version, step or stage, or several steps.
        RunNotFound: there is no such generation, event or version; the hint says what there is.
    """
    newest, there = begun_generation(folder).number, folder.generations()
    if generation is not None and generation not in there:
        raise no_generation(folder, generation)
    if until is None:
        return lineage(folder, generation or newest)
    number = version_number(until)
    if number is None:
        return lineage(folder, generation or newest).until(find_node(folder, until, generation or newest).seq)
    if until.startswith("v"):
        return _until_version(folder, number, [generation] if generation is not None else there[::-1])
    return _until_event(folder, number, generation or newest)


def no_generation(folder: RunFolder, generation: int) -> RunNotFound:
    """Return what there is to say of a generation that a run does not have."""
    there = ", ".join(map(str, folder.generations()))
    return RunNotFound(f"{folder.path.name} has no generation {generation}", hint=f"It has {there}.")


def _until_event(folder: RunFolder, seq: int, generation: int) -> Lineage:
    history = lineage(folder, generation)
    last = history.parts[-1][0]
    end = last.start.seq
    if not history.first_seq <= seq <= end:  # all of it is looked through where that must be
        with damage_of(folder):
            end = last.read().verify().end.seq
    if not history.first_seq <= seq <= end:
        name = folder.path.name
        raise RunNotFound(
            f"{name} has no event {seq}",
            hint=f"It has {history.first_seq} to {end}: `prodigy events ls --job-id {name}`.",
        )
    return history.until(seq)


def _until_version(folder: RunFolder, version: int, generations: list[int]) -> Lineage:
    """Return the newest history with this version, up to it: a version may be in an older generation."""
    known: set[int] = set()
    for generation in generations:
        history = lineage(folder, generation)
        for seq, marked in history.versions():
            if marked == version:
                return history.until(seq)
            known.add(marked)
    raise RunNotFound(f"{folder.path.name} has no version v{version}", hint=_known(folder, known))


def _known(folder: RunFolder, known: set[int]) -> str:
    return f"It has {_versions(known)}. All: `prodigy checkpoints list --workflow-id {folder.path.name}`."


def find_restore_point(folder: RunFolder, reference: str) -> RestorePoint:
    """Return the moment that `v3`, `3`, a step or a stage means.

    Raises:
        UsageProblem: there is none; what there is is listed.
        RunNotFound: where the step began is not in the history any more.
    """
    version = version_number(reference)
    return find_node(folder, reference) if version is None else find_version(folder, version)


def _is_entered(state: State, at: str, name: str) -> bool:
    return addresses_in(state.plan, name) == (at,) and state.node(at).status is Status.PENDING


def _passed_over(state: State, event: ev.Event, name: str) -> str:
    """Return the address of the named node where this event passes over something that it is in, else nothing."""
    address = next(iter(addresses_in(state.plan, name)), "")
    if not isinstance(event, ev.NodeSkipped | ev.NodeBypassed) or address == event.at or not _is_step(state, address):
        return ""
    is_new = state.node(address).status is Status.PENDING
    return address if is_new and is_below(state.plan, address, event.at) else ""


def _is_step(state: State, address: str) -> bool:
    """Whether the plan has this node, and not as part of a handler."""
    return any(node.address == address for node in state.plan.walk())


def _no_such_step(folder: RunFolder, state: State, name: str) -> UsageProblem:
    versions = f"versions v1 to v{state.version}" if state.version else "no versions yet"
    return UsageProblem(
        f"{folder.path.name} has neither a version nor a step or stage {name[:100]!a}",
        hint=f"{near_or_all(state, name).removesuffix('.')}; {versions}.",
    )


def _versions(known: set[int]) -> str:
    if len(known) == 1:
        return f"v{min(known)}"
    return f"v{min(known)} to v{max(known)}" if known else "none yet"


_EVENTS = "List them: `prodigy events ls`."
