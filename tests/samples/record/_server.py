"""Answer Chat Completions requests over a loopback server, for SDKs that make their own client."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ._chat import Turn

__all__ = ["serving"]

HEAD = {"created": 1, "model": "gpt-5-mini"}
USED = {"prompt_tokens": 120, "completion_tokens": 60, "total_tokens": 180}


@contextmanager
def serving(*turns: Turn) -> Iterator[str]:
    """Yield the base URL of a server that answers each request with the next turn; without one left, 400."""
    answers = iter(enumerate(turns, 1))

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            number, turn = next(answers, (0, None))
            head = {**HEAD, "id": f"chatcmpl-{number}"}
            if turn is None:
                body = json.dumps({"error": {"message": "no such model", "code": "bad"}})
                self._send(400, "application/json", body)
            elif asked.get("stream"):
                self._send(200, "text/event-stream", "".join(_events(head, turn)))
            else:
                self._send(200, "application/json", json.dumps(_whole(head, turn)))

        def _send(self, status: int, kind: str, body: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Write no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _reason(turn: Turn) -> str:
    return "tool_calls" if any("tool_calls" in delta for delta in turn) else "stop"


def _events(head: dict[str, Any], turn: Turn) -> Iterator[str]:
    head = {**head, "object": "chat.completion.chunk"}
    for delta in turn:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"
    last = {"index": 0, "delta": {}, "finish_reason": _reason(turn)}
    yield f"data: {json.dumps({**head, 'choices': [last]})}\n\n"
    yield f"data: {json.dumps({**head, 'choices': [], 'usage': USED})}\n\n"
    yield "data: [DONE]\n\n"


def _whole(head: dict[str, Any], turn: Turn) -> dict[str, Any]:
    calls: dict[int, dict[str, Any]] = {}
    for delta in turn:
        for piece in delta.get("tool_calls", ()):
            call = calls.setdefault(piece["index"], {"type": "function", "function": {"arguments": ""}})
            call |= {"id": piece["id"]} if "id" in piece else {}
            call["function"] |= {"name": piece["function"]["name"]} if "name" in piece["function"] else {}
            call["function"]["arguments"] += piece["function"]["arguments"]
    content = "".join(delta.get("content", "") for delta in turn)
    message: dict[str, Any] = {"role": "assistant", "content": content or None}
    if calls:
        message["tool_calls"] = list(calls.values())
    choice = {"index": 0, "message": message, "finish_reason": _reason(turn)}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": USED}
