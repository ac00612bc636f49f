"""How Claude Code is called."""

from prodigy.kernel.effects import RenderedClaude
from prodigy.plan.claude_flags import why_refused
from prodigy.plan.phrases import counted

PROGRAM = "claude"
STAND_IN = "prodigy-fake-claude"
PROMPT_BYTES_MAX = 10_000_000
NOT_FOUND = (
    "a claude step needs Claude Code, and there is no `claude` on PATH; install it and check with `claude --version`"
)
UNBOUND_ROOT = (
    "Claude Code does not let root skip permissions (permission_mode: bypassPermissions); run as another user, or name "
    "what it may do under allowed_tools"
)
_CONVERSATION = (
    "-p",
    "--input-format=stream-json",
    "--output-format=stream-json",
    "--include-partial-messages",
    "--verbose",
)


def arguments_of(command: RenderedClaude) -> list[str]:
    """Return the arguments after the program's name; none takes the next one for its value."""
    told = (
        ("resume" if command.resumes else "session-id", command.session),
        ("model", command.model),
        ("fallback-model", command.fallback_model),
        ("permission-mode", command.permission_mode),
        ("append-system-prompt", command.append_system_prompt),
        ("json-schema", command.json_schema),
        ("max-budget-usd", "" if command.budget_usd is None else f"{command.budget_usd:.6f}"),
        ("max-turns", "" if command.max_turns is None else str(command.max_turns)),
        *(("allowedTools", tool) for tool in command.allowed_tools),
        *(("disallowedTools", tool) for tool in command.disallowed_tools),
    )
    return [*_CONVERSATION, *command.args, *(f"--{flag}={value}" for flag, value in told if value)]


def why_uncallable(command: RenderedClaude) -> str | None:
    """Return why Claude Code cannot be called so, or None: what values have made of the arguments is known only now."""
    for argument in command.args:
        if refused := why_refused(argument):
            return f"{refused[0]}; {refused[1]}"
    return why_unsayable(command.prompt)


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
