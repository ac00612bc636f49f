# ruff: noqa
# mypy: ignore-errors
"""Scripted stub of the Anthropic Messages API on loopback, for testing the real Claude Code CLI.

  claude_stub.py --port 0 [--rules rules.json] [--log requests.jsonl] [--port-file F] [--full]

Prints one line `PORT <n>` on stdout once it listens (and writes <n> to --port-file).
GET /__stub__/stats    -> {"requests": n, "in_flight": n, "max_in_flight": n}
POST /__stub__/rules   -> replace the rules while running (body: the rules JSON)
GET /__stub__/quit     -> stop

RULES: a JSON list, tried in order; the first that matches answers. A rule:
  {"name": "...",                       # for the log
   "match": {"prompt": "regex",         # re.search on the last *human* prompt (see human_prompt())
             "body": "regex",           # re.search on the whole request body
             "model": "regex", "path": "regex",
             "tool_result": true|false, # is the newest message a tool_result?
             "no_tools": true|false},   # has the request an empty tool list? (titles, summaries)
   "times": 2,                          # the rule answers only the first 2 matches ...
   "per": "session"|"all",              # ... counted per CLI session (default) or in all
   "reply": REPLY}                      # or "steps": [REPLY, REPLY, ...] - one per model turn since the
                                        # human prompt (stateless: counted from the request; last repeats)
REPLY (keys combine):
  {"text": "..."}                                   text, stop_reason end_turn
  {"tool": {"name": "Bash", "input": {...}}}        tool_use (optional "text" goes first); "tools": [..] for many
  {"structured": {...}}                             calls the StructuredOutput tool (--json-schema)
  {"error": {"status": 529, "type": "overloaded_error", "message": "...", "headers": {"retry-after": "2"}}}
  {"limit": {"resets_in_s": 3600, "kind": "five_hour"}}   a subscription's limit: 429 with the headers that say so
      ("headers": {...} go with any other answer; those of limits begin with anthropic-ratelimit-unified-)
  {"stall": "headers"|"body"|"mid", "for_s": 600}   never answers / headers only / half a text and then silence
  {"disconnect": "headers"|"mid", "rst": false}     closes the socket
      (body/mid faults also strike the CLI's non-streaming repeat, unless "streamed_only": true)
  {"sse_error": {"type": "overloaded_error", "message": "..."}}   an `error` event in the stream (after text)
  {"raw": {"status": 200, "content_type": "text/html", "body": "<html>"}}   anything else (a proxy's page)
  "delay_s": 1.5  (before headers)   "chunk_delay_s": 0.1 (between text deltas)   "chunks": 4
  "usage": {"input_tokens": 1000, "output_tokens": 50}   "stop_reason": "max_tokens"   "thinking": "..."
A prompt may carry its own reply, which wins over the rules:  [[stub {"text": "hi"}]]  or  [[stub [R1, R2]]] for steps.
In text and in tool inputs, {{prompt}} becomes the human prompt and {{tool_result}} the newest tool_result's text.
"""

import argparse
import collections
import itertools
import json
import os
import re
import select
import signal
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DEFAULT_RULES = [{"name": "default", "match": {}, "reply": {"text": "stub reply"}}]
_ids = itertools.count(1)


def blocks(message):
    c = message.get("content")
    return [{"type": "text", "text": c}] if isinstance(c, str) else list(c or [])


def strip_reminders(text):
    return re.sub(r"<system-reminder>.*?</system-reminder>\s*", "", text, flags=re.S).strip()


def human_prompt(body):
    """(text of the newest user message that is not only tool_results, model turns since then, tool_result text)."""
    turns, tool_text = 0, None
    for m in reversed(body.get("messages") or []):
        if m.get("role") == "system":  # the CLI puts reminders in mid-conversation system messages
            continue
        if m.get("role") == "assistant":
            turns += 1
            continue
        bs = blocks(m)
        results = [b for b in bs if b.get("type") == "tool_result"]
        if results:
            if tool_text is None:
                tool_text = "\n".join("\n".join(x.get("text", "") for x in blocks(b)) for b in results)
            continue
        text = "\n".join(filter(None, (strip_reminders(b.get("text", "")) for b in bs if b.get("type") == "text")))
        if text:
            return text, turns, tool_text or ""
    return "", turns, tool_text or ""


def inline_reply(prompt):
    at = prompt.find("[[stub ")
    if at < 0:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(prompt[at + 7 :].lstrip())
        return value
    except ValueError:
        return {"error": {"status": 400, "type": "invalid_request_error", "message": "stub: bad inline JSON"}}


def limited(limit):
    """The error of a subscription whose limit is reached, with the headers by which the CLI knows until when."""
    short = {"five_hour": "5h", "seven_day": "7d"}[limit.get("kind", "five_hour")]
    until = str(int(time.time() + limit.get("resets_in_s", 3600)))
    unified = {"status": "rejected", "reset": until, "representative-claim": limit.get("kind", "five_hour")}
    unified |= {f"{short}-status": "rejected", f"{short}-reset": until}
    headers = {f"anthropic-ratelimit-unified-{name}": value for name, value in unified.items()}
    return {"status": 429, "type": "rate_limit_error", "message": "limit", "headers": headers}


class State:
    def __init__(self, rules, log_path, full):
        self.lock = threading.Lock()
        self.rules, self.full = rules, full
        self.log_file = open(log_path, "a", buffering=1) if log_path else None
        self.counts = collections.Counter()
        self.n = self.in_flight = self.max_in_flight = 0
        self.t0 = time.time()

    def log(self, **row):
        if self.log_file:
            with self.lock:
                self.log_file.write(json.dumps({"t": round(time.time() - self.t0, 3), **row}) + "\n")

    def pick(self, body, raw, path, session):
        prompt, turns, tool_text = human_prompt(body)
        newest = ([m for m in body.get("messages") or [] if m.get("role") != "system"] or [{}])[-1]
        is_tool_result = any(b.get("type") == "tool_result" for b in blocks(newest))
        value, name = inline_reply(prompt), "inline"
        if value is None:
            for i, rule in enumerate(self.rules):
                m = rule.get("match", {})
                if "prompt" in m and not re.search(m["prompt"], prompt, re.S):
                    continue
                if "body" in m and not re.search(m["body"], raw, re.S):
                    continue
                if "model" in m and not re.search(m["model"], body.get("model", "")):
                    continue
                if "path" in m and not re.search(m["path"], path):
                    continue
                if "tool_result" in m and m["tool_result"] != is_tool_result:
                    continue
                if "no_tools" in m and m["no_tools"] != (not body.get("tools")):
                    continue
                if "times" in rule:
                    key = (i, session if rule.get("per", "session") == "session" else None)
                    with self.lock:
                        if self.counts[key] >= rule["times"]:
                            continue
                        self.counts[key] += 1
                value, name = rule.get("steps", rule.get("reply")), rule.get("name", "rule%d" % i)
                break
            else:
                value, name = {"text": "stub reply (no rule)"}, "none"
        if isinstance(value, list):
            value = value[min(turns, len(value) - 1)]
        return name, value, prompt, turns, tool_text


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = None

    def log_message(self, *a):
        pass

    # ---- plumbing
    def send_json(self, status, obj, headers=None):
        data = json.dumps(obj).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for k, v in (headers or {}).items():
            self.send_header(k, str(v))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def start_sse(self, rid, headers=None):
        self.send_response(200)
        for k, v in (headers or {}).items():
            self.send_header(k, str(v))
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("cache-control", "no-cache")
        self.send_header("request-id", rid)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def event(self, type_, **data):
        payload = ("event: %s\ndata: %s\n\n" % (type_, json.dumps({"type": type_, **data}))).encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(payload), payload))
        self.wfile.flush()

    def wait_gone(self, seconds):
        """Sleep, but return early (True) as soon as the client closes its end."""
        end = time.time() + seconds
        while time.time() < end:
            r, _, _ = select.select([self.connection], [], [], min(1, max(0, end - time.time())))
            if r:
                try:
                    if not self.connection.recv(1, socket.MSG_PEEK):
                        return True
                except OSError:
                    return True
                time.sleep(0.05)
        return False

    def drop(self, rst):
        if rst:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close()

    # ---- routes
    def do_HEAD(self):
        self.state.log(ev="other", method="HEAD", path=self.path)
        self.send_json(200, {})

    def do_GET(self):
        s = self.state
        if self.path == "/__stub__/stats":
            return self.send_json(200, {"requests": s.n, "in_flight": s.in_flight, "max_in_flight": s.max_in_flight})
        if self.path == "/__stub__/quit":
            self.send_json(200, {"ok": True})
            threading.Thread(target=self.server.shutdown, daemon=True).start()
            return
        s.log(ev="other", method="GET", path=self.path)
        if self.path.startswith("/v1/models"):
            return self.send_json(200, {"data": [], "has_more": False, "first_id": None, "last_id": None})
        self.send_json(404, {"type": "error", "error": {"type": "not_found_error", "message": "stub: " + self.path}})

    def do_POST(self):
        s = self.state
        raw = self.rfile.read(int(self.headers.get("content-length") or 0)).decode("utf-8", "replace")
        try:
            body = json.loads(raw or "{}")
        except ValueError:
            body = {}
        path = self.path.split("?")[0]
        if path == "/__stub__/rules":
            s.rules = body
            s.counts.clear()
            return self.send_json(200, {"ok": True})
        if path == "/v1/messages/count_tokens":
            s.log(ev="other", method="POST", path=self.path)
            return self.send_json(200, {"input_tokens": max(1, len(raw) // 4)})
        if path != "/v1/messages":
            s.log(ev="other", method="POST", path=self.path, body=raw[:500])
            return self.send_json(
                404, {"type": "error", "error": {"type": "not_found_error", "message": "stub: " + path}}
            )
        n = next(_ids)
        session = self.headers.get("x-claude-code-session-id") or ""
        rule, reply, prompt, turns, tool_text = s.pick(body, raw, path, session)
        hidden = {"x-api-key", "authorization"}
        with s.lock:
            s.n += 1
            s.in_flight += 1
            s.max_in_flight = max(s.max_in_flight, s.in_flight)
        row = dict(
            ev="request",
            n=n,
            session=session,
            rule=rule,
            model=body.get("model"),
            stream=body.get("stream"),
            max_tokens=body.get("max_tokens"),
            n_messages=len(body.get("messages") or []),
            turns=turns,
            tools=[t.get("name") for t in body.get("tools") or []],
            bytes=len(raw),
            prompt=prompt[:400],
            tool_result=tool_text[:400],
            retry=self.headers.get("x-stainless-retry-count"),
            reply=[k for k in reply if k not in ("usage",)],
            headers={k.lower(): ("<%d chars>" % len(v) if k.lower() in hidden else v) for k, v in self.headers.items()},
        )
        if s.full:
            row["body"] = body
        s.log(**row)
        end = "done"
        try:
            end = self.answer(n, body, reply, prompt, tool_text) or "done"
        except (BrokenPipeError, ConnectionResetError, OSError) as e:
            end = "client_gone:%s" % type(e).__name__
            self.close_connection = True
        finally:
            with s.lock:
                s.in_flight -= 1
            s.log(ev="end", n=n, session=session, end=end)

    def answer(self, n, body, reply, prompt, tool_text):
        rid = "req_stub%06d" % n
        if reply.get("delay_s") and self.wait_gone(reply["delay_s"]):
            self.drop(False)
            return "client_gone_in_delay"
        if "raw" in reply:
            r = reply["raw"]
            data = r.get("body", "").encode()
            self.send_response(r.get("status", 200))
            self.send_header("content-type", r.get("content_type", "text/html"))
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return "raw"
        if "limit" in reply:
            reply = {"error": limited(reply["limit"])}
        if "error" in reply:
            e = reply["error"]
            self.send_json(
                e.get("status", 500),
                {
                    "type": "error",
                    "error": {"type": e.get("type", "api_error"), "message": e.get("message", "stub error")},
                    "request_id": rid,
                },
                {"request-id": rid, **e.get("headers", {})},
            )
            return "error %s" % e.get("status", 500)
        for_s = reply.get("for_s", 3600)
        if reply.get("stall") == "headers":
            gone = self.wait_gone(for_s)
            self.drop(False)
            return "stall_client_gone" if gone else "stall_over"
        if reply.get("disconnect") == "headers":
            self.drop(reply.get("rst", False))
            return "disconnected"

        def fill(x):
            if isinstance(x, str):
                return x.replace("{{prompt}}", prompt).replace("{{tool_result}}", tool_text)
            if isinstance(x, dict):
                return {k: fill(v) for k, v in x.items()}
            return [fill(v) for v in x] if isinstance(x, list) else x

        tools = list(reply.get("tools") or ([reply["tool"]] if "tool" in reply else []))
        if "structured" in reply:
            tools.append({"name": "StructuredOutput", "input": reply["structured"]})
        text = fill(reply.get("text", "" if tools else "stub reply"))
        content = []
        if reply.get("thinking"):
            content.append({"type": "thinking", "thinking": reply["thinking"], "signature": "c3R1Yg=="})
        if text:
            content.append({"type": "text", "text": text})
        for i, t in enumerate(tools):
            content.append(
                {
                    "type": "tool_use",
                    "id": t.get("id", "toolu_stub%06d_%d" % (n, i)),
                    "name": t["name"],
                    "input": fill(t.get("input", {})),
                }
            )
        usage = {
            "input_tokens": 10,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": max(1, len(text) // 4),
            "service_tier": "standard",
            **reply.get("usage", {}),
        }
        stop = reply.get("stop_reason", "tool_use" if tools else "end_turn")
        base = {
            "id": "msg_stub%06d" % n,
            "type": "message",
            "role": "assistant",
            "model": body.get("model", "stub"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**usage, "output_tokens": 1},
        }
        if not body.get("stream"):  # the CLI repeats a broken stream as one plain request: the fault strikes there too,
            if not reply.get("streamed_only"):  # unless the reply says "streamed_only": true
                if reply.get("stall") in ("body", "mid"):
                    gone = self.wait_gone(for_s)
                    self.drop(False)
                    return "stall_client_gone (not streamed)" if gone else "stall_over (not streamed)"
                if reply.get("disconnect") == "mid":
                    self.drop(reply.get("rst", False))
                    return "disconnected (not streamed)"
                if "sse_error" in reply:
                    e = reply["sse_error"]
                    self.send_json(
                        529,
                        {
                            "type": "error",
                            "error": {
                                "type": e.get("type", "overloaded_error"),
                                "message": e.get("message", "Overloaded"),
                            },
                        },
                    )
                    return "error 529 (not streamed)"
            self.send_json(
                200,
                {**base, "content": content, "stop_reason": stop, "usage": usage},
                {"request-id": rid, **reply.get("headers", {})},
            )
            return "done (not streamed)"
        self.start_sse(rid, reply.get("headers"))
        if reply.get("stall") == "body":
            gone = self.wait_gone(for_s)
            self.drop(False)
            return "stall_client_gone" if gone else "stall_over"
        self.event("message_start", message=base)
        self.event("ping")
        for i, b in enumerate(content):
            if b["type"] == "text":
                self.event("content_block_start", index=i, content_block={"type": "text", "text": ""})
                k = max(1, reply.get("chunks", 2))
                size = max(1, -(-len(b["text"]) // k))
                parts = [b["text"][j : j + size] for j in range(0, len(b["text"]), size)]
                for j, part in enumerate(parts):
                    self.event("content_block_delta", index=i, delta={"type": "text_delta", "text": part})
                    if j == 0 and reply.get("stall") == "mid":
                        gone = self.wait_gone(for_s)
                        self.drop(False)
                        return "stall_client_gone" if gone else "stall_over"
                    if j == 0 and reply.get("disconnect") == "mid":
                        self.drop(reply.get("rst", False))
                        return "disconnected"
                    if reply.get("chunk_delay_s"):
                        time.sleep(reply["chunk_delay_s"])
            elif b["type"] == "thinking":
                self.event(
                    "content_block_start", index=i, content_block={"type": "thinking", "thinking": "", "signature": ""}
                )
                self.event("content_block_delta", index=i, delta={"type": "thinking_delta", "thinking": b["thinking"]})
                self.event(
                    "content_block_delta", index=i, delta={"type": "signature_delta", "signature": b["signature"]}
                )
            else:
                self.event("content_block_start", index=i, content_block={**b, "input": {}})
                js = json.dumps(b["input"])
                for part in (js[: len(js) // 2], js[len(js) // 2 :]):
                    self.event("content_block_delta", index=i, delta={"type": "input_json_delta", "partial_json": part})
            self.event("content_block_stop", index=i)
            if "sse_error" in reply and b["type"] == "text":
                self.event(
                    "error",
                    error={
                        "type": reply["sse_error"].get("type", "overloaded_error"),
                        "message": reply["sse_error"].get("message", "Overloaded"),
                    },
                )
                self.drop(False)
                return "sse_error"
        self.event(
            "message_delta",
            delta={"stop_reason": stop, "stop_sequence": None},
            usage={"output_tokens": usage["output_tokens"]},
        )
        self.event("message_stop")
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        return "done"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--port", type=int, default=0)
    ap.add_argument("--rules")
    ap.add_argument("--log")
    ap.add_argument("--port-file")
    ap.add_argument("--full", action="store_true", help="log whole request bodies")
    a = ap.parse_args()
    rules = json.load(open(a.rules)) if a.rules else DEFAULT_RULES
    Handler.state = State(rules, a.log, a.full)
    server = Server(("127.0.0.1", a.port), Handler)
    port = server.server_address[1]
    if a.port_file:
        with open(a.port_file + ".tmp", "w") as f:
            f.write(str(port))
        os.replace(a.port_file + ".tmp", a.port_file)
    print("PORT %d" % port, flush=True)
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
