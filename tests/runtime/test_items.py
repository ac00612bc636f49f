"""What a map's items are read from, and what is refused as no list of items."""

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodigy.kernel import effects as fx
from prodigy.kernel import signals as sig
from prodigy.kernel.sources import asked_for
from prodigy.plan.json_path import DEPTH_MAX
from prodigy.plan.nodes import Source
from prodigy.plan.reference import parse_template
from prodigy.runtime.host import items
from prodigy.runtime.host.items import read_items


def effect(text: str, **words: Any) -> fx.List:
    """Return the order to read the items of this input."""
    source = Source(kind=words.pop("kind", "auto"), text=(text,), **words)
    asked = asked_for(source, lambda name: (False, None))
    return fx.List(
        at="map",
        source=source,
        text=asked.text,
        pattern=asked.pattern,
        offset=0,
        max_items=None,
        item_key=(),
        values={},
    )


def listed(folder: Path, text: str, *, printed: bytes | None = None, **words: Any) -> sig.Listed:
    """Read items; a command prints `printed`, and none may be run where that is None."""
    found = read_items(effect(text, **words), directory=folder, printed=printed)
    assert found is not None, "no command has to run for that"
    return found


def read(folder: Path, text: str, **words: Any) -> list[Any]:
    found = listed(folder, text, **words)
    assert found.error is None, found.error
    return list(found.items)


def refused(folder: Path, text: str, **words: Any) -> str | None:
    """Return why the items were refused, without the folder's own name."""
    found = listed(folder, text, **words)
    assert (found.keys, found.items) == ((), ())
    return None if found.error is None else found.error.replace(str(folder), "FOLDER")


def from_file(folder: Path, name: str, data: str | bytes, **words: Any) -> list[Any]:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return read(folder, name, **words)


def refused_file(folder: Path, name: str, data: str | bytes, **words: Any) -> str | None:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return refused(folder, name, **words)


# Formats ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", '["x", 1, null, {"k": [1.5]}]', ["x", 1, None, {"k": [1.5]}]),
        ("a.json", "\ufeff[]", []),
        ("A.JSON", '["x"]', ["x"]),
        ("a.jsonl", '{"a": 1}\r\n\n"b"\nnull', [{"a": 1}, "b", None]),
        ("a.ndjson", "[1]\n[2]\n", [[1], [2]]),
        ("a.yaml", "- x\n- {k: 1}\n- 007\n", ["x", {"k": 1}, "007"]),
        ("a.yml", "", []),
        ("a.csv", 'name,size\r\n"a, b",1\n\nc,2\n', [{"name": "a, b", "size": "1"}, {"name": "c", "size": "2"}]),
        ("a.csv", "", []),
        ("a.txt", "[a\n  b \r\n\n \t\n#c", ["[a", "  b ", "#c"]),
        ("a.list", "a\x0bb\u2028c\nd", ["a\x0bb\u2028c", "d"]),
        ("list", ' ["x"]', ["x"]),
        ("list", '{"a": 1}\n{"a": 2}', [{"a": 1}, {"a": 2}]),
        ("list", "", []),
    ],
)  # fmt: skip
def test_a_file_is_read_as_what_it_is(tmp_path: Path, name: str, text: str, expected: list[Any]) -> None:
    """By its extension, and where that says nothing by its first character."""
    assert from_file(tmp_path, name, text) == expected


def test_items_come_with_their_keys(tmp_path: Path) -> None:
    """One for each, in the items' order, made after the filter."""
    (tmp_path / "a.json").write_text('[{"id": 2}, {"id": 1}, {"id": 9}]')
    order = fx.List(
        at="map",
        source=Source(kind="file", text=(), json_path="$[?@.id < 9]"),
        text="a.json",
        offset=1,
        max_items=5,
        item_key=parse_template("n${item.id}${x}", frozenset({"item", "x"})),
        values={"x": "!"},
    )
    found = read_items(order, directory=tmp_path)
    assert found is not None
    assert found == sig.Listed(time=found.time, at="map", keys=("n1!",), items=({"id": 1},))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.files[*].name", ["a", "b"]),
        ("$.files", [{"name": "a"}, {"name": "b"}]),
        ("$.files[0]", [{"name": "a"}]),
        ("$.rows[*]", [[1, 2]]),
        ("$.nothing[*]", []),
        ("$.nothing", []),
        ("$..name", ["a", "b"]),
        ("$.files[?match(@.name, '[b-z]')]", [{"name": "b"}]),
        ("$.files[?search(@.name, '[')]", []),
    ],
)
def test_a_path_names_the_items_of_a_document(tmp_path: Path, path: str, expected: list[Any]) -> None:
    """One that names a single list means its elements; one that matches nothing is zero items."""
    document = '{"files": [{"name": "a"}, {"name": "b"}], "rows": [[1, 2]]}'
    assert from_file(tmp_path, "a.json", document, json_path=path) == expected


def test_a_path_names_items_of_yaml_and_of_what_is_printed(tmp_path: Path) -> None:
    """A document is a document."""
    assert from_file(tmp_path, "a.yaml", "files: [a, b]\n", json_path="$.files[*]") == ["a", "b"]
    printed = b'{\n "files": ["a"]\n}\n'
    assert read(tmp_path, "list files", printed=printed, json_path="$.files[*]") == ["a"]


def test_a_pattern_in_a_path_takes_linear_time(tmp_path: Path) -> None:
    """The item is data, and (a+)+$ would try it for ever."""
    assert from_file(tmp_path, "a.json", json.dumps(["a" * 5000 + "!"]), json_path="$[?match(@, '(a+)+')]") == []


# Where they come from ----------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.py", "a.py", "Z.py", ".hidden.py", "src/c.py", "src/deep/d.py", ".git/e.py", "a b*.txt", "x[1].py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one\n")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.py", ["Z.py", "a.py", "b.py", "x[1].py"]),
        ("**/*.py", ["Z.py", "a.py", "b.py", "src/c.py", "src/deep/d.py", "x[1].py"]),
        ("**/**/d.py", ["src/deep/d.py"]),
        (".*.py", [".hidden.py"]),
        ("src/*", ["src/c.py", "src/deep"]),
        ("[ab].py", ["a.py", "b.py"]),
        ("?.py", ["Z.py", "a.py", "b.py"]),
        ("*.rb", []),
        ("\n*.rb\n", []),
    ],
)
def test_a_glob_yields_names_by_code_point(tree: Path, pattern: str, expected: list[str]) -> None:
    """Relative, hidden ones only where it says so, each once; none is a result."""
    assert read(tree, pattern) == expected


def test_what_exists_is_a_file_whatever_it_looks_like(tree: Path) -> None:
    """A name with a star, a blank or a bracket."""
    assert [read(tree, name) for name in ("a b*.txt", "x[1].py")] == [["one"], ["one"]]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (b'["a", 1]', ["a", 1]),
        (b'{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        (b"a b\n\nc\n", ["a b", "c"]),
        (b"", []),
    ],
)
def test_a_command_prints_items(tmp_path: Path, printed: bytes, expected: list[Any]) -> None:
    """A JSON list, JSON on each line, or text on each line."""
    assert read(tmp_path, "list all", printed=printed) == expected


def test_a_command_is_run_as_it_is_written(tmp_path: Path) -> None:
    """What says outright that it is one needs no blanks, and its own globs are no glob of ours."""
    assert read(tmp_path, "ls", kind="command", printed=b"a") == ["a"]
    assert read(tmp_path, "find . -name '*.py'", kind="command", printed=b"a") == ["a"]


def test_what_a_command_has_to_print_is_asked_for(tmp_path: Path) -> None:
    """Nobody runs it here."""
    assert read_items(effect("list all"), directory=tmp_path) is None


NOTHING = "no such file in FOLDER, no glob (* ? [), and no command, which has blanks"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("missing.json", f"map.input 'missing.json': {NOTHING}"),
        ("", f"map.input '': {NOTHING}"),
        (
            "find . -name '*.rb'",
            'map.input "find . -name \'*.rb\'": as a glob it matches nothing; write {command: …} if it is a command',
        ),
        (".", ".: this is a folder (its files are folder/*), no file of items"),
        ("/dev/zero", "/dev/zero: this is a device, no file of items"),
        ("broken", "broken: No such file or directory"),
    ],
)  # fmt: skip
def test_an_input_that_is_nothing_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """The reason says what was tried."""
    (tmp_path / "broken").symlink_to("nowhere")
    assert refused(tmp_path, text) == expected


def test_a_file_that_says_so_is_no_glob(tmp_path: Path) -> None:
    """It is missing, and nothing else is tried."""
    assert refused(tmp_path, "*.json", kind="file") == "*.json: No such file or directory"


def test_pipes_and_sockets_are_not_waited_for(tmp_path: Path) -> None:
    """Neither blocks the run."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert refused(tmp_path, "pipe") == "pipe: this is a pipe, no file of items"
        assert refused(tmp_path, "socket") == "socket: No such device or address"


def test_a_path_is_not_for_names_and_lines(tmp_path: Path) -> None:
    """There is no document that it could look into."""
    assert (
        refused(tmp_path, "*.py", json_path="$[*]") == "*.py: json_path is for JSON and YAML, and a glob yields names"
    )
    expected = "a.csv: json_path is for JSON and YAML, and this is csv"
    assert refused_file(tmp_path, "a.csv", "a\n1\n", json_path="$[*]") == expected


# What is refused ---------------------------------------------------------------------------------------------

NO_LIST = "this is no list of items; say where they are, such as json_path"
TOO_LARGE = "is too large; as text it may stay"
BROKEN: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("a.json", "", "a.json:1:1: this is not JSON: Expecting value"),
    "comma": ("a.json", '[\n  1,\n  "x" 2]', "a.json:3:7: this is not JSON: Expecting ',' delimiter"),
    "lines in a .json": (
        "a.json",
        "[1]\n[2]",
        "a.json:2:1: this is not JSON: Extra data; one value on each line is a .jsonl file",
    ),
    "line": ("a.jsonl", '1\n\n{"a" 1}', "a.jsonl:3:6: this is not JSON: Expecting ':' delimiter"),
    "object": ("a.json", '{"a": 1, "files": []}', f"a.json: {NO_LIST}: $.files[*]"),
    "text": ("a.json", '"x"', f"a.json: {NO_LIST}: $.items[*]"),
    "mapping": ("a.yaml", "a: [1]", f"a.yaml: {NO_LIST}: $.a[*]"),
    "NaN": ("a.json", '[1,\n "NaN", NaN]', "a.json:2:9: NaN is no number of JSON"),
    "infinity": ("a.jsonl", "1\n-Infinity", "a.jsonl:2:1: -Infinity is no number of JSON"),
    "NaN in YAML": ("a.yaml", "- .nan", "a.yaml:1:3: .nan is no finite number"),
    "broken YAML": ("a.yaml", "- [1", "a.yaml:2:1: this is not YAML: did not find expected ',' or ']'"),
    "10^400": (
        "a.json",
        "[1" + "0" * 400 + "]",
        "a.json:1:2: the number 1" + "0" * 59 + f"… {TOO_LARGE}",
    ),
    "10^30": ("a.json", "[1" + "0" * 30 + "]", f"a.json:1:2: the number 1{'0' * 30} {TOO_LARGE}"),
    "1e400": ("a.json", "[1e400]", f"a.json:1:2: the number 1e400 {TOO_LARGE}"),
    "name twice": ("a.json", '[{"a": 1, "b": 2, "a": 3}]', "a.json:1: the name 'a' stands twice in one object"),
    "name twice in a line": ("a.jsonl", '1\n{"": 1, "": 3}', "a.jsonl:2: the name '' stands twice in one object"),
    "half a pair": ("a.json", '["a", "\\ud800"]', r"item 2 is no text: it holds '\ud800'"),
    "half a pair in a name": ("a.json", '[{"\\udfff": 1}]', r"item 1 is no text: it holds '\udfff'"),
    "latin-1": ("a.txt", b"a\nb\xe9\n", "a.txt:2: this is not UTF-8"),
    "short row": ("a.csv", "a,b\n1,2\n3\n", "a.csv:3: 1 cell under 2 names"),
    "column twice": ("a.csv", "a,b,a\n", "a.csv: two columns are called 'a'"),
    "open quote": ("a.csv", 'a\n"b', "a.csv:2: this is not CSV: unexpected end of data"),
    "large item": (
        "a.txt",
        "a\n" + "b" * items.ITEM_BYTES_MAX,
        "item 2 has 1048578 bytes; an item has at most 1048576",
    ),
    "large YAML": (
        "a.yaml",
        "#" * (4 * 1024 * 1024 + 1),
        "a.yaml: items in YAML take at most 4 MiB; JSON has more room",
    ),
}


@pytest.mark.parametrize(("name", "data", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_list_of_items_is_refused(tmp_path: Path, name: str, data: str | bytes, expected: str) -> None:
    """With the line where there is one, and never half of the items."""
    assert refused_file(tmp_path, name, data) == expected


@pytest.mark.parametrize("levels", [DEPTH_MAX + 1, 100_000])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "list"])
def test_a_value_that_nests_too_deeply_is_refused(tmp_path: Path, name: str, levels: int) -> None:
    """Before anything recurses into it."""
    data = "[" * levels + "]" * levels
    assert refused_file(tmp_path, name, data) == f"{name}: values nest deeper than {DEPTH_MAX}"


def test_deep_yaml_is_refused(tmp_path: Path) -> None:
    """By the reader of workflow files, whose limit is lower."""
    assert refused_file(tmp_path, "a.yaml", "[" * 100_000) == "a.yaml:1:51: values nest deeper than 50"


def test_a_value_may_nest_as_deeply_as_the_limit(tmp_path: Path) -> None:
    """And is read and looked into, in a thread as it is in a run."""
    (tmp_path / "a.json").write_text("[" * DEPTH_MAX + '"x"' + "]" * DEPTH_MAX)
    found: list[sig.Listed] = []

    def look() -> None:
        found.append(listed(tmp_path, "a.json"))
        found.append(listed(tmp_path, "a.json", json_path="$..[?@ == 'x']"))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert [one.error for one in found] == [None, None]
    assert [len(found[0].items), found[1].items] == [1, ("x",)]


def test_brackets_in_strings_are_no_levels(tmp_path: Path) -> None:
    """However they are escaped."""
    value = '"\\' * 300 + "[{" * 600
    assert from_file(tmp_path, "a.json", json.dumps([value])) == [value]


def test_hostile_quotes_take_linear_time(tmp_path: Path) -> None:
    """A text that never closes is looked through once."""
    data = "[" * (DEPTH_MAX + 1) + '"' + '\\"' * 500_000
    assert refused_file(tmp_path, "a.json", data) == f"a.json: values nest deeper than {DEPTH_MAX}"


def test_a_file_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    """2 GB are refused by their size."""
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(2 * 1024**3)
    assert refused(tmp_path, "a.json") == "a.json: items take at most 256 MiB"


def test_what_is_printed_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file is."""
    monkeypatch.setattr(items, "FILE_BYTES_MAX", 3 * 1024 * 1024)
    printed = b"x" * (3 * 1024 * 1024 + 1)
    assert refused(tmp_path, "list all", printed=printed) == "the output of `list all`: items take at most 3 MiB"


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", "[0,[],{}]"), ("a.jsonl", "[]\n[0,0]\n"), ("a.json", "[[],[],[]]")]
)
def test_values_are_counted_before_they_are_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """A small file may be very many of them; commas in strings are none."""
    monkeypatch.setattr(items, "VALUES_MAX", 4)
    assert from_file(tmp_path, "b.json", '[",,,,,[[["]') == [",,,,,[[["]
    monkeypatch.setattr(items, "VALUES_MAX", 2)
    assert refused_file(tmp_path, name, text) == f"{name}: over 2 values"


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.json", "*.txt"])
def test_there_are_only_so_many_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """In a file as in a glob."""
    monkeypatch.setattr(items, "ITEMS_MAX", 2)
    for file in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / file).write_text("1\n2\n3\n")
    (tmp_path / "a.csv").write_text("a\n1\n2\n3\n")
    (tmp_path / "a.jsonl").write_text("1\n2\n3\n")
    (tmp_path / "a.json").write_text("[1, 2, 3]")
    assert refused(tmp_path, name) == "a map has at most 2 items"


def test_a_name_that_is_no_text_shows_its_bytes(tmp_path: Path) -> None:
    """A file name may be any bytes, an item may not: it becomes a dead letter, and the others are not lost with it."""
    for name in (b"caf\xe9.py", b"cafe.py"):
        (tmp_path / os.fsdecode(name)).write_text("")
    assert read(tmp_path, "*.py") == ["caf\\xe9.py", "cafe.py"]


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
BYTES = st.binary(max_size=40) | st.text('[]{}",:\\u0d8\n1eN-.', max_size=40).map(str.encode)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=4))
def test_json_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    """As one list and line by line."""
    folder = tmp_path_factory.getbasetemp()
    assert from_file(folder, "a.json", json.dumps(values, indent=1)) == values
    assert from_file(folder, "a.jsonl", "\n".join(map(json.dumps, values))) == values


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*items._FORMS, ""]), BYTES)
def test_any_bytes_are_items_or_refused(tmp_path_factory: pytest.TempPathFactory, suffix: str, data: bytes) -> None:
    """No file, however broken, ends in an exception."""
    folder = tmp_path_factory.getbasetemp()
    (folder / f"any{suffix}").write_bytes(data)
    found = listed(folder, f"any{suffix}")
    assert (found.error is None) or (found.error != "" and found.items == ())


def test_a_text_with_a_value_in_it_is_never_run(tmp_path: Path) -> None:
    """A value is data: only a text without any, or one that says it is a command, can be a command."""
    template = parse_template("list ${x} y", frozenset({"x"}))
    order = fx.List(
        at="map",
        source=Source(kind="auto", text=template),
        text="list ; touch z; y",
        offset=0,
        max_items=None,
        item_key=(),
        values={},
    )
    found = read_items(order, directory=tmp_path)
    assert found is not None
    assert found.error is not None
    assert "a text with ${…} in it is never run; write {command: …}" in found.error
