"""What is legal in a workflow and may not be meant: said by `validate`, and no reason not to run.

A failure that a later step answers, a value that becomes code in another program, text of one's own that stands
unquoted and is one word all the same, a name that usually means something else; and what a shell would do elsewhere:
expand a value, read `$name`, change the folder for what comes later.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from prodigy.errors import Problem
from prodigy.plan.nodes import Map, Node, Plan, Run, Sequence, Shell
from prodigy.plan.nodes import Source as Items
from prodigy.plan.shell import values
from prodigy.plan.source import Fields, Listing, Scalar, Source, Value
from prodigy.plan.symbols import OF_ITEMS, Declared, environments, every_step
from prodigy.plan.syntax import Document, Step

_EXPANDED = re.compile(r"\$(?P<name>[A-Z][A-Z0-9_]{1,99})(?![A-Za-z0-9_])|~(?:/|\Z)|(?P<run>\$\()")
_DOLLAR = re.compile(
    r"(?<![\\$\w])\$(?:(?P<plain>[A-Za-z_]\w{0,99})|\{(?P<braced>\w{1,100})\}|\{ +(?P<spaced>[\w.]{1,100}) *\})"
)
_ALONE = re.compile(r"\s*(?P<what>cd|pushd|export|source|\.|alias) +[^\n;&|]{1,1000}\s*")
_CONTEXT = {"cd": "working_dir: dir", "pushd": "working_dir: dir", "export": "env: {NAME: value}"}
_CURLY_QUOTES = re.compile("[\u201c\u201d\u201e]")
_BRACES = re.compile(r"(?P<dollar>\$)?\{\{-? *(?P<path>(?P<name>[A-Za-z_][\w-]*)(?:\.[\w-]+)*)[^{}\n]{0,100}\}\}")
_ITEM = re.compile(r"(?<![\w${\\])\{(?P<path>(?P<name>item|item_key|item_index)(?:[.\[][\w.\[\]]{0,100})?)\}(?!\})")
DOLLARS_MAX = 20  # of one step are looked at
MISLEADING = frozenset({"env", "last", "step", "error", "validation"})


def notices(source: Source, document: Document, declared: Declared, plan: Plan) -> list[Problem]:
    """Return what is to be said of a workflow without mistakes, in the file's order."""
    nodes = {_place(step): step for step in every_step(document)}
    found = [*_misleading(source, document, declared), *_of_the_shell(source, document)]
    theirs = {name for fields in environments(document) for name in fields.names}
    ours = frozenset({*declared.variables, *declared.ids, *declared.captures, *OF_ITEMS} - theirs)
    for written in every_step(document):
        found += _alone(source, written)
        found += _dollars(source, written, ours, has_items=document.map is not None)
        found += _item(source, written) if document.map is not None else ()
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
        for notice in values.dialect_notices(step.command.text, command.script, command.interpreter):
            yield source.notice(step.command, notice.offset, notice.message, hint=notice.hint)
        for notice in values.notices(command.script, variables):
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


def _item(source: Source, step: Step) -> Iterator[Problem]:
    """`{item}` is the item in other tools; here it is text, the same for every item."""
    match = _ITEM.search(step.command.text)
    if match is not None and not _is_of_script(step.command.text, match["name"], match.start()):
        hint = f"a value is  ${match.group()}"
        yield source.notice(step.command, match.start(), f"{match.group()} is no value here", hint=hint)


def _dollars(source: Source, step: Step, ours: frozenset[str], *, has_items: bool) -> Iterator[Problem]:
    """`$name` of a value is the shell's, or text; so is `${item}` where there is no map. One of a step is enough."""
    text = step.command.text
    for match in islice(_DOLLAR.finditer(text), DOLLARS_MAX):
        name = match["plain"] or match["braced"] or match["spaced"].partition(".")[0]
        is_lost = name in OF_ITEMS and not has_items
        if name not in ours or (match["braced"] and not is_lost) or _is_of_script(text, name, match.start()):
            continue
        if is_lost:
            message, hint = f"{name!r} is known with  mode: mapreduce  only", "the same steps for many items are a map"
        else:
            is_shells = step.kind == "shell" and match["plain"] is not None
            what = "the shell's own variable, not the value" if is_shells else "no value here"
            message, hint = f"{match.group()} is {what}", f"a value is  ${{{match['spaced'] or name}}}"
        yield source.notice(step.command, match.start(), message, hint=hint)
        return


def _is_of_script(text: str, name: str, offset: int) -> bool:
    """Whether a script gives the name a value itself, or the place is within single quotes, as programs for awk are."""
    assigned = rf"(?<![\w$-]){name}(?:\[\w*\])?\+?="
    given = rf"\b(?:for|select|read|mapfile|readarray|local|getopts)\b[^\n;&|]{{0,200}}\b{name}\b"
    return text.count("'", 0, offset) % 2 == 1 or re.search(f"{assigned}|{given}", text) is not None


def _alone(source: Source, step: Step) -> Iterator[Problem]:
    """A step is a shell of its own: what it changes of that shell ends with it."""
    if step.kind == "shell" and (match := _ALONE.fullmatch(step.command.text)):
        what = match["what"]
        message = f"what {what!r} changes ends with this step: each has a shell of its own"
        instead = f", or write  {_CONTEXT[what]}" if what in _CONTEXT else ""
        yield source.notice(
            step.command, match.start("what"), message, hint=f"put it into the script that needs it{instead}"
        )


def _in_listing(source: Source, written: Scalar, listing: Items) -> Iterator[Problem]:
    """The command of `map.input`, which `sh` runs."""
    if listing.script is not None:
        for notice in values.dialect_notices(written.text, listing.script, "sh"):
            yield source.notice(written, notice.offset, notice.message, hint="put it into a file that bash runs")


def _of_the_shell(source: Source, document: Document) -> Iterator[Problem]:
    """Values that a shell would expand, and nobody does here."""
    yield from _expanded(source, document.variables, "write ${{env.{}}}", is_whole=True)
    elsewhere = "make a variable that is ${{env.{}}}, and write its name"
    for fields in environments(document):
        yield from _expanded(source, fields, elsewhere)
    for folder in (document.working_dir, *(step.working_dir for step in every_step(document))):
        yield from _expanded(source, folder, elsewhere, is_whole=True)


def _expanded(source: Source, value: Value | None, mend: str, *, is_whole: bool = False) -> Iterator[Problem]:
    """Yield what is to be said of values below one that a shell would expand; `is_whole`: at their beginning only."""
    stack: list[Value] = [value] if value is not None else []
    while stack:
        match stack.pop():
            case Listing(entries=entries):
                stack += entries
            case Fields(entries=named):
                stack += [value for _, value in named]
            case Scalar(value=str()) as scalar:
                match = _EXPANDED.match(scalar.text) if is_whole else _EXPANDED.search(scalar.text)
                if match is None or (match.group().startswith("~") and match.start()):
                    continue
                message = f"{match.group().rstrip('/(')} stays as it is: no shell reads a value"
                hint = mend.format(match["name"] or "HOME")
                if match["run"]:
                    message = "$(…) stays as it is: no shell reads a value"
                    hint = "let a step print it, with  capture_output: name"
                yield source.notice(scalar, match.start(), message, hint=hint)
            case Scalar(value=None, text="~") as scalar:
                message = "~ is null in YAML: no shell reads a value"
                yield source.notice(scalar, 0, message, hint=mend.format("HOME"))


def _misleading(source: Source, document: Document, declared: Declared) -> Iterator[Problem]:
    for name in _declared_names(document, declared):
        if name.text in MISLEADING:
            message = f"{name.text!r} usually means something else in workflows"
            yield source.notice(name, 0, message, hint=f"a name such as my_{name.text} says that it is yours")


def _declared_names(document: Document, declared: Declared) -> Iterator[Scalar]:
    yield from document.variables.keys
    yield from declared.ids.values()
    yield from (name for key, name in declared.captures.items() if key not in declared.ids)
