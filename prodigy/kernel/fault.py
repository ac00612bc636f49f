"""Whose fault it is that claude failed: decided by words and numbers that programs say, never by prose.

The weather's (a limit, an overload, no connection) passes, so the run waits for it. The account's (a key, credit, a
model that is not to be had) nobody but a person can mend, and every step would meet it. The step's own no further
attempt can help. What a budget ended has come to no end, and a conversation that is not there is begun anew.
"""

from typing import Literal

Fault = Literal["", "weather", "account", "step", "budget", "conversation"]

IS_CUT = frozenset({"weather", "account", "budget"})  # the conversation has come to no end, and can be gone on with

# The words of Claude Code 2.1.332, but `unknown`, of which the status decides.
_OF_WORD: dict[str, Fault] = dict.fromkeys(("rate_limit", "overloaded", "server_error"), "weather")
_OF_WORD |= dict.fromkeys(
    (
        "authentication_failed",
        "oauth_org_not_allowed",
        "account_on_hold",
        "verification_required",
        "billing_error",
        "model_not_found",
        "cloud_credential_error",
    ),
    "account",
)
_OF_WORD |= dict.fromkeys(("invalid_request", "max_output_tokens"), "step")
_OF_STATUS: dict[int, Fault] = {401: "account", 402: "account", 403: "account", 404: "account"}
_OF_STATUS |= {408: "weather", 429: "weather"}
_OF_SUBTYPE: dict[str, Fault] = {
    "error_max_budget_usd": "budget",
    "error_max_turns": "step",
    "error_max_structured_output_retries": "step",
}


def fault_of(word: str, status: int | None, subtype: str) -> Fault:
    """Return whose fault a failure is; empty where nothing says so.

    Args:
        word: by which the last failed request was classed; empty where none failed.
        status: the HTTP status of that; None where there was no answer at all.
        subtype: how the whole ended.
    """
    if subtype in _OF_SUBTYPE:
        return _OF_SUBTYPE[subtype]
    if word in _OF_WORD:
        return _OF_WORD[word]
    if status is not None:
        return "weather" if status >= 500 else _OF_STATUS.get(status, "step")
    return "weather" if word else ""
