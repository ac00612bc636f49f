"""What the shells' own commands do with their arguments, where a value may not be just a word.

Most commands take words, and there is nothing to know about them. A few builtins take the *name* of a variable,
and a shell that is given `a[$(reboot)]` for a name runs it; a few evaluate arithmetic, with the same danger; and
some programs take code. All functions are pure and look at the words of one command as they are written.
"""

import re
from enum import Enum

DECLARING = frozenset({"declare", "typeset", "local", "export", "readonly", "integer", "float", "nameref"})
NAMING = DECLARING | {"read", "mapfile", "readarray", "getopts", "printf", "print", "wait", "set", "vared"}
NAMING |= {"unset", "let", "test", "["}
# Words after which a command still has to come.
PREFIXES = frozenset({"command", "builtin", "exec", "time", "noglob", "nocorrect", "-", "!"})
COMMAND_FOLLOWS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "{", "}", "fi", "done"})

# Variables that the shells set themselves: using one is no mistake.
SHELL_VARIABLES = frozenset(
    [
        "_",
        "BASH",
        "BASHOPTS",
        "BASHPID",
        "BASH_ARGV0",
        "BASH_COMMAND",
        "BASH_LINENO",
        "BASH_SOURCE",
        "BASH_SUBSHELL",
        "BASH_VERSINFO",
        "BASH_VERSION",
        "COLUMNS",
        "DIRSTACK",
        "EPOCHREALTIME",
        "EPOCHSECONDS",
        "EUID",
        "FUNCNAME",
        "GID",
        "GROUPS",
        "HISTCMD",
        "HOME",
        "HOSTNAME",
        "HOSTTYPE",
        "IFS",
        "KSH_VERSION",
        "LINENO",
        "LINES",
        "MACHTYPE",
        "OLDPWD",
        "OPTARG",
        "OPTERR",
        "OPTIND",
        "OSTYPE",
        "PATH",
        "PIPESTATUS",
        "PPID",
        "PS1",
        "PS2",
        "PS4",
        "PWD",
        "RANDOM",
        "REPLY",
        "SECONDS",
        "SHELL",
        "SHELLOPTS",
        "SHLVL",
        "SRANDOM",
        "TMPDIR",
        "UID",
        "USER",
        "USERNAME",
        "ZSH_VERSION",
    ]
)
# Assigning to these evaluates arithmetic: bash gives them the integer attribute.
INTEGER_VARIABLES = frozenset({"RANDOM", "SECONDS", "SRANDOM", "HISTCMD", "LINENO", "OPTIND"})
ARRAY_VARIABLES = frozenset({"DIRSTACK", "FUNCNAME", "GROUPS", "PIPESTATUS", "BASH_ARGV", "BASH_ALIASES", "BASH_CMDS"})

WORDS_MAX = 50  # of one command are looked back at
COMPARISONS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
ASSIGNMENT = re.compile(rf"(?P<name>{_NAME})(?P<subscript>\[.{{0,1000}}?\])?\+?=", re.DOTALL)
_BARE_NAME = re.compile(rf"{_NAME}(?![^\[=+])")
_QUOTING = re.compile(r"\\\n|[\"'\\]")
_ARITHMETIC_ASSIGNMENT = re.compile(
    rf"(?<![\w${{])({_NAME})\s*(?:\[[^\]]*\]\s*)?(?:(?:[-+*/%&|^]|<<|>>)?=(?!=)|\+\+|--)"
    rf"|(?:\+\+|--)\s*({_NAME})"
)
_PRINTF_NUMBER = re.compile(r"%[^sbqc%A-Za-z]*[A-Za-rt-z*]")


class Use(Enum):
    """What a place does with a value."""

    WORDS = "words"  # a list may be several
    WORD = "word"
    INTEGER = "integer"
    NAME = "name"


def unquoted(raw: str) -> str:
    """Return the word `raw` without its quoting, as far as that needs no expansion."""
    return _QUOTING.sub("", raw)


def use(words: list[str], raw: str, at: int, *, evaluates: bool) -> Use:
    """Return what the command of `words` does with a value at offset `at` of its next argument, `raw`.

    `words[0]` is the command's name, unquoted; the others are as written, the first `WORDS_MAX` of them.
    `evaluates`: the shell evaluates arithmetic wherever it expects a number.
    """
    command, last, before = words[0], unquoted(words[-1]), unquoted(raw[:at])
    if command == "let":
        return Use.INTEGER
    if command in DECLARING:
        return _declared(words, before)
    if command in ("unset", "mapfile", "readarray", "vared"):
        return Use.NAME
    if command in ("test", "["):
        # The word before may become `-v` itself, and so may an element of a list.
        is_name = last in ("-v", "-R") or "${" in last or len(words) >= WORDS_MAX
        return Use.NAME if is_name else Use.WORD
    if command == "read":
        return _read(words, before)
    if command == "getopts":
        return Use.NAME if len(words) == 2 else Use.WORD
    if command in ("printf", "print"):
        return _printed(words, before, evaluates=evaluates)
    if command == "wait":
        return Use.NAME if before == "" and "--" not in words else Use.WORD
    if command == "set" and evaluates and "--" not in words:
        return Use.NAME
    if evaluates and command in ("shift", "return", "exit", "break", "continue", "ulimit"):
        return Use.INTEGER
    return Use.WORDS


def declares(words: list[str], attribute: str) -> bool:
    """Return whether the declaring command of `words` has one of the letters of `attribute` as an option."""
    options = "".join([word[1:] for word in words[1:] if word[:1] in "-+"])
    return any(letter in options for letter in attribute)


def named(words: list[str], raw: str) -> str | None:
    """Return the variable that the argument `raw` makes the command of `words` assign, if any."""
    command, word = words[0], unquoted(raw)
    match = _BARE_NAME.match(word)
    if match is None or command in ("unset", "test", "["):
        return None
    if command in DECLARING:
        # `export NAME` alone passes on what is there; it assigns nothing.
        is_assigned = command not in ("export", "readonly") or "=" in word
        return match.group() if is_assigned else None
    if command == "let":
        return next(iter(assigned_by(word)), None)
    if command == "getopts":
        return match.group() if len(words) == 2 else None
    if command in ("printf", "print", "wait", "set"):
        option = {"printf": "-v", "print": "-v", "wait": "-p", "set": "-A"}[command]
        return match.group() if words[-1] == option else None
    return match.group()


def assigned_by(expression: str) -> list[str]:
    """Return the variables that an arithmetic expression assigns."""
    return [match[1] or match[2] for match in _ARITHMETIC_ASSIGNMENT.finditer(expression)]


def _declared(words: list[str], before: str) -> Use:
    if len(words) >= WORDS_MAX or not ASSIGNMENT.fullmatch(before[: before.find("=") + 1]):
        return Use.NAME
    if words[0] == "nameref":
        return Use.NAME
    if words[0] in ("integer", "float"):
        return Use.INTEGER
    if words[0] in ("declare", "typeset", "local"):
        # With -n the value becomes a name, with -a and -A bash reads `(…)` in it as an array to expand.
        if declares(words, "naA"):
            return Use.NAME
        return Use.INTEGER if declares(words, "iEF") else Use.WORD
    return Use.NAME if declares(words, "aA") else Use.WORD


def _read(words: list[str], before: str) -> Use:
    takes_text = "pditnNuk"
    if before.startswith("-"):
        return Use.WORD if before[-1] in takes_text or before[1:2] in tuple(takes_text) else Use.NAME
    last = words[-1]
    is_text = len(words) > 1 and last.startswith("-") and last[-1] in takes_text
    return Use.WORD if is_text else Use.NAME


def _printed(words: list[str], before: str, *, evaluates: bool) -> Use:
    if before.startswith("-v") or (len(words) > 1 and words[-1] == "-v"):
        return Use.NAME
    if evaluates and any(_PRINTF_NUMBER.search(word) for word in words[1:3]):
        return Use.INTEGER
    # As the first argument it may be an option, and as a list the option and its name.
    return Use.WORD if len(words) == 1 else Use.WORDS


# Programs that take code as the argument of an option that ends in one of these letters.
_CODE_OPTIONS = {
    **dict.fromkeys(["sh", "bash", "dash", "ksh", "zsh", "su", "python", "python3", "psql"], "c"),
    **dict.fromkeys(["ruby", "osascript", "sed"], "e"),
    "perl": "eE",
    "node": "ep",
    "php": "r",
}
# Programs whose first operand is code, or (ssh) whose second is, and which of their options take the next word.
_CODE_OPERAND = {
    "trap": "",
    "sed": "efl",
    "jq": "fL",
    "ssh": "bcDEeFIiJLlmOopQRSWw",
    **dict.fromkeys(["awk", "gawk", "mawk"], "Fvf"),
}
_ALL_CODE = frozenset({"eval", "alias"})
_PROGRAMS = _ALL_CODE | _CODE_OPTIONS.keys() | _CODE_OPERAND.keys()


def code_argument(words: list[str], raw: str) -> str | None:
    """Return the program that reads the next argument, `raw`, of the command of `words` as code, or None.

    Programs started by another one are found too: `sudo sh -c …`, `xargs -I{} sh -c …`, `find -exec sh -c …`.
    """
    for index, word in enumerate(words):
        program = word[word.rfind("/") + 1 :] if "/" in word else word
        if program in _PROGRAMS and (code := _code_of(program, words[index + 1 :], raw)):
            return code
    return None


def _code_of(program: str, arguments: list[str], raw: str) -> str | None:
    if program in _ALL_CODE:
        return program
    last = arguments[-1] if arguments else ""
    letters = _CODE_OPTIONS.get(program, "")
    if letters and last.startswith("-") and not last.startswith("--") and last[-1] in letters:
        return f"{program} -{last[-1]}"
    if program not in _CODE_OPERAND or raw.startswith("-"):
        return None
    operands, is_taken, has_code = 0, False, False
    for argument in arguments:
        is_option = argument.startswith("-") and len(argument) > 1
        operands += not is_option and not is_taken
        is_taken = is_option and len(argument) == 2 and argument[1] in _CODE_OPERAND[program]
        # With `-e` or `-f` the code is there, and the operands are files.
        has_code |= is_option and argument[1] in "ef" and program != "ssh"
    is_code = operands >= 1 if program == "ssh" else operands == 0 and not has_code
    return program if is_code and not is_taken else None
