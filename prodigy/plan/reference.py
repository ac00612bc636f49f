"""Read `${…}`: which of them are ours, what they name, and what they become.

Values are data, never code: a reference is parsed once, when the workflow is loaded, and a value it yields is
never read again. This module knows nothing of shell quoting; it only decides, as VALUES.md says, whether a
`${…}` is ours, and leaves every other one to the shell untouched.

The reader walks forward from `${`, so a form of the shell's own may hold anything at all. Only defaults nest,
and no deeper than `DEPTH_MAX`.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from prodigy.plan.phrases import clipped
from prodigy.plan.spelling import exact, unspelled, written

DEPTH_MAX = 20
EXCERPT_CHARS_MAX = 80
FILTERS = ("raw", "file", "json", "lines", "csv", "length")

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}(?![A-Za-z0-9_-])")
_SEGMENT = re.compile(r"\.(?P<key>[\w-]+)|\[(?P<index>-?[0-9]{1,9})\]|\[\"(?P<quoted>[^\"\]]+)\"\]")
_FILTER = re.compile(r"\|\s*(?P<name>[A-Za-z_]*)\s*")
_ONLY_OURS = re.compile(r"(?:\[[^\]\s]{0,200}\]){0,20}[.|]")
_SHELL_PREFIX = re.compile(r"[#!](?=[A-Za-z_])")
_BRACE = re.compile(r"[{}]")


class Reference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One `${…}` of ours: `path` as in `("a", "b", 0)`, `text` as authored, `default` expanded once."""

    path: tuple[str | int, ...]
    default: tuple["str | Reference", ...] | None = None
    filters: tuple[str, ...] = ()
    text: str = ""


Piece = str | Reference
Template = tuple[Piece, ...]
Names = frozenset[str]
Lookup = Callable[[str], tuple[bool, Any]]
KeepFile = Callable[[str], str]


class Result(dict[str, Any]):
    """A step's result as a lookup yields it: a mapping that, named alone, stands for its `output`."""


class Captured(Result):
    """The result of a step that captures into its own id.

    What the captured value has comes first, as captures do: a field of a mapping, an element of a list. Whatever it
    lacks is the step's result, and `output` the value itself.
    """

    def __init__(self, value: Any, result: Result) -> None:
        super().__init__({**result, "output": value})
        self.value = value


class Syntax(Exception):
    """A text that cannot be read. `offset` is 0-based, in characters into that text; `hint` is the mend."""

    def __init__(self, offset: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.hint = hint


def find(text: str, start: int) -> tuple[int, str]:
    """Return the end of the `${…}` at `start` and what is between its braces; braces inside it match."""
    end = _closing(text, start + 2, start)
    return end + 1, text[start + 2 : end]


def read(text: str, start: int, names: Names, *, strict: bool) -> tuple[Reference | None, int]:
    """Return the reference at `text[start]`, which is `${`, and the offset behind it.

    None means the form is the shell's own; the offset is then just behind `${`, for its words may hold
    references of ours. With `strict` there is no shell, and every `${…}` must be ours.

    Raises:
        Syntax: an unknown name, a shell form applied to a name of ours, an unknown filter, no closing brace.
    """
    return _read(text, start, names, strict=strict, depth=0)


def read_path(text: str, first: re.Match[str]) -> tuple[tuple[str | int, ...], int]:
    """Return the path whose first name is `first`, a match of `NAME` in `text`, and the offset behind it."""
    segments: list[str | int] = [first.group()]
    position = first.end()
    while match := _SEGMENT.match(text, position):
        index = match["index"]
        segments.append(int(index) if index else match["key"] or match["quoted"])
        position = match.end()
    return tuple(segments), position


def parse_template(text: str, names: Names) -> Template:
    """Return the pieces of `text`, in which every `${…}` must be ours; `$${name}` is a literal `${name}`."""
    return _template(text, 0, len(text), names, depth=0)


def resolve(reference: Reference, lookup: Lookup) -> Any:
    """Return the value `reference` has now; missing is None, and the default stands in for missing and empty.

    Filters that make a value (`json`, `lines`, `csv`, `length`) are applied; `raw` and `file` concern how the
    shell gets it and are not.
    """
    found, value = lookup(str(reference.path[0]))
    if len(reference.path) == 1 and isinstance(value, Result):
        value = value["output"]
    value = _walk(value, reference.path[1:]) if found else None
    if reference.default is not None and (value is None or value == ""):
        value = fill(reference.default, lookup)
    for name in reference.filters:
        value = _filtered(name, value)
    return value


def as_text(value: Any) -> str:
    """Return `value` as it stands in text: null empty, `true`/`false`, numbers as written, lists as compact JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return written(value)
    if isinstance(value, Mapping | list | tuple):
        return _json(value)
    return str(value)


def as_given(value: Any) -> str:
    """Return `value` as a command is given it: as text, but a name that is no UTF-8 byte for byte."""
    return exact(value) if isinstance(value, str) else as_text(value)


def count(value: Any) -> int | None:
    """Return how many elements or characters `value` has; null has no length."""
    if value is None:
        return None
    return len(value) if isinstance(value, Mapping | list | tuple) else len(as_text(value))


def render(template: Template, lookup: Lookup, keep_file: KeepFile | None = None) -> str:
    """Return the text of `template`, each reference replaced once by its value, as a command is given it.

    Of `${name|file}` that is what `keep_file` makes of the text: the path of a file that holds it.
    """
    return "".join(p if isinstance(p, str) else _placed(p, lookup, keep_file) for p in template)


def _placed(reference: Reference, lookup: Lookup, keep_file: KeepFile | None) -> str:
    text = as_given(resolve(reference, lookup))
    return keep_file(text) if keep_file and "file" in reference.filters else text


def render_count(template: Template, lookup: Lookup) -> str:
    """Return the text of a template that is to be counted with: one number is that number, however it was written."""
    if len(template) == 1 and isinstance(template[0], Reference):
        return as_text(unspelled(resolve(template[0], lookup))).strip()
    return render(template, lookup).strip()


def fill(template: Template, lookup: Lookup) -> Any:
    """Return what a template yields: the value itself where it is one reference and nothing else; otherwise text."""
    if len(template) == 1 and isinstance(template[0], Reference):
        return resolve(template[0], lookup)
    return render(template, lookup)


def references(template: Iterable[Piece]) -> Iterator[Reference]:
    """Yield every reference of `template` in the order of its text, those inside defaults included."""
    for piece in template:
        if isinstance(piece, Reference):
            yield piece
            yield from references(piece.default or ())


def suggestion(name: str, known: Names | tuple[str, ...], *, form: str = "${{{}}}") -> str | None:
    """Return the hint that names the nearest of `known`, or None when none is near."""
    import difflib  # 3 ms, for the hint of an error

    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean {form.format(near[0])}?" if near else None


def _read(text: str, start: int, names: Names, *, strict: bool, depth: int) -> tuple[Reference | None, int]:
    if depth > DEPTH_MAX:
        raise Syntax(start, f"defaults nest deeper than {DEPTH_MAX}")
    match = NAME.match(text, start + 2)
    if match is None or not _is_ours(text, match, names):
        _refuse_foreign(text, start, names, strict=strict)
        return None, start + 2
    path, position = read_path(text, match)
    filters, position = _filters(text, position)
    default = None
    if text.startswith(":-", position):
        end = _closing(text, position, start)
        default = _template(text, position + 2, end, names, depth=depth + 1)
        position = end
    if not text.startswith("}", position):
        raise _shell_form(text, start, position, strict=strict)
    if depth and "file" in filters:
        raise Syntax(start, "|file cannot stand inside a default", "write it before that: ${name|file:-default}")
    whole = text[start : position + 1]
    return Reference(path=path, default=default, filters=filters, text=whole), position + 1


def _is_ours(text: str, name: re.Match[str], names: Names) -> bool:
    """Whether a name is ours here: it alone is, or with the key that follows it, as `build.error` in `names`."""
    if name.group() in names:
        return True
    key = _SEGMENT.match(text, name.end())
    return key is not None and f"{name.group()}.{key['key']}" in names


def _refuse_foreign(text: str, start: int, names: Names, *, strict: bool) -> None:
    """Raise unless the `${` at `start`, whose first name is not ours, is plainly the shell's own."""
    match = NAME.match(text, start + 2)
    is_dashed = match is not None and "-" in match.group()  # `${x-a.b}` is the shell's `x` with a default
    if match and not is_dashed and _ONLY_OURS.match(text, match.end()):
        raise _unknown(_with_key(text, match, names), start, names)
    prefix = _SHELL_PREFIX.match(text, start + 2)
    inner = NAME.match(text, prefix.end()) if prefix else match
    stem = inner.group() if prefix and inner else inner.group().partition("-")[0] if inner else ""
    if inner and stem in names:
        raise _shell_form(text, start, inner.start() + len(stem), strict=strict)
    if not strict:
        return
    if match:
        raise _unknown(match.group(), start, names)
    raise Syntax(start, f"{_excerpt(text, start)} names nothing", "write ${name}; $${ writes a literal ${")


def _with_key(text: str, name: re.Match[str], names: Names) -> str:
    """Return a name that is not ours, with its key where it is ours with another."""
    key = _SEGMENT.match(text, name.end())
    is_half = key is not None and any(known.startswith(f"{name.group()}.") for known in names)
    return f"{name.group()}.{key['key']}" if key and is_half else name.group()


def _unknown(name: str, start: int, names: Names) -> Syntax:
    hint = suggestion(name, names) or f"a literal ${{ is written $${{; known here: {_listed(names)}"
    return Syntax(start, f"unknown name {name!r}", hint)


def _listed(names: Names, most: int = 8) -> str:
    shown = sorted(names)[:most]
    return (", ".join(shown) + (", …" if len(names) > most else "")) or "nothing"


_COMPARED = re.compile(r" *(?P<rest>(?:==|!=|<=?|>=?|&&|\|\|)[^|&{}].{0,100})")


def _shell_form(text: str, start: int, position: int, *, strict: bool) -> Syntax:
    """Return the refusal of `${item%.js}`, or of an unclosed `${item`; `position` is behind the path."""
    try:
        end, _ = find(text, start)
    except Syntax as unclosed:
        return unclosed
    whole = text[start:end]
    path = text[start + 2 : position].lstrip("#!")
    if strict or path == "":
        hint = "write ${name}, ${name.key[0]}, ${name:-default} or ${name|filter}"
        if compared := _COMPARED.fullmatch(text[position : end - 1]):
            hint = f"a condition stands around values, not in them: ${{{path}}} {compared['rest']}"
        return Syntax(start, f"{_excerpt(text, start)} is not a form of ours", hint)
    prefix = text[start + 2] if text[start + 2] in "#!" else ""
    hint = f'f=${{{path}}}; echo "${{{prefix}f{text[position:end]}"'
    return Syntax(
        start, f"{clipped(whole, EXCERPT_CHARS_MAX)} is a shell form, but {path!r} is no shell variable", hint
    )


def _filters(text: str, position: int) -> tuple[tuple[str, ...], int]:
    names: list[str] = []
    while match := _FILTER.match(text, position):
        name = match["name"]
        if name not in FILTERS:
            near = suggestion(name, FILTERS, form="|{}")
            raise Syntax(position, f"unknown filter {name!r}", near or f"filters: {', '.join(FILTERS)}")
        names.append(name)
        position = match.end()
    return tuple(names), position


def _template(text: str, start: int, end: int, names: Names, *, depth: int) -> Template:
    pieces: list[Piece] = []
    literal: list[str] = []
    position = start
    while (at := text.find("${", position, end)) >= 0:
        if at > position and text[at - 1] == "$":
            literal.append(text[position : at - 1] + "${")
            position = at + 2
            continue
        literal.append(text[position:at])
        reference, position = _read(text, at, names, strict=True, depth=depth)
        assert reference is not None, "a strict reader returns a reference or raises"
        pieces += ["".join(literal), reference]
        literal.clear()
    pieces.append("".join(literal) + text[position:end])
    return tuple(piece for piece in pieces if piece != "")


def _closing(text: str, position: int, start: int) -> int:
    """Return the offset of the `}` that ends the form at `start`."""
    depth = 1
    for brace in _BRACE.finditer(text, position):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.start()
    raise Syntax(start, f"{_excerpt(text, start)} is never closed", "add the missing }")


def _excerpt(text: str, start: int) -> str:
    try:
        return clipped(text[start : text.index("}", start) + 1], EXCERPT_CHARS_MAX)
    except ValueError:
        return clipped(text[start:], EXCERPT_CHARS_MAX)


def _walk(value: Any, path: tuple[str | int, ...]) -> Any:
    for segment in path:
        value = _step(value, segment)
    return value


def _step(value: Any, segment: str | int) -> Any:
    if isinstance(value, Captured) and (isinstance(segment, int) or not _lacks(value.value, segment)):
        value = value.value
    if isinstance(value, Mapping):
        return value.get(segment, value.get(str(segment)))
    if not isinstance(value, list | tuple):
        return None
    if isinstance(segment, str) and not (segment.isascii() and segment.isdigit() and len(segment) < 10):
        return None
    index = int(segment)
    return value[index] if -len(value) <= index < len(value) else None


def _lacks(value: Any, field: str) -> bool:
    """Whether a captured value has nothing of that name; of a list an element may be named by its number."""
    return field not in value if isinstance(value, Mapping) else not isinstance(value, list) or not field.isdigit()


def _filtered(name: str, value: Any) -> Any:
    match name:
        case "json":
            return _json(value)
        case "lines":
            return "\n".join(map(as_given, value)) if isinstance(value, list | tuple) else as_given(value)
        case "csv":
            return _csv(value if isinstance(value, list | tuple) else [value])
        case "length":
            return count(value)
        case _:
            return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _csv(cells: list[Any] | tuple[Any, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([as_given(cell) for cell in cells])
    return line.getvalue()
