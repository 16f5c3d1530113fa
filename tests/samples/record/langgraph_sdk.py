"""Record the client of LangGraph's server over bytes in the server's documented format."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from langgraph_sdk.client import LangGraphClient

from .recorder import Runs

QUESTION = {"messages": [{"role": "user", "content": "Weather in Paris and Atlantis?"}]}
METADATA = {"langgraph_step": 1, "langgraph_node": "model", "langgraph_checkpoint_ns": "model:1"}
USED = {"input_tokens": 120, "output_tokens": 60, "total_tokens": 180}
Part = tuple[str, Any]


def chunk(number: int, content: Any = "", **fields: Any) -> dict[str, Any]:
    """Return a chunk of a message."""
    own = {"type": "AIMessageChunk", "id": f"run--{number}", "content": content, "name": "weather"}
    empty = {"tool_calls": [], "tool_call_chunks": [], "invalid_tool_calls": [], "usage_metadata": None}
    return {**own, "additional_kwargs": {}, "response_metadata": {}, **empty, **fields}


def thinking(words: str) -> list[dict[str, Any]]:
    """Return a block of thinking."""
    return [{"type": "thinking", "thinking": words, "index": 0}]


def words(body: str) -> list[dict[str, Any]]:
    """Return a block of text."""
    return [{"type": "text", "text": body, "index": 1}]


def piece(index: int, args: str, call_id: str | None = None) -> dict[str, Any]:
    """Return a piece of a call's arguments."""
    name = "get_weather" if call_id else None
    return {"index": index, "id": call_id, "name": name, "args": args, "type": "tool_call_chunk"}


def call(call_id: str, city: str) -> dict[str, Any]:
    """Return a whole call."""
    return {"id": call_id, "name": "get_weather", "args": {"city": city, "unit": "C"}, "type": "tool_call"}


def result(call_id: str, content: str, status: str = "success") -> dict[str, Any]:
    """Return the message with a call's result."""
    own = {"type": "tool", "id": f"tool-{call_id}", "name": "get_weather", "tool_call_id": call_id}
    beside = {"artifact": None, "additional_kwargs": {}, "response_metadata": {}}
    return {**own, "content": content, "status": status, **beside}


THOUGHTS = ("The user wants two cities. ", "I should call get_weather once per city.")
PARIS, ATLANTIS = '{"city": "Paris", "unit": "C"}', '{"city": "Atlantis", "unit": "C"}'
CALLS = [call("call_paris", "Paris"), call("call_atlantis", "Atlantis")]
WHOLE_1 = chunk(
    1,
    [*thinking("".join(THOUGHTS)), *words("Let me check both cities.")],
    type="ai",
    tool_calls=CALLS,
    usage_metadata=USED,
)
ANSWER = ("Paris is 18 °C and sunny; ", "**Atlantis** could not be found.")
WHOLE_2 = chunk(2, "".join(ANSWER), type="ai", usage_metadata=USED)
RESULTS = [
    result("call_atlantis", "no such city: Atlantis", "error"),
    result("call_paris", '{"city": "Paris", "temp_c": 18, "sky": "sunny ☀️ in °C"}'),
]
START: Part = ("metadata", {"run_id": "run-1", "attempt": 1})
HUMAN = {"type": "human", "id": "human-1", "content": "Weather in Paris and Atlantis?"}


def tuples(*chunks: dict[str, Any]) -> list[Part]:
    """Return the parts of ``messages-tuple``."""
    return [("messages", [one, METADATA]) for one in chunks]


TUPLES: list[Part] = [
    START,
    *tuples(
        chunk(1, thinking(THOUGHTS[0])),
        chunk(1, thinking(THOUGHTS[1])),
        chunk(1, words("Let me ")),
        chunk(1, words("check both cities.")),
        chunk(1, tool_call_chunks=[piece(2, "", "call_paris")]),
        chunk(1, tool_call_chunks=[piece(2, '{"city": "Paris", ')]),
        chunk(1, tool_call_chunks=[piece(3, ATLANTIS, "call_atlantis")]),
        chunk(1, tool_call_chunks=[piece(2, '"unit": "C"}')]),
        chunk(1, usage_metadata=USED, response_metadata={"finish_reason": "stop"}, chunk_position="last"),
    ),
    ("updates", {"model": {"messages": [WHOLE_1]}}),
    ("custom", {"note": "half"}),
    *tuples(*RESULTS),
    ("updates", {"tools": {"messages": RESULTS}}),
    *tuples(
        chunk(2, ANSWER[0]),
        chunk(2, ANSWER[1]),
        chunk(2, usage_metadata=USED, response_metadata={"finish_reason": "stop"}, chunk_position="last"),
    ),
    ("updates", {"model": {"messages": [WHOLE_2]}}),
]


def partial(*messages: dict[str, Any]) -> list[Part]:
    """Return the parts of ``messages``: each has the whole message so far."""
    return [("messages/partial", [one]) for one in messages]


PARTIAL: list[Part] = [
    START,
    ("values", {"messages": [HUMAN]}),
    ("messages/metadata", {"run--1": {"metadata": METADATA}}),
    *partial(
        chunk(1, thinking(THOUGHTS[0])),
        chunk(1, thinking("".join(THOUGHTS))),
        chunk(1, [*thinking("".join(THOUGHTS)), *words("Let me ")]),
        chunk(1, [*thinking("".join(THOUGHTS)), *words("Let me check both cities.")]),
        chunk(
            1,
            [*thinking("".join(THOUGHTS)), *words("Let me check both cities.")],
            tool_call_chunks=[piece(2, '{"city": "Paris", ', "call_paris")],
        ),
        chunk(
            1,
            [*thinking("".join(THOUGHTS)), *words("Let me check both cities.")],
            tool_call_chunks=[piece(2, PARIS, "call_paris"), piece(3, ATLANTIS, "call_atlantis")],
            tool_calls=CALLS,
        ),
    ),
    ("messages/complete", [WHOLE_1]),
    *(("messages/complete", [one]) for one in RESULTS),
    ("values", {"messages": [HUMAN, WHOLE_1, *RESULTS]}),
    *partial(chunk(2, ANSWER[0]), chunk(2, "".join(ANSWER))),
    ("messages/complete", [WHOLE_2]),
    ("values", {"messages": [HUMAN, WHOLE_1, *RESULTS, WHOLE_2]}),
]
FAILED: list[Part] = [
    START,
    *tuples(chunk(2, ANSWER[0])),
    ("error", {"error": "RuntimeError", "message": "The model is overloaded."}),
]


def client(parts: list[Part]) -> LangGraphClient:
    """Return a client whose requests are answered with these parts."""
    lines = [
        f"id: {i}\nevent: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
        for i, (kind, data) in enumerate(parts)
    ]

    def respond(_: httpx.Request) -> httpx.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, content="".join(lines).encode(), headers=headers)

    transport = httpx.MockTransport(respond)
    return LangGraphClient(httpx.AsyncClient(transport=transport, base_url="http://localhost"))


async def streamed(parts: list[Part], *modes: str, **options: Any) -> AsyncIterator[Any]:
    """Yield the parts of ``runs.stream``."""
    stream = client(parts).runs.stream(None, "agent", input=QUESTION, stream_mode=modes, **options)
    async for part in stream:
        yield part


async def run() -> AsyncIterator[Any]:
    """Yield a run in messages by their chunks, updates and custom data."""
    async for part in streamed(TUPLES, "messages-tuple", "updates", "custom"):
        yield part


async def so_far() -> AsyncIterator[Any]:
    """Yield a run that was joined, in messages so far and whole states."""
    async for part in client(PARTIAL).runs.join_stream("thread-1", "run-1"):
        yield part


async def typed() -> AsyncIterator[Any]:
    """Yield a run in typed parts; an older version has none, and its tuples show the same."""
    has_versions = "version" in inspect.signature(client([]).runs.stream).parameters
    options = {"version": "v2"} if has_versions else {}
    async for part in streamed(PARTIAL, "messages", "values", **options):
        yield part


async def failing() -> AsyncIterator[Any]:
    """Yield a run that fails in the middle."""
    async for part in streamed(FAILED, "messages-tuple"):
        yield part


PACKAGES = ("langgraph-sdk",)
RUNS: Runs = {
    "langgraph_sdk": ("runs.stream, messages-tuple, updates and custom", run),
    "langgraph_sdk_partial": ("runs.join_stream, messages and values", so_far),
    "langgraph_sdk_typed": ("runs.stream, messages and values, version v2", typed),
    "langgraph_sdk_error": ("runs.stream, an error in the stream", failing),
}
