"""What to type next, as lines."""

from prodigy.cli.output.columns import with_command
from prodigy.cli.program import program
from prodigy.projections.next_steps import NextStep, Rest, next_steps
from prodigy.runtime.terminal import visible


def advice(rest: Rest, columns: int | None = None, *, indent: str = "") -> list[str]:
    """Return what to type next about a run, a line each where so many columns are enough: why, and the command."""
    steps = next_steps(rest)
    return [line for step in steps for line in with_command(step.why, visible(as_typed(step)), columns, indent=indent)]


def as_typed(step: NextStep) -> str:
    """Return a command as it can be typed here."""
    return f"{program()} {step.command}"


def document(rest: Rest) -> dict[str, object]:
    """Return what `--json` says of it: `resume`, which answers no question by itself, and `next`, all there is."""
    can_resume = rest.status not in ("running", "stopping", "completed", "damaged")
    options = " --from-checkpoint mirror" if rest.is_mirror_only else ""
    options += " --trust" if rest.needs_trust else ""
    return {
        "resume": f"{program()} resume {rest.workflow_id}{options}" if can_resume else None,
        "next": [{"why": step.why, "command": as_typed(step)} for step in next_steps(rest)],
    }
