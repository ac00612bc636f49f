"""What stands open while a shell script is scanned, and how the scanner gives up."""

import msgspec

from prodigy.plan.shell.script import Quoting

WORD_KINDS = ("command", "condition", "array")


class Unclear(Exception):
    """The scanner cannot tell what stands at `offset`, and says why.

    Only a script with references of ours minds; `hint` is what its author could write instead.
    """

    def __init__(self, offset: int, why: str, hint: str | None = None) -> None:
        super().__init__(why)
        self.offset = offset
        self.why = why
        self.hint = hint


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A here-document whose body has not begun. `piece` is where its delimiter stands among the pieces."""

    delimiter: str
    is_quoted: bool
    strips_tabs: bool
    piece: int
    offset: int


class Frame(msgspec.Struct):
    """One open construct. `quoting` is that of a reference directly in it.

    `limit` is where its text ends: where that of the frame below it does, if it has none of its own.

    `slots` are the pieces of the word in progress, in a frame of text those of the word around it. `refuses` says
    why no reference may stand here. `evaluates`: what follows is assigned to a variable with the integer attribute.
    """

    kind: str
    start: int
    limit: int = 0
    closer: str = ""
    quoting: Quoting = "unquoted"
    is_integer: bool = False
    in_document: bool = False
    in_backticks: bool = False
    refuses: str = ""
    slots: list[int] = []
    # Frames of words.
    role: str = "command"
    resumes: str = ""
    word: int = -1
    words: list[str] = []
    named_at: int = 0  # where the command of `words` begins
    is_prefixed: bool = False
    is_naming: bool = False
    evaluates: bool = False
    cases: int = 0
    previous: list[int] = []
    documents: list[Document] = []
    bodies: list[Document] = []
    is_substitution: bool = False
    redirects: bool = False
    # Arithmetic.
    depth: int = 0
    opens_brace: bool = False
    # Here-documents.
    resumes_at: int = 0
