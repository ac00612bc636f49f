"""The mistakes of a first workflow teach by their messages alone: a text file of them that a person has read.

Each has a title, the workflow, and what is said of it. `pytest --rewrite` writes that anew; read the difference.
"""

import re
from pathlib import Path

import pytest

from prodigy.errors import WorkflowProblem
from prodigy.plan.compile import workflow_notices

GOLDEN = Path(__file__).with_name("first-mistakes.txt")
CASE = re.compile(
    r"^=== (?P<title>[^\n]+)\n(?P<text>.*?)^--- says\n(?P<said>.*?)(?=^=== |\Z)", re.MULTILINE | re.DOTALL
)
CASES = {case["title"]: case for case in CASE.finditer(GOLDEN.read_text())}


def said_of(text: str) -> str:
    """Return what `validate` prints of a workflow: its mistakes, or else its notices."""
    try:
        found = [f"notice: {notice}" for notice in workflow_notices(text.encode(), file="first.yaml")]
    except WorkflowProblem as refused:
        found = [f"error: {problem}" for problem in refused.problems]
    return "\n\n".join(found) + "\n"


@pytest.mark.parametrize("title", CASES)
def test_a_first_mistake_teaches(title: str, rewrites: bool) -> None:
    """Where it is, what it is, and what to write instead."""
    case = CASES[title]
    said = said_of(case["text"])
    if rewrites:
        whole = GOLDEN.read_text()
        before = f"=== {title}\n{case['text']}--- says\n"
        GOLDEN.write_text(whole.replace(f"{before}{case['said']}", f"{before}{said}\n"))
        return
    assert said == case["said"].rstrip("\n") + "\n"


@pytest.mark.parametrize("title", CASES)
def test_every_first_mistake_is_answered_with_what_to_write(title: str) -> None:
    """A message that only says no teaches nothing; the place alone, where indenting is the matter, is enough."""
    lines = CASES[title]["said"].rstrip("\n").split("\n")
    assert not lines[-1].lstrip().startswith("^") or "indent them alike" in lines[0], title
