"""Record Anthropic's client in each of its forms, over bytes in the API's documented format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx2
from anthropic import AsyncAnthropic, beta_async_tool

from ._chat import weather
from .recorder import Runs

Block = tuple[dict[str, Any], list[dict[str, Any]]]
THOUGHT = "The user wants two cities. I should call get_weather once per city."
ASK: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "Weather in Paris and Atlantis?"}],
}


def text(*deltas: str) -> Block:
    """Return a text block."""
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": delta} for delta in deltas]


def thought(*deltas: str) -> Block:
    """Return a thinking block with a signature."""
    start = {"type": "thinking", "thinking": "", "signature": ""}
    signed = {"type": "signature_delta", "signature": "c2ln"}
    return start, [*({"type": "thinking_delta", "thinking": delta} for delta in deltas), signed]


def call(call_id: str, name: str, *deltas: str, kind: str = "tool_use", **fields: Any) -> Block:
    """Return a tool call, whose first argument delta is empty."""
    start = {"type": kind, "id": call_id, "name": name, "input": {}, **fields}
    return start, [{"type": "input_json_delta", "partial_json": delta} for delta in ("", *deltas)]


def whole(**block: Any) -> Block:
    """Return a whole block: the result of a tool that the provider ran."""
    return block, []


def message(number: int, stop_reason: str, *blocks: Block) -> list[dict[str, Any]]:
    """Return the events of one message, with input tokens at its start and output tokens at its end."""
    empty = {"type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": []}
    head = {"id": f"msg_{number}", **empty, "stop_reason": None, "stop_sequence": None}
    used = {"input_tokens": 120, "output_tokens": 1}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {**head, "usage": used}}]
    for i, (start, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": i, "content_block": start})
        events += [{"type": "content_block_delta", "index": i, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": i})
    stop = {"stop_reason": stop_reason, "stop_sequence": None}
    events.append({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 60}})
    return [*events, {"type": "message_stop"}]


def client(*messages: Iterable[dict[str, Any]]) -> AsyncAnthropic:
    """Return a client whose requests get these messages, one after the other."""
    answers = iter(messages)

    def respond(_: httpx2.Request) -> httpx2.Response:
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in next(answers)]
        kind = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=kind, content="".join(lines).encode())

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    return AsyncAnthropic(api_key="none", max_retries=0, http_client=http)


def conversation() -> list[list[dict[str, Any]]]:
    """Return thinking, text and two calls; then the answer."""
    asked = message(
        1,
        "tool_use",
        thought(THOUGHT[:27], THOUGHT[27:]),
        text("Let me ", "check both cities."),
        call("toolu_paris", "get_weather", '{"city": "Paris", ', '"unit": "C"}'),
        call("toolu_atlantis", "get_weather", '{"city": "Atlantis", "unit": "C"}'),
    )
    answer = text("Paris is 18 °C and sunny; ", "**Atlantis** could not be found.")
    return [asked, message(2, "end_turn", answer)]


async def get_weather(city: str, unit: str) -> str:
    """Return the weather.

    Args:
        city: where
        unit: C or F
    """
    return json.dumps(weather(city, unit), ensure_ascii=False)


async def helper() -> AsyncIterator[Any]:
    """Yield from ``messages.stream()``, with the application's reports about its tools."""
    made = client(*conversation())
    async with made.messages.stream(**ASK) as stream:
        async for event in stream:
            yield event
        asked = await stream.get_final_message()
    results: list[dict[str, Any]] = []
    for block in asked.content:
        if block.type == "tool_use":
            result = {"type": "tool_result", "tool_use_id": block.id}
            try:
                results.append({**result, "content": json.dumps(weather(**block.input), ensure_ascii=False)})  # type: ignore[arg-type]
            except LookupError as error:
                results.append({**result, "content": str(error), "is_error": True})
    yield {"role": "user", "content": results[::-1]}
    async with made.messages.stream(**ASK) as stream:
        async for event in stream:
            yield event


async def runner() -> AsyncIterator[Any]:
    """Yield from the tool runner, with the results that it returns after each message."""
    tools = [beta_async_tool(get_weather)]
    made = client(*conversation()).beta.messages.tool_runner(**ASK, tools=tools, stream=True)
    async for stream in made:
        async for event in stream:
            yield event
        if (results := await made.generate_tool_call_response()) is not None:
            yield results


async def raw(*messages: list[dict[str, Any]]) -> AsyncIterator[Any]:
    """Yield from ``messages.create(stream=True)``."""
    async for event in await client(*messages).messages.create(**ASK, stream=True):
        yield event


def server_tools() -> list[dict[str, Any]]:
    """Return a message with tools of the provider: a search, a failed fetch, code, an MCP tool."""
    hit = {"type": "web_search_result", "title": "Paris", "url": "https://example.org/", "page_age": None}
    ran = {"type": "code_execution_result", "stdout": "18\n", "stderr": "", "return_code": 0, "content": []}
    failed = {"type": "web_fetch_tool_result_error", "error_code": "url_not_accessible"}
    return message(
        1,
        "end_turn",
        text("I look it up."),
        call("srv_1", "web_search", '{"query": "Paris"}', kind="server_tool_use"),
        whole(
            type="web_search_tool_result",
            tool_use_id="srv_1",
            content=[{**hit, "encrypted_content": "c2VjcmV0"}],
        ),
        call("srv_2", "web_fetch", '{"url": "https://nowhere.example/"}', kind="server_tool_use"),
        whole(type="web_fetch_tool_result", tool_use_id="srv_2", content=failed),
        call("srv_3", "code_execution", '{"code": "print(18)"}', kind="server_tool_use"),
        whole(type="code_execution_tool_result", tool_use_id="srv_3", content=ran),
        call("mcp_1", "lookup", '{"q": "x"}', kind="mcp_tool_use", server_name="wiki"),
        whole(
            type="mcp_tool_result",
            tool_use_id="mcp_1",
            is_error=False,
            content=[{"type": "text", "text": "found"}],
        ),
        text("18 °C."),
    )


def overloaded() -> list[dict[str, Any]]:
    """Return a stream that ends with the server's error."""
    error = {"type": "overloaded_error", "message": "Overloaded"}
    return [*message(1, "end_turn", text("Let me "))[:3], {"type": "error", "error": error}]


PACKAGES = ("anthropic",)
RUNS: Runs = {
    "anthropic_error": ("messages.create(stream=True)", lambda: raw(overloaded())),
    "anthropic_helper": ("messages.stream()", helper),
    "anthropic_runner": ("beta.messages.tool_runner(stream=True)", runner),
    "anthropic_server_tools": ("messages.create(stream=True)", lambda: raw(server_tools())),
}
