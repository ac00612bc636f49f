"""The plan: an immutable tree of nodes, stored flat by address.

A node is a policy and a body, and there are few bodies: `Run` is a leaf with one command, `Sequence` runs
its children in order. Everything a step can be told (retry, when, handlers …) is policy and legal on any node,
so a stage or a map needs no engine of its own.

The tree is a mapping from address to node, children named by address: looking a node up is O(1), no
walk recurses, and the whole plan is one JSON document that is frozen in the log when a run starts.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

import msgspec

from prodigy.plan.address import in_item, inside, parse, template_of
from prodigy.plan.expression import Expression
from prodigy.plan.reference import Template
from prodigy.plan.shell.values import Script
from prodigy.plan.spelling import as_number, keep_spellings

ROOT = "workflow"

OnInterrupt = Literal["continue", "rerun", "ask", "fail"]
OnLimit = Literal["wait", "pause", "fail"]
MAX_WAIT_S = 86_400.0
CaptureFormat = Literal["text", "json", "lines", "number", "boolean"]
Backoff = Literal["fixed", "linear", "exponential", "fibonacci"]


class Shell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="shell", tag_field="kind"):
    """A shell command; `text` is as the author wrote it, `script` has our references found."""

    text: str
    script: Script
    interpreter: str = "sh"
    env: dict[str, Template] = {}
    working_dir: Template = ()


OnDenied = Literal["warn", "fail"]


class ClaudeOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Claude Code is told besides the prompt; what is empty is its own affair.

    `args` are arguments as they stand, `json_schema` is what the answer has to be like, `claude_bin` the program.
    `on_denied` says what it means that a tool was not allowed.
    """

    model: Template = ()
    fallback_model: Template = ()
    allowed_tools: tuple[Template, ...] = ()
    disallowed_tools: tuple[Template, ...] = ()
    permission_mode: str = ""
    append_system_prompt: Template = ()
    json_schema: dict[str, Any] | bool | None = None
    max_turns: int | Template | None = None
    args: tuple[Template, ...] = ()
    claude_bin: Template = ()
    on_denied: OnDenied = "warn"


class Claude(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="claude", tag_field="kind"):
    """A headless Claude Code command; the prompt is said to it over its standard input."""

    text: str
    prompt: Template
    options: ClaudeOptions = ClaudeOptions()
    env: dict[str, Template] = {}
    working_dir: Template = ()


Command = Shell | Claude


class Run(msgspec.Struct, frozen=True, kw_only=True, tag="run", tag_field="body"):
    """A leaf: one command."""

    command: Command


class Sequence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="sequence", tag_field="body"):
    """Children in order. `answers` maps a child whose failure is tolerated to the later siblings whose `when` asks."""

    children: tuple[str, ...] = ()
    answers: dict[str, tuple[str, ...]] = {}


SourceKind = Literal["auto", "file", "glob", "command", "list"]
OnItemFailure = Literal["dlq", "retry", "skip", "stop"]


class SortKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One key of `sort_by`: a path into the item, and where null stands."""

    path: tuple[str | int, ...]
    is_descending: bool = False
    has_nulls_first: bool = False


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a map's items come from, and which of them are taken, in which order.

    A text that says outright that it is a command is a `script`, to which values are passed by reference. Relative
    names begin in `working_dir`, the workflow's, as those of its steps do. A list has its `elements`; what stands at
    the JSON Pointers of `filled` is made of these templates when the map begins.
    """

    kind: SourceKind
    text: Template
    script: Script | None = None
    working_dir: Template = ()
    json_path: str | None = None
    filter: Expression | None = None
    sort_by: tuple[SortKey, ...] = ()
    distinct: tuple[str | int, ...] | None = None
    offset: int | Template = 0
    max_items: int | Template | None = None
    elements: tuple[Any, ...] = ()
    filled: dict[str, Template] = {}
    spellings: dict[str, str] = {}

    def __post_init__(self) -> None:
        keep_spellings(self, "elements")


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """After `failures` failed items in a row nothing begins for `pause_s`; then one item tries the way."""

    failures: int
    pause_s: float


class ErrorPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a failed item means, and when there are too many: `failure_threshold` is a share of the settled items."""

    on_item_failure: OnItemFailure = "dlq"
    max_failures: int | None = None
    failure_threshold: float | None = None
    breaker: Breaker | None = None


class Map(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="map", tag_field="body"):
    """The node at `template`, once for each item, at most `max_parallel` at a time.

    Addresses below it name the item: the template's `map[].lint` is `map[src/a.py].lint` for the item with that key.
    `keeps_results`: something refers to what the items printed.
    """

    source: Source
    template: str
    max_parallel: int | Template = 10
    max_processes: int | Template | None = None
    item_key: Template = ()
    checkpoint_frequency: int = 100
    errors: ErrorPolicy = ErrorPolicy()
    keeps_results: bool = False


Body = Run | Sequence | Map


class Retry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often and how soon a node is tried again.

    `attempts` counts all of them, the first included; a template counts only the others where `is_further`.
    """

    attempts: int | Template = 1
    is_further: bool = False
    backoff: Backoff = "exponential"
    initial_delay_s: float = 1.0
    max_delay_s: float = 30.0
    jitter: bool = False
    retry_on: tuple[int | str, ...] = ()


class Handlers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What runs after the last failed attempt: the sequence at `address`.

    After it succeeds the owner is handled, or failed all the same with `fail_workflow`. With `repairs` it is tried
    again instead, that many times; when the last of these fails the owner has failed.
    """

    address: str
    repairs: int = 0
    fail_workflow: bool = False


class Policy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a node may be told besides its body."""

    when: Expression | None = None
    retry: Retry | None = None
    timeout: float | Template | None = None
    idle_timeout: float | Template | None = None
    on_failure: Handlers | None = None
    allow_failure: bool = False
    checkpoint: bool = False
    requires_confirmation: bool = False
    on_interrupt: OnInterrupt = "rerun"
    capture: str | None = None
    capture_format: CaptureFormat = "text"


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One vertex. `index` is its 0-based place in its parent, `definition` a digest of what it runs.

    `parent` is the address of the node that it stands in, None of the root.
    """

    address: str
    body: Body
    parent: str | None = None
    index: int = 0
    id: str | None = None
    name: str | None = None
    line: int = 0
    policy: Policy = Policy()
    definition: str = ""
    keeps_output: bool = False

    @property
    def is_claude(self) -> bool:
        """Whether this is a leaf that runs Claude Code."""
        return isinstance(self.body, Run) and isinstance(self.body.command, Claude)


_OF_ITEMS_MAX = 4096
_NAMED_FILE = re.compile(rb'"path":\["([^"]+)","output_file"')


class Budget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What claude may cost, in US dollars: all of the run, each step, each item. Unset is without bound.

    `warn_at` is the share of `usd` at which a person is told; at the limit the run pauses, or fails.
    """

    usd: float | None = None
    per_step: float | None = None
    per_item: float | None = None
    warn_at: float = 0.8
    on_exceed: Literal["pause", "fail"] = "pause"


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A compiled workflow. `variables` are values, never templates; `env` holds templates.

    `environment` is what variables were made of: what the environment said when the run started, None where it had no
    such name.

    `spellings` has the text of numbers that were written otherwise, by JSON Pointer: `/variables/python` is `3.10`.
    """

    name: str
    nodes: dict[str, Node]
    variables: dict[str, Any] = {}
    environment: dict[str, str | None] = {}
    env: dict[str, Template] = {}
    grace_s: float = 5.0
    budget: Budget | None = None
    on_limit: OnLimit = "wait"
    max_wait_s: float = MAX_WAIT_S
    digest: str = ""
    spellings: dict[str, str] = {}

    def __post_init__(self) -> None:
        keep_spellings(self, "variables")

    def node(self, address: str) -> Node:
        """Return the node at an address; inside an item of a map it is the template's, with the item's addresses."""
        found = self.nodes.get(address)
        if found is not None:
            return found
        known = self._of_items
        found = known.get(address)
        if found is None:
            if len(known) >= _OF_ITEMS_MAX:
                known.clear()
            found = known[address] = _for_item(self.nodes, address)
        return found

    @cached_property
    def _of_items(self) -> dict[str, Node]:
        """The nodes of items that were asked for of late, each some ten times while its item is at work."""
        return {}

    def template(self, address: str) -> Node:
        """Return the node at an address as the plan has it: of one inside an item, the template's own."""
        found = self.nodes.get(address)
        return self.nodes[template_of(address)] if found is None else found

    def names_file_of(self, address: str) -> bool:
        """Say whether the file of this step's output is referred to anywhere, so that somebody may open it."""
        names = self._named_files
        return bool(names) and self.template(address).id in names

    @cached_property
    def _named_files(self) -> frozenset[str]:
        """The names of all results whose `output_file` is referred to: read off the plan's text, wherever it is."""
        found = _NAMED_FILE.findall(msgspec.json.encode(self, enc_hook=as_number))
        return frozenset(name.decode() for name in found)

    @cached_property
    def map_at(self) -> str | None:
        """The address of its map, of which a workflow has one at most."""
        return next((at for at, node in self.nodes.items() if isinstance(node.body, Map)), None)

    def owner_of(self, node: Node) -> Node:
        """Return the node that a node stands in; only the root stands in none."""
        assert node.parent is not None, "the root has no owner"
        return self.node(node.parent)

    def ancestors(self, address: str) -> Iterator[str]:
        """Yield the addresses of all that a node stands in, the nearest first; a handler stands in its owner."""
        while (parent := self.node(address).parent) is not None:
            yield parent
            address = parent

    @cached_property
    def within_items(self) -> dict[str, tuple[str, ...]]:
        """What each map's items consist of: from the template's address to what follows an item's in each address."""
        templates = [node.body.template for node in self.nodes.values() if isinstance(node.body, Map)]
        return {at: tuple(in_item(found).rest for found in self._below(at)) for at in templates}

    @cached_property
    def called(self) -> dict[str, tuple[str, ...]]:
        """The addresses that each name people may use means: an id before an address, that before a `name:`."""
        called: dict[str, tuple[str, ...]] = {}
        for at, node in self.nodes.items():
            name = (node.name or "").strip()
            called[name] = (*called.get(name, ()), at)
        called |= {at: (at,) for at in self.nodes}
        called |= {node.id: (at,) for at, node in self.nodes.items() if node.id}
        called.pop("", None)
        return called

    def _below(self, address: str) -> Iterator[str]:
        """Yield an address and all below it, handlers among them."""
        stack = [address]
        while stack:
            node = self.nodes[stack.pop()]
            yield node.address
            if isinstance(node.body, Sequence):
                stack += node.body.children
            if node.policy.on_failure is not None:
                stack.append(node.policy.on_failure.address)

    def is_in_item(self, address: str) -> bool:
        """Whether the address is inside an item of a map, or is one."""
        return address not in self.nodes

    def is_item(self, address: str) -> bool:
        """Whether the address is an item of a map itself, not something in one."""
        if address in self.nodes or not address.endswith("]"):
            return False
        parts = parse(address)
        return parts is not None and not parts.rest

    def is_handlers(self, address: str) -> bool:
        """Whether the node at an address is the handlers of its parent."""
        node = self.node(address)
        handlers = None if node.parent is None else self.node(node.parent).policy.on_failure
        return handlers is not None and handlers.address == address

    def walk(self, address: str = ROOT) -> Iterator[Node]:
        """Yield the node at `address` and all below it in document order, handlers and map items not among them."""
        stack = [address]
        while stack:
            node = self.nodes[stack.pop()]
            yield node
            if isinstance(node.body, Sequence):
                stack.extend(reversed(node.body.children))

    def leaves(self, address: str = ROOT) -> list[Node]:
        """Return the steps below an address in document order, a map as one; the order `total_steps` counts."""
        return [node for node in self.walk(address) if not isinstance(node.body, Sequence)]


def _for_item(nodes: dict[str, "Node"], address: str) -> "Node":
    """Return the template's node with the addresses of the item: its own, its parent's, its children's."""
    parts = in_item(address)
    node, item = nodes[parts.template], parts.item

    def own(template: str) -> str:
        return inside(item, template)

    body, policy = node.body, node.policy
    if isinstance(body, Sequence):
        answers = {own(child): tuple(map(own, later)) for child, later in body.answers.items()}
        body = Sequence(children=tuple(map(own, body.children)), answers=answers)
    if policy.on_failure is not None:
        handlers = msgspec.structs.replace(policy.on_failure, address=own(policy.on_failure.address))
        policy = msgspec.structs.replace(policy, on_failure=handlers)
    assert node.parent is not None, "a template stands in its map"
    parent = parts.map if node.parent == parts.map else own(node.parent)
    return msgspec.structs.replace(node, address=address, parent=parent, body=body, policy=policy)


def is_below(plan: Plan, address: str, ancestor: str) -> bool:
    """Whether the node at `address` is `ancestor` or stands anywhere below it, in a handler of it among others."""
    return address == ancestor or ancestor in plan.ancestors(address)
