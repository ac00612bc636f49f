"""What a step runs, in one digest: by it a step without an id is found again in an edited file."""

from hashlib import sha256

import msgspec

from prodigy.plan.nodes import Command, Policy, Shell

DEFINITION_CHARS = 16


def definition_of(command: Command, policy: Policy) -> str:
    """Return a digest of what a step runs; name, retry, timeout, when and handlers may change freely."""
    text = (("shell", command.interpreter) if isinstance(command, Shell) else ("claude",), command.text)
    env = sorted(command.env.items())
    what = (text, env, command.working_dir, policy.capture, policy.capture_format)
    return sha256(msgspec.json.encode(what)).hexdigest()[:DEFINITION_CHARS]
