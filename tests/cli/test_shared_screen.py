"""Several write to one screen: a line that somebody has begun is ended before anybody else speaks."""

from prodigy.cli.output.shared_screen import SharedScreen
from prodigy.runtime.terminal import Lines


def test_whoever_else_speaks_ends_an_open_line_first() -> None:
    """Whoever began it goes on in it, or after that in a line of their own."""
    written, screen, one, other = list[str](), SharedScreen(), Lines("a │ "), Lines("b │ ")

    def say(text: bytes, lines: Lines) -> None:
        screen.write(lines.feed(text) + lines.partial(), written.append, lines)

    say(b"sure?", one)
    say(b" really?", one)
    say(b"dots", other)
    screen.write("    done  c\n", written.append)
    say(b" yes\n", one)
    screen.close()
    assert "".join(written) == "a │ sure? really?\nb │ dots\n    done  c\na │  yes\n"


def test_the_last_open_line_is_ended_at_the_close() -> None:
    """The summary begins at the left."""
    written, screen, lines = list[str](), SharedScreen(), Lines("a │ ")
    screen.write(lines.feed(b"x") + lines.partial(), written.append, lines)
    screen.close()
    screen.close()
    assert "".join(written) == "a │ x\n"
