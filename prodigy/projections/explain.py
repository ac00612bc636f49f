"""Why a step is as it is: its story in sentences, told from the log alone.

The events of a run are folded once more, and whatever concerns the step, or what it stands in, becomes a sentence:
why it began, what each attempt came to, who retried, handled, skipped, passed over or resumed it, with the values
that decided it as they were then. An edited workflow may have moved a step; it is followed to where it was before.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from prodigy.kernel import events as ev
from prodigy.kernel.cause import cause
from prodigy.kernel.evolve import evolve
from prodigy.kernel.lifecycle import SETTLED, Status
from prodigy.kernel.queries import failures, is_tolerated
from prodigy.kernel.retry import attempts_allowed
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import State
from prodigy.plan import expression
from prodigy.plan.address import item_address, item_of, parse
from prodigy.plan.nodes import ROOT, Node, Run
from prodigy.plan.nodes import Sequence as Steps
from prodigy.plan.phrases import Spoken, agreeing, clipped, counted, together
from prodigy.plan.spelling import as_spelled
from prodigy.projections.failure import failure_of, node_cause
from prodigy.projections.telling import told_later

VALUE_CHARS_MAX = 100

Happened = tuple[str, ev.Event]
Clock = Callable[[str], Spoken]


def in_utc(time: str) -> Spoken:
    """Return a moment of the log as a date, a time, and what clock that is of."""
    return Spoken(time[:10], time[11:19], " UTC")


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The story of one step or stage; `status` is how it stands now, `what` is what it runs, empty for a stage."""

    address: str
    what: str
    status: str
    sentences: tuple[str, ...]


def explain(
    history: Iterable[Happened],
    start: State,
    final: State,
    moves: Sequence[ev.PlanChanged],
    address: str,
    *,
    clock: Clock = in_utc,
) -> Explanation:
    """Return the story of the node at `address`.

    Args:
        history: (time, event) of the whole history, oldest first.
        start: the state before it.
        final: the state after it, which has a node at `address`.
        moves: the plan changes of that history, oldest first.
        clock: how a moment of the log is told, as a date, a blank, and a time.
    """
    story = _Story(addresses=_addresses(address, moves), state=start, clock=clock)
    for time, event in history:
        story.tell(time, event)
    story.end()
    node = final.plan.node(address)
    return Explanation(
        address=address,
        what=told_later(final, address) if isinstance(node.body, Run) else "",
        status=_standing(story.status, final, address),
        sentences=tuple(story.sentences),
    )


def _addresses(address: str, moves: Sequence[ev.PlanChanged]) -> list[str]:
    """Return where the step was before the first change of the plan, after it, and so on; empty where it was not."""
    found = [address]
    for change in reversed(moves):
        back = {new: old for old, new in change.moved.items()}
        here = found[-1]
        found.append(back.get(here, "" if here in change.moved else here))
    return found[::-1]


class _Story:
    """Sentences about one node, as the events come."""

    def __init__(self, *, addresses: list[str], state: State, clock: Clock) -> None:
        self.sentences: list[str] = []
        self._addresses = addresses
        self._state = state
        self._spoken = clock
        self._day = ""
        self._stopped_by = ""
        # As it was last: of an item that has settled the nodes are forgotten.
        self.status = Status.PENDING

    @property
    def _at(self) -> str:
        return self._addresses[0]

    def tell(self, time: str, event: ev.Event) -> None:
        """Fold an event, and say what it means for the node."""
        before = self._state
        self._state = evolve(before, event, time)
        at = getattr(event, "at", "")
        if self._at in self._state.nodes:
            self.status = self._state.node(self._at).status
        if isinstance(event, ev.ItemSettled):
            self.sentences += self._of_item(event)
        elif isinstance(event, ev.ItemsRequeued | ev.DeadLettersPurged) and self._is_of(event.at, event.keys):
            self.sentences.append(self._of_order(event))
        elif at and at == self._at:
            self.sentences += self._of_node(before, event)
        elif at and self._is_around(at):
            self.sentences += self._of_owner(event)
        else:
            self.sentences += self._of_run(event)

    def end(self) -> None:
        """Say what the node waits for, where it has not settled."""
        self.sentences += self._ending()

    # What happens to the node itself

    def _of_node(self, before: State, event: ev.Event) -> Iterator[str]:
        here = before.node(self._at)
        match event:
            case ev.CommandStarted() | ev.NodeStarted():
                yield f"{self._began(before, event)}."
            case ev.CommandFinished():
                yield self._finished(event)
            case ev.CommandInterrupted():
                why = f" ({before.stopping})" if before.stopping else ""
                yield f"Attempt {here.attempt} was ended after {event.duration_s:.1f} s: the run was stopping{why}."
            case ev.CommandHeld():
                yield f"Attempt {event.attempt} was held back: {event.reason}."
            case ev.CostBooked():
                yield f"Attempt {here.attempt} was in flight when its coordinator died."
            case ev.ValueCaptured():
                yield f"Its output became {event.name} = {_value(event.value)}."
            case ev.RetryScheduled() if here.status is Status.WAITING:
                yield f"Resume waited the rest of the delay, {event.delay_s:g} s."
            case ev.RetryScheduled():
                allowed = here.first - 1 + attempts_allowed(before, before.plan.node(self._at))
                yield f"Attempt {event.attempt} of {allowed} was to follow after {event.delay_s:g} s."
            case ev.HandlingStarted():
                yield "No further attempt was allowed, so its on_failure began."
            case ev.ConfirmationRequested():
                yield f"It requires confirmation and waited for it from {self._clock()}."
            case ev.ConfirmationAnswered():
                yield f"{_sentence(event.by)} said {'yes' if event.is_confirmed else 'no'} at {self._clock()}."
            case ev.ItemsListed():
                note = f": {event.note}" if event.note else ""
                yield f"{counted(len(event.keys), 'item')} {agreeing(len(event.keys), 'was', 'were')} listed{note}."
            case ev.LimitReached():
                yield f"It reached its timeout of {event.timeout_s:g} s, and what ran in it was ended."
            case _:
                yield from self._of_its_end(before, event)

    def _of_its_end(self, before: State, event: ev.Event) -> Iterator[str]:
        """What settles the node, or takes it up again after that."""
        here = before.node(self._at)
        match event:
            case ev.NodeBypassed():
                yield f"It was passed over by {event.by} at {self._clock()}, and counts as skipped."
            case ev.NodeSkipped():
                yield f"Its condition was false at {self._clock()}: {event.reason}."
            case ev.NodeSucceeded() if items := before.maps.get(self._at):
                counts = {"succeeded": items.succeeded, "skipped": items.skipped, "dead letters": items.dead}
                told = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
                yield f"Its items had all settled ({told or 'there were none'}), so it succeeded at {self._clock()}."
            case ev.NodeSucceeded() if not isinstance(before.plan.node(self._at).body, Run):
                yield f"All that is in it had ended well, so it succeeded at {self._clock()}."
            case ev.NodeHandled():
                yield "Its on_failure succeeded, so it counts as handled, and the run went on."
            case ev.NodeFailed():
                yield self._failed(before, event)
            case ev.NodeReopened() if here.status is Status.SKIPPED:
                yield "Resume took up a step that its condition asks about, so the condition was to be decided again."
            case ev.NodeReopened():
                yield "Resume took it up again, with a new budget of attempts."
            case ev.NodeContinued():
                yield "Resume went on inside it; what had finished there stood."
            case ev.CheckpointMarked():
                yield f"That made v{event.version}."

    def _began(self, before: State, event: ev.CommandStarted | ev.NodeStarted) -> str:
        here, node = before.node(self._at), before.plan.node(self._at)
        clock = self._clock()
        match here.status:
            case Status.RUNNING:
                how = f"by {self._stopped_by}" if self._stopped_by else "without a word"
                return (
                    f"It was in flight when the run was ended {how}, so resume ran attempt {event.attempt} "
                    f"again at {clock}"
                )
            case Status.WAITING:
                return f"Attempt {event.attempt} began at {clock}"
            case Status.HANDLING:
                return f"Its on_failure had repaired it, so attempt {event.attempt} began at {clock}"
        if here.reopened:
            return f"Attempt {event.attempt} began at {clock}"
        again = f", as attempt {event.attempt}" if event.attempt > 1 else ""
        return f"It began at {clock}{again}: {_reason(before, node)}"

    def _finished(self, event: ev.CommandFinished) -> str:
        attempt = self._state.node(self._at).attempt
        took = f"after {event.duration_s:.1f} s"
        if event.error is None:
            return f"Attempt {attempt} succeeded {took}."
        return f"Attempt {attempt} failed {took}: {cause(event.error, event.exit_code)}."

    def _failed(self, before: State, event: ev.NodeFailed) -> str:
        node = before.plan.node(self._at)
        culprit = next(failures(before, node), None)
        error = cause(event.error, before.node(culprit or self._at).exit_code)
        why = f"{culprit} in it had failed: {error}" if culprit else error
        text = f"It failed for good at {self._clock()}: {why}."
        owner = _owner(before, node)
        if owner is None or not isinstance(owner.body, Steps) or not is_tolerated(owner, node):
            return text
        asking = owner.body.answers.get(node.address, ())
        if not asking:
            return f"{text} The run went on all the same: it is allowed to fail."
        verb = agreeing(len(asking), "asks", "ask")
        return f"{text} The run went on all the same: {together(asking)} {verb} about it."

    # What happens around it

    def _is_around(self, at: str) -> bool:
        """Whether the node stands below `at`; of what it stands in, only some events concern it."""
        if not self._at or self._state.origin is None:
            return False
        try:
            return at in self._state.plan.ancestors(self._at)
        except (KeyError, ValueError):  # an edit brought it later
            return False

    def _of_owner(self, event: ev.Event) -> Iterator[str]:
        match event:
            case ev.NodeSkipped():
                yield f"{event.at}, in which it stands, was skipped because its condition was false: {event.reason}."
            case ev.NodeBypassed():
                yield f"{event.at}, in which it stands, was passed over by {event.by} at {self._clock()}."
            case ev.NodeStarted() if event.attempt > 1:
                yield f"{event.at}, in which it stands, was tried again (attempt {event.attempt}), so all in it was."
            case ev.LimitReached():
                yield f"{event.at}, in which it stands, reached its timeout of {event.timeout_s:g} s."

    def _of_item(self, event: ev.ItemSettled) -> Iterator[str]:
        item = item_address(event.at, event.key)
        if item_of(self._at) == item:
            why = f": {cause(event.error, event.exit_code)}" if event.error else ""
            name = "a dead letter" if event.disposition == "dead" else event.disposition
            if self._at == item:
                self.status = Status.FAILED if event.disposition in ("dead", "failed") else Status(event.disposition)
            yield f"Its item, {event.key}, then counted as {name}{why}."

    def _is_of(self, at: str, keys: tuple[str, ...]) -> bool:
        """Whether the node is one of these items, or in one."""
        parts = parse(self._at)
        return parts is not None and parts.map == at and parts.key in keys

    def _of_order(self, event: ev.ItemsRequeued | ev.DeadLettersPurged) -> str:
        by, clock = f" by {event.by}" if event.by else "", self._clock()
        if isinstance(event, ev.DeadLettersPurged):
            return f"Its item was given up for good{by} at {clock}."
        self.status = Status.PENDING
        return f"Its item was put back{by} at {clock}, to begin anew."

    def _of_run(self, event: ev.Event) -> Iterator[str]:
        match event:
            case ev.StopRequested():
                self._stopped_by = event.by
            case ev.RunResumed():
                pass
            case ev.CommandStarted() | ev.NodeStarted():
                self._stopped_by = ""
            case ev.GenerationStarted():
                yield f"Generation {event.generation} of the run began at {self._clock()}: {event.reason}."
            case ev.RunForked():
                yield f"All until here was shared with {event.from_workflow_id}, from which the run was forked."
            case ev.RunRestored():
                yield "The log before that was lost; the run went on from its mirror."
            case ev.PlanChanged():
                yield from self._of_edit()

    def _of_edit(self) -> Iterator[str]:
        was, now = self._addresses[0], self._addresses[1]
        self._addresses = self._addresses[1:]
        if not now:
            return
        if not was or was not in self._known:
            yield f"It came into the workflow by an edit before the resume at {self._clock()}."
        elif was != now:
            yield f"An edit moved it from {was} to {now}."

    @property
    def _known(self) -> set[str]:
        return set(self._state.nodes.keys()) | set(self._state.plan.nodes)

    # How it ends, where it has not settled

    def _ending(self) -> Iterator[str]:
        state, here = self._state, self._state.node(self._at)
        match here.status:
            case Status.PENDING if self.status in SETTLED:
                return
            case Status.PENDING if not _is_cut_off(state, self._at):
                yield f"It has not {'begun again' if here.attempt else 'run'}: {_what_holds(state, self._at)}."
            case Status.RUNNING if asking := _asking_in(state, self._at):
                yield f"{together(asking)} in it {agreeing(len(asking), 'waits', 'wait')} for confirmation."
            case Status.RUNNING if not state.is_over:
                yield f"It has not ended: it is at work since {self._clock(here.since)}, or was when it was killed."
            case Status.RUNNING | Status.HANDLING if state.status == "paused":
                yield f"The run is paused: {failure_of(state)}"
            case Status.WAITING:
                yield f"Attempt {here.attempt + 1} is due at {self._clock(here.due)}."
            case Status.AWAITING if state.status == "cancelled":
                yield f"Resume asks again: `prodigy resume {state.run.workflow_id}`."
            case Status.AWAITING:
                yield f"Nobody has answered yet: `prodigy approve {state.run.workflow_id} {shlex.quote(self._at)}`."

    def _clock(self, time: str = "") -> str:
        """Return a time as people say it: the date only where it is another one than was said last."""
        said = self._spoken(time or self._state.time)
        day, self._day = self._day, said.day
        return said.clock if said.day == (day or "today") else said.whole()


def _standing(status: Status, state: State, address: str) -> str:
    """Return how a node stands in a word: as what in it waits for an answer, or as the run that has stopped."""
    if status is Status.AWAITING or (status is Status.RUNNING and _asking_in(state, address)):
        return "cancelled" if state.status == "cancelled" else "awaiting"
    if state.is_over and status in (Status.RUNNING, Status.HANDLING):
        return "interrupted"
    return str(status)


def _asking_in(state: State, address: str) -> list[str]:
    """Return what waits for confirmation in a node, below it, in which nothing is at work."""
    if any(address in state.plan.ancestors(at) for at in state.in_flight):
        return []
    return [
        at for at, here in state.nodes.items() if here.status is Status.AWAITING and address in state.plan.ancestors(at)
    ]


def _reason(state: State, node: Node) -> str:
    """Return why a node began: its condition, or what came before it."""
    when = node.policy.when
    owner = _owner(state, node)
    if when is not None:
        return f"its condition was true, {expression.explain(when, lookup_in(state, node.address))}"
    if owner is None:
        return "the run began"
    if not isinstance(owner.body, Steps):
        return f"it is an item of {owner.address}, and its turn had come"
    if state.plan.is_handlers(owner.address):
        failed = state.plan.owner_of(owner).address
        place = "" if node.index == 0 else f", and {owner.body.children[node.index - 1]} before it had ended"
        return f"{failed} had failed ({node_cause(state.node(failed))}){place}"
    if node.index == 0:
        return "it is the first step" if owner.address == ROOT else f"it is the first step of {owner.address}"
    previous = owner.body.children[node.index - 1]
    return f"{previous} before it {_ENDED.get(state.node(previous).status, 'had ended')}"


_ENDED = {
    Status.SUCCEEDED: "had succeeded",
    Status.HANDLED: "had failed and was handled",
    Status.SKIPPED: "was skipped",
    Status.FAILED: "had failed, which was tolerated",
}


def _owner(state: State, node: Node) -> Node | None:
    return None if node.parent is None else state.plan.node(node.parent)


def _what_holds(state: State, address: str) -> str:
    """Return why a node that has not begun has not."""
    for owner in state.plan.ancestors(address):
        if state.plan.is_handlers(owner) and state.node(owner).status is Status.PENDING:
            return f"{state.plan.node(owner).parent} did not need its on_failure"
    match state.status:
        case "failed":
            return f"the run failed at {state.failed_at} before its turn came: {failure_of(state)}"
        case "paused" | "cancelled":
            return f"the run is {state.status} at {state.failed_at}: {failure_of(state)}"
        case "interrupted":
            return "the run was interrupted before its turn came"
        case "completed":
            return "the run was completed without it"
    running = ", ".join(sorted(state.in_flight)[:3])
    return f"its turn has not come; {running} is at work" if running else "its turn has not come"


def _is_cut_off(state: State, address: str) -> bool:
    """Whether something that the node stands in was skipped: that has been said."""
    return any(state.node(around).status is Status.SKIPPED for around in state.plan.ancestors(address))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _value(value: object) -> str:
    return clipped(msgspec.json.encode(value, enc_hook=as_spelled).decode(), VALUE_CHARS_MAX)
