"""What an attempt's end means: its error in words, the value it captured."""

from typing import Any

import pytest

from prodigy.kernel.outcome import ERROR_BYTES_MAX, captured, end_of, judge, parse
from prodigy.kernel.signals import Exited
from prodigy.plan.nodes import CaptureFormat
from tests.kernel.story import NOW
from tests.simulation.plans import compiled, step


def end(**fields: Any) -> Exited:
    return Exited(**{"time": NOW, "at": "a", "epoch": 3, "exit_code": 1, **fields})


ERRORS: dict[str, tuple[Exited, str | None]] = {
    "success": (end(exit_code=0, stderr="a warning"), None),
    "the end of stderr": (end(stderr="first\nlast\n", output="out"), "first\nlast"),
    "stdout where stderr is empty": (end(stderr=" \n", output="out\n"), "out"),
    "an exit code": (end(exit_code=3), "exit code 3"),
    "a signal": (end(exit_code=None, signal="SIGKILL"), "killed by SIGKILL"),
    "a timeout": (end(exit_code=None, signal="SIGTERM", timed_out_s=90.0), "timed out after 90 s"),
    "a reason of ours": (end(exit_code=0, error="no result"), "no result"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_says_why_in_the_words_of_the_command(name: str) -> None:
    """Its last lines, else what happened to it."""
    exited, expected = ERRORS[name]
    assert judge(exited).error == expected


def test_an_error_is_the_last_2_kib_in_whole_lines() -> None:
    """The line that would be cut is left out."""
    lines = [f"line {number:05}" for number in range(1000)]
    error = judge(end(stderr="\n".join(lines))).error
    assert error == "\n".join(lines[-(ERROR_BYTES_MAX // len("line 00000\n")) :])


def test_one_endless_line_is_cut_at_a_character() -> None:
    """2 KiB of two-byte characters, none of them broken."""
    error = judge(end(stderr="x" + "é" * 5000)).error
    assert error == "é" * (ERROR_BYTES_MAX // 2)


def nested(pairs: int) -> Any:
    """Return a list in a mapping, in a list in a mapping, and so on."""
    value: Any = {"a": []}
    for _ in range(pairs - 1):
        value = {"a": [value]}
    return value


def lists(depth: int) -> Any:
    """Return an empty list in a list, in a list, and so on."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


VALUES: dict[str, tuple[CaptureFormat, str, Any]] = {
    "text": ("text", "one\ntwo", "one\ntwo"),
    "no text": ("text", "", ""),
    "lines": ("lines", "one\n\ntwo", ["one", "", "two"]),
    "no lines": ("lines", "", []),
    "lines end with newlines only": ("lines", "a\x0cb\u2028c\x85d\re", ["a\x0cb\u2028c\x85d\re"]),
    "json": ("json", '{"a": [1, 2.5, null, "é"]}', {"a": [1, 2.5, None, "é"]}),
    "as deep as can be": ("json", '{"a":[' * 250 + "]}" * 250, nested(250)),
    "as deep as can be, and more beside it": ("json", f"[{'[' * 499}{']' * 499}, []]", [lists(499), []]),
    "a large integer": ("json", "123456789012345678901234567890", 123456789012345678901234567890),
    "an integer": ("number", " 42\n", 42),
    "a float": ("number", "-1.5e3", -1500.0),
    "yes": ("boolean", "Yes", True),
    "zero": ("boolean", "0", False),
}


@pytest.mark.parametrize("name", VALUES)
def test_an_output_is_read_as_its_format_says(name: str) -> None:
    """Values are what the author declared them to be."""
    capture_format, text, expected = VALUES[name]
    assert parse(text, capture_format) == expected


REFUSED: dict[str, tuple[CaptureFormat, str, str]] = {
    "no json": ("json", "{", "Expecting property name enclosed in double quotes at line 1, column 2 of the output"),
    "NaN": ("json", "[NaN]", "NaN is not JSON"),
    "an infinity": ("json", "[1e400]", "'1e400' is too large"),
    "a number of too many digits": ("json", "9" * 5_000, f"'{'9' * 60}…' is not a number"),
    "a lone surrogate": ("json", r'"\ud800"', "the output has a lone surrogate, which is no text"),
    "deeper than a resume could read": ("json", "[" * 501 + "]" * 501, "the output is nested too deeply"),
    "endlessly deep": ("json", "[" * 100_000, "the output is nested too deeply"),
    "no number": ("number", "many", "'many' is not a number"),
    "an underscore": ("number", "1_000", "'1_000' is not a number"),
    "too large": ("number", "1e999", "'1e999' is too large"),
    "no boolean": ("boolean", "perhaps", "'perhaps' is not one of true, false, yes, no, 1, 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_output_of_another_format_is_refused(name: str) -> None:
    """With a reason; nothing is guessed."""
    capture_format, text, expected = REFUSED[name]
    with pytest.raises(ValueError) as problem:
        parse(text, capture_format)
    assert str(problem.value) == expected


def test_an_empty_capture_of_a_script_that_redirects_is_a_warning() -> None:
    """The guide's first example captures nothing, as printed."""
    plan = compiled({"id": "a", "shell": "find . > files.txt", "capture": "files"})
    exited = end(exit_code=0)
    value, outcome = captured(plan.nodes["a"], exited, judge(exited))
    warning = "files is empty: the script sends its output to a file, so there was nothing to capture"
    assert (value, outcome.error, outcome.warnings) == ("", None, (warning,))


def test_a_capture_loses_one_newline_at_its_end() -> None:
    """As `$(…)` would, but only one: the value is the author's."""
    plan = compiled(step("a", capture="x"))
    exited = end(exit_code=0, output="one\n\n")
    assert captured(plan.nodes["a"], exited, judge(exited))[0] == "one\n"


def test_the_end_of_a_text_cuts_no_character_in_two() -> None:
    """It is bytes that are counted."""
    assert end_of("aé€😀", 9) == "é€😀"
    assert end_of("aé€😀", 8) == "€😀"
    assert end_of("aé€😀", 10) == "aé€😀"


def test_a_wide_output_is_not_a_deep_one() -> None:
    """However many brackets it has."""
    assert parse(f"[{', '.join(['[]'] * 2000)}]", "json") == [[]] * 2000
    with pytest.raises(ValueError, match="nested too deeply"):
        parse("[" * 600 + "]" * 600, "json")


def test_a_number_has_400_digits_at_most() -> None:
    """As long as that it is kept to the last."""
    assert parse("9" * 400, "number") == int("9" * 400)
    with pytest.raises(ValueError, match="is not a number"):
        parse("9" * 401, "number")


def test_bytes_that_are_no_text_are_kept_as_a_mark() -> None:
    """A name on disk may be anything."""
    assert end_of("a\udc80", 10) == "a\udc80"
    assert end_of("\udc80" + "x" * 10, 5) == "xxxxx"
