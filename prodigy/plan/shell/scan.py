"""Scan a shell script for `${…}` of ours and find out what each place demands of a value.

The scanner reads forward once, with its own stack of frames: one for each construct that stands open, from a
string to a `$(…)`. This half knows commands, `[[ … ]]`, arrays and redirections, the other one (shell_text.py)
what stands inside words. Both know the grammar as far as quoting and evaluation depend on it and no further,
and give up with `Unclear` where the shells differ or the author's text does not hold together: whether that
matters is the caller's to say.
"""

import re

import msgspec

from prodigy.plan.reference import Names, Syntax
from prodigy.plan.shell import rules as rules
from prodigy.plan.shell.frames import Document, Frame, Unclear
from prodigy.plan.shell.text import PLAIN, TextScanner

_BLANKS = re.compile(r"(?:[ \t]|\\\n)*+")
_PLAIN_WORDS = re.compile(r"(?:[A-Za-z0-9_./=:,+@%-]+[ \t]+)++")
_BLANK_LINES = re.compile(r"(?:[ \t\n]|\\\n)*+")
_END_OF_CONDITION = re.compile(r"\]\](?:[ \t\n;&|()<>`]|\Z)")
_OPERATOR = re.compile(r";;&|;;|;&|;\||;|&&|&(?!>)|\|\||\|&|\|")
_REDIRECTION = re.compile(r"<<<|<<-|<<|<&|<>|<|&>>|&>|>>|>&|>\||>")
_DELIMITER = re.compile(r"[ \t]*((?:[^\s'\"\\;&|()<>`$]|'[^'\n]*'|\"[^\"\n$`\\]*\"|\\[^\n])++)")
_DESCRIPTOR = re.compile(r"[0-9]+|\{[A-Za-z_]\w*\}")
# Descriptors (`>&2`), devices, and programs (`>(tee log)`).
_NO_FILE = re.compile(r"[0-9]+-?|-|/dev/(?:null|stdout|stderr|tty|fd/.*)|[<>]\(.*", re.DOTALL)
_FUNCTION = re.compile(r"\([ \t]*\)")
_BODY_JOINS_END = re.compile(r"(?:\A|[^\\])(?:\\\\)*\\\n\Z")
_BODY_SPECIAL = re.compile(r"[\\$`]")
_PLAIN_DELIMITER = re.compile(r"[A-Za-z0-9_]+")


# What the word after these is.
_ROLES = {"for": "variable", "select": "variable", "case": "subject", "function": "function"}


class Scanner(TextScanner):
    """One scan of a whole script. `redirects_stdout`: outside substitutions, stdout goes to a file."""

    def __init__(self, text: str, names: Names, interpreter: str) -> None:
        super().__init__(text, names, interpreter)
        self.redirects_stdout = False
        # ksh and zsh evaluate wherever they expect a number.
        self._evaluates = interpreter in ("ksh", "zsh")
        self._arrays: set[str] = set()

    def scan(self) -> None:
        """Read all of the text.

        Raises:
            Unclear: the scanner cannot tell how something is quoted or evaluated.
            Syntax: a reference is wrong wherever it stands, or stands where it never may.
        """
        frames = self._frames
        while frames:
            frame = frames[-1]
            if frame.kind == "command":
                self._commands(frame)
            elif frame.kind == "condition":
                self._condition(frame)
            elif frame.kind == "array":
                self._array(frame)
            else:
                self._step(frame)
            self._steps_left -= 1
            if self._steps_left < 0:
                self._spend()
        self._flush(len(self.text))

    # Frames of words.

    def _commands(self, frame: Frame) -> None:
        """Take one step in a list of commands: a part of a word, an operator, a redirection, a line's end."""
        if frame.bodies:
            self._begin_body(frame)
        elif frame.word >= 0 or self._begins_word(frame):
            self._word(frame)

    def _begins_word(self, frame: Frame) -> bool:
        """Skip blanks; return whether a word begins behind them, else read what stands there."""
        text = self.text
        position = self.position = self._behind_blanks(frame)
        char = text[position] if position < frame.limit else ""
        if char not in "\n#<>;&|()":
            frame.word = position
            return True
        if char == "":
            self._end_commands(frame)
        elif char == "\n":
            self._end_line(frame)
        elif char == "#":
            self._comment(frame)
        elif char in "<>" or text.startswith("&>", position):
            return self._redirect(frame, position)
        elif char in ";&|":
            self._operator(frame)
        elif char == "(":
            self._open(frame)
        else:
            self._close(frame)
        return False

    def _behind_blanks(self, frame: Frame) -> int:
        """Return the offset behind blanks, and behind plain words where they mean nothing to anybody."""
        match = _BLANKS.match(self.text, self.position, frame.limit)
        assert match is not None, "it matches nothing, too"
        if frame.role == "arguments" and not frame.is_naming:
            plain = _PLAIN_WORDS.match(self.text, match.end(), frame.limit)
            if plain:
                frame.words += plain.group().split(None, rules.WORDS_MAX)[: rules.WORDS_MAX - len(frame.words)]
                return plain.end()
        return match.end()

    def _word(self, frame: Frame) -> None:
        """Go on in a word until it ends or a construct opens in it."""
        plain, limit = PLAIN[frame.kind], frame.limit
        while True:
            if match := plain.match(self.text, self.position, limit):
                self.position = match.end()
            position = self.position
            char = self.text[position] if position < limit else ""
            if char == "'":
                self._single(frame, position + 1)
            elif char == "\\" and position + 1 >= limit:
                self.position = limit
            elif char in " \t\n;&|)" or not self._opens(frame, char, position):
                break  # "" is in any text, and ends a word too
            elif self._frames[-1] is not frame or frame.word < 0:
                return
        self._end_word(frame)

    def _opens(self, frame: Frame, char: str, position: int) -> bool:
        """Read what begins with `char` in or right behind a word; return False where the word ends."""
        if char == "$":
            self._dollar(frame)
        elif char == '"':
            self._open_string(frame)
        elif char == "`":
            self._backticks(frame)
        elif char == "(":
            return self._opens_in_word(frame, position)
        elif char in "<>":
            return self._is_descriptor(frame, position)
        else:
            return False
        return True

    def _end_word(self, frame: Frame) -> None:
        start, end = frame.word, self.position
        raw = self.text[start:end]
        frame.word = -1
        if frame.kind == "condition":
            self._end_operand(frame, raw)
        elif frame.kind == "command":
            role = frame.role
            if role == "arguments":
                if frame.slots or frame.is_naming:
                    self._argument(frame, raw, start)
                if len(frame.words) < rules.WORDS_MAX:
                    frame.words.append(raw)
            elif role == "command":
                self._command_word(frame, raw, start)
            else:
                self._grammar_word(frame, raw, start)
        elif frame.slots and raw.startswith("["):
            self._evaluate_subscript(frame, raw, start)
        if frame.slots:
            frame.slots = []

    def _command_word(self, frame: Frame, raw: str, start: int) -> None:
        """A word where a command begins: an assignment, a word of the grammar, a prefix, or the command's name."""
        if match := rules.ASSIGNMENT.match(raw):
            self._assignment(frame, match, raw, start)
        elif raw in _ROLES:
            frame.role = _ROLES[raw]
        elif raw == "esac" and frame.cases:
            self._end_case(frame)
        elif raw == "[[" and self.interpreter != "dash":
            self._push(Frame("condition", start))
        elif raw == "coproc" or (self.interpreter == "zsh" and raw in ("repeat", "foreach")):
            raise Unclear(start, f"what follows {raw!r} cannot be told")
        elif raw not in rules.COMMAND_FOLLOWS:
            name = rules.unquoted(raw)
            if name in rules.PREFIXES or (frame.is_prefixed and raw.startswith("-") and not frame.slots):
                frame.is_prefixed = True
            else:
                self._name_command(frame, name)

    def _name_command(self, frame: Frame, name: str) -> None:
        for index in frame.slots:
            slot = self._slot(index)
            end = slot.offset + len(slot.reference.text)
            if self.text.startswith(("=", "+="), end):
                raise self._name_refused(slot, "as the name of a variable that is assigned")
            if slot.is_alone:
                self.pieces[index] = msgspec.structs.replace(slot, is_command=True)
        frame.words = ["" if frame.slots else name]
        frame.is_naming = name in rules.NAMING and not frame.slots
        frame.is_prefixed = frame.evaluates = False
        frame.previous = []
        frame.role = "arguments"

    def _assignment(self, frame: Frame, match: re.Match[str], raw: str, start: int) -> None:
        name = match["name"]
        self.assigned.setdefault(name, start)
        if match["subscript"]:
            self._arrays.add(name)
            self._evaluate_subscript(frame, raw, start)
        if self._is_integer(name):
            self._evaluate(frame.slots)

    def _evaluate_subscript(self, frame: Frame, raw: str, start: int) -> None:
        """Make the slots before `]=` integers: `a[${i}]=x` evaluates `i`."""
        before = start + max(raw.find("]="), raw.find("]+="))
        inside = [index for index in frame.slots if self._slot(index).offset < before]
        self._evaluate(inside)

    def _evaluate(self, indexes: list[int]) -> None:
        for index in indexes:
            self.pieces[index] = msgspec.structs.replace(self._slot(index), is_integer=True, is_alone=False)

    def _grammar_word(self, frame: Frame, raw: str, start: int) -> None:
        """A word that the grammar of `for`, `case` or a redirection asks for."""
        match frame.role:
            case "variable":
                if frame.slots:
                    raise self._name_refused(self._slot(frame.slots[0]), "as the variable of a loop")
                self.assigned.setdefault(raw, start)
                frame.evaluates = self._is_integer(raw)
                frame.role = "in"
            case "in":
                frame.role = "arguments" if raw == "in" else "command"
                frame.words = ["for"]
                frame.is_naming = False
            case "subject":
                frame.role = "case in"
            case "case in":
                if raw != "in":
                    raise Unclear(start, "'case' without 'in'")
                frame.role = "pattern"
                frame.cases += 1
                self._nesting += 1
                self._check_depth()
            case "pattern":
                if raw == "esac":
                    self._end_case(frame)
            case "function":
                frame.role = "command"
            case _:
                self._target(frame, raw)

    def _end_case(self, frame: Frame) -> None:
        frame.cases -= 1
        self._nesting -= 1
        frame.role = "command"

    def _argument(self, frame: Frame, raw: str, start: int) -> None:
        words = frame.words
        for index in frame.slots:
            slot = self._slot(index)
            if frame.is_naming or self._evaluates:
                use = rules.use(words, raw, slot.offset - start, evaluates=self._evaluates)
                if use is rules.Use.NAME:
                    raise self._name_refused(slot, f"where {words[0]!r} takes the name of a variable")
                if use is rules.Use.INTEGER:
                    self._evaluate([index])
                if use is rules.Use.WORD:
                    self.pieces[index] = slot = msgspec.structs.replace(slot, is_alone=False)
            if code := rules.code_argument(words, raw):
                self.pieces[index] = msgspec.structs.replace(slot, code=code)
        if frame.evaluates:
            self._evaluate(frame.slots)
        if not frame.is_naming:
            return
        if words[0] in ("test", "["):
            if self._evaluates:
                self._compare(frame, raw)
            return
        if words[0] in ("printf", "print"):
            self._check_format(frame)
        if name := rules.named(words, raw):
            self._named(frame, name, start)

    def _check_format(self, frame: Frame) -> None:
        """A format that is a value may be `-va[$(reboot)]`, and the word behind it the format."""
        first = frame.words[1] if len(frame.words) == 2 else ""
        if frame.previous and rules.unquoted(first).startswith("${"):
            slot = self._slot(frame.previous[0])
            message = f"{slot.reference.text} as a format may be -v and a name, which the shell would evaluate"
            raise Syntax(slot.offset, message, f"write {frame.words[0]} -- in front of it")
        frame.previous = frame.slots

    def _named(self, frame: Frame, name: str, start: int) -> None:
        """The builtin assigns `name`, perhaps with an attribute that makes it evaluate values from now on."""
        words, is_declaring = frame.words, frame.words[0] in rules.DECLARING
        self.assigned.setdefault(name, start)
        if is_declaring and frame.slots and (name in self._arrays or name in rules.ARRAY_VARIABLES):
            raise self._name_refused(self._slot(frame.slots[0]), "where an array is declared")
        if self._is_integer(name):
            self._evaluate(frame.slots)
            frame.evaluates = words[0] == "printf"
        if words[0] == "integer" or (is_declaring and rules.declares(words, "iEF")):
            self._integers.add(name)
        if words[0] in ("mapfile", "readarray") or rules.declares(words, "aA"):
            self._arrays.add(name)

    def _operator(self, frame: Frame) -> None:
        match = _OPERATOR.match(self.text, self.position, frame.limit)
        assert match is not None, "the caller saw its first character"
        self.position = match.end()
        if frame.role == "pattern":
            if match.group() != "|":
                raise Unclear(match.start(), f"{match.group()!r} among the patterns of 'case'")
            return
        self._end_command(frame, match.start())
        if match.group() in (";;", ";&", ";;&", ";|"):
            if not frame.cases:
                raise Unclear(match.start(), f"{match.group()!r} outside 'case'")
            frame.role = "pattern"

    def _end_command(self, frame: Frame, position: int) -> None:
        if frame.role in ("subject", "redirection", "function"):
            raise Unclear(position, "a command ends before its last word")
        frame.role = "command"
        frame.is_prefixed = False

    def _end_line(self, frame: Frame) -> None:
        self.position += 1
        if frame.role not in ("pattern", "case in", "in"):
            self._end_command(frame, self.position - 1)
        if frame.documents:
            frame.bodies = frame.documents[::-1]
            frame.documents = []

    def _comment(self, frame: Frame) -> None:
        end = self.text.find("\n", self.position, frame.limit)
        self.position = end if end >= 0 else frame.limit

    def _open(self, frame: Frame) -> None:
        """An opening parenthesis between words."""
        position = self.position
        if frame.role == "pattern":
            self.position = position + 1
        elif match := _FUNCTION.match(self.text, position, frame.limit):
            frame.role = "command"
            self.position = match.end()
        elif frame.role not in ("command", "variable"):
            raise Unclear(position, "a parenthesis after a word")
        elif self.text.startswith("((", position) and self.interpreter != "dash":
            self._end_command(frame, position)
            self.position = position + 2
            self._push_arithmetic("))", position)
        elif frame.role == "variable":
            raise Unclear(position, "a parenthesis where a name should stand")
        else:
            self.position = position + 1
            self._push(Frame("command", position, closer=")", is_substitution=frame.is_substitution))

    def _close(self, frame: Frame) -> None:
        """A closing parenthesis between words."""
        if frame.role == "pattern":
            frame.role = "command"
            self.position += 1
        elif frame.closer == ")":
            self._end_frame_of_commands(frame, self.position + 1)
        else:
            raise Unclear(self.position, "a parenthesis that closes nothing")

    def _end_commands(self, frame: Frame) -> None:
        if frame.closer == ")":
            raise Unclear(frame.start, "a parenthesis is never closed")
        self._end_frame_of_commands(frame, frame.limit + (frame.closer == "`"))

    def _end_frame_of_commands(self, frame: Frame, position: int) -> None:
        self._end_command(frame, self.position)
        if frame.documents:
            raise Unclear(frame.documents[0].offset, "a here-document has no body before its command ends")
        if frame.cases:
            raise Unclear(frame.start, "a 'case' is never closed by 'esac'")
        self._pop(position)

    # Redirections and here-documents.

    def _is_descriptor(self, frame: Frame, position: int) -> bool:
        """Read `<` or `>` right behind a word; return whether the word was the number of a descriptor."""
        start = frame.word
        if frame.kind != "command" or not _DESCRIPTOR.fullmatch(self.text, start, position):
            return False
        frame.word = -1
        self._redirect(frame, position, self.text[start:position])
        return True

    def _redirect(self, frame: Frame, position: int, descriptor: str = "") -> bool:
        """Read a redirection's operator; return whether it was the beginning of a word, as in `<(…)`."""
        text = self.text
        if text.startswith(("<(", ">("), position) and self.interpreter != "dash" and not descriptor:
            frame.word = position
            self.position = position + 2
            self._push_commands(")", position)
            return False
        match = _REDIRECTION.match(text, position, frame.limit)
        assert match is not None, "the caller saw its first character"
        operator = match.group()
        self.position = match.end()
        if operator in ("<<", "<<-"):
            self._begin_document(frame, strips_tabs=operator == "<<-")
            return False
        frame.redirects = operator[0] in ">&" and descriptor in ("", "1")
        if frame.role != "redirection":
            frame.resumes = frame.role
        frame.role = "redirection"
        return False

    def _target(self, frame: Frame, raw: str) -> None:
        frame.role = frame.resumes
        if frame.redirects and not frame.is_substitution and not _NO_FILE.fullmatch(raw):
            self.redirects_stdout = True

    def _begin_document(self, frame: Frame, *, strips_tabs: bool) -> None:
        match = _DELIMITER.match(self.text, self.position, frame.limit)
        if match is None or (match.end() < frame.limit and self.text[match.end()] in "$`'\"\\"):
            raise Unclear(self.position, "the delimiter of a here-document cannot be told")
        raw = match[1]
        self._flush(match.start(1))
        self.pieces.append(raw)
        self._copied = self.position = match.end()
        delimiter = rules.unquoted(raw)
        frame.documents.append(
            Document(
                delimiter=delimiter,
                is_quoted=delimiter != raw,
                strips_tabs=strips_tabs,
                piece=len(self.pieces) - 1,
                offset=match.start(1),
            )
        )

    def _begin_body(self, frame: Frame) -> None:
        document = frame.bodies.pop()
        start = self.position
        end, after = self._find_delimiter(document, start, frame.limit)
        if document.is_quoted:
            self._quoted_body(document, start, end, after, frame)
            self.position = after
            return
        if _BODY_JOINS_END.search(self.text, max(start - 1, end - 200), end):
            raise Unclear(end, "the line before the end of a here-document ends in a backslash")
        self._push(Frame("document", start, limit=end, quoting="inside", in_document=True, resumes_at=after))
        self._frames[-1].slots = []

    def _find_delimiter(self, document: Document, start: int, limit: int) -> tuple[int, int]:
        """Return where the line with the delimiter begins, and the offset behind it."""
        text = self.text
        while start < limit:
            end = text.find("\n", start, limit)
            end = limit if end < 0 else end
            line = text[start:end]
            self._spend()
            if (line.lstrip("\t") if document.strips_tabs else line) == document.delimiter:
                return start, min(end + 1, limit)
            start = end + 1
        raise Unclear(document.offset, f"the here-document is never ended by {document.delimiter!r}")

    def _quoted_body(self, document: Document, start: int, end: int, after: int, frame: Frame) -> None:
        """A body in which the shell expands nothing: with references of ours it becomes one where it does."""
        found = self._find_all(start, end)
        if not any(reference for reference, _, _ in found):
            for _, at, behind in found:
                self._flush(at)
                self._replace("${", at, behind)
            return
        if frame.in_backticks:
            raise Unclear(start, "a here-document in backticks", "write $(…) instead of backticks")
        self._flush(start)
        for reference, at, behind in found:
            self._escape(self._copied, at)
            if reference:
                self._emit(reference, at, behind, frame, quoting="inside")
            else:
                self._replace("\\${", at, behind)
        self._escape(self._copied, end)
        frame.slots = []  # they belong to no word
        delimiter = self._plain_delimiter(document, start, end)
        self.pieces[document.piece] = delimiter
        self._replace(self.text[end:after].replace(document.delimiter, delimiter), end, after)

    def _plain_delimiter(self, document: Document, start: int, end: int) -> str:
        if _PLAIN_DELIMITER.fullmatch(document.delimiter):
            return document.delimiter
        lines = {line.lstrip("\t") for line in self.text[start:end].split("\n")}
        number = 0
        while f"PRODIGY_END_{number}" in lines:
            number += 1
        return f"PRODIGY_END_{number}"

    def _escape(self, start: int, end: int) -> None:
        self._replace(_BODY_SPECIAL.sub(r"\\\g<0>", self.text[start:end]), start, end)

    # Frames of words that are no commands.

    def _condition(self, frame: Frame) -> None:
        """Take one step in `[[ … ]]`."""
        if frame.word < 0:
            position = self.position = self._behind_blank_lines(frame)
            if position >= frame.limit:
                raise Unclear(frame.start, "'[[' is never closed")
            if _END_OF_CONDITION.match(self.text, position, frame.limit):
                self._pop(position + 2)
                return
            frame.word = position
        self._word(frame)

    def _behind_blank_lines(self, frame: Frame) -> int:
        match = _BLANK_LINES.match(self.text, self.position, frame.limit)
        assert match is not None, "it matches nothing, too"
        return match.end()

    def _end_operand(self, frame: Frame, raw: str) -> None:
        if frame.words and frame.words[-1] == "=~" and self.interpreter in ("ksh", "zsh") and frame.slots:
            raise Unclear(self._slot(frame.slots[0]).offset, "in this shell the value would be a pattern")
        self._compare(frame, raw)
        frame.words = [raw]

    def _compare(self, frame: Frame, raw: str) -> None:
        """Both operands of `-eq` and its kin, and that of `-v`, are evaluated."""
        last = frame.words[-1] if frame.words else ""
        if last in rules.COMPARISONS or (last in ("-v", "-R") and frame.kind == "condition"):
            self._evaluate(frame.slots)
        if raw in rules.COMPARISONS:
            self._evaluate(frame.previous)
        frame.previous = frame.slots

    def _array(self, frame: Frame) -> None:
        """Take one step in `name=( … )`."""
        if frame.word >= 0:
            self._word(frame)
            return
        position = self.position = self._behind_blank_lines(frame)
        char = self.text[position] if position < frame.limit else ""
        if char == ")":
            self._pop(position + 1)
        elif char == "#":
            self._comment(frame)
        elif char == "" or char in "(;&|<>":
            raise Unclear(frame.start, "an array that is not a list of words")
        else:
            frame.word = position

    def _opens_in_word(self, frame: Frame, position: int) -> bool:
        """Read a parenthesis right behind a word; return whether it belongs to the word."""
        text, start = self.text, frame.word
        before = text[position - 1]
        if before == "=" and frame.kind == "command" and frame.role in ("command", "arguments"):
            match = rules.ASSIGNMENT.fullmatch(text, start, position)
            if match:
                self._open_array(frame, match["name"], position)
                return True
        is_function = frame.role in ("command", "function") and _FUNCTION.match(text, position, frame.limit)
        if is_function or (before == "!" and position == start + 1 and frame.role == "command"):
            return False
        if before in "?*+@!" or self.interpreter == "zsh":
            self.position = position + 1
            self._push(Frame("group", position))
            return True
        return False

    def _open_array(self, frame: Frame, name: str, position: int) -> None:
        is_integer = self._is_integer(name) or (frame.is_naming and rules.declares(frame.words, "i"))
        self._arrays.add(name)
        self.position = position + 1
        self._push(Frame("array", position, role="arguments", is_integer=is_integer))
