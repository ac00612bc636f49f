"""Read a workflow file: bytes become a typed document, exactly as the author wrote it, with every place.

What can be lived with (an unknown tag, a key twice) is noted in the file's `Source` and the reading goes on,
so that the author gets all mistakes at once. Bad encoding, broken YAML or a limit ends it.

YAML is taken as events and composed here, in a loop, so that depth and the number of values (an alias counts
as all that it stands for) are bounded before anything is built. Plain scalars follow the core schema of
YAML 1.2: no dates, no base 60, and `on`, `yes`, `off`, `no` are text. No other module knows YAML.
"""

import json
import math
import re
from contextlib import suppress
from itertools import islice
from typing import Any

import msgspec
import yaml

from prodigy.plan.reading import EXAMPLE, as_document
from prodigy.plan.schema import keys_of
from prodigy.plan.source import LINE_BREAK, UNPRINTABLE, Fields, Listing, Scalar, Source, Value, excerpt, plain
from prodigy.plan.syntax import Document

FILE_BYTES_MAX = 4 * 1024 * 1024
VALUES_MAX = 100_000
DEPTH_MAX = 50
TOO_DEEP = f"values nest deeper than {DEPTH_MAX}"
LINES_ABOVE_MAX = 100
BYTE_ORDER_MARK = "\ufeff"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"(?P<true>true|True|TRUE)|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*|(?=[eE])))(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_SPECIAL = frozenset("~nNtTfF.-+0123456789") | {""}
_BEGINNING = re.compile(r"(?P<indent> *)(?P<dash>- +)?(?P<key>[A-Za-z_][\w-]*)(?P<colon>:)(?: |$)")
_BARE_KEY = re.compile(r" *(?:- +)?(?P<key>[A-Za-z_]\w*) *")
_EQUALS_KEY = re.compile(r"(?P<key>[A-Za-z_]\w*) *= *(?P<value>[^=\s].{0,60})")
_BRACKET = re.compile(r" *(?:- +)?(?P<key>[A-Za-z_]\w*): +\[ ")
_BLOCK = re.compile(r" *(?:- +)?(?P<key>[A-Za-z_]\w*): +[|>][-+0-9]* *")
_GLUED_DASH = re.compile(r" *-(?P<word>[A-Za-z_][\w-]*:)(?: |$)")
_GLUED_BEFORE = {
    "?": "a text that begins with ? needs quotes inside {…} and […]",
    "&": "the name of an anchor is of letters, digits, - and _",
}
_PAIR = re.compile(r"(?<!\\)(?P<before>(?:\\\\)*)(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
_TAG = "tag:yaml.org,2002:"
_TAGGED: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),),
}  # fmt: skip


class _Unreadable(Exception):
    """The file cannot be read further; why is noted in its source."""


def examine(data: bytes, *, file: str) -> tuple[Source, Document | None]:
    """Return the file's source, with the mistakes found, and its document as far as it could be read."""
    source = Source(_decoded_leniently(data), file=file)
    try:
        _check_bytes(source, data)
        return source, as_document(source, _compose(source))
    except _Unreadable:
        return source, None


def read_mapping(data: bytes, *, file: str) -> dict[str, Any]:
    """Return the mapping of plain data that a file of YAML or JSON holds, such as parameters.

    Raises:
        WorkflowProblem: it cannot be read, or is no mapping.
    """
    source, found = _read(data, file)
    if found is not None and not isinstance(found, Fields):
        source.report(found, "this is no mapping of names to values", hint="for example  batch_size: 500")
    source.raise_problems()
    assert isinstance(found, Fields), "anything else was reported"
    return {name.text: plain(value) for name, value in found.entries}


def read_data(data: bytes, *, file: str) -> Any:
    """Return the plain data that a YAML file holds, such as items; it has the limits of a workflow file.

    Raises:
        WorkflowProblem: it cannot be read.
    """
    source, found = _read(data, file)
    source.raise_problems()
    assert found is not None, "a file without mistakes has a value"
    return plain(found)


def _read(data: bytes, file: str) -> tuple[Source, Value | None]:
    source = Source(_decoded_leniently(data), file=file)
    with suppress(_Unreadable):
        _check_bytes(source, data)
        return source, _compose(source)
    return source, None


# Bytes to text ----------------------------------------------------------------------------------------------


def _decoded_leniently(data: bytes) -> str:
    """Return text to quote in messages; `_check_bytes` decides whether it may be read."""
    return data[:FILE_BYTES_MAX].decode("utf-8", errors="replace").removeprefix(BYTE_ORDER_MARK)


def _check_bytes(source: Source, data: bytes) -> None:
    if len(data) > FILE_BYTES_MAX:
        _stop_at(source, 0, f"a workflow file has at most {FILE_BYTES_MAX // 1024 // 1024} MiB", None)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        _stop_at(source, 0, "the file is UTF-16", "save it as UTF-8")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().removeprefix(BYTE_ORDER_MARK)
        _stop_at(source, len(before), "this is not UTF-8", "save the file as UTF-8")
    if bad := UNPRINTABLE.search(source.text):
        code = ord(bad.group())
        hint = f'in quotes it is written "\\x{code:02x}"' if 0 < code < 256 else None
        _stop_at(source, bad.start(), f"the character U+{code:04X} cannot stand in a workflow", hint)


def _stop_at(source: Source, offset: int, message: str, hint: str | None) -> None:
    above = LINE_BREAK.split(source.text[:offset])
    source.report_at(len(above), len(above[-1]) + 1, message, hint=hint)
    raise _Unreadable


# Text to values ---------------------------------------------------------------------------------------------


class _Open:
    """A list or mapping whose end has not come yet; a mapping's children are keys and values in turn."""

    __slots__ = ("anchor", "children", "column", "height", "is_mapping", "line", "values_before")

    def __init__(self, event: Any, *, values_before: int) -> None:
        self.anchor: str | None = event.anchor
        self.is_mapping = isinstance(event, yaml.MappingStartEvent)
        self.line: int = event.start_mark.line + 1
        self.column: int = event.start_mark.column + 1
        self.values_before = values_before
        self.children: list[Value] = []
        self.height = 0


class _Anchored(msgspec.Struct, frozen=True, kw_only=True):
    """A value that aliases may name, with how many values it holds and how deep they nest."""

    value: Value
    values: int
    height: int


class _Composer:
    """Builds the tree of values from events, one at a time."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Value | None = None
        self.open: list[_Open] = []
        self.anchors: dict[str, _Anchored | None] = {}
        self.values = 0
        self.taken = 0

    def take_all(self, text: str) -> None:
        """Take the events of a text; of one whose beginning was taken before, those that are new."""
        for event in islice(yaml.parse(text, Loader=LOADER), self.taken, None):
            self.taken += 1
            self.take(event)

    def take(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                scalar = _scalar(self.source, event)
                self._add(scalar, event, event.anchor, values=1, height=0)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent() if self.root is not None:
                self._stop(event, "a second document begins here", "put it in a file of its own")

    def _begin(self, event: Any) -> None:
        _check_collection_tag(self.source, event)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.open.append(_Open(event, values_before=self.values))
        if len(self.open) > DEPTH_MAX:
            self._stop(event, TOO_DEEP, None)

    def _end(self, event: Any) -> None:
        done = self.open.pop()
        value: Value
        if done.is_mapping:
            value = _fields(self.source, done)
        else:
            value = Listing(entries=tuple(done.children), line=done.line, column=done.column)
        inside = self.values - done.values_before
        self.values = done.values_before
        self._add(value, event, done.anchor, values=inside + 1, height=done.height + 1)

    def _alias(self, event: Any) -> None:
        anchored = self.anchors.get(event.anchor)
        if anchored is None:
            known = event.anchor in self.anchors
            why = f"*{event.anchor} stands inside itself" if known else f"no anchor &{event.anchor} comes before"
            self._stop(event, why, f'a text that begins with * needs quotes: "*{event.anchor}"')
        else:
            self._add(anchored.value, event, None, values=anchored.values, height=anchored.height)

    def _add(self, value: Value, event: Any, anchor: str | None, *, values: int, height: int) -> None:
        self.values += values
        if self.values > VALUES_MAX:
            self._stop(event, f"over {VALUES_MAX} values, aliases counted as what they stand for", None)
        if len(self.open) + height > DEPTH_MAX:
            self._stop(event, TOO_DEEP, None)
        if anchor is not None:
            self.anchors[anchor] = _Anchored(value=value, values=values, height=height)
        if self.open:
            above = self.open[-1]
            above.children.append(value)
            above.height = max(above.height, height)
        else:
            self.root = value

    def _stop(self, event: Any, message: str, hint: str | None) -> None:
        mark = event.start_mark
        self.source.report_at(mark.line + 1, mark.column + 1, message, hint=hint)
        raise _Unreadable


def _compose(source: Source) -> Value:
    composer = _Composer(source)
    try:
        composer.take_all(_for_libyaml(source.text))
    except yaml.YAMLError as error:
        _count_further(composer, error)
        _report_broken(source, error)
        raise _Unreadable from error
    root = composer.root
    if root is None or (isinstance(root, Scalar) and root.value is None):
        source.report_at(1, 1, "the file is empty", hint=EXAMPLE)
        raise _Unreadable
    return root


def _for_libyaml(text: str) -> str:
    """Return a text as libyaml reads rightly what it means.

    It takes blanks at the very end for part of a value. And YAML has no surrogate pairs, with which JSON writes what
    lies beyond U+FFFF: in JSON they stand in quotes only, so there each pair can be joined.
    """
    if text.rpartition("\n")[2].isspace():
        text += "\n"
    if _PAIR.search(text) is None or not _is_json(text):
        return text
    return _PAIR.sub(_joined, text)


def _joined(match: re.Match[str]) -> str:
    character: str = json.loads(f'"{match["pair"]}"')
    return f"{match['before']}\\U{ord(character):08x}"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _count_further(composer: _Composer, error: yaml.YAMLError) -> None:
    """Say in our words what nests too deeply, where the parser refused it before its events could be counted.

    It reads ahead, and has a limit of its own since PyYAML 6.0.4. What stands before that limit it hands out.
    """
    mark = getattr(error, "problem_mark", None)
    if mark is None or "nesting" not in str(error):
        return
    with suppress(yaml.YAMLError):
        composer.take_all(composer.source.text[: mark.index])
    _stop_at(composer.source, mark.index, TOO_DEEP, None)


def _scalar(source: Source, event: Any) -> Scalar:
    text: str = event.value
    mark = event.start_mark
    line, column = mark.line + 1, mark.column + 1
    style = event.style or ""
    value = _core_value(text) if style == "" and event.tag is None else text
    scalar = Scalar(text=text, value=value, line=line, column=column, style=style)
    if style == "" and (hint := _GLUED_BEFORE.get(_glued(source, event))):
        source.report(scalar, "a blank is missing before this text, or quotes around it", hint=hint)
    if event.tag is not None:
        return _tagged(source, scalar, event.tag)
    if isinstance(value, float) and not math.isfinite(value):
        source.report(scalar, f"{excerpt(text)} is no finite number", hint=f'as text: "{excerpt(text)}"')
    if "\0" in text:
        source.report(scalar, "a NUL cannot be passed to a command")
    return scalar


def _glued(source: Source, event: Any) -> str:
    """Return the sign, ? or &, that libyaml has split from a plain text, though no blank stands between."""
    text, start = source.text, event.start_mark.index
    if event.anchor is not None:
        end = text.find(f"&{event.anchor}", start) + 1 + len(event.anchor)
        return "&" if event.value and not text[end : end + 1].isspace() else ""
    return "?" if event.value and text[start - 1 : start] == "?" else ""


def _core_value(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar stands for; whatever would not read back the same is text (007, 1_000)."""
    if text[:1] not in _SPECIAL:
        return text
    if _NULL.fullmatch(text):
        return None
    if match := _BOOLEAN.fullmatch(text):
        return match["true"] is not None
    if _INTEGER.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return math.nan if _NOT_FINITE.fullmatch(text) else text


def _tagged(source: Source, scalar: Scalar, tag: str) -> Scalar:
    """`!` and `!!str` make text; `!!int` and its kin must agree with what is written; there are no others."""
    if tag in ("!", f"{_TAG}str"):
        return msgspec.structs.replace(scalar, value=scalar.text)
    kinds = _TAGGED.get(tag.removeprefix(_TAG))
    value = _core_value(scalar.text)
    if kinds is None:
        _report_tag(source, scalar, tag)
    elif type(value) not in kinds or (isinstance(value, float) and not math.isfinite(value)):
        source.report(scalar, f"{excerpt(scalar.text)} is no {tag.removeprefix(_TAG)}")
    return msgspec.structs.replace(scalar, value=value)


def _check_collection_tag(source: Source, event: Any) -> None:
    wanted = "map" if isinstance(event, yaml.MappingStartEvent) else "seq"
    if event.tag not in (None, "!", f"{_TAG}{wanted}"):
        mark = event.start_mark
        _report_tag(source, Listing(entries=(), line=mark.line + 1, column=mark.column + 1), event.tag)


def _report_tag(source: Source, at: Value, tag: str) -> None:
    shown = tag.replace(_TAG, "!!")
    source.report(at, f"unknown tag {excerpt(shown)}", hint="a text that begins with ! needs quotes")


def _fields(source: Source, done: _Open) -> Fields:
    entries: dict[str, tuple[Scalar, Value]] = {}
    for key, value in zip(done.children[::2], done.children[1::2], strict=True):
        if not isinstance(key, Scalar) or (key.text == "" and key.style == ""):
            source.report(key, "a key is a word", hint="a text that begins with { or [ needs quotes")
        elif key.text == "<<" and key.style == "":
            source.report(key, "merge keys (<<) are not supported", hint="write the keys out, or alias a whole value")
        elif earlier := entries.get(key.text):
            first = f"the first is on line {earlier[0].line}"
            source.report(key, f"{excerpt(key.text)!r} stands here twice", hint=first)
        else:
            entries[key.text] = (key, value)
    return Fields(entries=tuple(entries.values()), line=done.line, column=done.column)


def _report_broken(source: Source, error: yaml.YAMLError) -> None:
    """Note what the YAML parser says, in its words, with a hint for what is usually meant."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    message = str(getattr(error, "problem", None) or error)
    if "end of stream" in message:
        mark = getattr(error, "context_mark", None) or mark  # where the quote opens, not where the file ends
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if source.character(line, column) == "\t":
        source.report_at(line, column, "a tab cannot indent", hint="use spaces")
    elif misplaced := _misplaced(source, line, column):
        source.report_at(line, *misplaced)
    elif _report_colon(source, line) or _report_block(source, line):
        return
    else:
        hint = next((mend for words, mend in _BROKEN_MENDS.items() if words in message), None)
        hint = _BRACKET_MEND if _BRACKET.match(source.line(line)) else hint
        source.report_at(line, column, f"this is not YAML: {message}", hint=hint)


def _misplaced(source: Source, line: int, column: int) -> tuple[int, str] | None:
    """Return where a key or list entry begins otherwise than the one above it, and what to say of it.

    The parser stops at the beginning of the line, or at the colon where the line seemed to go on with a text.
    """
    lines = LINE_BREAK.split(source.text)[max(0, line - LINES_ABOVE_MAX) : line]
    if lines and (glued := _GLUED_DASH.match(lines[-1])):
        return glued.start("word"), f"a blank follows the dash of a list: write  - {glued['word']}"
    here = _BEGINNING.match(lines.pop()) if len(lines) > 1 else None
    if here is None or column not in (here.end("indent") + 1, here.start("colon") + 1):
        return None
    part = "dash" if here["dash"] else "key"
    above = next((match for match in map(_BEGINNING.match, reversed(lines)) if match and match[part]), None)
    if above is None or above.start(part) == here.start(part):
        return None
    what = "entries of one list" if here["dash"] else f"{here['key']!r} and {above['key']!r} above it"
    columns = f"{here.start(part) + 1} and {above.start(part) + 1}"
    return here.start(part) + 1, f"{what} begin in different columns, {columns}: indent them alike"


def _report_colon(source: Source, line: int) -> bool:
    """Note a key that stands alone on the line above, without its colon; return whether it is so."""
    above = line - 1
    while above > 0 and not source.line(above).strip():
        above -= 1
    given = _EQUALS_KEY.fullmatch(source.line(above))
    if given and keys_of(given["key"]):
        hint = f"write  {given['key']}: {given['value']}"
        source.report_at(above, given.end("key") + 1, f"{given['key']!r} is followed by a colon here", hint=hint)
        return True
    bare = _BARE_KEY.fullmatch(source.line(above))
    if bare is None or not keys_of(bare["key"]):
        return False
    column = bare.start("key") + 1
    source.report_at(above, column, f"{bare['key']!r} lacks its colon", hint=f"write  {bare['key']}:")
    return True


def _report_block(source: Source, line: int) -> bool:
    """Note the text of a block (`shell: |`) that is not indented below its key; return whether it is so."""
    for above in range(line - 1, max(0, line - LINES_ABOVE_MAX), -1):
        if block := _BLOCK.fullmatch(source.line(above)):
            text = source.line(above + 1)
            indent = len(text) - len(text.lstrip(" "))
            if indent > block.start("key") or not text.strip():
                return False
            key = block["key"]
            hint = f"begin each of its lines further right than {key!r}"
            source.report_at(above + 1, indent + 1, f"the text of {key!r} is not indented below it", hint=hint)
            return True
    return False


_ANCHOR_OR_MORE = "a text that begins with & or * needs quotes; nothing may follow a closing quote (write  shell: |)"
_BRACKET_MEND = "a text that begins with [ needs quotes, or stands on lines below  shell: |"
_BROKEN_MENDS = {
    "mapping values are not allowed": 'a text that contains ": " needs quotes, or stands on lines below  shell: |',
    "expected ':'": "a key ends with a colon and a blank; text goes on with the same indentation",
    "expected key": "indent keys of one mapping alike; a text that goes on after a quote needs `shell: |`",
    "expected '-' indicator": "indent the entries of one list alike",
    "expected ',' or": "inside {…} and […], a text that contains ${…} needs quotes",
    "expected alphabetic": _ANCHOR_OR_MORE,
    "expected whitespace": "a text that begins with ! needs quotes",
    "cannot start any token": "a text that begins with %, @ or ` needs quotes",
    "unexpected end of stream": "a quote is never closed; within {…}, quote the whole of a text with ${…}",
    "unknown escape": r'within "…" a \ is written \\ ; within single quotes, and without any, it is itself',
}
