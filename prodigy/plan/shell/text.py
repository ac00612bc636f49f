"""Scan the parts of a shell script that are text: strings, `${…}`, here-documents, arithmetic.

Frames of text only look for what ends them, for `$` and for backticks. What is found goes into `pieces` at once;
whoever knows more about the word around it (the scanner of commands, built on this one) changes them later.
"""

import re

from prodigy.plan.reference import Names, Reference, Syntax, read
from prodigy.plan.shell import rules as rules
from prodigy.plan.shell.frames import WORD_KINDS, Frame, Unclear
from prodigy.plan.shell.script import Piece, Quoting, Slot

DEPTH_MAX = 50
STEPS_MAX = 150_000
REFERENCES_MAX = 10_000

# Where a list may stand for several words.
_LIST_ROLES = ("command", "arguments")
_BOUNDARY = re.compile(r"(?:\\\n)*+(?:[ \t\n;&|()<>`]|\Z)")
_PARAMETER = re.compile(r"[#!]?(?:(?P<name>[A-Za-z_]\w*)|[0-9]+|[@*#?$!-])?")
_ZSH_FLAGS = re.compile(r"(?:\([^()'\"$`\\{}]*\))?[=~^+#]*")
_BRACE_OPERATOR = re.compile(r"(?P<word>:?[-=+?])|(?P<offset>:)|(?P<replace>/)|(?P<pattern>##?|%%?|\^\^?|,,?|@)")
_BACKTICKED = re.compile(r"(?:[^`\\]|\\.)*+", re.DOTALL)
_BACKTICK_ESCAPE = re.compile(r"\\[$`\\]")
_DOLLAR_QUOTED = re.compile(r"(?:[^'\\]|\\.)*+", re.DOTALL)
_ARITHMETIC = re.compile(r"[^$`\\()\[\]{}'\"]++|\\.?|'[^'$]*+'|\"[^\"$`\\]*+\"", re.DOTALL)
_BODY_SPECIAL = re.compile(r"[\\$`]")
_ZSH_SUBSCRIPT = re.compile(r"\$[A-Za-z_]\w*\[")

# What a frame of text, or a word, may hold that means nothing.
PLAIN = {
    "command": re.compile(r"(?:[^ \t\n'\"`$\\;&|()<>]|\\.)++", re.DOTALL),
    "array": re.compile(r"(?:[^ \t\n'\"`$\\;&|()<>]|\\.)++", re.DOTALL),
    "condition": re.compile(r"(?:[^ \t\n'\"`$\\]|\\.)++", re.DOTALL),
    "string": re.compile(r"(?:[^\"`$\\]|\\.)++", re.DOTALL),
    "document": re.compile(r"(?:[^`$\\]|\\.)++", re.DOTALL),
    "brace": re.compile(r"(?:[^}'\"`$\\]|\\.)++", re.DOTALL),
    "quoted brace": re.compile(r"(?:[^}\"`$\\]|\\.)++", re.DOTALL),
    "group": re.compile(r"(?:[^()'\"`$\\]|\\.)++", re.DOTALL),
}


class TextScanner:
    """One scan of `text`. In the end `pieces` is the script, and the rest what was seen on the way.

    `assigned` are the variables that the script assigns, `foreign` the `${name}` of the shell's own; both map a
    name to its first offset.
    """

    def __init__(self, text: str, names: Names, interpreter: str) -> None:
        self.text = text
        self.names = names
        self.interpreter = interpreter
        self.position = 0
        self.pieces: list[Piece] = []
        self.assigned: dict[str, int] = {}
        self.foreign: dict[str, int] = {}
        self._integers: set[str] = set()
        self._copied = 0
        self._nesting = 0
        self._steps_left = STEPS_MAX
        self._references_left = REFERENCES_MAX
        self._frames = [Frame("command", 0, limit=len(text))]

    def _step(self, frame: Frame) -> None:
        """Read on in a frame of text, which is the one on top."""
        match frame.kind:
            case "string":
                self._string(frame)
            case "document":
                self._document(frame)
            case "arithmetic":
                self._arithmetic(frame)
            case "group":
                self._group(frame)
            case _:
                self._brace(frame)

    def _spend(self) -> None:
        """Count what was read, so that no text at all can take long."""
        self._steps_left -= 1
        if self._steps_left < 0:
            raise Unclear(self.position, f"the script has more than {STEPS_MAX} pieces of syntax")

    def _push(self, frame: Frame) -> None:
        """Open `frame` on top of the present one, whose surroundings it inherits unless it starts anew."""
        below = self._frames[-1]
        frame.limit = frame.limit or below.limit
        frame.in_backticks |= below.in_backticks
        if frame.kind not in WORD_KINDS:
            frame.slots = below.slots
            frame.is_integer |= below.is_integer
            frame.in_document |= below.in_document
            frame.refuses = frame.refuses or below.refuses
        self._frames.append(frame)
        self._check_depth()

    def _check_depth(self) -> None:
        if len(self._frames) + self._nesting > DEPTH_MAX:
            raise Syntax(self.position, f"the script nests deeper than {DEPTH_MAX} levels", "move it into a file")

    def _pop(self, position: int) -> None:
        self._frames.pop()
        self.position = position

    # Frames of text.

    def _open_string(self, frame: Frame) -> None:
        if frame.in_document and frame.kind not in WORD_KINDS:
            raise Unclear(self.position, "a double quote in the braces of a here-document")
        self.position += 1
        self._push(Frame("string", self.position - 1, quoting="inside"))

    def _string(self, frame: Frame) -> None:
        if self._text(frame) == '"':
            self._pop(self.position + 1)

    def _document(self, frame: Frame) -> None:
        if self._text(frame) == "":
            self._pop(frame.resumes_at)

    def _brace(self, frame: Frame) -> None:
        char = self._text(frame)
        if char == "}":
            self._pop(self.position + 1)
        elif char == '"':
            self._open_string(frame)
        elif char == "'":
            self._single(frame, self.position + 1)

    def _group(self, frame: Frame) -> None:
        char = self._text(frame)
        if char == ")":
            self._pop(self.position + 1)
        elif char == "(":
            self.position += 1
            self._push(Frame("group", self.position - 1))
        elif char == '"':
            self._open_string(frame)
        elif char == "'":
            self._single(frame, self.position + 1)

    def _text(self, frame: Frame) -> str | None:
        """Go to the next character that means something to `frame`; return it, "" at the end of a document.

        `$` and backticks mean the same everywhere and are dealt with: then None.
        """
        match = PLAIN[frame.kind].match(self.text, self.position, frame.limit)
        if match:
            self.position = match.end()
        if self.position >= frame.limit:
            if frame.kind == "document":
                return ""
            raise Unclear(frame.start, "a quote or brace is never closed")
        char = self.text[self.position]
        if char == "$":
            self._dollar(frame)
        elif char == "`":
            self._backticks(frame)
        elif char == "\\":  # the last character of the text
            self.position += 1
        else:
            return char
        return None

    def _single(self, frame: Frame, start: int, *, quoting: Quoting = "single") -> None:
        """A string in single quotes; `start` is behind the opening one."""
        self._spend()
        text, limit = self.text, frame.limit
        if quoting == "dollar":
            match = _DOLLAR_QUOTED.match(text, start, limit)
            end = match.end() if match and match.end() < limit else -1
        else:
            end = text.find("'", start, limit)
        if end < 0:
            raise Unclear(start - 1, "a single quote is never closed")
        for reference, at, behind in self._find_all(start, end):
            if reference is None:
                self._replace("${", at, behind)
            else:
                self._emit(reference, at, behind, frame, quoting=quoting)
        self.position = end + 1

    def _find_all(self, start: int, end: int) -> list[tuple[Reference | None, int, int]]:
        """Return the references of ours where the shell expands nothing, and, with None, each `$${`."""
        text = self.text
        found: list[tuple[Reference | None, int, int]] = []
        position = start
        while (at := text.find("${", position, end)) >= 0:
            self._spend()
            if at > position and text[at - 1] == "$":
                found.append((None, at - 1, at + 2))
                position = at + 2
                continue
            reference, position = read(text, at, self.names, strict=False)
            if reference is None:
                self._note_foreign(at)
            elif position > end:
                raise Unclear(at, f"{reference.text} ends behind the quotes in which it begins")
            else:
                found.append((reference, at, position))
        return found

    # What begins with `$`, and backticks.

    def _dollar(self, frame: Frame) -> bool:
        """Read what begins with the `$` at the position; return whether it opened a frame."""
        self._spend()
        text, position = self.text, self.position
        following = text[position + 1 : position + 2] if position + 1 < frame.limit else ""
        if following == "{":
            reference, end = read(text, position, self.names, strict=False)
            if reference is None:
                return self._open_brace(frame, position)
            if end > frame.limit:
                raise Unclear(position, f"{reference.text} ends behind the text in which it begins")
            self._emit(reference, position, end, frame)
            self.position = end
        elif following == "(":
            return self._open_substitution(position)
        elif following == "$" and text.startswith("{", position + 2):
            self._literal(frame, position)
        elif following == "'" and frame.quoting == "unquoted" and frame.kind != "arithmetic":
            self._dollar_single(frame, position)
        elif following == "[" and self.interpreter != "dash":
            self.position = position + 2
            self._push_arithmetic("]", position, refuses="$[…], which is arithmetic in some shells only")
            return True
        elif self.interpreter == "zsh" and (match := _ZSH_SUBSCRIPT.match(text, position, frame.limit)):
            self.position = match.end()
            self._push_arithmetic("]", position)
            return True
        else:
            self.position = position + (2 if following == "$" else 1)
        return False

    def _dollar_single(self, frame: Frame, position: int) -> None:
        if self.interpreter == "dash":
            self.position = position + 1
            return
        pieces = len(self.pieces)
        self._single(frame, position + 2, quoting="dollar")
        if self.interpreter == "sh":
            # Not every sh knows $'…'; those that do not end it at a quote behind a backslash.
            is_ours = any(isinstance(piece, Slot) for piece in self.pieces[pieces:])
            if is_ours or "\\'" in self.text[position : self.position]:
                raise Unclear(position, "not every sh knows $'…'", "set interpreter: bash")

    def _literal(self, frame: Frame, position: int) -> None:
        """`$${` stands for a literal `${`, which the shell must not expand either."""
        is_open = frame.kind in ("brace", "quoted brace", "arithmetic")
        if is_open or (frame.in_backticks and frame.quoting != "unquoted"):
            raise Unclear(position, "a literal ${ in braces, arithmetic or backticks")
        text = "\\${" if frame.quoting == "inside" else "'${'"
        self._replace(text, position, position + 3)
        self.position = position + 3

    def _open_substitution(self, position: int) -> bool:
        if self.text.startswith("((", position + 1):
            self.position = position + 3
            self._push_arithmetic("))", position)
        else:
            self.position = position + 2
            self._push_commands(")", position)
        return True

    def _push_commands(self, closer: str, start: int, limit: int = 0) -> None:
        in_backticks = closer == "`"
        self._push(Frame("command", start, limit=limit, closer=closer, is_substitution=True, in_backticks=in_backticks))

    def _push_arithmetic(self, closer: str, start: int, *, opens_brace: bool = False, refuses: str = "") -> None:
        quoting: Quoting = "arithmetic" if closer == "))" else "inside"
        frame = Frame("arithmetic", start, closer=closer, quoting=quoting, is_integer=True)
        frame.opens_brace, frame.refuses = opens_brace, refuses
        self._push(frame)

    def _backticks(self, frame: Frame) -> None:
        """Backticks are commands, one level of backslashes down; with references only those without any."""
        self._spend()
        start = self.position + 1
        match = _BACKTICKED.match(self.text, start, frame.limit)
        assert match is not None, "it matches nothing, too"
        end = match.end()
        if end >= frame.limit:
            raise Unclear(start - 1, "a backtick is never closed")
        if self.text.find("${", start, end) < 0:
            self.position = end + 1
            return
        escape = _BACKTICK_ESCAPE.search(self.text, start, end)
        if escape or (frame.quoting == "inside" and self.text.find('\\"', start, end) >= 0):
            raise Unclear(start - 1, "a backslash in backticks", "write $(…) instead of backticks")
        self.position = start
        self._push_commands("`", start - 1, end)

    # The shell's own `${…}`.

    def _open_brace(self, frame: Frame, position: int) -> bool:
        """Read the shell's own `${…}` at `position`; return whether it opened a frame for its words."""
        text = self.text
        start = position + 2
        if self.interpreter == "zsh":
            flags = _ZSH_FLAGS.match(text, start, frame.limit)
            start = flags.end() if flags else start
        match = _PARAMETER.match(text, start, frame.limit)
        assert match is not None, "it matches nothing, too"
        self.position = match.end()
        self._note_foreign(position)
        if text.startswith("}", match.end()):
            self.position += 1
            return False
        if text.startswith("[", match.end()):
            self.position += 1
            self._push_arithmetic("]", position, opens_brace=True)
            return True
        opens = self._open_brace_words(frame, position)
        if match["name"] and text.startswith(("=", ":="), match.end()):
            self.assigned.setdefault(match["name"], position)
            self._frames[-1].is_integer |= self._is_integer(match["name"])
        return opens

    def _open_brace_words(self, frame: Frame, start: int) -> bool:
        """Open the words behind the operator at the position, or close the braces; `start` is where they open."""
        text = self.text
        if text.startswith("}", self.position):
            self.position += 1
            return False
        match = _BRACE_OPERATOR.match(text, self.position, frame.limit)
        if match is None:
            raise Unclear(start, "a form of ${…} that is not known here")
        self.position = match.end()
        is_quoted = frame.quoting != "unquoted"
        if match["offset"]:
            self._push_arithmetic("}", start)
        elif match["word"] and is_quoted:
            self._push(Frame("quoted brace", start, quoting="inside"))
        else:
            # A pattern is quoted anew even within double quotes; only in here-documents the shells differ, and
            # old bash keeps the quotes of a replacement.
            refuses = ""
            if frame.in_document and frame.kind not in WORD_KINDS:
                refuses = "a pattern in a here-document"
            elif match["replace"] and is_quoted:
                refuses = "a replacement in double quotes"
            self._push(Frame("brace", start, refuses=refuses))
        return True

    def _is_integer(self, name: str) -> bool:
        """Return whether an assignment to the variable evaluates the value."""
        return name in self._integers or name in rules.INTEGER_VARIABLES

    def _note_foreign(self, position: int) -> None:
        match = _PARAMETER.match(self.text, position + 2)
        if match and match["name"] and self.text.startswith("}", match.end()):
            self.foreign.setdefault(match["name"], position)

    # Arithmetic.

    def _arithmetic(self, frame: Frame) -> None:
        """Take one step in text that the shell evaluates."""
        text = self.text
        if match := _ARITHMETIC.match(text, self.position, frame.limit):
            self.position = match.end()
            return
        position = self.position
        if position >= frame.limit:
            raise Unclear(frame.start, "arithmetic is never closed")
        char = text[position]
        if char == "$":
            self._dollar(frame)
        elif char == "`":
            self._backticks(frame)
        elif frame.depth == 0 and text.startswith(frame.closer, position):
            self._close_arithmetic(frame)
        elif char == ")" and frame.closer == "))" and frame.depth == 0:
            raise Unclear(frame.start, "'((' that is not arithmetic", "write a space between the parentheses")
        else:
            opening, closing = ("[", "]") if frame.closer == "]" else ("(", ")")
            frame.depth += (char == opening) - (char == closing)
            self.position = position + 1

    def _close_arithmetic(self, frame: Frame) -> None:
        start = frame.start
        if len(self._frames) < 2 or self._frames[-2].kind != "arithmetic":
            for name in rules.assigned_by(self.text[start : self.position]):
                self.assigned.setdefault(name, start)
        self._pop(self.position + len(frame.closer))
        if frame.opens_brace:
            self._open_brace_words(self._frames[-1], start)

    # The pieces.

    def _emit(
        self, reference: Reference, start: int, end: int, frame: Frame, *, quoting: Quoting | None = None
    ) -> None:
        """Put a slot in place of the text from `start` to `end`, and its piece's number into `frame.slots`."""
        self._references_left -= 1
        if self._references_left < 0:
            raise Unclear(start, f"the script has more than {REFERENCES_MAX} references")
        self._flush(start)
        self._copied = end
        # In a here-document whose delimiter was quoted there is no code to splice into.
        if "raw" in reference.filters and quoting != "inside":
            self.pieces.append(Slot(reference=reference, quoting="raw", offset=start))
            return
        if frame.refuses:
            raise Unclear(start, f"{reference.text} stands in {frame.refuses}")
        frame.slots.append(len(self.pieces))
        slot = Slot(
            reference=reference,
            quoting=quoting or frame.quoting,
            offset=start,
            is_alone=frame.word == start and self._is_list_place(frame, end),
            is_integer=frame.is_integer,
        )
        self.pieces.append(slot)

    def _is_list_place(self, frame: Frame, end: int) -> bool:
        """Return whether a word that has begun with a reference ends with it, and may be several."""
        if frame.kind == "condition" or frame.role not in _LIST_ROLES:
            return False
        return _BOUNDARY.match(self.text, end, frame.limit) is not None

    def _slot(self, index: int) -> Slot:
        slot = self.pieces[index]
        assert isinstance(slot, Slot), "only slots are numbered"
        return slot

    def _flush(self, end: int) -> None:
        """Copy the author's text up to `end`."""
        if end > self._copied:
            self.pieces.append(self.text[self._copied : end])
        self._copied = end

    def _replace(self, text: str, start: int, end: int) -> None:
        self._flush(start)
        self.pieces.append(text)
        self._copied = end

    def _name_refused(self, slot: Slot, where: str) -> Syntax:
        """Return the refusal of a slot where a shell takes a name: given `a[$(reboot)]` it would run that."""
        message = f"{slot.reference.text} stands {where}, and the shell would evaluate it"
        hint = f"write the variable's name in the script: x={slot.reference.text}"
        return Syntax(slot.offset, message, hint)
