"""What is found in shell scripts of every shape: a text file of them that a person has read.

Each case has a shell and a title, the script, and what it comes to: the places of its references with what each
demands of its value, what `validate` says of it, or why it is refused. `pytest --rewrite` writes that anew; read the
difference. The names `item`, `n`, `list` and `fold_er` are ours.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from prodigy.plan.reference import Syntax
from prodigy.plan.shell.script import Script, Slot
from prodigy.plan.shell.values import dialect_notices, notices, parse_script

GOLDEN = Path(__file__).with_name("scripts.txt")
NAMES = frozenset({"item", "n", "list", "fold_er"})
VALUES = {"item": "a b", "n": 3, "list": ["x", "y"]}
CASE = re.compile(
    r"^=== (?P<title>(?P<shell>[^:\n]+): [^\n]+)\n(?P<text>.*?)\n^---\n(?P<said>.*?)(?=^=== |\Z)", re.M | re.DOTALL
)
CASES = {case["title"]: case for case in CASE.finditer(GOLDEN.read_text())}


def told(text: str, shell: str) -> Iterator[str]:
    """Yield what a script comes to, a line each."""
    try:
        script = parse_script(text, NAMES, interpreter=shell, environment=frozenset({"known"}))
    except Syntax as refused:
        yield f"refused at {_shown(text[refused.offset :])}: {refused.message}"
        yield f"  {refused.hint}"
        return
    yield from _pieces(script)
    if script.redirects_stdout:
        yield "its output goes to a file"
    said = [
        *notices(script, lambda name: (name in VALUES, VALUES.get(name))),
        *dialect_notices(text, script, shell),
    ]
    for notice in said:
        yield f"notice at {_shown(text[notice.offset :])}: {notice.message}"
        yield f"  {notice.hint}"


def _pieces(script: Script) -> Iterator[str]:
    for piece in script.pieces:
        if isinstance(piece, Slot):
            marks = [word for word in ("is_alone", "is_integer", "is_command") if getattr(piece, word)]
            code = [f"code of {piece.code}"] if piece.code else []
            yield " ".join([f"{piece.offset}", piece.reference.text, piece.quoting, *marks, *code])
        else:
            yield repr(piece)


def _shown(text: str) -> str:
    return repr(text[:20])


@pytest.mark.parametrize("title", CASES)
def test_a_script_comes_to_what_was_read(title: str, rewrites: bool) -> None:
    """Every reference is found, and its place is known."""
    case = CASES[title]
    said = "".join(f"{line}\n" for line in told(case["text"], case["shell"]))
    if rewrites:
        before = f"=== {title}\n{case['text']}\n---\n"
        GOLDEN.write_text(GOLDEN.read_text().replace(f"{before}{case['said']}", f"{before}{said}\n"))
        return
    assert said == case["said"].rstrip("\n") + "\n"
