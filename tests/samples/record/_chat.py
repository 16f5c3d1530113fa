"""Answer Chat Completions requests offline with the turns of a script."""

from __future__ import annotations

import json
from typing import Any

import httpx2

__all__ = ["CALL_AFTER_CALL", "PARIS_AND_ATLANTIS", "call", "transport", "weather"]

Turn = list[dict[str, Any]]
"""The deltas of one answer."""


def call(index: int, name: str | None, arguments: str, call_id: str | None = None) -> dict[str, Any]:
    """Return a delta of a tool call; only the first delta has id and name."""
    start = {"id": call_id, "type": "function"} if call_id else {}
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{"index": index, **start, "function": function}]}


PARIS_AND_ATLANTIS: list[Turn] = [
    [
        {"role": "assistant", "reasoning_content": "The user wants two cities. "},
        {"reasoning_content": "I should call get_weather once per city."},
        {"content": "Let me "},
        {"content": "check both cities."},
        call(0, "get_weather", "", "call_paris"),
        call(0, None, '{"city": "Paris", '),
        call(1, "get_weather", '{"city": "Atlantis", "unit": "C"}', "call_atlantis"),
        call(0, None, '"unit": "C"}'),
    ],
    [
        {"role": "assistant", "content": "Paris is 18 °C and sunny; "},
        {"content": "**Atlantis** could not be found."},
    ],
]
"""Thinking, text, two calls with interleaved arguments; then the answer after both results."""

FIRST, LAST = PARIS_AND_ATLANTIS
CALL_AFTER_CALL: list[Turn] = [[*FIRST[:6], FIRST[7], FIRST[6]], LAST]
"""The same turns, for SDKs that mix up interleaved arguments: those of one call, then those of the other."""


def weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather; raise LookupError for Atlantis."""
    if city == "Atlantis":
        raise LookupError(f"no such city: {city}")
    return {"city": city, "temp_c": 18, "sky": f"sunny ☀️ in °{unit}"}


def transport(*turns: Turn, fails: bool = False) -> httpx2.MockTransport:
    """Answer each request with the next turn; with *fails*, with the server's error instead."""
    answers = iter(turns)

    def respond(_: httpx2.Request) -> httpx2.Response:
        if fails:
            return httpx2.Response(400, json={"error": {"message": "no such model", "code": "bad"}})
        lines = [_line(choices=[{"index": 0, "delta": d, "finish_reason": None}]) for d in next(answers)]
        lines.append(_line(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        used = {"prompt_tokens": 120, "completion_tokens": 60, "total_tokens": 180}
        lines += [_line(choices=[], usage=used), "data: [DONE]\n\n"]
        body = "".join(lines).encode()
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    return httpx2.MockTransport(respond)


def _line(**fields: Any) -> str:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-mini"}
    return f"data: {json.dumps({**head, **fields})}\n\n"
