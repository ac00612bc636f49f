"""Flags of Claude Code that a workflow may not give it: by them prodigy converses, or they have a key of their own."""

_CONVERSATION = "prodigy holds the conversation itself"
_SESSION = "each attempt has a conversation of its own, which prodigy begins and goes on with"
_DETACHED = "a step ends when its work has"
_OURS = {
    **dict.fromkeys(
        (
            "-p", "--print", "--input-format", "--output-format", "--verbose", "--include-partial-messages",
            "--replay-user-messages", "--permission-prompt-tool", "--permission-prompts", "--sdk-url", "--",
        ),
        _CONVERSATION,
    ),
    **dict.fromkeys(
        (
            "--session-id", "-r", "--resume", "-c", "--continue", "--fork-session", "--no-session-persistence",
            "--resume-session-at", "--session-mirror", "--from-pr", "--teleport",
        ),
        _SESSION,
    ),
    "--max-budget-usd": "prodigy keeps the budget",
    **dict.fromkeys(("--bg", "--background", "--tmux", "--remote", "--init-only"), _DETACHED),
    **dict.fromkeys(("-w", "--worktree"), "a step runs in its working_dir, where a resume finds it again"),
}  # fmt: skip
KEY_OF = {
    "--model": "model",
    "--fallback-model": "fallback_model",
    "--allowedTools": "allowed_tools",
    "--allowed-tools": "allowed_tools",
    "--disallowedTools": "disallowed_tools",
    "--disallowed-tools": "disallowed_tools",
    "--permission-mode": "permission_mode",
    "--append-system-prompt": "append_system_prompt",
    "--json-schema": "json_schema",
    "--max-turns": "max_turns",
}


def why_refused(argument: str) -> tuple[str, str] | None:
    """Return why Claude Code may not be given this argument, and what to do; None where it may."""
    flag = argument.partition("=")[0].strip()
    if flag in KEY_OF:
        return f"{flag} has a key of its own", f"write  {KEY_OF[flag]}: …"
    why = _OURS.get(flag) or _of_glued(flag)
    return (f"{flag} is not for args: {why}", "remove it") if why else None


def _of_glued(flag: str) -> str | None:
    """Short flags may have their value, or each other, glued on: `-pc`, `-wname`."""
    is_short = flag.startswith("-") and not flag.startswith("--")
    return next((_OURS[f"-{letter}"] for letter in flag[1:] if f"-{letter}" in _OURS), None) if is_short else None
