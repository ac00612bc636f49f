"""JSONPath, as RFC 9535 has it: which values of a document are the items of a map.

The library is loaded when a path is read, for few workflows have one. Its `match` and `search` are replaced by ones
on a linear-time engine, because what they are shown is data.
"""

from functools import cache
from typing import Any

from prodigy.plan.patterns import matches
from prodigy.plan.reference import Syntax

DEPTH_MAX = 500
PATH_CHARS_MAX = 10_000
_EXAMPLES = "for example  $.files[*]  or  $.issues[?@.open]"


def parse_json_path(text: str) -> str:
    """Return the path as it was written, if it is one.

    Raises:
        Syntax: it is not a path of RFC 9535, or longer than `PATH_CHARS_MAX`.
    """
    from jsonpath import JSONPathError  # 35 ms, for the few workflows with a JSONPath

    if len(text) > PATH_CHARS_MAX:
        raise Syntax(PATH_CHARS_MAX, f"a path has at most {PATH_CHARS_MAX} characters, not {len(text)}")
    if not text.startswith("$"):
        raise Syntax(0, "a JSONPath begins with $, the whole document", _EXAMPLES)
    try:
        _paths().compile(text)
    except (JSONPathError, RecursionError) as error:
        token = getattr(error, "token", None)
        offset = min(max(getattr(token, "index", 0), 0), len(text))
        message = str(getattr(error, "message", None) or "it nests too deeply")
        raise Syntax(offset, f"this is no JSONPath: {message}", _EXAMPLES) from None
    return text


def find(text: str, document: Any) -> list[Any]:
    """Return the values of a document that a path names, in their order.

    A path that can name one value only, such as `$.files`, stands for the elements of the list that it names.

    Raises:
        RecursionError: the document nests deeper than `DEPTH_MAX` where `..` looks into it.
    """
    path = _paths().compile(text)
    found: list[Any] = path.findall(document)
    if len(found) == 1 and isinstance(found[0], list) and path.singular_query():
        return list(found[0])
    return found


@cache
def _paths() -> Any:
    """Return the library's environment: strict, with our depth and our patterns."""
    from jsonpath import JSONPathEnvironment  # as above
    from jsonpath.function_extensions import ExpressionType, FilterFunction  # as above

    class Pattern(FilterFunction):
        def __init__(self, form: str) -> None:
            self.form = form

        @property
        def arg_types(self) -> list[ExpressionType]:
            return [ExpressionType.VALUE, ExpressionType.VALUE]

        @property
        def return_type(self) -> ExpressionType:
            return ExpressionType.LOGICAL

        def __call__(self, value: object, written: object) -> bool:
            if not isinstance(value, str) or not isinstance(written, str):
                return False
            return matches(value, self.form.format(written))

    class Paths(JSONPathEnvironment):
        max_recursion_depth = DEPTH_MAX + 1

    paths = Paths(strict=True)
    paths.function_extensions["match"] = Pattern(r"\A(?:{})\z")
    paths.function_extensions["search"] = Pattern("{}")
    return paths
