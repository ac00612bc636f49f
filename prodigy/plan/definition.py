"""What a step runs, or which items a map has, in one digest: by it they are found again in an edited file."""

from hashlib import sha256

import msgspec

from prodigy.plan.nodes import Command, Map, Policy, Shell
from prodigy.plan.spelling import as_number

DEFINITION_CHARS = 16


def definition_of(command: Command, policy: Policy) -> str:
    """Return a digest of what a step runs; name, retry, timeout, when and handlers may change freely."""
    text = (("shell", command.interpreter) if isinstance(command, Shell) else ("claude",), command.text)
    env = sorted(command.env.items())
    return _digest((text, env, command.working_dir, policy.capture, policy.capture_format))


def map_definition(body: Map) -> str:
    """Return a digest of which items a map has and what they are known by."""
    return _digest((body.source, body.item_key))


def _digest(what: object) -> str:
    return sha256(msgspec.json.encode(what, enc_hook=as_number)).hexdigest()[:DEFINITION_CHARS]
