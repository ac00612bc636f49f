"""Make what a command prints safe and tidy for a person's terminal.

    deploy │ uploading 3 files

Output is data of unknown origin: it may try to set the window's title, overwrite a line that was read
already, or hide text by writing right to left. Colours (SGR sequences) pass and end with their line; every
other control character is shown in letters, `\\x1b]0;`, and does nothing. Memory: one line of at most 4 KiB.
"""

import re

LINE_BYTES_MAX = 4096

_RESET = "\x1b[0m"
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_UNSAFE = re.compile(rf"(?P<colour>\x1b\[[0-9;:]{{0,40}}m)|[{_CONTROLS}{_DIRECTIONS}{_INVISIBLE}\n]")
_SHORT = {"\r": r"\r", "\b": r"\b", "\x07": r"\a", "\n": r"\n"}
# What a cut may have left of an escape sequence or of a character.
_HALF = re.compile(rb"(\x1b(\[[0-9;:]{0,40})?|[\xc0-\xff][\x80-\xbf]{0,2})$")


class Lines:
    """The output of one step, as lines with a prefix. Feed it bytes as they come, cut anywhere.

    `prefix` is already safe: pass addresses and item keys through `visible` first.
    """

    def __init__(self, prefix: str, *, colour: bool = True) -> None:
        self._prefix = prefix
        self._colour = colour
        self._line = b""
        self._dropped = 0

    def feed(self, data: bytes) -> str:
        """Return the lines that `data` completes, each with its newline."""
        *ended, rest = data.split(b"\n")
        lines = []
        for piece in ended:
            self._add(piece)
            lines.append(self._take())
        self._add(rest)
        return "".join(lines)

    def finish(self) -> str:
        """Return the last line if it has no newline yet, else nothing."""
        return self._take() if self._line or self._dropped else ""

    def _add(self, piece: bytes) -> None:
        room = LINE_BYTES_MAX - len(self._line)
        self._line += piece[:room]
        self._dropped += max(0, len(piece) - room)

    def _take(self) -> str:
        line, dropped = self._line, self._dropped
        self._line, self._dropped = b"", 0
        if not dropped:
            # A carriage return before the newline overwrites nothing: some systems end lines so.
            return self._prefix + visible(line.removesuffix(b"\r").decode(errors="replace"), colour=self._colour) + "\n"
        kept = _HALF.sub(b"", line)
        dropped += len(line) - len(kept)
        text = visible(kept.decode(errors="replace"), colour=self._colour)
        return f"{self._prefix}{text} … {dropped} bytes of this line not shown\n"


def visible(text: str, *, colour: bool = False) -> str:
    """Return `text` with every character that could drive a terminal or reorder a line shown in letters.

    Tabs stay. With `colour` SGR sequences stay too and are reset at the end; without it they are left out.
    """
    if text.isprintable():
        return text
    has_colour = False

    def show(match: re.Match[str]) -> str:
        nonlocal has_colour
        if match["colour"]:
            has_colour = colour
            return match["colour"] if colour else ""
        return _letters(match.group())

    shown = _UNSAFE.sub(show, text)
    return shown + _RESET if has_colour else shown


def _letters(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return _SHORT.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
