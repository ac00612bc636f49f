"""Compile what a `map` says besides its steps: where items come from, which, in what order, what failures mean.

Texts are read with the names known at their place: the item and its fields in `filter` and `item_key` only, for they
are asked once for each item, and everything else before there is any.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol, TypeVar

from prodigy.plan import expression
from prodigy.plan.json_path import parse_json_path
from prodigy.plan.nodes import Breaker, ErrorPolicy, Map, SortKey, Source
from prodigy.plan.pointer import below
from prodigy.plan.reference import (
    NAME,
    Names,
    Reference,
    Syntax,
    Template,
    parse_template,
    read_path,
    references,
)
from prodigy.plan.shell import values
from prodigy.plan.source import Fields, Listing, Scalar, Value, plain
from prodigy.plan.syntax import (
    ErrorPolicyAsWritten,
    MapAsWritten,
    choice_of,
    integer_of,
    is_template,
    seconds_or,
    share_of,
)

MAP = "map"
TEMPLATE = "map[]"
PARALLEL = 10
CHECKPOINT_FREQUENCY = 100
BREAKER_FAILURES = 5
BREAKER_PAUSE_S = 60.0
ITEM_RETRIES = 3

_DIRECTION = re.compile(r"\s+(?P<word>ASC|DESC)(?![\w.\[-])", re.IGNORECASE)
_NULLS = re.compile(r"\s+NULLS\s+(?P<word>FIRST|LAST)(?![\w.\[-])", re.IGNORECASE)
_BLANKS = re.compile(r"\s*")
_ORDER_EXAMPLE = "for example  severity DESC NULLS LAST, name"

Parsed = TypeVar("Parsed")


class Read(Protocol):
    """Return what `parse` makes of a text and note what it refers to, or note why it cannot be read."""

    def __call__(
        self,
        scalar: Scalar,
        parse: Callable[[str, Names], Parsed],
        names: Names,
        referred: Callable[[Parsed], Iterable[Reference]],
    ) -> Parsed | None: ...


def map_body(written: MapAsWritten, *, read: Read, names: Names, working_dir: Template) -> Map:
    """Return the map that is written, its results not kept; `names` are known before it begins."""

    count = partial(_count, read=read, names=names)
    return Map(
        source=_source(written, read, names, working_dir),
        template=TEMPLATE,
        max_parallel=count(written.max_parallel, PARALLEL),
        max_processes=None if written.max_processes is None else count(written.max_processes),
        item_key=_template(written.item_key, read, names | {"item"}),
        checkpoint_frequency=integer_of(written.checkpoint_frequency, CHECKPOINT_FREQUENCY),
        errors=_errors(written.error_policy),
    )


def parse_order(text: str, names: Names = frozenset()) -> tuple[SortKey, ...]:
    """Return the keys of `a.b DESC NULLS LAST, c`; nulls stand last unless told.

    Raises:
        Syntax: anything else.
    """
    keys: list[SortKey] = []
    position = 0
    while True:
        path, position = _path(text, position, _ORDER_EXAMPLE)
        direction, position = _option(_DIRECTION, text, position)
        nulls, position = _option(_NULLS, text, position)
        keys.append(SortKey(path=path, is_descending=direction == "DESC", has_nulls_first=nulls == "FIRST"))
        position = _after_blanks(text, position)
        if position == len(text):
            return tuple(keys)
        if text[position] != ",":
            raise Syntax(position, "expected ASC, DESC, NULLS FIRST, NULLS LAST or a comma", _ORDER_EXAMPLE)
        position += 1


def parse_path(text: str, names: Names = frozenset()) -> tuple[str | int, ...]:
    """Return the path into the item that a text is; `item` alone is the item itself.

    Raises:
        Syntax: anything else.
    """
    path, position = _path(text, 0, "for example  a.b[0]")
    if text[position:].strip():
        raise Syntax(position, "the path ends here", "for example  a.b[0]")
    return path


def _source(written: MapAsWritten, read: Read, names: Names, working_dir: Template) -> Source:
    count = partial(_count, read=read, names=names)
    condition = partial(expression.parse, bare_paths=True)
    order = [read(key, parse_order, names, _nothing) or () for key in written.sort_by]
    is_command, elements = written.input.kind == "command", written.input.elements
    return Source(
        kind=written.input.kind,
        text=(written.input.text.text,) if is_command else _template(written.input.text, read, names),
        script=read(written.input.text, values.parse_script, names, values.references) if is_command else None,
        working_dir=working_dir,
        json_path=None if written.json_path is None else read(written.json_path, _json_path, names, _nothing),
        filter=None
        if written.filter is None
        else read(written.filter, condition, names | {"item"}, expression.references),
        sort_by=tuple(key for keys in order for key in keys),
        distinct=None if written.distinct is None else read(written.distinct, parse_path, names, _nothing),
        offset=0 if written.offset is None else count(written.offset),
        max_items=None if written.max_items is None else count(written.max_items),
        elements=() if elements is None else tuple(plain(elements)),
        filled={} if elements is None else _filled(elements, read, names),
    )


def _filled(elements: Listing, read: Read, names: Names) -> dict[str, Template]:
    """Return the template of each text within a list that has a `${`, by its JSON Pointer."""
    found: dict[str, Template] = {}
    stack: list[tuple[str, Value]] = [("", elements)]
    while stack:
        at, value = stack.pop()
        match value:
            case Scalar() if is_template(value):
                found[at] = _template(value, read, names)
            case Listing(entries=entries):
                stack += [(below(at, place), entry) for place, entry in reversed([*enumerate(entries)])]
            case Fields(entries=named):
                stack += [(below(at, key.text), entry) for key, entry in reversed(named)]
    return found


def _errors(written: ErrorPolicyAsWritten | None) -> ErrorPolicy:
    if written is None:
        return ErrorPolicy()
    breaker = written.circuit_breaker
    return ErrorPolicy(
        on_item_failure=choice_of(written.on_item_failure, "dlq"),
        max_failures=None if written.max_failures is None else integer_of(written.max_failures, 0),
        failure_threshold=None if written.failure_threshold is None else share_of(written.failure_threshold),
        breaker=None
        if breaker is None
        else Breaker(
            failures=integer_of(breaker.failure_threshold, BREAKER_FAILURES),
            pause_s=seconds_or(breaker.timeout, BREAKER_PAUSE_S),
        ),
    )


def _count(scalar: Scalar | None, default: int = 0, *, read: Read, names: Names) -> int | Template:
    return _template(scalar, read, names) if scalar and is_template(scalar) else integer_of(scalar, default)


def _template(scalar: Scalar | None, read: Read, names: Names) -> Template:
    return () if scalar is None else read(scalar, parse_template, names, references) or ()


def _json_path(text: str, names: Names) -> str:
    return parse_json_path(text)


def _nothing(parsed: Any) -> tuple[Reference, ...]:
    """A path refers to the item, which is no result of a step."""
    return ()


def _path(text: str, position: int, example: str) -> tuple[tuple[str | int, ...], int]:
    start = _after_blanks(text, position)
    first = NAME.match(text, start)
    if first is None:
        raise Syntax(start, "a path into the item begins with a name", example)
    path, end = read_path(text, first)
    return path[1:] if path[0] == "item" else path, end


def _option(form: re.Pattern[str], text: str, position: int) -> tuple[str, int]:
    match = form.match(text, position)
    return (match["word"].upper(), match.end()) if match else ("", position)


def _after_blanks(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    assert blanks is not None, "no blanks are blanks too"
    return blanks.end()
