"""Is the house in order? Size, docstrings, words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import prodigy

HOME = Path(prodigy.__file__).parent
ROOT = HOME.parent
FILES = sorted(HOME.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.rglob("*.py"))

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
BANNED = frozenset(
    ["util", "utils", "common", "core", "engine", "manager", "helper", "helpers", "service", "context", "misc"]
)
# Put together here, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def long_functions(source: str) -> list[str]:
    """Return the functions of a source that are too long to be read at once."""
    return [
        function.name
        for function in functions(ast.parse(source))
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES_MAX
    ]


def undocumented(source: str) -> list[str]:
    """Return what is public in a source and says nothing of itself.

    A property and a method of a private class speak by their names; so does a protocol's method.
    """
    tree = ast.parse(source)
    missing = [] if ast.get_docstring(tree) else ["the module"]
    return missing + [node.name for node in _public(tree.body) if not ast.get_docstring(node)]


def _public(body: list[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def banned(words: str) -> set[str]:
    """Return the banned words of a name, in whatever case it is written."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", words)
    return {part.lower() for part in parts} & BANNED


def hidden(source: str) -> list[str]:
    """Return the imports within functions that do not say beside them what they spare whom."""
    lines = source.splitlines()
    within = [node for function in functions(ast.parse(source)) for node in ast.walk(function)]
    imports = [lines[node.lineno - 1].strip() for node in within if isinstance(node, ast.Import | ast.ImportFrom)]
    return [line for line in imports if "  # " not in line]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_short(path: Path) -> None:
    """Or it is two files."""
    assert len(path.read_text().splitlines()) <= FILE_LINES_MAX


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_its_functions_are_short(path: Path) -> None:
    """Read at once, or split."""
    assert long_functions(path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_what_is_public_says_what_it_is_for(path: Path) -> None:
    """Modules, classes and functions have docstrings."""
    assert undocumented(path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_its_names_mean_something(path: Path) -> None:
    """No drawer for everything, neither a file nor a class."""
    classes = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    assert {
        word for name in (*path.relative_to(HOME).with_suffix("").parts, *classes) for word in banned(name)
    } == set()


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=name_of)
def test_nothing_is_left_unfinished(path: Path) -> None:
    """What is to be done is an issue, never a comment."""
    assert UNFINISHED.findall(path.read_text()) == []


@pytest.mark.parametrize("path", [path for path in TESTS if path.name.startswith("test_")], ids=name_of)
def test_every_test_says_what_it_shows(path: Path) -> None:
    """In a sentence."""
    tests = [node for node in functions(ast.parse(path.read_text())) if node.name.startswith("test_")]
    assert [test.name for test in tests if not ast.get_docstring(test)] == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_its_imports_stand_at_the_top(path: Path) -> None:
    """But for those that say beside them what they spare whom."""
    assert hidden(path.read_text()) == []


def test_a_hidden_import_is_found() -> None:
    """Also in a method; not one that says why."""
    source = "import a\nclass A:\n    def f(self):\n        from b import c\n        import d  # 3 ms, seldom\n"
    assert hidden(source) == ["from b import c"]


def test_a_long_function_is_found() -> None:
    """A method as well."""
    source = "class A:\n    def long(self):\n" + "        pass\n" * FUNCTION_LINES_MAX
    assert long_functions(source) == ["long"]


def test_a_missing_docstring_is_found() -> None:
    """Of a module, a class, a function; not of what is private."""
    assert undocumented("class A: ...\ndef f(): ...\ndef _g(): ...\n") == ["the module", "A", "f"]


def test_a_banned_word_is_found_inside_a_name() -> None:
    """In both ways to write one."""
    assert banned("RunManager") | banned("shell_utils") | banned("Contextual") == {"manager", "utils"}
