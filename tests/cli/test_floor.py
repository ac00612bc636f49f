"""Several write to one screen: a line that somebody has begun is ended before anybody else speaks."""

from prodigy.cli.output.floor import Floor
from prodigy.runtime.terminal import Lines


def test_whoever_else_speaks_ends_an_open_line_first() -> None:
    """Whoever began it goes on in it, or after that in a line of their own."""
    screen, floor, one, other = list[str](), Floor(), Lines("a │ "), Lines("b │ ")

    def say(text: bytes, lines: Lines) -> None:
        floor.say(lines.feed(text) + lines.partial(), screen.append, lines)

    say(b"sure?", one)
    say(b" really?", one)
    say(b"dots", other)
    floor.say("    done  c\n", screen.append)
    say(b" yes\n", one)
    floor.close()
    assert "".join(screen) == "a │ sure? really?\nb │ dots\n    done  c\na │  yes\n"


def test_the_last_open_line_is_ended_at_the_close() -> None:
    """The summary begins at the left."""
    screen, floor, lines = list[str](), Floor(), Lines("a │ ")
    floor.say(lines.feed(b"x") + lines.partial(), screen.append, lines)
    floor.close()
    floor.close()
    assert "".join(screen) == "a │ x\n"
