"""Imports point downward only, and the pure layers know nothing of the world."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import prodigy

HOME = Path(prodigy.__file__).parent
LAYERS = ("errors", "plan", "kernel", "projections", "store", "runtime", "cli")
ALONE = "fake_claude"  # a program beside ours
PURE = ("errors", "plan", "kernel", "projections")
WORLD = frozenset(
    [
        "os",
        "time",
        "random",
        "uuid",
        "subprocess",
        "asyncio",
        "anyio",
        "aiofiles",
        "structlog",
        "typer",
        "rich",
        "socket",
        "secrets",
        "threading",
        "signal",
        "shutil",
        "tempfile",
    ]
)
FILES = sorted(HOME.rglob("*.py"))


def layer_of(path: Path) -> str:
    """Return the layer a file is in; `prodigy/errors.py` is one by itself."""
    return path.relative_to(HOME).with_suffix("").parts[0]


def imported(source: str) -> Iterator[str]:
    """Yield the full name of every module that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def foreign(source: str, names: frozenset[str]) -> set[str]:
    return {name.partition(".")[0] for name in imported(source)} & names


def upward(source: str, layer: str) -> set[str]:
    """Return the layers above `layer` that a source of it imports."""
    used = {name.split(".")[1] for name in imported(source) if name.startswith("prodigy.")}
    return {other for other in used & set(LAYERS) if LAYERS.index(other) > LAYERS.index(layer)}


def module_of(path: Path) -> str:
    """Return the full name of the module that a file is."""
    return ".".join(("prodigy", *path.relative_to(HOME).with_suffix("").parts)).removesuffix(".__init__")


MODULES = frozenset(map(module_of, FILES))
RULES = "prodigy.kernel.rules."


def used_by(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a file imports, wherever in it; of a package those that it names."""
    yield from (name for name in imported(path.read_text()) if name in MODULES and name != module_of(path))


def in_layers(*layers: str) -> list[Path]:
    return [path for path in FILES if layer_of(path) in layers]


@pytest.mark.parametrize("path", in_layers(*PURE), ids=lambda path: str(path.relative_to(HOME)))
def test_a_pure_layer_knows_nothing_of_the_world(path: Path) -> None:
    """No clock, disk, process, randomness, event loop or terminal."""
    assert foreign(path.read_text(), WORLD) == set()


@pytest.mark.parametrize("path", in_layers(*LAYERS), ids=lambda path: str(path.relative_to(HOME)))
def test_imports_point_downward(path: Path) -> None:
    """errors < plan < kernel < projections < store < runtime < cli."""
    assert upward(path.read_text(), layer_of(path)) == set()


def test_there_is_no_circle() -> None:
    """Whoever opens a file can read what it stands on first; an import inside a function counts too."""
    uses = {module_of(path): set(used_by(path)) for path in in_layers(*LAYERS)}
    while leaves := {module for module, used in uses.items() if not used & uses.keys()}:
        uses = {module: used for module, used in uses.items() if module not in leaves}
    assert uses == {}


def test_only_decide_knows_the_rules() -> None:
    """A rule knows the moves that follow it, and no other rule."""
    users = {module_of(path) for path in FILES if any(used.startswith(RULES) for used in used_by(path))}
    assert users == {"prodigy.kernel.decide"}


def test_a_log_has_one_reader_and_one_writer() -> None:
    """Nobody else passes over its bytes: whoever wants to know what happened asks a generation."""
    users = {module_of(path) for path in FILES if "prodigy.store.log" in used_by(path)}
    assert users == {"prodigy.store.generation", "prodigy.store.journal"}


def wired(source: str) -> list[bytes]:
    """Return what a source knows of the lines of a log: bytes with the name of a record's field, or of an event."""
    found = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    names = re.compile(rb'"(?:seq|time|type|commit|chain|stored|checkpoint_marked|run_cleaned)"')
    return [value for value in found if isinstance(value, bytes) and names.search(value)]


def test_only_the_log_and_its_writer_know_what_a_line_looks_like() -> None:
    """The names of a record's fields stand as bytes nowhere else."""
    knowing = {str(path.relative_to(HOME)) for path in FILES if wired(path.read_text())}
    assert knowing == {"store/journal.py", "store/log.py"}


def test_bytes_of_a_log_are_found_however_they_are_written() -> None:
    """With either quotes; a text is no wire byte."""
    source = """x = b',"commit":true'\ny = b"\\"chain\\":"\nz = '"type"'\n"""
    assert len(wired(source)) == 2


def test_yaml_is_read_in_one_place() -> None:
    """Its safe loader serves everybody."""
    readers = [str(path.relative_to(HOME)) for path in FILES if foreign(path.read_text(), frozenset({"yaml"}))]
    assert [name for name in readers if not name.startswith(ALONE)] == ["plan/document.py"]


def test_the_stand_in_for_claude_code_stands_alone() -> None:
    """It is a program of its own: what it plays it must not have from those who are tried with it, nor they from it."""
    across = {(layer_of(path), used.split(".")[1]) for path in FILES for used in used_by(path) if used != "prodigy"}
    assert {pair for pair in across if ALONE in pair} == {(ALONE, ALONE)}


def test_every_file_is_in_a_layer() -> None:
    """Beside the layers there is only the package itself and its entry."""
    assert {layer_of(path) for path in FILES} - set(LAYERS) == {"__init__", "__main__", ALONE}


def test_every_layer_has_files() -> None:
    """A layer that was renamed would be checked no more."""
    assert {layer_of(path) for path in FILES} >= set(LAYERS)


def test_an_import_of_the_world_is_found_wherever_it_hides() -> None:
    """Inside a function, and by `from`."""
    source = "def f() -> None:\n    from time import time\n    import os.path\n"
    assert foreign(source, WORLD) == {"time", "os"}


def test_an_import_that_points_upward_is_found() -> None:
    """In either form."""
    source = "from prodigy.runtime.clock import now\nfrom prodigy import store\nimport prodigy.plan.nodes\n"
    assert upward(source, "kernel") == {"runtime", "store"}
