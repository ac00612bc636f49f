"""Parameters that nothing uses: a misspelt one must not silently leave the run with the default."""

import re
from collections.abc import Set

from prodigy.errors import UsageProblem
from prodigy.plan.reference import Names, suggestion
from prodigy.plan.source import Scalar
from prodigy.plan.symbols import every_step
from prodigy.plan.syntax import Document

SHOWN_MAX = 20
_SHELL_NAME = re.compile(r"\$(?P<brace>\{?)(?P<name>[A-Za-z_][A-Za-z0-9_]{0,99})")


def check_given(given: Names, document: Document, referred: Set[str]) -> None:
    """Refuse parameters that the workflow neither has as variables nor refers to.

    Args:
        given: the names that were given now; those that a run remembers are not asked about again.
        referred: the first name of every `${…}` of ours.

    Raises:
        UsageProblem: with all of them, and for each the nearest name that would have been used.
    """
    variables = document.variables.names
    unused = sorted(given - variables - referred)
    if not unused:
        return
    used = variables | {name for name in _names_in_scripts(document) if name not in unused}
    named = " or ".join(map(repr, unused[:SHOWN_MAX]))
    hints = dict.fromkeys(_hint(name, document, used) for name in unused[:SHOWN_MAX])
    raise UsageProblem(f"nothing in {document.file} uses {named}", hint="\n  ".join(hints))


def _hint(name: str, document: Document, used: Names) -> str:
    if place := _unbraced(name, document):
        return f"the script on line {place.line} has ${name}, which is the shell's own: write ${{{name}}} there"
    if near := suggestion(name, frozenset(used), form="{}"):
        return near
    return f"it uses {', '.join(sorted(used)[:SHOWN_MAX])}" if used else "it has no variables"


def _names_in_scripts(document: Document) -> set[str]:
    """Return the names that would be ours in scripts if they were given: those of `${name}`."""
    scripts = [step.command.text for step in every_step(document)]
    return {match["name"] for script in scripts for match in _SHELL_NAME.finditer(script) if match["brace"]}


def _unbraced(name: str, document: Document) -> Scalar | None:
    """Return the first script with `$name`, which no parameter ever reaches."""
    for step in every_step(document):
        if any(match["name"] == name and not match["brace"] for match in _SHELL_NAME.finditer(step.command.text)):
            return step.command
    return None
