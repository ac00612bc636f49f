"""What the documentation says is so: its workflows compile, its commands exist, its tables are the code's."""

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.core import TyperGroup

from prodigy.errors import ExitCode
from prodigy.kernel.events import TYPES
from prodigy.plan.compile import compile_workflow
from prodigy.plan.schema import KEYS, Where
from tests.cli.whole import whole
from tests.test_layers import ALONE, LAYERS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
READABLE = {str(page.relative_to(ROOT)): page.read_text() for page in PAGES}

UsageError = typer.BadParameter.__mro__[1]  # what a wrong command line raises; typer gives it no name of its own

_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
_ANY_BLOCK = re.compile(r"^```.*?^```$", re.M | re.S)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\((?!https?:)(?P<file>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")


def blocks(*languages: str) -> list[tuple[str, str]]:
    """Return (place, text) of every block in one of these languages."""
    found = []
    for name, text in READABLE.items():
        for match in _BLOCK.finditer(text):
            if match["language"] in languages:
                found.append((f"{name}:{text.count(chr(10), 0, match.start()) + 1}", match["text"]))
    return found


def section(page: str, heading: str) -> str:
    """Return the text below a heading, to the next one of its rank or higher."""
    rank = heading.partition(" ")[0]
    _, found, rest = READABLE[page].partition(f"\n{heading}\n")
    assert found, f"{page} has no {heading}"
    return re.split(rf"^#{{1,{len(rank)}}} ", rest, maxsplit=1, flags=re.M)[0]


def as_command(words: list[str]) -> list[str] | None:
    """Return the arguments where words call prodigy."""
    is_ours = bool(words) and Path(words[0]).name == "prodigy"
    return words[1:] if is_ours else None


def typed(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line of shell, as words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&;"):
            yield words
            words = []
        else:
            words.append(word)
    yield words


def commands() -> list[tuple[str, list[str]]]:
    """Return (as written, arguments) of every call of prodigy, in blocks of shell and in running text."""
    lines = [line for _, text in blocks("bash", "sh") for line in text.splitlines()]
    spans = [span for text in READABLE.values() for span in _SPAN.findall(_ANY_BLOCK.sub("", text))]
    called = [(text, as_command(words)) for text in [*lines, *spans] if "prodigy" in text for words in typed(text)]
    return [(text, arguments) for text, arguments in called if arguments]


def check(arguments: list[str]) -> None:
    """Read a command line as the program would, and run nothing."""
    command: Any = whole()
    if arguments[0].startswith("-"):
        assert arguments[0] in own_options(command)
        return
    while isinstance(command, TyperGroup):
        name, arguments = arguments[0] if arguments else "", arguments[1:]
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    command.make_context(None, list(arguments))


def own_options(command: Any) -> set[str]:
    """Return the options of a command."""
    return {option for parameter in command.params for option in parameter.opts}


def all_options(command: Any) -> set[str]:
    """Return the options of a command and of all below it."""
    below = command.commands.values() if isinstance(command, TyperGroup) else ()
    return own_options(command).union(*map(all_options, below))


# Workflows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "text"), blocks("yaml"), ids=[place for place, _ in blocks("yaml")])
def test_workflows_compile(place: str, text: str) -> None:
    """Every YAML block is a workflow without a mistake."""
    assert compile_workflow(text.encode(), file=place, environment={"HOME": "/home/me"}).leaves() != []


def test_every_key_is_explained() -> None:
    """The page about workflow files has each key that this version runs, and only those as keys of a step."""
    page = READABLE["docs/workflow-files.md"]

    def available(where: Where) -> set[str]:
        return {key.name for key in KEYS if key.where == where}

    table = section("docs/workflow-files.md", "## Steps").partition("###")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in _SPAN.findall(row.split("|")[1])} == available("step")
    shown = set(re.findall(r"^[ -]*(\w+):", page, re.M)) | set(_SPAN.findall(page)) | {"steps"}
    others = {key.name for key in KEYS if key.where != "step" and key.alias_of is None}
    missing = {name for name in others if name not in shown and f"`{name}:" not in page}
    assert missing == set()


def test_the_first_workflow_works(tmp_path: Path) -> None:
    """Cooked as the README has it, on files with the names that it boasts of."""
    text = next(text for place, text in blocks("yaml") if place.startswith("README.md"))
    (tmp_path / "package.yaml").write_text(text)
    (tmp_path / "docs").mkdir()
    for name in ("a b", "it's", "$(touch never)", '"'):
        (tmp_path / "docs" / name).write_text(name)
    line = next(words for text, words in commands() if "cook package.yaml" in text)
    ended = subprocess.run(
        [sys.executable, "-m", "prodigy", *line],
        cwd=tmp_path,
        env={**os.environ, "PRODIGY_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout.split()[0]) == (0, "completed")
    assert "4 files in package.tar\n" in ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".prodigy",
        "docs",
        "home",
        "package.tar",
        "package.yaml",
    ]


# Commands -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "arguments"), commands(), ids=[text for text, _ in commands()])
def test_commands_exist(text: str, arguments: list[str]) -> None:
    """Every call of prodigy names a command, arguments and options that there are."""
    check(arguments)


@pytest.mark.parametrize("line", ["cok FILE", "cook --parm a=b FILE", "events", "stop", "resume a b", "--verson"])
def test_a_wrong_command_is_found(line: str) -> None:
    """The check above can fail."""
    with pytest.raises((AssertionError, UsageError)):
        check(line.split())


def test_options_exist() -> None:
    """Every option that is named by itself is an option of some command."""
    named = {span.split()[0] for text in READABLE.values() for span in _SPAN.findall(text) if span.startswith("--")}
    assert named - all_options(whole()) == set()


def test_exit_codes_are_those_of_the_program() -> None:
    """The README's table has every exit code, and no other."""
    table = section("README.md", "## Commands").partition("| Exit code |")[2]
    codes = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.M) for code in row.split(",")}
    assert codes == set(ExitCode)


def test_make_targets_exist() -> None:
    """Every `make …` in a block of shell is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    texts = [text for place, text in blocks("bash") if place.startswith(("README", "CONTRIBUTING"))]
    used = {name for text in texts for name in re.findall(r"^make ([a-z-]+)", text, re.M)}
    assert used == {"bench-guard", "census", "check", "lock", "mutants", "quick", "setup", "versions"}
    assert used - targets == set()


# What the stand-in for Claude Code reads.
STAND_IN = {"PRODIGY_FAKE_CLAUDE": "script.yaml", "PRODIGY_FAKE_CLAUDE_LEDGER": "ledger"}


def test_the_environment_of_steps_is_as_named(tmp_path: Path) -> None:
    """Each PRODIGY_… that the pages name is in the environment of a step, or is one that prodigy itself reads."""
    named = {name for text in READABLE.values() for name in re.findall(r"PRODIGY_[A-Z_]+", text)}
    script = f"for name in {' '.join(sorted(named))}; do printenv $name > $name; done"
    (tmp_path / "names.yaml").write_text(f"- shell: {script}\n")
    subprocess.run(
        [sys.executable, "-m", "prodigy", "cook", "names.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PRODIGY_HOME": str(tmp_path / "home"), "PRODIGY_LOG": "info", **STAND_IN},
        capture_output=True,
        check=True,
    )
    assert {path.name for path in tmp_path.glob("PRODIGY_*") if path.stat().st_size > 1} == named


# Tables and links ---------------------------------------------------------------------------------------------


def event_table() -> str:
    """Return the table of events as the code has it; `stored`, which each has, is explained with the lines."""
    rows = ["| `type` | Happened | Fields |", "|---|---|---|"]
    for name, kind in TYPES.items():
        happened = re.split(r"[.;](?:\s|$)", inspect.getdoc(kind) or "", maxsplit=1)[0]
        fields = [f"`{field.name}`" for field in msgspec.structs.fields(kind) if field.name != "stored"]
        rows.append(f"| `{name}` | {happened[:1].lower()}{happened[1:]} | {', '.join(fields) or 'none'} |")
    return "\n".join(rows)


def test_the_event_table_is_the_codes(rewrites: bool) -> None:
    """Each type, what it says of itself, and its fields; `pytest tests/docs --rewrite` brings it up to date."""
    (written,) = re.finditer(r"^\| `type` \| Happened .*?(?=\n\n)", READABLE["docs/log.md"], re.M | re.S)
    if rewrites:
        (ROOT / "docs/log.md").write_text(READABLE["docs/log.md"].replace(written.group(), event_table()))
    else:
        assert written.group() == event_table()


def test_the_tree_is_the_folders() -> None:
    """All of them, each where it lies, in the order of the layers, with a line of what it is."""
    tree = section("docs/architecture.md", "## Where things are")
    rows = re.findall(r"^((?:  )*)(\w+)/(?: +(\S.*))?$", _ANY_BLOCK.findall(tree)[0], re.M)
    told = list[str]()
    path = list[str]()
    for indent, name, words in rows:
        path = [*path[: len(indent) // 2], name]
        told.append("/".join(path))
        assert words or name == "prodigy", f"{name}/ has no line"
    home = ROOT / "prodigy"
    real = [home, *(path.parent for path in home.rglob("__init__.py") if path.parent != home)]
    assert sorted(str(path.relative_to(ROOT)) for path in real) == sorted(told)
    layers = [f"prodigy/{layer}" for layer in (*reversed(LAYERS[1:]), ALONE)]
    assert [name for name in told if name.count("/") == 1] == layers


def test_the_layers_are_the_packages() -> None:
    """For who contributes, too: each of them and none that there is not."""
    contributing = section("CONTRIBUTING.md", "## How the code is laid out")
    packages = {path.parent.name for path in (ROOT / "prodigy").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `prodigy/(\w+)/`", contributing, re.M)) == packages


def test_the_places_that_are_named_are_there() -> None:
    """Files by their path, functions and classes beside them by their name."""
    text = section("docs/architecture.md", "## Where things are")
    named = [
        span for span in _SPAN.findall(_ANY_BLOCK.sub("", text)) if re.fullmatch(r"[a-z_]+(/[a-z_]+)*(\.py|/)", span)
    ]
    assert len(named) > 20
    assert [] == [path for path in named if not (ROOT / "prodigy" / path).exists()]
    for path, name in re.findall(r"`([a-z_/]+\.py)` `(\w+)`", " ".join(text.split())):
        assert re.search(rf"^(?:    )?(?:def|class) {name}\b", (ROOT / "prodigy" / path).read_text(), re.M), (
            f"{path} {name}"
        )


@pytest.mark.parametrize("page", READABLE)
def test_links_lead_somewhere(page: str) -> None:
    """A link inside the project names a file that exists, and a heading in it."""
    for match in _LINK.finditer(READABLE[page]):
        target = (ROOT / page).parent / match["file"] if match["file"] else ROOT / page
        assert target.exists(), match.group()
        if match["anchor"]:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M)
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert match["anchor"] in anchors, match.group()


def test_every_page_is_reachable() -> None:
    """The README leads to each of them."""
    linked = {match["file"] for match in _LINK.finditer(READABLE["README.md"])}
    assert set(READABLE) - {"README.md"} - linked == set()
