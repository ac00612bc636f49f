"""The plan: an immutable tree of nodes, stored flat by address.

A node is a policy and a body, and there are few bodies: `Run` is a leaf with one command, `Sequence` runs
its children in order. Everything a step can be told (retry, when, handlers …) is policy and legal on any node,
so a stage or a map needs no engine of its own.

The tree is a mapping from address to node, children named by address: looking a node up is O(1), no
walk recurses, and the whole plan is one JSON document that is frozen in the log when a run starts.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from prodigy.plan.expression import Expression
from prodigy.plan.reference import Template
from prodigy.plan.shell import Script

ROOT = "workflow"

OnInterrupt = Literal["rerun", "ask", "fail"]
CaptureFormat = Literal["text", "json", "lines", "number", "boolean"]
Backoff = Literal["fixed", "linear", "exponential", "fibonacci"]


class Shell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="shell", tag_field="kind"):
    """A shell command; `text` is as the author wrote it, `script` has our references found."""

    text: str
    script: Script
    interpreter: str = "sh"
    env: dict[str, Template] = {}
    working_dir: Template = ()


class Claude(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="claude", tag_field="kind"):
    """A headless Claude Code command; the prompt goes to its standard input."""

    text: str
    prompt: Template
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


Body = Run | Sequence


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
    on_failure: Handlers | None = None
    allow_failure: bool = False
    checkpoint: bool = False
    requires_confirmation: bool = False
    on_interrupt: OnInterrupt = "rerun"
    capture: str | None = None
    capture_format: CaptureFormat = "text"


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One vertex. `index` is its 0-based place in its parent, `definition` a digest of what it runs."""

    address: str
    body: Body
    parent: str = ""
    index: int = 0
    id: str | None = None
    name: str | None = None
    line: int = 0
    policy: Policy = Policy()
    definition: str = ""
    keeps_output: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A compiled workflow. `variables` are values, never templates; `env` holds templates."""

    name: str
    nodes: dict[str, Node]
    variables: dict[str, Any] = {}
    env: dict[str, Template] = {}
    grace_s: float = 5.0
    digest: str = ""

    def walk(self, address: str = ROOT) -> Iterator[Node]:
        """Yield the node at `address` and all below it in document order, handlers not among them."""
        stack = [address]
        while stack:
            node = self.nodes[stack.pop()]
            yield node
            if isinstance(node.body, Sequence):
                stack.extend(reversed(node.body.children))

    def leaves(self) -> list[Node]:
        """Return the steps in document order, handlers not among them; the order `total_steps` counts."""
        return [node for node in self.walk() if isinstance(node.body, Run)]


def is_below(plan: Plan, address: str, ancestor: str) -> bool:
    """Whether the node at `address` is `ancestor` or stands anywhere below it, in a handler of it among others."""
    while address != ancestor:
        if address == ROOT:
            return False
        address = plan.nodes[address].parent
    return True
