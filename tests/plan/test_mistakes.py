"""What is said of a workflow file that is wrong, or that may not mean what it says: a text file a person has read.

Each case has a title, the workflow, and what is said of it. `pytest --rewrite` writes that anew; read the difference.
The files of a beginner are in `first-mistakes.txt`; here are those of everybody else.
"""

from pathlib import Path

import pytest

from tests.plan.test_first_mistakes import CASE, said_of

GOLDEN = Path(__file__).with_name("mistakes.txt")
CASES = {case["title"]: case for case in CASE.finditer(GOLDEN.read_text())}


@pytest.mark.parametrize("title", CASES)
def test_what_is_said_of_a_file_was_read(title: str, rewrites: bool) -> None:
    """Where it is, what it is, and what to write instead."""
    case = CASES[title]
    said = said_of(case["text"])
    if rewrites:
        before = f"=== {title}\n{case['text']}--- says\n"
        GOLDEN.write_text(GOLDEN.read_text().replace(f"{before}{case['said']}", f"{before}{said}\n"))
        return
    assert said == case["said"].rstrip("\n") + "\n"
