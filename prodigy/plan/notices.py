"""What is legal in a workflow and may not be meant: said by `validate`, and no reason not to run.

A failure that a later step answers, a value that becomes code in another program, text of one's own that stands
unquoted and is one word all the same, a name that usually means something else.
"""

import re
from collections.abc import Iterator
from typing import Any

from prodigy.errors import Problem
from prodigy.plan import shell
from prodigy.plan.declared import OF_ITEMS, Declared, every_step
from prodigy.plan.nodes import Map, Node, Plan, Run, Sequence, Shell
from prodigy.plan.nodes import Source as Items
from prodigy.plan.source import Fields, Listing, Scalar, Source, Value
from prodigy.plan.written import Document, Step

_EXPANDED = re.compile(r"\$(?P<name>[A-Z][A-Z0-9_]{1,99})(?![A-Za-z0-9_])|~/")
_CURLY_QUOTES = re.compile("[\u201c\u201d\u201e]")
_BRACES = re.compile(r"(?P<dollar>\$)?\{\{-? *(?P<path>(?P<name>[A-Za-z_][\w-]*)(?:\.[\w-]+)*)[^{}\n]{0,100}\}\}")
MISLEADING = frozenset({"env", "last", "step", "error", "validation"})


def notices(source: Source, document: Document, declared: Declared, plan: Plan) -> list[Problem]:
    """Return what is to be said of a workflow without mistakes, in the file's order."""
    nodes = {_place(step): step for step in every_step(document)}
    found = [*_misleading(source, document, declared), *_of_the_shell(source, document)]
    found += declared.resolved.unset.values()
    for node in plan.nodes.values():
        if isinstance(node.body, Sequence):
            found += _tolerated(source, plan, node, nodes)
        elif isinstance(node.body, Run) and (step := nodes.get((node.line, node.body.command.text))):
            found += [*_in_script(source, declared, node, step), *_braces(source, declared, step)]
        elif isinstance(node.body, Map) and document.map is not None:
            found += _in_listing(source, document.map.input.text, node.body.source)
    return sorted(found, key=lambda problem: (problem.line, problem.column))


def _place(step: Step) -> tuple[int, str]:
    return step.line, step.command.text


def _tolerated(source: Source, plan: Plan, sequence: Node, steps: dict[tuple[int, str], Step]) -> Iterator[Problem]:
    assert isinstance(sequence.body, Sequence)
    for child, siblings in sequence.body.answers.items():
        node = plan.nodes[child]
        if not isinstance(node.body, Run) or node.policy.allow_failure:
            continue
        step = steps[(node.line, node.body.command.text)]
        by = " or ".join(f"{sibling} (line {plan.nodes[sibling].line})" for sibling in siblings)
        message = f"if {child} fails, the run goes on: the condition of {by} refers to it"
        hint = "unless such a step then runs and succeeds, the run fails in the end"
        yield source.notice(step.id or step.command, 0, message, hint=hint)


def _in_script(source: Source, declared: Declared, node: Node, step: Step) -> Iterator[Problem]:
    assert isinstance(node.body, Run)
    if isinstance(node.body.command, Shell):

        def variables(name: str) -> tuple[bool, Any]:
            return name in declared.variables, declared.variables.get(name)

        command = node.body.command
        for notice in shell.dialect_notices(step.command.text, command.script, command.interpreter):
            yield source.notice(step.command, notice.offset, notice.message, hint=notice.hint)
        for notice in shell.notices(command.script, variables):
            yield source.notice(step.command, notice.offset, notice.message, hint=notice.hint)
        quote = _CURLY_QUOTES.search(step.command.text)
        if quote and not set("\"'") & set(step.command.text):
            message = f"{quote.group()} is no quote to a shell, but a letter"
            yield source.notice(step.command, quote.start(), message, hint="write \" or '")


def _braces(source: Source, declared: Declared, step: Step) -> Iterator[Problem]:
    """`{{ name }}` and `${{ name }}` are values in other tools; here they are text, or worse, the shell's."""
    for match in _BRACES.finditer(step.command.text):
        name = match["name"]
        if match["dollar"] or name in declared.variables or declared.where(name) or name in OF_ITEMS:
            is_environment = name == "env" and match["path"] != name
            hint = f"a value is  ${{{match['path']}}}"
            hint = f"in a script it is  ${match['path'][4:]}" if is_environment else hint
            yield source.notice(step.command, match.start(), f"{match.group()} is no value here", hint=hint)
            return


def _in_listing(source: Source, written: Scalar, listing: Items) -> Iterator[Problem]:
    """The command of `map.input`, which `sh` runs."""
    if listing.script is not None:
        for notice in shell.dialect_notices(written.text, listing.script, "sh"):
            yield source.notice(written, notice.offset, notice.message, hint="put it into a file that bash runs")


def _of_the_shell(source: Source, document: Document) -> Iterator[Problem]:
    """Values that a shell would expand, and nobody does here."""
    stack: list[Value] = [document.variables] if document.variables else []
    while stack:
        match stack.pop():
            case Listing(entries=entries):
                stack += entries
            case Fields(entries=named):
                stack += [value for _, value in named]
            case Scalar(value=str()) as scalar if match := _EXPANDED.match(scalar.text):
                message = f"{match.group().rstrip('/')} stays as it is: no shell reads a value"
                hint = f"write ${{env.{match['name'] or 'HOME'}}}"
                yield source.notice(scalar, 0, message, hint=hint)


def _misleading(source: Source, document: Document, declared: Declared) -> Iterator[Problem]:
    for name in _declared_names(document, declared):
        if name.text in MISLEADING:
            message = f"{name.text!r} usually means something else in workflows"
            yield source.notice(name, 0, message, hint=f"a name such as my_{name.text} says that it is yours")


def _declared_names(document: Document, declared: Declared) -> Iterator[Scalar]:
    yield from (name for name, _ in (document.variables.entries if document.variables else ()))
    yield from declared.ids.values()
    yield from (name for key, name in declared.captures.items() if key not in declared.ids)
