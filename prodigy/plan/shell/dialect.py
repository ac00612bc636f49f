"""Find in a script for `sh` what only bash and its kin know.

On a Mac and on older systems `sh` is bash and takes all of it; elsewhere it is dash, which stops at a syntax error,
or, worse, does something else: `make &> log` starts `make` in the background there and empties the log. So it is a
notice and no mistake. It is looked for by the scanner that finds references, which knows what is quoted, a comment
or a here-document; where that one cannot tell, nothing more is said.
"""

import re
from collections.abc import Iterator
from itertools import pairwise, takewhile

from prodigy.plan.reference import Names, Syntax
from prodigy.plan.shell import rules as rules
from prodigy.plan.shell.frames import Frame, Unclear
from prodigy.plan.shell.scan import Scanner

_GRAMMAR = {"[[": "[[ … ]]", "function": "function", "select": "select", "coproc": "coproc"}
_COMMANDS = frozenset(
    {"source", "pushd", "popd", "dirs", "shopt", "declare", "typeset", "mapfile", "readarray", "let", "disown"}
)
# Commands that every sh has, and options of theirs that only some have.
_OPTIONS = {
    "echo": re.compile(r"-n?[eE]n?"),
    "local": re.compile(r"-[A-Za-z]+"),
    "read": re.compile(r"-[A-Za-z]*[aditnNsu][A-Za-z]*"),
    "export": re.compile(r"-[A-Za-z]*f[A-Za-z]*"),
    "printf": re.compile(r"-v"),
    "wait": re.compile(r"-[A-Za-z]*n[A-Za-z]*"),
    "type": re.compile(r"-[A-Za-z]+"),
    "exec": re.compile(r"-[A-Za-z]*a"),
}
_SET_O = re.compile(r"[-+][A-Za-z]*o")
_SET_ONLY = frozenset({"pipefail", "errtrace", "functrace", "histexpand", "posix", "braceexpand"})
_TRAPS = frozenset({"ERR", "DEBUG", "RETURN"})
_COMPARISONS = frozenset({"==", "=~"})
_BRACES = re.compile(r"(?<![$\\])(?:\{[^{}\s,]*,[^{}\s]*\}|\{-?\w+\.\.-?\w+(?:\.\.-?\d+)?\})")
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.", re.DOTALL)
_READS_BRACES = frozenset({"curl", "jq"})  # themselves, where the shell leaves them alone
_REDIRECTION = re.compile(r"<<<|&>>?")
_TO_FILE = re.compile(r">&[ \t]*(?![0-9\-$\"'])[^\s;&|()<>]")
_OPERATOR = re.compile(r";;&|;&|\|&")
_EXPANSION = re.compile(r"(?P<offset>:)(?![-=+?])|(?P<replace>/)|(?P<case>\^|,|@)")
_FORMS = {"offset": "${x:1:2}", "replace": "${x/a/b}", "case": "${x^^} and its kin"}
_VARIABLE = re.compile(r"\$\{?(RANDOM|PIPESTATUS|BASH_SOURCE|BASH_REMATCH|FUNCNAME|EPOCHSECONDS)\b")
_INDIRECT = re.compile(r"\$\{![A-Za-z_]")
_FUNCTION = re.compile(r"[ \t]*\([ \t]*\)")


def only_in_bash(text: str, names: Names) -> dict[str, int]:
    """Return what not every `sh` knows, each once, in the order of the text, with its 0-based offset.

    Args:
        names: the names of ours in the script; every other `${…}` is the shell's.
    """
    finder = _Finder(text, names)
    end = len(text) + 1
    try:
        finder.scan()
    except (Unclear, Syntax) as given_up:
        end = given_up.offset
    found: dict[str, int] = {}
    for offset, what in sorted(finder.found):
        if offset < end:
            found.setdefault(what, offset)
    return found


def only_in_bash_options(options: list[str]) -> str | None:
    """Return which of the options that `sh` is given not every `sh` knows, or None."""
    return next(_of_set(options), None)


class _Finder(Scanner):
    """A scan that notes in `found` what bash alone knows, where it begins."""

    def __init__(self, text: str, names: Names) -> None:
        super().__init__(text, names, "sh")
        self.found: list[tuple[int, str]] = []

    def _note(self, offset: int, what: str) -> None:
        self.found.append((offset, what))

    # Commands and their words.

    def _command_word(self, frame: Frame, raw: str, start: int) -> None:
        if (word := _GRAMMAR.get(raw)) is not None:
            self._note(start, word)
        frame.named_at = start
        super()._command_word(frame, raw, start)

    def _end_command(self, frame: Frame, position: int) -> None:
        if frame.role == "arguments" and not _FUNCTION.match(self.text, position):
            for what in _of_command(frame.words):
                self._note(frame.named_at, what)
        super()._end_command(frame, position)

    def _end_word(self, frame: Frame) -> None:
        if frame.kind == "command" and frame.role == "arguments" and not _READS_BRACES & set(frame.words[:1]):
            raw = self.text[frame.word : self.position]
            if "{" in raw and "$(" not in raw and "`" not in raw and _BRACES.search(_QUOTED.sub("", raw)):
                self._note(frame.word, "{a,b} and {1..3}")
        super()._end_word(frame)

    def _assignment(self, frame: Frame, match: re.Match[str], raw: str, start: int) -> None:
        if match["subscript"]:
            self._note(start, "arrays")
        elif match.group().endswith("+="):
            self._note(start, "x+=…")
        super()._assignment(frame, match, raw, start)

    def _open_array(self, frame: Frame, name: str, position: int) -> None:
        self._note(frame.word, "arrays")
        super()._open_array(frame, name, position)

    def _open(self, frame: Frame) -> None:
        if frame.role in ("command", "variable") and self.text.startswith("((", self.position):
            self._note(self.position, "(( … ))")
        super()._open(frame)

    def _operator(self, frame: Frame) -> None:
        if match := _OPERATOR.match(self.text, self.position, frame.limit):
            self._note(self.position, match.group())
        super()._operator(frame)

    def _redirect(self, frame: Frame, position: int, descriptor: str = "") -> bool:
        if descriptor.startswith("{"):
            self._note(position - len(descriptor), "{fd}>")
        elif self.text.startswith(("<(", ">("), position) and not descriptor:
            self._note(position, "<(…)" if self.text[position] == "<" else ">(…)")
        elif match := _REDIRECTION.match(self.text, position, frame.limit):
            self._note(position, match.group())
        elif not descriptor and _TO_FILE.match(self.text, position, frame.limit):
            self._note(position, ">& into a file")
        return super()._redirect(frame, position, descriptor)

    # What stands inside words.

    def _dollar(self, frame: Frame) -> bool:
        if self.text.startswith("$[", self.position):
            self._note(self.position, "$[…]")
        elif (match := _VARIABLE.match(self.text, self.position, frame.limit)) and match[1] not in self.assigned:
            self._note(self.position, f"${match[1]}")
        return super()._dollar(frame)

    def _dollar_single(self, frame: Frame, position: int) -> None:
        self._note(position, "$'…'")
        self._single(frame, position + 2, quoting="dollar")

    def _open_brace(self, frame: Frame, position: int) -> bool:
        if _INDIRECT.match(self.text, position, frame.limit):
            self._note(position, "${!x}")
        return super()._open_brace(frame, position)

    def _push_arithmetic(self, closer: str, start: int, *, opens_brace: bool = False, refuses: str = "") -> None:
        if closer == "]" and opens_brace:
            self._note(start, "arrays")
        super()._push_arithmetic(closer, start, opens_brace=opens_brace, refuses=refuses)

    def _open_brace_words(self, frame: Frame, start: int) -> bool:
        match = _EXPANSION.match(self.text, self.position, frame.limit)
        if match and match.lastgroup:
            self._note(start, _FORMS[match.lastgroup])
        return super()._open_brace_words(frame, start)


def _of_command(words: list[str]) -> Iterator[str]:
    """Yield what only bash knows of a command with these words, the first its name and the others as written."""
    name, arguments = words[0], [rules.unquoted(word) for word in words[1:]]
    if name in _COMMANDS:
        yield name
    elif name == "set":
        yield from _of_set(arguments)
    elif name == "trap":
        yield from (f"trap … {word}" for word in arguments[1:] if word in _TRAPS)
    elif name in ("[", "test"):
        yield from (f"{word} in {name}" for word in words[2:] if word in _COMPARISONS)
        yield from (f"{word} in {name}" for word in words[1:2] if word == "-v")
    elif name == "printf" and arguments and "%q" in arguments[0]:
        yield "printf %q"
    elif form := _OPTIONS.get(name):
        options = takewhile(lambda argument: argument.startswith("-"), arguments)
        yield from (f"{name} {option}" for option in options if form.fullmatch(option))


def _of_set(arguments: list[str]) -> Iterator[str]:
    for option, value in pairwise([*arguments, ""]):
        if _SET_O.fullmatch(option) and value in _SET_ONLY:
            yield f"set -o {value}"
        elif re.fullmatch(r"-[A-Za-z]*[ET][A-Za-z]*", option):
            yield f"set {option}"
