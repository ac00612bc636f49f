"""Read the items of a map: from a file, a glob, or what a command prints.

Everything here is somebody's data. It is bounded before it is read (`FILE_BYTES_MAX`, regular files only), before it
is parsed (`DEPTH_MAX`, `VALUES_MAX`), and before it is recorded (`ITEMS_MAX`, `ITEM_BYTES_MAX`, real text, finite
numbers). What cannot be an item list is refused with a reason; nothing here raises into the run.
"""

import csv
import glob
import io
import json
import os
import re
import stat
from collections.abc import Iterator
from itertools import accumulate, islice
from pathlib import Path, PurePath
from typing import Any, Literal, NoReturn, assert_never

from prodigy.errors import WorkflowProblem
from prodigy.kernel import effects as fx
from prodigy.kernel import signals as sig
from prodigy.kernel.effects import ITEMS_MAX
from prodigy.kernel.selection import canonical, keys_of, select
from prodigy.plan.document import FILE_BYTES_MAX as YAML_BYTES_MAX
from prodigy.plan.document import read_data
from prodigy.plan.json_path import DEPTH_MAX, find
from prodigy.plan.nodes import Source
from prodigy.plan.phrases import counted
from prodigy.plan.source import excerpt
from prodigy.plan.spelling import Number, exact, name_of, spelled
from prodigy.runtime.clock import now

FILE_BYTES_MAX = 256 * 1024 * 1024
ITEM_BYTES_MAX = 1024 * 1024
VALUES_MAX = 20_000_000
INTEGER_DIGITS_MAX = 20

Form = Literal["json", "json lines", "yaml", "csv", "text"]

_FORMS: dict[str, Form] = {
    ".json": "json",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".csv": "csv",
    ".txt": "text",
}
_KINDS = {
    stat.S_IFDIR: "a folder (its files are folder/*)",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_LINE = re.compile(r"[^\n]+")
_NEWLINE = "\n"
_GLOB = re.compile(r"[*?\[]")
_INTEGERS = range(-(2**63), 2**64)
# An unclosed string ends with the text, so that no text is looked through twice.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_STRINGS = re.compile(_STRING, re.DOTALL)
_NO_SIGNS = bytes(set(range(256)) - set(b"[]{},"))
_DEEPER = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class ItemsRefused(Exception):
    """The items cannot be read; the text says why."""


class _NotPrinted(Exception):
    """A command has to print them first."""


def read_items(effect: fx.List, *, directory: Path, printed: bytes | None = None) -> sig.Listed | None:
    """Return the items of a map with their keys, or why there are none. It blocks: call it in a thread.

    None: the shell command `effect.text` has to print them; then call it once more.

    Args:
        directory: where relative names begin.
        printed: what that command has printed.
    """
    try:
        values, why_none = _values(effect, directory, printed)
        _check(values)
        items = select(
            values, effect.source, offset=effect.offset, max_items=effect.max_items, values_known=effect.values
        )
        keys = keys_of(items, effect.item_key, effect.values)
    except _NotPrinted:
        return None
    except ItemsRefused as refused:
        return sig.Listed(time=now(), at=effect.at, error=_as_written(str(refused)))
    note = "" if items else _why_none_is_left(effect.source, len(values)) if values else why_none
    return sig.Listed(time=now(), at=effect.at, keys=keys, items=tuple(items), note=_as_written(note))


def _as_written(text: str) -> str:
    """Return what can be recorded of a text: a folder's name may hold bytes that are no text."""
    return text.encode(errors="replace").decode()


# Where they come from ----------------------------------------------------------------------------------------


def _values(effect: fx.List, directory: Path, printed: bytes | None) -> tuple[list[Any], str]:
    """Return the values that were read, and what to say where there are none."""
    text, json_path, kind = effect.text.strip(), effect.source.json_path, effect.source.kind
    if effect.data is not None:
        return _listed(effect.data, json_path, text), _nothing(json_path, text)
    if kind == "auto":
        kind = _kind(effect, text, directory)
    match kind:
        case "file":
            text = effect.text if effect.source.kind == "file" else text
            form = _FORMS.get(PurePath(text).suffix.lower())
            return _parsed(_read_file(directory / text, text), form, json_path, text), _nothing(json_path, text)
        case "glob":
            if json_path is not None:
                raise _refusal(text, "json_path is for JSON and YAML, and a glob yields names")
            return _matches(effect, directory), f"nothing matched {excerpt(text)}{_on_values(effect)}"
        case "command":
            if printed is None:
                raise _NotPrinted
            name = f"the output of `{excerpt(text)}`"
            return _parsed(printed, None, json_path, name, holds_names=True), _nothing(json_path, name)
        case _:
            raise AssertionError("a list is data")


def _kind(effect: fx.List, text: str, directory: Path) -> Literal["file", "glob", "command"]:
    """Return what a text that does not say it is: a file that exists, else a glob, else a command of the author's."""
    name = f"map.input {excerpt(text)!r}"
    if text and os.path.lexists(directory / text):
        return "file"
    if effect.pattern:
        return "glob"
    has_values = any(not isinstance(piece, str) for piece in effect.source.text)
    if has_values and _GLOB.search(text):
        raise _refusal(name, f"no such file in {directory}{_on_values(effect)}")
    if re.search(r"\s", text) and not has_values:
        return "command"
    if re.search(r"\s", text):
        raise _refusal(name, "it is no file and no glob, and a text with ${…} in it is never run; write {command: …}")
    raise _refusal(name, f"no such file in {directory}, no glob (* ? [), and no command, which has blanks")


def _matches(effect: fx.List, directory: Path) -> list[Any]:
    """Return the names that a pattern matches, by code point; hidden ones only where it names them."""
    is_sure = effect.source.kind == "glob"
    pattern, shown = effect.pattern if is_sure else effect.pattern.strip(), excerpt(effect.text.strip())
    try:
        found = set(islice(glob.iglob(pattern, root_dir=directory, recursive=True), ITEMS_MAX + 1))
    except (RecursionError, ValueError, re.error) as problem:
        raise ItemsRefused(f"{shown}: {problem}") from problem
    if not found and not is_sure and re.search(r"\s", pattern):
        raise _refusal(f"map.input {shown!r}", "as a glob it matches nothing; write {command: …} if it is a command")
    return sorted((name_of(os.fsencode(name)) for name in found), key=lambda name: (name, exact(name)))


def _on_values(effect: fx.List) -> str:
    """Return how a value becomes a pattern, where one looks like it and was taken for a name."""
    if effect.pattern == effect.text or not _GLOB.search(effect.text):
        return ""
    return " (the * ? [ of a value stand for themselves; ${name|raw} makes them a pattern)"


def _nothing(json_path: str | None, name: str) -> str:
    return (
        f"{excerpt(name)} is empty" if json_path is None else f"{excerpt(json_path)} found nothing in {excerpt(name)}"
    )


def _why_none_is_left(source: Source, count: int) -> str:
    if source.filter is not None:
        return f"of {count}, none passed {excerpt(source.filter.text)}"
    return f"offset and max_items leave none of {count}"


def _read_file(path: Path, name: str) -> bytes:
    """Return the bytes of a regular file; anything else could block, or never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as problem:
        raise _refusal(name, getattr(problem, "strerror", None) or str(problem)) from problem
    try:
        return _contents(descriptor, name)
    except OSError as problem:
        raise _refusal(name, problem.strerror or str(problem)) from problem
    finally:
        os.close(descriptor)


def _contents(descriptor: int, name: str) -> bytes:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise _refusal(name, f"this is {_KINDS[stat.S_IFMT(found.st_mode)]}, no file of items")
    if found.st_size > FILE_BYTES_MAX:
        raise _too_large(name)
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(FILE_BYTES_MAX + 1)


# What they are written in ------------------------------------------------------------------------------------


def _parsed(
    data: bytes, form: Form | None, json_path: str | None, name: str, *, holds_names: bool = False
) -> list[Any]:
    """Return the items that bytes hold; without a form they are what they look like.

    A line of text that `holds_names` need be no UTF-8.
    """
    if len(data) > FILE_BYTES_MAX:
        raise _too_large(name)
    if form is None:
        form = "json" if json_path is not None else _looks_like(data)
    if json_path is not None and form not in ("json", "yaml"):
        raise _refusal(name, f"json_path is for JSON and YAML, and this is {form}")
    match form:
        case "json":
            return _listed(_json(_decoded(data, name), data, name), json_path, name)
        case "yaml":
            return _listed(_yaml(data, name), json_path, name)
        case "json lines":
            return _json_lines(_decoded(data, name), data, name)
        case "csv":
            return _csv(_decoded(data, name), name)
        case "text" if holds_names:
            return _names(data)
        case "text":
            return [line for _, line in islice(_lines(_decoded(data, name)), ITEMS_MAX + 1)]
        case _:
            assert_never(form)


def _names(data: bytes) -> list[str]:
    """Return each line that is not blank, as a file's name: one that is no UTF-8 keeps its bytes."""
    text = data.decode(errors="surrogateescape").removeprefix("\ufeff")
    return [name_of(os.fsencode(line)) for _, line in islice(_lines(text), ITEMS_MAX + 1)]


def _looks_like(data: bytes) -> Form:
    beginning = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return "json" if beginning == b"[" else "json lines" if beginning == b"{" else "text"


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise ItemsRefused(f"{excerpt(name)}:{line}: this is not UTF-8") from problem


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank, with the offset where it begins; one at a time, for there may be many."""
    for match in _LINE.finditer(text):
        if not match.group().isspace():
            yield match.start(), match.group().removesuffix("\r")


def _listed(document: Any, json_path: str | None, name: str) -> list[Any]:
    """Return the items of a document: what the path names, or the elements of a list."""
    if json_path is not None:
        try:
            return find(json_path, document)
        except RecursionError as problem:
            raise ItemsRefused(f"{excerpt(name)}: it nests too deeply for {excerpt(json_path)}") from problem
    if isinstance(document, list):
        return document
    lists = document.items() if isinstance(document, dict) else ()
    key = next((key for key, value in lists if isinstance(value, list) and key.isidentifier()), "items")
    raise _refusal(name, f"this is no list of items; say where they are, such as json_path: $.{excerpt(key)}[*]")


def _yaml(data: bytes, name: str) -> Any:
    if not data.strip():
        return []
    if len(data) > YAML_BYTES_MAX:
        raise _refusal(name, f"items in YAML take at most {YAML_BYTES_MAX // 1024 // 1024} MiB; JSON has more room")
    try:
        return read_data(data, file=excerpt(name))
    except WorkflowProblem as broken:
        first = broken.problems[0]
        raise ItemsRefused(f"{first.file}:{first.line}:{first.column}: {first.message}") from broken


def _csv(text: str, name: str) -> list[Any]:
    """Return each row as a mapping from the names in the first one to its cells, which are text."""
    csv.field_size_limit(ITEM_BYTES_MAX)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(rows, [])
        if (twice := _first_twice(header)) is not None:
            raise _refusal(name, f"two columns are called {excerpt(twice)!r}")
        return [
            _row(header, row, f"{excerpt(name)}:{rows.line_num}") for row in islice(filter(None, rows), ITEMS_MAX + 1)
        ]
    except csv.Error as problem:
        raise ItemsRefused(f"{excerpt(name)}:{rows.line_num}: this is not CSV: {problem}") from problem


def _row(header: list[str], row: list[str], place: str) -> dict[str, str]:
    if len(row) != len(header):
        raise ItemsRefused(f"{place}: {counted(len(row), 'cell')} under {counted(len(header), 'name')}")
    return dict(zip(header, row, strict=True))


# JSON --------------------------------------------------------------------------------------------------------


class _NotJson(Exception):
    """A value that JSON, or what we record, does not have; `word` is how it is written."""

    def __init__(self, message: str, word: str) -> None:
        super().__init__(message)
        self.word = word


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = _first_twice([name for name, _ in pairs]) or ""
        raise _NotJson(f"the name {excerpt(twice)!r} stands twice in one object", "")
    return found


def _integer(text: str) -> Number:
    if len(text) <= INTEGER_DIGITS_MAX and (number := int(text)) in _INTEGERS:
        return spelled(number, text)
    raise _NotJson(f"the number {excerpt(text)} is too large; as text it may stay", text)


def _number(text: str) -> Number:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _NotJson(f"the number {excerpt(text)} is too large; as text it may stay", text)
    return spelled(number, text)


def _constant(text: str) -> NoReturn:
    raise _NotJson(f"{text} is no number of JSON", text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
)


def _json(text: str, data: bytes, name: str) -> Any:
    _check_shape(data, name)
    return _decoded_json(text, name)


def _json_lines(text: str, data: bytes, name: str) -> list[Any]:
    _check_shape(data, name)
    lines = islice(_lines(text), ITEMS_MAX + 1)
    return [_decoded_json(line, name, inside=text, start=start) for start, line in lines]


def _decoded_json(text: str, name: str, *, inside: str = "", start: int = 0) -> Any:
    """Return the value that a text is; it begins at the offset `start` of the whole text `inside`."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as problem:
        hint = "; one value on each line is a .jsonl file" if problem.msg == "Extra data" and not inside else ""
        place = f"{excerpt(name)}:{inside.count(_NEWLINE, 0, start) + problem.lineno}:{problem.colno}"
        raise ItemsRefused(f"{place}: this is not JSON: {problem.msg}{hint}") from problem
    except _NotJson as problem:
        line = inside.count(_NEWLINE, 0, start) + 1
        place = _place(text, problem.word, line) if problem.word else str(line)
        raise ItemsRefused(f"{excerpt(name)}:{place}: {problem}") from problem


def _place(text: str, word: str, line: int) -> str:
    """Return line and column, 1-based, of the first place outside strings where a word stands."""
    outside = re.compile(f"{_STRING.decode()}|(?P<word>{re.escape(word)})", re.DOTALL)
    start = next((match.start() for match in outside.finditer(text) if match["word"]), 0)
    return f"{line + text.count(_NEWLINE, 0, start)}:{start - text.rfind(_NEWLINE, 0, start)}"


def _check_shape(data: bytes, name: str) -> None:
    """Refuse what nests too deeply or holds too many values before any of it is built; strings do not count."""
    opened = data.count(b"[") + data.count(b"{")
    if opened <= DEPTH_MAX and opened + data.count(b",") <= VALUES_MAX:
        return
    signs = _STRINGS.sub(b"", data).translate(None, _NO_SIGNS)
    brackets = signs.translate(None, b",")
    if max(accumulate(map(_DEEPER.__getitem__, brackets)), default=0) > DEPTH_MAX:
        raise _refusal(name, f"values nest deeper than {DEPTH_MAX}")
    if len(signs) - len(brackets) // 2 > VALUES_MAX:
        raise _refusal(name, f"over {VALUES_MAX} values")


# What can be recorded ----------------------------------------------------------------------------------------


def _check(values: list[Any]) -> None:
    """Refuse more items than a map can have, and an item that cannot be recorded."""
    if len(values) > ITEMS_MAX:
        raise ItemsRefused(f"a map has at most {ITEMS_MAX} items")
    for number, value in enumerate(values, start=1):
        try:
            size_bytes = len(canonical(value))
        except UnicodeEncodeError as problem:
            raise ItemsRefused(f"item {number} is no text: it holds {problem.object[problem.start]!a}") from problem
        if size_bytes > ITEM_BYTES_MAX:
            raise ItemsRefused(f"item {number} has {counted(size_bytes, 'byte')}; an item has at most {ITEM_BYTES_MAX}")


def _refusal(name: str, reason: str) -> ItemsRefused:
    return ItemsRefused(f"{excerpt(name)}: {reason}")


def _too_large(name: str) -> ItemsRefused:
    return _refusal(name, f"items take at most {FILE_BYTES_MAX // 1024 // 1024} MiB")


def _first_twice(words: list[str]) -> str | None:
    """Return the first word that stands there a second time."""
    seen: set[str] = set()
    for word in words:
        if word in seen:
            return word
        seen.add(word)
    return None
