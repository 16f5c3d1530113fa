"""Record Ollama's client over lines in the API's documented format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import ollama

from ._chat import weather
from ._http import httpx
from .recorder import Runs

MODEL = "qwen3"
QUESTION = {"role": "user", "content": "Weather in Paris and Atlantis?"}


def call(city: str) -> dict[str, Any]:
    """Return a message with a call."""
    function = {"name": "get_weather", "arguments": {"city": city, "unit": "C"}}
    return {"content": "", "tool_calls": [{"function": function}]}


FIRST = (
    {"content": "", "thinking": "The user wants two cities. "},
    {"content": "", "thinking": "I should call get_weather once per city."},
    {"content": "Let me "},
    {"content": "check both cities."},
    call("Paris"),
    call("Atlantis"),
)
SECOND = ({"content": "Paris is 18 °C and sunny; "}, {"content": "**Atlantis** could not be found."})
HEAD = {"model": MODEL, "created_at": "2026-01-01T00:00:00.000000Z"}
LAST = {"done": True, "done_reason": "stop", "total_duration": 9, "prompt_eval_count": 120, "eval_count": 60}


def chat(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines of one answer of ``chat``."""
    chunks = [{**HEAD, "message": {"role": "assistant", **one}, "done": False} for one in messages]
    return [*chunks, {**HEAD, "message": {"role": "assistant", "content": ""}, **LAST}]


def client(*turns: list[dict[str, Any]]) -> ollama.AsyncClient:
    """Return a client whose requests are answered with these turns."""
    answers = iter(turns)

    def respond(_: httpx.Request) -> httpx.Response:
        lines = [json.dumps(line, ensure_ascii=False) for line in next(answers)]
        return httpx.Response(200, content="\n".join(lines).encode())

    return ollama.AsyncClient(transport=httpx.MockTransport(respond))


async def run() -> AsyncIterator[Any]:
    """Yield the chunks of two requests, and between them the results of the tools."""
    one = client(chat(*FIRST), chat(*SECOND))
    calls: list[Any] = []
    async for chunk in await one.chat(MODEL, [QUESTION], stream=True):
        calls += chunk.message.tool_calls or []
        yield chunk
    for asked in calls:
        try:
            content = json.dumps(weather(**asked.function.arguments), ensure_ascii=False)
        except LookupError as error:
            content = str(error)
        yield {"role": "tool", "tool_name": asked.function.name, "content": content}
    async for chunk in await one.chat(MODEL, [QUESTION], stream=True):
        yield chunk


async def generate() -> AsyncIterator[Any]:
    """Yield the chunks of ``generate``; the server fails in the middle."""
    lines = [
        {**HEAD, "thinking": "Hm.", "response": "", "done": False},
        {**HEAD, "response": "Hi", "done": False},
    ]
    one = client([*lines, {"error": "the model runner has stopped"}])
    async for chunk in await one.generate(MODEL, "Hi", stream=True):
        yield chunk


PACKAGES = ("ollama",)
RUNS: Runs = {
    "ollama": ("AsyncClient.chat", run),
    "ollama_error": ("AsyncClient.generate, an error in the stream", generate),
}
