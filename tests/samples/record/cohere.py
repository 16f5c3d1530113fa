"""Record Cohere's client over bytes in the API's documented format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import cohere

from ._chat import weather
from ._http import httpx
from .recorder import Runs

MODEL = "command-a-03-2025"
QUESTION = {"role": "user", "content": "Weather in Paris and Atlantis?"}


def event(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    """Return an event with a piece of a message."""
    place = {} if index is None else {"index": index}
    return {"type": kind, **place, **({"delta": {"message": message}} if message else {})}


def call(index: int, call_id: str, city: str) -> list[dict[str, Any]]:
    """Return the events of a call."""
    start = {"id": call_id, "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    pieces = (f'{{"city": "{city}", ', '"unit": "C"}')
    return [
        event("tool-call-start", index, tool_calls=start),
        *(event("tool-call-delta", index, tool_calls={"function": {"arguments": one}}) for one in pieces),
        event("tool-call-end", index),
    ]


def message(number: int, finish: str, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of one message."""
    used = {
        "billed_units": {"input_tokens": 9, "output_tokens": 9},
        "tokens": {"input_tokens": 120, "output_tokens": 60},
    }
    start = {**event("message-start", role="assistant", content=[]), "id": f"message_{number}"}
    return [start, *events, {"type": "message-end", "delta": {"finish_reason": finish, "usage": used}}]


FIRST = (
    event("tool-plan-delta", tool_plan="The user wants two cities. "),
    event("tool-plan-delta", tool_plan="I should call get_weather once per city."),
    *call(0, "call_paris", "Paris"),
    *call(1, "call_atlantis", "Atlantis"),
)
SOURCE = {"type": "tool", "id": "call_paris:0", "tool_output": {"content": '{"temp_c": 18}'}}
SECOND = (
    event("content-start", 0, content={"type": "text", "text": ""}),
    event("content-delta", 0, content={"text": "Paris is 18 °C and sunny; "}),
    event("content-delta", 0, content={"text": "**Atlantis** could not be found."}),
    event(
        "citation-start", 0, citations={"start": 9, "end": 24, "text": "18 °C and sunny", "sources": [SOURCE]}
    ),
    event("citation-end", 0),
    event("content-end", 0),
)


async def run() -> AsyncIterator[Any]:
    """Yield the events of two requests, and between them the results of the tools."""
    answers = iter((message(1, "TOOL_CALL", *FIRST), message(2, "COMPLETE", *SECOND)))

    def respond(_: httpx.Request) -> httpx.Response:
        lines = [
            f"event: {one['type']}\ndata: {json.dumps(one, ensure_ascii=False)}\n\n" for one in next(answers)
        ]
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, content="".join(lines).encode(), headers=headers)

    transport = httpx.MockTransport(respond)
    client = cohere.AsyncClientV2(api_key="none", httpx_client=httpx.AsyncClient(transport=transport))
    async for one in client.chat_stream(model=MODEL, messages=[QUESTION]):
        yield one
    for call_id, city in (("call_atlantis", "Atlantis"), ("call_paris", "Paris")):
        try:
            yield {"call_id": call_id, "output": weather(city, "C")}
        except LookupError as error:
            yield {"call_id": call_id, "error": str(error)}
    async for one in client.chat_stream(model=MODEL, messages=[QUESTION]):
        yield one


PACKAGES = ("cohere",)
RUNS: Runs = {"cohere": ("AsyncClientV2.chat_stream", run)}
