"""Record Mistral's client over bytes in the API's documented format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from mistralai.client import Mistral

from ._chat import weather
from ._http import httpx
from .recorder import Runs

MODEL = "magistral-small-latest"
QUESTION = {"role": "user", "content": "Weather in Paris and Atlantis?"}


def thought(words: str) -> dict[str, Any]:
    """Return a delta of thinking."""
    return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": words}]}]}


def call(index: int, call_id: str, city: str) -> dict[str, Any]:
    """Return a delta of a call."""
    function = {"name": "get_weather", "arguments": json.dumps({"city": city, "unit": "C"})}
    return {"tool_calls": [{"index": index, "id": call_id, "function": function}]}


FIRST = (
    {"role": "assistant", "content": ""},
    thought("The user wants two cities. "),
    thought("I should call get_weather once per city."),
    {"content": "Let me "},
    {"content": "check both cities."},
    call(0, "paris0000", "Paris"),
    call(1, "atlantis0", "Atlantis"),
)
SECOND = (
    {"role": "assistant", "content": ""},
    {
        "content": [
            {"type": "text", "text": "Paris is 18 °C and sunny; "},
            {"type": "reference", "reference_ids": [0]},
        ]
    },
    {"content": "**Atlantis** could not be found."},
)


def answer(number: int, finish: str, *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the chunks of one message; the last has the finish reason and the counts."""
    head = {"id": f"cmpl_{number}", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    chunks: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks[-1]["choices"][0]["finish_reason"] = finish
    chunks[-1]["usage"] = {"prompt_tokens": 120, "completion_tokens": 60, "total_tokens": 180}
    return chunks


async def run() -> AsyncIterator[Any]:
    """Yield the events of two requests, and between them the results of the tools."""
    answers = iter((answer(1, "tool_calls", *FIRST), answer(2, "stop", *SECOND)))

    def respond(_: httpx.Request) -> httpx.Response:
        lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in next(answers)]
        body = "".join([*lines, "data: [DONE]\n\n"]).encode()
        return httpx.Response(200, content=body, headers={"content-type": "text/event-stream"})

    client = Mistral(api_key="none", async_client=httpx.AsyncClient(transport=httpx.MockTransport(respond)))
    calls: list[Any] = []
    async for event in await client.chat.stream_async(model=MODEL, messages=[QUESTION]):
        calls += event.data.choices[0].delta.tool_calls or []
        yield event
    for asked in reversed(calls):
        try:
            yield {"call_id": asked.id, "output": weather(**json.loads(asked.function.arguments))}
        except LookupError as error:
            yield {"call_id": asked.id, "error": str(error)}
    async for event in await client.chat.stream_async(model=MODEL, messages=[QUESTION]):
        yield event


PACKAGES = ("mistralai",)
RUNS: Runs = {"mistral": ("chat.stream_async", run)}
