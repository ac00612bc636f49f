"""What a person wants to see of a conversation while it goes on."""

from typing import Any

import msgspec

_TOOL_INPUTS = ("command", "file_path", "pattern", "description", "url", "prompt")


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""
    name: str = ""
    input: dict[str, Any] = {}


class _Message(msgspec.Struct, frozen=True):
    content: list[_Block] = []


class _Assistant(msgspec.Struct):
    type: str = ""
    message: _Message = _Message()


_assistant = msgspec.json.Decoder(_Assistant)


def narrate(lines: bytes) -> bytes:
    """Return what a person wants to see of stream-json lines: the model's words, and the tools it uses."""
    said = []
    for line in lines.splitlines():
        if b'"assistant"' not in line:  # most are parts of an answer that is on its way
            continue
        try:
            assistant = _assistant.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if assistant.type == "assistant":
            said += [text for block in assistant.message.content if (text := _narrated(block))]
    return "".join(f"{text}\n" for text in said).encode(errors="replace")


def _narrated(block: _Block) -> str:
    if block.type == "text":
        return block.text.rstrip("\n")
    if block.type != "tool_use":
        return ""
    subject = next((block.input[key] for key in _TOOL_INPUTS if isinstance(block.input.get(key), str)), "")
    return f"[{block.name}] {subject.partition(chr(10))[0]}".rstrip()
