"""Make what a command prints safe and tidy for a person's terminal.

    deploy │ uploading 3 files

Output is data of unknown origin: it may try to set the window's title, overwrite a line that was read
already, or hide text by writing right to left. Colours (SGR sequences) pass and end with their line; every
other control character is shown in letters, `\\x1b]0;`, and does nothing. Memory: one line of at most 4 KiB.
"""

import re

from prodigy.plan.phrases import counted

LINE_BYTES_MAX = 4096

_RESET = "\x1b[0m"
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
_INVISIBLE = "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_NO_TEXT = "\ud800-\udfff"  # bytes of a name that were no UTF-8 are carried so
_BAD = f"{_CONTROLS}{_DIRECTIONS}{_INVISIBLE}{_NO_TEXT}"
_COLOUR = r"(?P<colour>\x1b\[[0-9;:]{0,40}m)"
_UNSAFE = re.compile(rf"{_COLOUR}|[{_BAD}\n]")
_UNSAFE_IN_LINES = re.compile(rf"{_COLOUR}|[{_BAD}]")
_UNSAFE_ALONE = re.compile(f"[{_BAD}]")
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
        self._shown_bytes = 0  # of the line that has not ended
        self._dropped = 0
        self.is_open = False

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

    def partial(self) -> str:
        """Return what was not yet returned of a line that has not ended. It `is_open` then, and goes on there."""
        piece = _HALF.sub(b"", self._line[self._shown_bytes :]).removesuffix(b"\r")
        if not piece:
            return ""
        prefix = "" if self.is_open else self._prefix
        self._shown_bytes += len(piece)
        self.is_open = True
        return prefix + visible(piece.decode(errors="replace"), colour=self._colour)

    def interrupt(self) -> str:
        """Return what ends an open line, so that something else can be said; what is left of it begins a new one."""
        ending, self.is_open = "\n" if self.is_open else "", False
        return ending

    def _add(self, piece: bytes) -> None:
        room = LINE_BYTES_MAX - len(self._line)
        self._line += piece[:room]
        self._dropped += max(0, len(piece) - room)

    def _take(self) -> str:
        line, dropped, prefix = self._line[self._shown_bytes :], self._dropped, "" if self.is_open else self._prefix
        is_said = self._shown_bytes > 0 and not (line or dropped or self.is_open)
        self._line, self._shown_bytes, self._dropped, self.is_open = b"", 0, 0, False
        if is_said:
            return ""
        if not dropped:
            # A carriage return before the newline overwrites nothing: some systems end lines so.
            return prefix + visible(line.removesuffix(b"\r").decode(errors="replace"), colour=self._colour) + "\n"
        kept = _HALF.sub(b"", line)
        dropped += len(line) - len(kept)
        text = visible(kept.decode(errors="replace"), colour=self._colour)
        return f"{prefix}{text} … {counted(dropped, 'byte')} of this line not shown\n"


def visible(text: str, *, colour: bool = False) -> str:
    """Return `text` with every character that could drive a terminal or reorder a line shown in letters.

    Tabs stay. With `colour` SGR sequences stay too and are reset at the end; without it they are left out.
    """
    if text.isprintable():
        return text
    shown = _UNSAFE.sub(_with_colour if colour else _without_colour, text)
    return shown + _RESET if colour and "\x1b" in shown else shown


def harmless(text: str, *, colour: bool = False) -> str:
    """Return a text as `visible` does, but its lines stay lines, and no colour is reset: that is its maker's to do."""
    if text.replace("\n", "").isprintable():
        return text
    return _UNSAFE_IN_LINES.sub(_with_colour if colour else _without_colour, text)


def harmless_json(document: str) -> str:
    """Return JSON that means the same; what JSON would let pass, and a terminal obey, is written as `\\u009b`."""
    return document if document.replace("\n", "").isprintable() else _UNSAFE_ALONE.sub(_json_escape, document)


def _json_escape(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))


def _with_colour(match: re.Match[str]) -> str:
    return match["colour"] or _letters(match.group())


def _without_colour(match: re.Match[str]) -> str:
    return "" if match["colour"] else _letters(match.group())


def _letters(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return _SHORT.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
