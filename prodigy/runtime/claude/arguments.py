"""How Claude Code is called."""

from prodigy.kernel.effects import RenderedClaude
from prodigy.plan.phrases import counted

PROGRAM = "claude"
PROMPT_BYTES_MAX = 10_000_000
NOT_FOUND = (
    "a claude step needs Claude Code, and there is no `claude` on PATH; install it and check with `claude --version`"
)
_CONVERSATION = (
    "-p",
    "--input-format=stream-json",
    "--output-format=stream-json",
    "--include-partial-messages",
    "--verbose",
)


def arguments_of(command: RenderedClaude) -> list[str]:
    """Return the arguments after the program's name."""
    return [*_CONVERSATION, *([f"--session-id={command.session}"] if command.session else [])]


def why_unsayable(prompt: str) -> str | None:
    """Return why a prompt cannot be sent, or None."""
    if not prompt.strip():
        return "the prompt is empty; what it is made of has no text"
    size_bytes = len(prompt.encode(errors="replace"))
    if size_bytes > PROMPT_BYTES_MAX:
        return (
            f"the prompt is {counted(size_bytes, 'byte')}, Claude Code reads at most {PROMPT_BYTES_MAX}; "
            "put the data in a file and name the file in the prompt"
        )
    return None
