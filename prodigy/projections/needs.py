"""What the steps of a plan need of the machine: programs and folders, as far as both can be known before it runs.

A need is *sure* where the step that has it must run and nothing answers for its failure: no condition that is still
open, no handler, no sibling that asks. The steps of a map's items must run, for a map is there for its items. What an
earlier step names may be of its making.
"""

import re
from collections.abc import Iterator, Set
from typing import Any

import msgspec

from prodigy.plan.nodes import Claude, Node, Plan, Run, Sequence, Shell
from prodigy.plan.reference import Template, references, render
from prodigy.plan.shell.interpreter import program_of
from prodigy.projections.forecast import Forecast, forecast

CLAUDE = "claude"
# What a script says where it may bring any program.
_BRINGS = re.compile(
    r"\b(?:install|setup|bootstrap|provision|apk|brew|nix|conda|mise|asdf|pip|pipx|uv|cargo|PATH)\b"
    r"|\bnpm (?:i|ci)\b|\|\s*(?:sudo )?(?:ba|z)?sh\b"
)

_WORD = re.compile(r"\w+")
_NAME = re.compile(r"[\w.-]+")


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """A program or a folder that the step at `at` needs; `path` is the PATH on which it is looked for, if its own.

    `is_claude`: the program is to be Claude Code; `is_unbound`: it is to do all without asking, which root may not.
    `is_sure`: the step fails without, and nothing answers for that. `may_come`: an earlier step may make or bring it.
    `is_first`: no step comes before.
    """

    at: str
    line: int
    program: str = ""
    folder: str = ""
    path: str | None = None
    is_claude: bool = False
    is_unbound: bool = False
    is_sure: bool = False
    may_come: bool = False
    is_first: bool = False


def needs(plan: Plan, done: Set[str] = frozenset(), *, claude_bin: str = "") -> list[Need]:
    """Return what steps need, in document order, each thing once for the first step that needs it most surely.

    Args:
        done: addresses of steps that need nothing any more.
        claude_bin: what stands for Claude Code, whatever the steps say.
    """
    walk = _Walk(plan, done, claude_bin)
    found: dict[tuple[str, str, str | None, bool], Need] = {}
    for need in walk.all():
        what = (need.program, need.folder, need.path, need.is_unbound)
        if what not in found or (need.is_sure and not found[what].is_sure and not found[what].may_come):
            found[what] = need
    return list(found.values())


def told(plan: Plan) -> set[str]:
    """Return the names that steps give values: known only when they have run."""
    names = {name for node in plan.nodes.values() for name in (node.id, node.policy.capture) if name}
    return names | {"shell", "claude"}


class _Walk:
    """One way through the steps of a plan, with what earlier ones say."""

    def __init__(self, plan: Plan, done: Set[str], claude_bin: str) -> None:
        self._plan = plan
        self._claude_bin = claude_bin
        self._done = done
        self._is_first = True
        # What earlier steps say: the words of their commands, and whether one of them may bring any program.
        self._words: set[str] = set()
        self._brings = False
        self._told = told(plan)

    def all(self) -> Iterator[Need]:
        rows = {row.address: row for row in forecast(self._plan)}
        for row in rows.values():
            node = self._plan.nodes[row.address]
            if row.skipped:
                continue
            if isinstance(node.body, Run) and row.address not in self._done:
                yield from self._of_step(node, is_sure=self._is_sure(node, rows))
            self._hear(row.command)

    def _is_sure(self, node: Node, rows: dict[str, Forecast]) -> bool:
        """Whether a step must run, and the run fails where it cannot."""
        for around in (node, *map(self._plan.node, self._plan.ancestors(node.address))):
            row, policy, body = rows.get(around.address), around.policy, around.body
            if row is not None and (row.condition or row.is_handler):
                return False
            if policy.on_failure or policy.allow_failure:
                return False
            if isinstance(body, Sequence) and node.address in body.answers:
                return False
            node = around
        return True

    def _of_step(self, node: Node, *, is_sure: bool) -> Iterator[Need]:
        assert isinstance(node.body, Run)
        command = node.body.command
        need = Need(at=node.address, line=node.line, is_sure=is_sure, is_first=self._is_first)
        is_claude = isinstance(command, Claude)
        program = self._claude(command) if isinstance(command, Claude) else program_of(command.interpreter)
        path = self._path(command)
        if program and path != "":
            may_come = self._brings or program in self._words
            yield msgspec.structs.replace(need, program=program, path=path, is_claude=is_claude, may_come=may_come)
        if isinstance(command, Claude) and self._is_unbound(command):
            yield msgspec.structs.replace(need, is_unbound=True)
        if folder := self._known(command.working_dir):
            may_come = folder.rstrip("/").rpartition("/")[2] in self._words
            yield msgspec.structs.replace(need, folder=folder, may_come=may_come)

    def _claude(self, command: Claude) -> str:
        """Return the program that stands for Claude Code, empty where that is not known yet."""
        if self._claude_bin or not command.options.claude_bin:
            return self._claude_bin or CLAUDE
        return self._known(command.options.claude_bin)

    def _is_unbound(self, command: Claude) -> bool:
        if "IS_SANDBOX" in command.env:
            return False
        given = map(self._known, command.options.args)
        return command.options.permission_mode == "bypassPermissions" or "--dangerously-skip-permissions" in given

    def _path(self, command: Shell | Claude) -> str | None:
        """Return the PATH that the step sets itself, None where it sets none, empty where it is not known."""
        return self._known(command.env["PATH"]) if "PATH" in command.env else None

    def _known(self, template: Template) -> str:
        """Return the text of a template whose values are known before the run, else nothing."""
        variables = self._plan.variables
        names = {str(reference.path[0]) for reference in references(template)}
        if not names <= variables.keys() - self._told:
            return ""

        def lookup(name: str) -> tuple[bool, Any]:
            return name in variables, variables.get(name)

        return render(template, lookup).strip()

    def _hear(self, text: str) -> None:
        """Remember what an earlier step says; once for each, so that the way stays as long as the plan."""
        self._is_first = False
        self._words.update(_WORD.findall(text), _NAME.findall(text))
        self._brings = self._brings or _BRINGS.search(text) is not None
