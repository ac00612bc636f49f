"""`diff`: two runs side by side; exit 0 when they are equal, 1 when they differ."""

import shutil
import sys
from collections.abc import Iterator
from typing import Annotated, NamedTuple

import msgspec
import typer

from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import MARGIN, folded
from prodigy.cli.output.formatting import duration
from prodigy.cli.output.sentences import print_prose
from prodigy.cli.output.width import cells, cut, padded, wrapped
from prodigy.cli.projects import project_here, run_of
from prodigy.errors import ExitCode
from prodigy.kernel.cause import cause
from prodigy.kernel.state import State
from prodigy.plan.phrases import counted
from prodigy.plan.spelling import as_spelled
from prodigy.projections.diff import Difference, Side, StepPair, difference
from prodigy.projections.item_diff import ItemSide, MapPair
from prodigy.runtime.terminal import visible
from prodigy.store.catalog import read_run
from prodigy.store.layout import Project

COLUMNS_MIN = 40
LABEL_COLUMNS_MAX = 40
PADDED_COLUMNS_MAX = 60
VALUE_COLUMNS_MAX = 400
ITEMS_SHOWN_MAX = 20


class Row(NamedTuple):
    """A line of the comparison: `mark` is ≠ where the runs differ, + and − where only one of them has it."""

    mark: str
    label: str
    a: str
    b: str


def diff(
    ref_a: Annotated[str, typer.Argument(help="One run: its id, its workflow's name, or the beginning of an id.")],
    ref_b: Annotated[str, typer.Argument(help="The other run.")],
    json: Json = False,
) -> None:
    """Show two runs side by side: each step, and the items of maps and the variables that differ.

    Exits with 0 when they are equal, else with 1. How long a step took makes no difference.
    """
    project = project_here()
    id_a, id_b = run_of(project, ref_a), run_of(project, ref_b)
    found = difference(_state(project, id_a), _state(project, id_b))
    if json:
        fields = {"status": found.status, "steps": found.steps, "maps": found.maps, "variables": found.variables}
        print_json({"schema_version": 1, "a": id_a, "b": id_b, "is_equal": not found.count, **fields})
    else:
        _print([Row(" ", "", id_a, id_b), *rows_of(found)])
        print()
        print_prose(_counted(found))
    if found.count:
        raise typer.Exit(ExitCode.FAILED)


def _state(project: Project, workflow_id: str) -> State:
    return read_run(project, workflow_id).sound()


def rows_of(found: Difference) -> Iterator[Row]:
    """Yield the lines of a comparison: the status, every step and its items, and the variables that differ."""
    maps = {pair.a: pair for pair in found.maps}
    yield Row(" " if found.status[0] == found.status[1] else "≠", "status", *found.status)
    for pair in found.steps:
        yield from _rows_of_step(pair)
        if pair.a and pair.b and pair.a.address in maps:
            yield from _rows_of_items(maps[pair.a.address])
    for variable in found.variables:
        if variable.differs:
            mark = "≠" if variable.in_a and variable.in_b else "−" if variable.in_a else "+"
            a = _as_json(variable.a) if variable.in_a else ""
            yield Row(mark, f"${{{variable.name}}}", a, _as_json(variable.b) if variable.in_b else "")


def _rows_of_step(pair: StepPair) -> Iterator[Row]:
    a, b = pair.a, pair.b
    if a is None or b is None:
        here = a or b
        assert here is not None, "a step is in one of them"
        yield Row("−" if a else "+", here.address, _outcome(a) if a else "", _outcome(b) if b else "")
        return
    moved = "" if a.address == b.address else f" → {b.address}"
    yield Row("≠" if pair.differs else " ", a.address + moved, _outcome(a), _outcome(b))
    if "definition" in pair.differs:
        yield Row("≠", "  runs", a.what, b.what)
    if a.when != b.when:
        yield Row("≠", "  when", a.when or "", b.when or "")
    if a.error != b.error:
        yield Row("≠", "  error", *(cause(side.error or "", side.exit_code) for side in (a, b)))


def _rows_of_items(pair: MapPair) -> Iterator[Row]:
    """Yield how many items each run has, and the first of those that differ."""
    counts = ["not listed" if count is None else f"{count} listed" for count in pair.listed]
    yield Row("≠" if counts[0] != counts[1] else " ", "  items", *counts)
    for item in pair.differing[:ITEMS_SHOWN_MAX]:
        a, b = item.a, item.b
        mark = "≠" if a and b else "−" if a else "+"
        yield Row(mark, f"  {item.key}", _fate(a) if a else "", _fate(b) if b else "")
        if a and b and "value" in item.differs:
            yield Row("≠", "    item", _as_json(a.value), _as_json(b.value))
        if a and b and "output" in item.differs:
            yield Row("≠", "    output", *_outputs(a, b))
    if (more := len(pair.differing) - ITEMS_SHOWN_MAX) > 0:
        yield Row("≠", f"  and {more} more", "--json has all", "")


def _fate(side: ItemSide) -> str:
    """Return what became of an item, in words."""
    words = [f"{side.status} at {side.step}" if side.step else side.status]
    if side.attempts > 1:
        words.append(counted(side.attempts, "attempt"))
    return f"{', '.join(words)}: {side.error}" if side.error else ", ".join(words)


def _outputs(a: ItemSide, b: ItemSide) -> tuple[str, str]:
    """Return the outputs of an item that differ: that of the last step, or else the first other one."""
    if a.output != b.output:
        return _one_line(a.output), _one_line(b.output)
    ones, others = a.outputs or {}, b.outputs or {}
    name = next((name for name in {**ones, **others} if ones.get(name) != others.get(name)), "")
    return f"{name}: {_one_line(ones.get(name))}", f"{name}: {_one_line(others.get(name))}"


def _outcome(side: Side) -> str:
    words = [side.status]
    if side.exit_code:
        words.append(f"exit {side.exit_code}")
    if side.attempts > 1:
        words.append(counted(side.attempts, "attempt"))
    if side.duration_s is not None:
        words.append(duration(side.duration_s))
    return ", ".join(words)


def _counted(found: Difference) -> str:
    """Return how much differs, in words."""
    equal = sum(not variable.differs for variable in found.variables)
    variables = f"; {counted(equal, 'variable')} equal" if equal else ""
    return f"{counted(found.count, 'difference') if found.count else 'no difference'}{variables}"


def _one_line(text: str | None) -> str:
    return " ⏎ ".join((text or "").splitlines())


def _as_json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=as_spelled).decode()


def _print(rows: list[Row]) -> None:
    """Print the lines in columns. On a terminal what does not fit stands below its label, in a pipe nothing is cut."""
    rows = [Row(row.mark, visible(row.label), visible(row.a), visible(row.b)) for row in rows]
    label = min(LABEL_COLUMNS_MAX, max(cells(row.label) for row in rows))
    widest = max(cells(row.a) for row in rows)
    if not sys.stdout.isatty():
        for row in rows:
            a = padded(row.a, min(widest, PADDED_COLUMNS_MAX))
            print(f"{row.mark} {padded(row.label, label)}  {a}  {row.b}".rstrip())
        return
    columns = max(COLUMNS_MIN, shutil.get_terminal_size().columns)
    label = min(label, columns // 3)
    width = min(widest, (columns - label - 6) // 2)
    for row in rows:
        print("\n".join(_lines(row, label, width, columns)))


def _lines(row: Row, label: int, width: int, columns: int) -> list[str]:
    """Return a row as it stands on a terminal: in its columns where it fits, else one below the other."""
    if cells(row.label) <= label and cells(row.a) <= width and cells(row.b) <= columns - label - width - 6:
        return [f"{row.mark} {padded(row.label, label)}  {padded(row.a, width)}  {row.b}".rstrip()]
    head = f"{row.mark} {row.label}".rstrip()
    lines = folded(head, columns, more=MARGIN) if head else []  # never cut: its end may tell two items apart
    for sign, text in (("<", row.a), (">", row.b)):
        if text:
            first, *more = wrapped(cut(text, VALUE_COLUMNS_MAX), columns - 6)
            lines += [f"    {sign} {first}", *(f"      {line}" for line in more)]
    return lines
