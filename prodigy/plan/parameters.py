"""A parameter takes the kind of the variable that it replaces: for a list it is a list, written as JSON.

On the command line everything is text. The workflow iterates over a list, so a text in its place would be taken for
one element, or for the name of a file.
"""

import json
from typing import Any, NoReturn

from prodigy.errors import UsageProblem
from prodigy.plan.spelling import from_json

_EXAMPLES = {list: '["a","b"]', dict: '{"key":"value"}'}
_KINDS = {list: "a list", dict: "a mapping"}


def fitted(name: str, given: Any, variable: Any, *, option: str = "--param") -> Any:
    """Return what is given for a variable, of which `variable` is the present value.

    Raises:
        UsageProblem: the variable is a list or a mapping, and what is given is not; the hint shows one.
    """
    kind = next((kind for kind in _KINDS if isinstance(variable, kind)), None)
    if kind is None:
        return given
    value = _read(given) if isinstance(given, str) else given
    if not isinstance(value, kind):
        message = f"{name} is {_KINDS[kind]} in the workflow, and {option} gives it something else"
        raise UsageProblem(message, hint=f"As JSON: {option} '{name}={_EXAMPLES[kind]}'")
    return value


def _read(text: str) -> Any:
    """Return the value that a text of JSON is, or None: so too where it could not be written down again."""
    try:
        value = from_json(text, constant=_refused)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value


def _refused(_: str) -> NoReturn:
    raise ValueError("no number of JSON")
