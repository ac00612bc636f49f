"""`diff`: two runs side by side; exit 0 when they are equal, 1 when they differ."""

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from prodigy.kernel.state import State
    from prodigy.projections.diff import Difference, Side, StepPair
    from prodigy.store.layout import Project

CELL_COLUMNS_MIN = 16
LABEL_COLUMNS_MAX = 40
PADDED_COLUMNS_MAX = 60


class Row(NamedTuple):
    """A line of the comparison: `mark` is ≠ where the runs differ, + and − where only one of them has it."""

    mark: str
    label: str
    a: str
    b: str


def diff(
    ref_a: Annotated[str, typer.Argument(help="One run: its id, its workflow's name, or the beginning of an id.")],
    ref_b: Annotated[str, typer.Argument(help="The other run.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show two runs side by side: definition, outcome and duration of each step, and the variables that differ.

    Exits with 0 when they are equal, else with 1. How long a step took makes no difference.
    """
    from prodigy.cli.output import print_json
    from prodigy.cli.place import project_here
    from prodigy.errors import ExitCode
    from prodigy.projections.diff import difference
    from prodigy.store.catalog import find_run

    project = project_here()
    id_a, id_b = find_run(project, ref_a), find_run(project, ref_b)
    found = difference(_state(project, id_a), _state(project, id_b))
    if json:
        fields = {"status": found.status, "steps": found.steps, "variables": found.variables}
        print_json({"schema_version": 1, "a": id_a, "b": id_b, "is_equal": not found.count, **fields})
    else:
        _print([Row(" ", "", id_a, id_b), *rows_of(found)])
        print(f"\n{_counted(found)}")
    if found.count:
        raise typer.Exit(ExitCode.FAILED)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("diff")(diff)


def _state(project: "Project", workflow_id: str) -> "State":
    from prodigy.errors import DamagedState
    from prodigy.store.catalog import listed

    run = listed(project, workflow_id)
    if run.state is None:
        raise DamagedState(
            f"{workflow_id} cannot be read: {run.problem}", hint="What is wrong, and what mends it: `prodigy doctor`."
        )
    return run.state


def rows_of(found: "Difference") -> Iterator[Row]:
    """Yield the lines of a comparison: the status, every step, and the variables that differ."""
    yield Row(" " if found.status[0] == found.status[1] else "≠", "status", *found.status)
    for pair in found.steps:
        yield from _rows_of_step(pair)
    for variable in found.variables:
        if variable.differs:
            mark = "≠" if variable.in_a and variable.in_b else "−" if variable.in_a else "+"
            a = _as_json(variable.a) if variable.in_a else ""
            yield Row(mark, f"${{{variable.name}}}", a, _as_json(variable.b) if variable.in_b else "")


def _rows_of_step(pair: "StepPair") -> Iterator[Row]:
    from prodigy.kernel.cause import cause

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


def _outcome(side: "Side") -> str:
    from prodigy.cli.words import duration

    words = [side.status]
    if side.exit_code:
        words.append(f"exit {side.exit_code}")
    if side.attempts > 1:
        words.append(f"{side.attempts} attempts")
    if side.duration_s is not None:
        words.append(duration(side.duration_s))
    return ", ".join(words)


def _counted(found: "Difference") -> str:
    """Return how much differs, in words."""
    equal = sum(not variable.differs for variable in found.variables)
    variables = f"; {equal} variable{'' if equal == 1 else 's'} equal" if equal else ""
    if not found.count:
        return f"no difference{variables}"
    return f"{found.count} difference{'' if found.count == 1 else 's'}{variables}"


def _as_json(value: object) -> str:
    import msgspec

    from prodigy.plan.spelling import as_spelled

    return msgspec.json.encode(value, enc_hook=as_spelled).decode()


def _print(rows: list[Row]) -> None:
    """Print the lines in columns: cut to fit on a terminal, whole in a pipe."""
    from prodigy.cli.width import cells, cut, padded
    from prodigy.runtime.terminal import visible

    rows = [Row(row.mark, visible(row.label), visible(row.a), visible(row.b)) for row in rows]
    label = min(LABEL_COLUMNS_MAX, max(cells(row.label) for row in rows))
    widest = max(cells(row.a) for row in rows)
    if not sys.stdout.isatty():
        for row in rows:
            a = padded(row.a, min(widest, PADDED_COLUMNS_MAX))
            print(f"{row.mark} {padded(row.label, label)}  {a}  {row.b}".rstrip())
        return
    both = shutil.get_terminal_size().columns - label - 6
    width = min(widest, max(CELL_COLUMNS_MIN, both // 2))
    room = max(CELL_COLUMNS_MIN, both - width)
    for row in rows:
        left = f"{row.mark} {padded(cut(row.label, label), label)}  {padded(cut(row.a, width), width)}"
        print(f"{left}  {cut(row.b, room)}".rstrip())
