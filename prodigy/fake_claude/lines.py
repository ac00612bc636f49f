"""The lines of JSON that Claude Code says."""

import json
import os
import threading
import uuid
from typing import Any


class Lines:
    """Says lines on standard output, each whole, from any thread."""

    def __init__(self, session: str, *, is_partial: bool) -> None:
        self._session = session
        self._is_partial = is_partial
        self._lock = threading.Lock()

    @staticmethod
    def dump(value: Any) -> str:
        """Return JSON as it is printed."""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def raw(self, data: bytes) -> None:
        """Say bytes as they are."""
        with self._lock:
            view = memoryview(data)
            while view:
                view = view[os.write(1, view) :]

    def line(self, message: dict[str, Any]) -> None:
        """Say one line."""
        whole = message | {"session_id": self._session, "uuid": str(uuid.uuid4())}
        self.raw(self.dump(whole).encode(errors="surrogatepass") + b"\n")

    def answer(self, request: dict[str, Any], response: dict[str, Any]) -> None:
        """Answer a control request."""
        known = {"subtype": "success", "request_id": request.get("request_id"), "response": response}
        self.raw(self.dump({"type": "control_response", "response": known}).encode() + b"\n")

    def system(self, subtype: str, **fields: Any) -> None:
        """Say something about itself."""
        self.line({"type": "system", "subtype": subtype, **fields})

    def init(self, *, model: str, version: str, commands: list[str]) -> None:
        """Say that the prompt was taken."""
        self.system(
            "init", cwd=os.getcwd(), model=model, claude_code_version=version, slash_commands=commands,
            permissionMode="default", apiKeySource="none", tools=["Bash"], mcp_servers=[],
        )  # fmt: skip

    def event(self, event: dict[str, Any]) -> None:
        """Say a part of an answer that is on its way, if that was asked for."""
        if self._is_partial:
            self.line({"type": "stream_event", "event": event, "parent_tool_use_id": None})

    def begin_message(self, model: str) -> None:
        usage = {"input_tokens": 10, "output_tokens": 1}
        message = {"type": "message", "role": "assistant", "model": model, "content": [], "usage": usage}
        self.event({"type": "message_start", "message": message})

    def part(self, text: str) -> None:
        self.event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})

    def end_message(self, stop_reason: str = "end_turn") -> None:
        self.event({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": 5}})
        self.event({"type": "message_stop"})

    def assistant(self, model: str, content: list[dict[str, Any]], **more: Any) -> None:
        """Say what the model said or did."""
        message = {"type": "message", "role": "assistant", "model": model, "content": content, "stop_reason": None}
        self.line({"type": "assistant", "message": message, "parent_tool_use_id": None, **more})

    def tool_result(self, tool_use_id: str, text: str, *, is_error: bool) -> None:
        block = {"type": "tool_result", "tool_use_id": tool_use_id, "content": text, "is_error": is_error}
        self.line({"type": "user", "message": {"role": "user", "content": [block]}, "parent_tool_use_id": None})

    def result(
        self, *, subtype: str, is_error: bool, total_usd: float, turns: int, status: int | None = None,
        models: dict[str, Any] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        """Say the end. Its type is not its first key, as in the real one."""
        self.line(
            {
                "duration_api_ms": 1,
                "total_cost_usd": total_usd,
                "modelUsage": models or {},
                "permission_denials": [],
                "is_error": is_error,
                "num_turns": turns,
                "subtype": subtype,
                "api_error_status": status,
                **more,
                "type": "result",
            }
        )
