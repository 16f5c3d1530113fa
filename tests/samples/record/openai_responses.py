"""Record OpenAI's client for Responses: its helper, and the tools that the provider runs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
from openai import AsyncOpenAI

from .recorder import SAMPLES, Runs

ASK: dict[str, Any] = {"model": "gpt-5.2", "input": "Weather in Paris and Atlantis?"}
SSE = {"content-type": "text/event-stream"}
PIXEL = "iVBORw0KGgo="


def client(*bodies: bytes) -> AsyncOpenAI:
    """Return a client whose requests get these streams, one after the other."""
    answers = iter(bodies)

    def respond(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers=SSE, content=next(answers))

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    return AsyncOpenAI(api_key="none", max_retries=0, http_client=http)


async def helper() -> AsyncIterator[Any]:
    """Yield from ``responses.stream()``, over the raw recording's bytes, with the application's results."""
    made = client(*((SAMPLES / f"openai_responses.turn{turn}.sse").read_bytes() for turn in (1, 2)))
    async with made.responses.stream(**ASK) as stream:
        async for event in stream:
            yield event
    yield {"call_id": "call_atlantis", "error": "no such city: Atlantis"}
    yield {"type": "function_call_output", "call_id": "call_paris", "output": '{"temp_c": 18}'}
    async with made.responses.stream(**ASK) as stream:
        async for event in stream:
            yield event


def response(status: str, **fields: Any) -> dict[str, Any]:
    """Return a response without its items."""
    frame = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5.2", "status": status}
    empty = {"output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None}
    return {**frame, **empty, **fields}


def item(
    index: int, added: dict[str, Any], *between: dict[str, Any], **done: Any
) -> Iterator[dict[str, Any]]:
    """Yield the events of an output item from its start to its end."""
    place = {"output_index": index}
    yield {"type": "response.output_item.added", **place, "item": {"status": "in_progress", **added}}
    for event in between:
        yield {**place, "item_id": added["id"], **event, "type": f"response.{event['type']}"}
    yield {"type": "response.output_item.done", **place, "item": {**added, "status": "completed", **done}}


def server_tools() -> Iterator[dict[str, Any]]:
    """Yield a search, code, a picture, an MCP tool, a failed MCP tool, and the answer."""
    search = {"id": "ws_1", "type": "web_search_call", "action": {"type": "search", "query": "Paris"}}
    code = {"id": "ci_1", "type": "code_interpreter_call", "container_id": "c1", "code": "", "outputs": None}
    image = {"id": "ig_1", "type": "image_generation_call", "result": None}
    mcp = {"type": "mcp_call", "server_label": "wiki", "name": "lookup", "arguments": ""}
    text = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    partial = {"partial_image_index": 0, "partial_image_b64": "AAAA"}
    output_text = {"type": "output_text", "text": "18 °C.", "annotations": []}
    yield {"type": "response.created", "response": response("in_progress")}
    yield from item(0, search, {"type": "web_search_call.searching"}, {"type": "web_search_call.completed"})
    yield from item(
        1,
        code,
        {"type": "code_interpreter_call_code.delta", "delta": "print("},
        {"type": "code_interpreter_call_code.delta", "delta": "18)"},
        {"type": "code_interpreter_call_code.done", "code": "print(18)"},
        {"type": "code_interpreter_call.interpreting"},
        code="print(18)",
        outputs=[{"type": "logs", "logs": "18\n"}],
    )
    yield from item(
        2,
        image,
        {"type": "image_generation_call.partial_image", **partial},
        result=PIXEL,
        output_format="png",
    )
    yield from item(
        3,
        {"id": "mcp_1", **mcp},
        {"type": "mcp_call_arguments.delta", "delta": '{"q": "x"}'},
        {"type": "mcp_call_arguments.done", "arguments": '{"q": "x"}'},
        arguments='{"q": "x"}',
        output="found",
    )
    failed = {"type": "mcp_call.failed"}
    yield from item(4, {"id": "mcp_2", **mcp}, failed, arguments="{}", status="failed", error="no such page")
    start = {"type": "content_part.added", "content_index": 0, "part": {**output_text, "text": ""}}
    delta = {"type": "output_text.delta", "content_index": 0, "delta": "18 °C.", "logprobs": []}
    yield from item(5, text, start, delta, content=[output_text])
    counts = {"input_tokens": 120, "output_tokens": 60, "total_tokens": 180}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    yield {"type": "response.completed", "response": response("completed", usage={**counts, **details})}


async def raw(events: Iterator[dict[str, Any]]) -> AsyncIterator[Any]:
    """Yield from ``responses.create(stream=True)``."""
    lines = [
        f"event: {event['type']}\ndata: {json.dumps({'sequence_number': i, **event})}\n\n"
        for i, event in enumerate(events)
    ]
    async for event in await client("".join(lines).encode()).responses.create(**ASK, stream=True):
        yield event


PACKAGES = ("openai",)
RUNS: Runs = {
    "openai_responses_helper": ("responses.stream()", helper),
    "openai_responses_server_tools": ("responses.create(stream=True)", lambda: raw(server_tools())),
}
