"""The environment of Claude Code: ours, without what another one that we run inside of has set about itself."""

from collections.abc import Mapping

# What version 2.1.332 sets for the programs that its tools start, and what hosts of it set for it, of which a second
# one would take itself for the first. All else is how the user is signed in or what he tuned, and stays.
OF_AN_OUTER = frozenset(
    (
        b"AI_AGENT",
        b"CLAUDECODE",
        b"CLAUDE_CODE_CHILD_NOTES_DIR",
        b"CLAUDE_CODE_CHILD_SESSION",
        b"CLAUDE_CODE_ENTRYPOINT",
        b"CLAUDE_CODE_EXECPATH",
        b"CLAUDE_CODE_HOST_SESSION_ID",
        b"CLAUDE_CODE_MESSAGING_SOCKET",
        b"CLAUDE_CODE_MESSAGING_TOKEN",
        b"CLAUDE_CODE_REMOTE_SESSION_ID",
        b"CLAUDE_CODE_RESUME_FROM_SESSION",
        b"CLAUDE_CODE_SESSION_ATTENDED",
        b"CLAUDE_CODE_SESSION_ID",
        b"CLAUDE_CODE_SESSION_KIND",
        b"CLAUDE_CODE_SESSION_NAME",
        b"CLAUDE_CODE_SSE_PORT",
        b"CLAUDE_CODE_TASK_LIST_ID",
        b"CLAUDE_CODE_TMUX_SESSION",
        b"CLAUDE_EFFORT",
        b"CLAUDE_ENV_FILE",
        b"CLAUDE_PID",
        b"CLAUDE_PROJECT_DIR",
        b"CLAUDE_SESSION_ID",
    )
)
# A program that replaces itself in the middle of a night behaves otherwise in the morning. Its own ten retries make a
# wrong key cost three minutes, and the run waits for better weather itself; a fallback model needs three.
_OURS = {b"DISABLE_AUTOUPDATER": b"1", b"CLAUDE_CODE_MAX_RETRIES": b"3"}


def inheritable(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return what Claude Code inherits of `environment`; how the user is signed in and what he tuned stays."""
    return _OURS | {name: value for name, value in environment.items() if name not in OF_AN_OUTER}
