"""What is imported is declared, and what is declared is imported: a machine of tomorrow gets no less than this one."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import prodigy

HOME = Path(prodigy.__file__).parent
PROJECT = HOME.parent / "pyproject.toml"


def modules(source: str) -> set[str]:
    """Return the outermost modules that a source imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module).partition(".")[0])
    return found


def normal(distribution: str) -> str:
    """Return the name of a distribution as package registries compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imported() -> set[str]:
    """Return the distributions of what the program imports."""
    there = set().union(*(modules(path.read_text()) for path in HOME.rglob("*.py")))
    foreign = there - set(sys.stdlib_module_names) - {"prodigy"}
    names = importlib.metadata.packages_distributions()
    return {normal(names[module][0]) if module in names else module for module in foreign}


def declared() -> dict[str, str]:
    """Return the distributions that the project asks for, with what it says of their versions."""
    asked = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    parts = [re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?\s*(.*)", line) for line in asked]
    return {normal(part[1]): part[2] for part in parts if part}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    """By the name of its distribution; what another one happens to bring counts for nothing."""
    assert set(declared()) == imported()


def test_each_has_a_lowest_version() -> None:
    """The oldest that works."""
    assert [name for name, versions in declared().items() if not versions.startswith(">=")] == []


def test_an_import_is_found_wherever_it_hides() -> None:
    """Inside a function, and by `from`."""
    assert modules("def f() -> None:\n    from rich.live import Live\n    import yaml.nodes as n\n") == {"rich", "yaml"}
