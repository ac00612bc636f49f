"""Orders to the world, as data. Each is computed from an event that is already in the log, and from nothing else.

`effects(state, event, seq)` is the first law of the program: a process starts, a wait begins, a command is ended
only because this function read an event of the log. Values are filled in here, from the state that the log folds to.
"""

from collections.abc import Iterator
from typing import Any, assert_never

import msgspec

from prodigy.kernel import events as ev
from prodigy.kernel.conversations import GO_ON
from prodigy.kernel.counts import count_of
from prodigy.kernel.lifecycle import Epoch, Status
from prodigy.kernel.limits import timeout_of
from prodigy.kernel.retry import attempts_of
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.sources import Asked, asked_for
from prodigy.kernel.state import State
from prodigy.plan import expression
from prodigy.plan.address import key_of
from prodigy.plan.nodes import ROOT, Claude, Map, Node, Run, Shell, Source, is_below
from prodigy.plan.reference import Lookup, Template, references, render
from prodigy.plan.shell.values import render_script

OUTPUT_BYTES_MAX = 12 * 1024  # with its escapes it mostly stays below what the store keeps as a file
KEPT_OUTPUT_BYTES_MAX = 1024 * 1024
CAPTURE_BYTES_MAX = 16 * 1024 * 1024
ITEMS_MAX = 1_000_000
VALUES_FOLDER = "values-in-use"
CLAUDE_IDLE_S = 600.0  # a tool says every 30 s that it runs, an answer comes in parts
OWN_BUDGET_USED = "what its budget allows a step or an item, per_step or per_item, is used up"


def values_folder(run_folder: str, epoch: Epoch) -> str:
    """Return where the private files of the command that began with this epoch are; they are gone when it has ended."""
    return f"{run_folder}/{VALUES_FOLDER}/{epoch}"


class RenderedShell(msgspec.Struct, frozen=True, kw_only=True, tag="shell"):
    """A script with `variables` that travel beside it in the environment; the script only refers to them.

    `files` maps further variables to contents: each is set to the path of a private file with that content.
    """

    script: str
    interpreter: str = "sh"
    variables: dict[str, str] = {}
    files: dict[str, str] = {}


class RenderedClaude(msgspec.Struct, frozen=True, kw_only=True, tag="claude"):
    """A prompt for Claude Code, in the conversation `session`: that begins with it, or `resumes` and goes on.

    `program` is the one to run where it is not `claude` of the PATH, `json_schema` JSON; what is empty is not told.
    """

    prompt: str
    session: str = ""
    resumes: bool = False
    program: str = ""
    model: str = ""
    fallback_model: str = ""
    allowed_tools: tuple[str, ...] = ()
    disallowed_tools: tuple[str, ...] = ()
    permission_mode: str = ""
    append_system_prompt: str = ""
    json_schema: str = ""
    max_turns: int | None = None
    args: tuple[str, ...] = ()
    fails_on_denied: bool = False
    budget_usd: float | None = None


class Spawn(msgspec.Struct, frozen=True, kw_only=True):
    """Start a command. `epoch` is the seq of its `command_started` and fences its exit.

    `working_dir` is relative to the run's directory, or absolute. `output_bytes_max` is how much of the end of
    its output `Exited` carries; with `whole_output` all of it is wanted and more than that fails the attempt.
    `files` maps names to contents: private files in the `values_folder` of the epoch, to which the texts refer.
    `after_checkpoint` holds the start back until the checkpoint file is on disk.
    `keeps_file`: the plan names the file of its output somewhere, so it is to stand even where nothing was printed.
    `idle_timeout_s` is how long it may give no sign of work.
    `printed_bytes_max`: what it prints is for us to read and for nobody to see, and more than that ends it.
    """

    at: str
    epoch: Epoch
    attempt: int
    command: RenderedShell | RenderedClaude
    environment: dict[str, str] = {}
    working_dir: str = ""
    timeout_s: float | None = None
    idle_timeout_s: float | None = None
    grace_s: float = 5.0
    output_bytes_max: int = 16 * 1024
    whole_output: bool = False
    after_checkpoint: bool = False
    keeps_file: bool = False
    printed_bytes_max: int | None = None
    files: dict[str, str] = {}


class Reject(msgspec.Struct, frozen=True, kw_only=True):
    """The command cannot be rendered (a NUL in a value …), or paid: report its exit with `reason`, start nothing."""

    at: str
    epoch: Epoch
    reason: str
    is_final: bool = False


class RejectList(msgspec.Struct, frozen=True, kw_only=True):
    """What says where the items are cannot be rendered: report `Listed` with `reason`, read nothing."""

    at: str
    reason: str


class Terminate(msgspec.Struct, frozen=True, kw_only=True):
    """End the command of this epoch because the run is stopping: SIGTERM, grace, SIGKILL."""

    at: str
    epoch: Epoch


class Sleep(msgspec.Struct, frozen=True, kw_only=True):
    """Send `TimerFired` after `delay_s` of monotonic time."""

    at: str
    attempt: int
    delay_s: float


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Send `LimitFired` after `delay_s` of monotonic time."""

    at: str
    attempt: int
    delay_s: float


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Ask a person whether the node may begin, and send `Answered`."""

    at: str


class List(msgspec.Struct, frozen=True, kw_only=True):
    """Read the items of a map and send `Listed`.

    `text` is the source with its values filled in, `pattern` the same as a glob where it is one. Where nothing is to be
    read, `data` are the items, or a mapping in which they are.
    `working_dir` is relative to the run's directory, or absolute. `offset` and `max_items` are filled in; `values` has
    what the filter and the item key refer to besides the item. `files` maps names to contents: private files in the
    `values_folder` of `epoch`, while the items are read.
    """

    at: str
    source: Source
    text: str
    offset: int
    max_items: int | None
    item_key: Template
    values: dict[str, Any]
    pattern: str = ""
    data: list[Any] | dict[str, Any] | None = None
    working_dir: str = ""
    environment: dict[str, str] = {}
    epoch: Epoch = Epoch(0)
    files: dict[str, str] = {}


class Wake(msgspec.Struct, frozen=True, kw_only=True):
    """Send `WakeFired` after `delay_s`: claude is parked until then."""

    at: str
    number: int
    delay_s: float


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """The run has come to rest with this status."""

    status: str


Effect = Spawn | Reject | RejectList | Terminate | Sleep | Limit | Wake | Ask | List | Finish


# Most of what a log holds; that none of them leads to anything a test sees.
_WITHOUT_EFFECT = frozenset[type[ev.Event]](
    (ev.CommandFinished, ev.NodeSucceeded, ev.NodeStarted, ev.CheckpointMarked, ev.ItemSettled)
)


def effects(state: State, event: ev.Event, seq: int) -> Iterator[Effect]:
    """Yield what the world must now do because of `event`.

    Args:
        state: the fold of the log up to and including the event's turn.
        seq: the event's own; it is the epoch of the command that it starts.
    """
    if type(event) in _WITHOUT_EFFECT:
        return
    for effect in _orders(state, event, seq):
        assert _is_due_to(event, seq, effect), f"no effect without an event: {event} does not lead to {effect}"
        yield effect


def _is_due_to(event: ev.Event, seq: int, effect: Effect) -> bool:
    """Whether an effect begins what its event says; or ends what began before it."""
    match effect:
        case Spawn() | Reject() | List():
            return effect.at == getattr(event, "at", None) and effect.epoch == seq
        case Sleep() | Limit() | Ask() | RejectList():
            return effect.at == getattr(event, "at", None)
        case Terminate():
            return effect.epoch < seq
        case Finish():
            return True
        case Wake():
            return isinstance(event, ev.ClaudeParked)
        case _:
            assert_never(effect)


def _orders(state: State, event: ev.Event, seq: int) -> Iterator[Effect]:
    match event:
        case ev.CommandStarted():
            yield _spawn(state, event, Epoch(seq))
        case ev.ClaudeParked():
            yield Wake(at=ROOT, number=event.number, delay_s=event.delay_s)
        case ev.RetryScheduled():
            yield Sleep(at=event.at, attempt=event.attempt, delay_s=event.delay_s)
        case ev.LimitStarted():
            yield Limit(at=event.at, attempt=event.attempt, delay_s=event.left_s)
        case ev.ConfirmationRequested():
            if state.node(event.at).status is Status.AWAITING:  # and was not answered in the same turn
                yield Ask(at=event.at)
        case ev.ListingStarted():
            yield _list(state, event.at, Epoch(seq))
        case ev.BreakerOpened():
            yield Sleep(at=event.at, attempt=0, delay_s=event.delay_s)
        case ev.LimitReached():
            for at, epoch in sorted(state.in_flight.items()):
                if epoch < seq and is_below(state.plan, at, event.at):  # not what this turn began since, a handler
                    yield Terminate(at=at, epoch=epoch)
        case ev.StopRequested():
            for at, epoch in sorted(state.in_flight.items()):
                yield Terminate(at=at, epoch=epoch)
        case ev.RunCompleted() | ev.RunFailed() | ev.RunInterrupted() | ev.RunPaused() | ev.RunCancelled():
            yield Finish(status=state.status)


class _Files:
    """The private files that one rendering needs, beside those of its script."""

    def __init__(self, state: State, epoch: Epoch) -> None:
        self.contents: dict[str, str] = {}
        self._folder = values_folder(state.folder, epoch)

    def keep(self, text: str) -> str:
        """Return the path of a file that will hold this text."""
        return self.put(f"value-{len(self.contents) + 1}", text)

    def put(self, name: str, text: str) -> str:
        """Return the path of the file of this name that will hold this text."""
        self.contents[name] = text
        return f"{self._folder}/{name}"


def _list(state: State, at: str, epoch: Epoch) -> Effect:
    body = state.plan.template(at).body
    assert isinstance(body, Map), "only a map has items"
    files = _Files(state, epoch)
    source, lookup = body.source, lookup_in(state, at, files.keep)

    def count(written: int | Template, name: str) -> int:
        return written if isinstance(written, int) else count_of(written, lookup, name=name, least=0, most=ITEMS_MAX)

    try:
        asked, variables = _input(source, lookup, files)
        return List(
            at=at,
            source=source,
            text=asked.text,
            pattern=asked.pattern,
            data=asked.data,
            offset=count(source.offset, "offset"),
            max_items=None if source.max_items is None else count(source.max_items, "max_items"),
            item_key=body.item_key,
            values={name: value for name in _names(body) for known, value in [lookup(name)] if known},
            working_dir=_plain("working_dir", render(source.working_dir, lookup)),
            environment=_filled(state.plan.env, lookup, files) | variables,
            epoch=epoch,
            files=files.contents,
        )
    except ValueError as problem:
        return RejectList(at=at, reason=str(problem))


def _input(source: Source, lookup: Lookup, files: _Files) -> tuple[Asked, dict[str, str]]:
    """Return what says where the items are, and what travels beside it where it is a command."""
    if source.script is None:
        asked = asked_for(source, lookup)
        _plain("map.input", asked.text)
        return asked, {}
    rendered = render_script(source.script, lookup)
    paths = {name: files.put(name, content) for name, content in rendered.files.items()}
    return Asked(rendered.script), rendered.variables | paths


def _names(body: Map) -> set[str]:
    """Return the names, but for the item's own, that decide which items there are and what they are called."""
    found = [*references(body.item_key)]
    if body.source.filter is not None:
        found += expression.references(body.source.filter)
    return {str(reference.path[0]) for reference in found} - {"item", "item_index"}


def _spawn(state: State, event: ev.CommandStarted, epoch: Epoch) -> Effect:
    node = state.plan.node(event.at)
    assert isinstance(node.body, Run), "only a leaf has a command"
    if event.reserved_usd == 0:
        return Reject(at=event.at, epoch=epoch, reason=OWN_BUDGET_USED, is_final=True)
    try:
        return _rendered(state, node, node.body.command, event, epoch)
    except ValueError as problem:
        return Reject(at=event.at, epoch=epoch, reason=str(problem))


def kept_bytes_max(node: Node) -> int:
    """Return how much of the end of its output a step's result keeps, in bytes; what it captures is kept besides."""
    return KEPT_OUTPUT_BYTES_MAX if node.keeps_output else OUTPUT_BYTES_MAX


def _rendered(state: State, node: Node, command: Shell | Claude, event: ev.CommandStarted, epoch: Epoch) -> Spawn:
    files = _Files(state, epoch)
    lookup = lookup_in(state, node.address, files.keep)
    policy = node.policy
    if policy.retry:
        attempts_of(state, node, policy.retry)
    return Spawn(
        at=node.address,
        epoch=epoch,
        attempt=event.attempt,
        command=_command(state, command, lookup, files, event),
        environment=_environment(state, node.address, command, lookup, files),
        working_dir=_plain("working_dir", render(command.working_dir, lookup)),
        timeout_s=None if policy.timeout is None else timeout_of(policy.timeout, lookup),
        idle_timeout_s=_idle_timeout(node, command, lookup),
        grace_s=state.plan.grace_s,
        output_bytes_max=CAPTURE_BYTES_MAX if policy.capture else kept_bytes_max(node),
        whole_output=policy.capture is not None,
        after_checkpoint=policy.checkpoint,
        keeps_file=state.plan.names_file_of(node.address),
        files=files.contents,
    )


def _filled(env: dict[str, Template], lookup: Lookup, files: _Files) -> dict[str, str]:
    return {name: _plain(name, render(text, lookup, files.keep)) for name, text in env.items()}


def _environment(state: State, address: str, command: Shell | Claude, lookup: Lookup, files: _Files) -> dict[str, str]:
    """Return the step's environment, and of an item's step the key by which it can be made idempotent."""
    given = _filled(command.env, lookup, files)
    return given | {"PRODIGY_ITEM_KEY": key_of(address)} if state.plan.is_in_item(address) else given


def _idle_timeout(node: Node, command: Shell | Claude, lookup: Lookup) -> float | None:
    """Return how long the command may give no sign of work, None for ever."""
    told = node.policy.idle_timeout
    if told is None:
        return CLAUDE_IDLE_S if isinstance(command, Claude) else None
    return timeout_of(told, lookup, name="idle_timeout", least_s=0.0) or None


def _command(
    state: State, command: Shell | Claude, lookup: Lookup, files: _Files, event: ev.CommandStarted
) -> RenderedShell | RenderedClaude:
    if isinstance(command, Claude):
        return _asked(state, command, lookup, files, event)
    rendered = render_script(command.script, lookup)
    return RenderedShell(
        script=rendered.script,
        interpreter=command.interpreter,
        variables=rendered.variables,
        files=rendered.files,
    )


def _asked(state: State, command: Claude, lookup: Lookup, files: _Files, event: ev.CommandStarted) -> RenderedClaude:
    """Return what Claude Code is asked, and how; the program that the operator named wins over the file's."""
    options = command.options

    def told(name: str, template: Template) -> str:
        return _plain(name, render(template, lookup)).strip()

    def listed(name: str, templates: tuple[Template, ...]) -> tuple[str, ...]:
        return tuple(_plain(name, render(template, lookup)) for template in templates)

    schema, turns = options.json_schema, options.max_turns
    return RenderedClaude(
        prompt=GO_ON if event.resumes else render(command.prompt, lookup, files.keep),
        session=event.session,
        resumes=event.resumes,
        budget_usd=event.reserved_usd,
        program=state.run.claude_bin or told("claude_bin", options.claude_bin),
        model=told("model", options.model),
        fallback_model=told("fallback_model", options.fallback_model),
        allowed_tools=listed("allowed_tools", options.allowed_tools),
        disallowed_tools=listed("disallowed_tools", options.disallowed_tools),
        permission_mode=options.permission_mode,
        append_system_prompt=_plain("append_system_prompt", render(options.append_system_prompt, lookup)),
        json_schema="" if schema is None else msgspec.json.encode(schema).decode(),
        max_turns=turns
        if isinstance(turns, int | None)
        else count_of(turns, lookup, name="max_turns", least=1, most=ITEMS_MAX),
        args=listed("args", options.args),
        fails_on_denied=options.on_denied == "fail",
    )


def _plain(name: str, text: str) -> str:
    if "\0" in text:
        raise ValueError(f"the value of {name} holds a NUL byte, which no program can be given")
    return text
