"""What reaches a person's terminal is readable, prefixed, and harmless."""

import re

import pytest

from prodigy.runtime.terminal import LINE_BYTES_MAX, Lines, visible


def lines(*pieces: bytes, colour: bool = True) -> str:
    """Feed the pieces to a fresh reader and return all it says."""
    reader = Lines("deploy │ ", colour=colour)
    return "".join([*map(reader.feed, pieces), reader.finish()])


def test_each_line_has_the_prefix() -> None:
    """A reader sees which step said what, the last line without newline included."""
    assert lines(b"one\n\ntwo") == "deploy │ one\ndeploy │ \ndeploy │ two\n"


def test_nothing_is_said_for_nothing() -> None:
    """A step that printed nothing adds no line."""
    assert lines(b"") == ""


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_cut_anywhere_changes_nothing(cut: int) -> None:
    """Pieces end where reads happened to end: inside characters, escapes and lines."""
    data = "a\x1b[31mä€😀\x1b[0m\nb\x1b]0;t\x07\n".encode()
    assert lines(data[:cut], data[cut:]) == lines(data)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\x1b]0;title\x07", r"\x1b]0;title\a"),
        (b"\x1b]52;c;aGk=\x1b\\", "\\x1b]52;c;aGk=\\x1b\\"),
        (b"\x1b]8;;http://x\x07", r"\x1b]8;;http://x\a"),
        (b"\x1b[2J\x1b[1;1H", r"\x1b[2J\x1b[1;1H"),
        (b"\x1b[?1049h", r"\x1b[?1049h"),
        (b"\x1b[>4;1m", r"\x1b[>4;1m"),
        (b"\x1bP1$r\x1b\\", "\\x1bP1$r\\x1b\\"),
        (b"\xc2\x9b31m", r"\x9b31m"),
        (b"\x9b31m", "\ufffd31m"),
        (b"fine\rfail", r"fine\rfail"),
        (b"no\b\byes", r"no\b\byes"),
        (b"\x00\x7f\x07", r"\x00\x7f\a"),
        ("a\u202eb\u2066c\u200f".encode(), r"a\u202eb\u2066c\u200f"),
        ("\ufeff\u2028\U000e0041".encode(), r"\ufeff\u2028\U000e0041"),
        (b"\xff\xc3(", "\ufffd\ufffd("),
        (b"tab\tstays", "tab\tstays"),
        (b"crlf\r", "crlf"),
    ],
)
def test_whatever_could_drive_a_terminal_is_shown_in_letters(raw: bytes, shown: str) -> None:
    """Titles, clipboards, links, cursor moves, overwriting, reordering: all is visible, none obeyed."""
    assert lines(raw + b"\n") == f"deploy │ {shown}\n"


def test_colours_pass_and_end_with_their_line() -> None:
    """SGR is allowed, and a step that forgets to reset it does not colour the next one."""
    assert lines(b"\x1b[1;38:5:9mred\nplain\n") == "deploy │ \x1b[1;38:5:9mred\x1b[0m\ndeploy │ plain\n"


def test_colours_can_be_left_out() -> None:
    """A pipe, and NO_COLOR, get the text alone."""
    assert lines(b"\x1b[31mred\x1b[m\n", colour=False) == "deploy │ red\n"


def test_a_long_line_is_cut_with_a_note() -> None:
    """The screen gets 4 KiB of a line and the number of bytes that it did not get."""
    assert lines(b"x" * 5000 + b"\nnext\n") == (
        f"deploy │ {'x' * LINE_BYTES_MAX} … 904 bytes of this line not shown\ndeploy │ next\n"
    )


def test_a_long_line_is_cut_between_characters() -> None:
    """No half character is left at the cut."""
    cut = lines(b"x" * (LINE_BYTES_MAX - 1) + "€".encode() + b"\n")
    assert cut == f"deploy │ {'x' * (LINE_BYTES_MAX - 1)} … 3 bytes of this line not shown\n"


def test_a_long_line_is_cut_between_escapes() -> None:
    """No half colour is left at the cut, which would swallow what follows."""
    cut = lines(b"x" * (LINE_BYTES_MAX - 3) + b"\x1b[31mred\n")
    assert cut == f"deploy │ {'x' * (LINE_BYTES_MAX - 3)} … 8 bytes of this line not shown\n"


def test_a_line_without_end_takes_no_memory() -> None:
    """Ten megabytes without a newline leave 4 KiB behind."""
    reader = Lines("")
    for _ in range(160):
        reader.feed(b"y" * 65536)
    assert reader.finish() == f"{'y' * LINE_BYTES_MAX} … {160 * 65536 - LINE_BYTES_MAX} bytes of this line not shown\n"


def test_names_can_be_made_visible_too() -> None:
    """An item key with a newline or an escape stays one word on one line."""
    assert visible("a\nb\x1b[31m") == r"a\nb"


# Lines that have not ended -------------------------------------------------------------------------------------


def reader() -> Lines:
    return Lines("deploy │ ")


def test_a_line_that_has_not_ended_goes_on_where_it_stands() -> None:
    """The prefix is there once."""
    lines = reader()
    parts = [lines.feed(b"a\nsure?"), lines.partial(), lines.feed(b" y"), lines.partial(), lines.feed(b"es\nb\n")]
    assert parts == ["deploy │ a\n", "deploy │ sure?", "", " y", "es\ndeploy │ b\n"]


def test_an_open_line_that_was_interrupted_begins_anew() -> None:
    """And is not said again where nothing is left of it."""
    lines = reader()
    lines.feed(b"sure?")
    assert [lines.partial(), lines.interrupt(), lines.interrupt(), lines.feed(b" yes\n")] == [
        "deploy │ sure?",
        "\n",
        "",
        "deploy │  yes\n",
    ]
    lines.feed(b"dots")
    assert [lines.partial(), lines.interrupt(), lines.feed(b"\nnext\n")] == ["deploy │ dots", "\n", "deploy │ next\n"]


def test_the_last_line_is_ended_though_it_was_shown() -> None:
    """What comes next begins at the left."""
    lines = reader()
    lines.feed(b"done")
    assert (lines.partial(), lines.finish(), lines.finish()) == ("deploy │ done", "\n", "")


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_partial_line_shows_no_half_character_and_no_half_sequence(cut: int) -> None:
    """Wherever the command paused; what was held back comes with the rest."""
    data = "a\x1b[31mä€😀\x1b[0mb\x1b]0;t\x07\r\n".encode()
    lines = reader()
    shown = lines.feed(data[:cut]) + lines.partial() + lines.feed(data[cut:])
    assert re.sub("\x1b[^m]*m", "", shown) == "deploy │ aä€😀b\\x1b]0;t\\a\n"


def test_nothing_new_shows_nothing() -> None:
    """However often it is asked."""
    lines = reader()
    assert (lines.partial(), lines.feed(b"x"), lines.partial(), lines.partial()) == ("", "", "deploy │ x", "")
