"""Record Letta's client over bytes in the API's documented format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from letta_client import AsyncLetta

from ._http import httpx
from .recorder import Runs

AGENT = "agent-00000000-0000-4000-8000-000000000000"
QUESTION = {"role": "user", "content": "Weather in Paris and Atlantis?"}
WEATHER = '{"city": "Paris", "temp_c": 18, "sky": "sunny ☀️ in °C"}'


def message(kind: str, number: int, **fields: Any) -> dict[str, Any]:
    """Return a message of a step; the pieces of a step share its id."""
    head = {"id": f"message-{number}", "date": "2026-11-30T00:00:00+00:00", "message_type": kind}
    return {**head, "step_id": f"step-{number}", "run_id": "run-1", **fields}


def call(call_id: str, name: str | None, arguments: str) -> dict[str, Any]:
    """Return a piece of a call; only the first has the name."""
    piece = {"tool_call_id": call_id, "name": name, "arguments": arguments}
    return message("tool_call_message", 1, tool_call=piece, tool_calls=piece)


def answered(call_id: str, words: str, status: str) -> dict[str, Any]:
    """Return the result of a call."""
    one = {"tool_call_id": call_id, "tool_return": words, "status": status}
    return message("tool_return_message", 2, **one, tool_returns=[{**one, "type": "tool"}])


STREAM = (
    message("reasoning_message", 1, source="reasoner_model", reasoning="The user wants two cities. "),
    message(
        "reasoning_message",
        1,
        source="reasoner_model",
        reasoning="I should call get_weather once per city.",
    ),
    message("assistant_message", 1, content="Let me "),
    message("assistant_message", 1, content="check both cities."),
    call("call_paris", "get_weather", '{"city": "Paris", '),
    call("call_paris", None, '"unit": "C"}'),
    call("call_atlantis", "get_weather", '{"city": "Atlantis", "unit": "C"}'),
    {"id": "ping-1", "date": "2026-11-30T00:00:00+00:00", "message_type": "ping", "run_id": "run-1"},
    answered("call_atlantis", "no such city: Atlantis", "error"),
    answered("call_paris", WEATHER, "success"),
    message("assistant_message", 3, content="Paris is 18 °C and sunny; "),
    message("assistant_message", 3, content="**Atlantis** could not be found."),
    {"message_type": "stop_reason", "stop_reason": "end_turn"},
    {
        "message_type": "usage_statistics",
        "prompt_tokens": 240,
        "completion_tokens": 120,
        "total_tokens": 360,
        "step_count": 2,
    },
)


async def run() -> AsyncIterator[Any]:
    """Yield the steps of one request, token by token."""

    def respond(_: httpx.Request) -> httpx.Response:
        lines = [f"data: {json.dumps(one, ensure_ascii=False)}\n\n" for one in STREAM]
        body = "".join([*lines, "data: [DONE]\n\n"]).encode()
        return httpx.Response(200, content=body, headers={"content-type": "text/event-stream"})

    http = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    client = AsyncLetta(api_key="none", base_url="http://localhost", http_client=http)
    async for one in await client.agents.messages.stream(AGENT, messages=[QUESTION], stream_tokens=True):
        yield one


PACKAGES = ("letta-client",)
RUNS: Runs = {"letta": ("agents.messages.stream, stream_tokens", run)}
