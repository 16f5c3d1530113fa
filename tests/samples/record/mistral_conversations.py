"""Record the conversations of Mistral's client over bytes in the API's documented format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from mistralai.client import Mistral

from ._chat import weather
from ._http import httpx
from .recorder import Runs

MODEL = "mistral-medium-latest"
QUESTION = "Weather in Paris and Atlantis?"
AT = "2026-11-30T00:00:00Z"


def event(kind: str, index: int = 0, **fields: Any) -> dict[str, Any]:
    """Return the data of an event."""
    return {"type": kind, "created_at": AT, "output_index": index, **fields}


def output(number: int, content: Any, index: int = 0) -> dict[str, Any]:
    """Return a piece of a message."""
    fields = {"id": f"msg_{number}", "content_index": index, "content": content, "model": MODEL}
    return event("message.output.delta", agent_id=f"agent_{number}", role="assistant", **fields)


def thought(words: str) -> dict[str, Any]:
    """Return a content of thinking."""
    return {"type": "thinking", "thinking": [{"type": "text", "text": words}]}


def call(index: int, call_id: str, arguments: str) -> dict[str, Any]:
    """Return a piece of a call."""
    fields = {"id": f"fc_{index}", "name": "get_weather", "tool_call_id": call_id, "arguments": arguments}
    return event("function.call.delta", index, **fields)


def response(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of one request."""
    used = {"prompt_tokens": 120, "completion_tokens": 60, "total_tokens": 180}
    return [
        event("conversation.response.started", conversation_id="conv_1"),
        *events,
        event("conversation.response.done", usage=used),
    ]


FIRST = response(
    output(1, thought("The user wants two cities. ")),
    output(1, thought("I should call get_weather once per city.")),
    output(1, "Let me ", 1),
    output(1, "check both cities.", 1),
    call(1, "paris0000", '{"city": "Paris", '),
    call(2, "atlantis0", '{"city": "Atlantis", "unit": "C"}'),
    call(1, "paris0000", '"unit": "C"}'),
)
RAN = {"id": "exec_1", "name": "code_interpreter"}
CITED = {"type": "tool_reference", "tool": "web_search", "title": "a", "url": "https://weather.example/paris"}
SECOND = response(
    event("agent.handoff.started", id="h_1", previous_agent_id="agent_1", previous_agent_name="planner"),
    event("agent.handoff.done", id="h_1", next_agent_id="agent_2", next_agent_name="writer"),
    event("tool.execution.started", arguments="", **RAN),
    event("tool.execution.delta", arguments='{"code": ', **RAN),
    event("tool.execution.delta", arguments='"print(9 * 2)"}', **RAN),
    event("tool.execution.done", info={"code_output": "18\n"}, **RAN),
    output(2, "Paris is 18 °C and sunny; "),
    output(2, CITED, 1),
    output(2, {"type": "text", "text": "**Atlantis** could not be found."}, 2),
)
FAILED = [*FIRST[:4], event("conversation.response.error", message="The model is overloaded.", code=503)]


def client(*turns: list[dict[str, Any]]) -> Mistral:
    """Return a client whose requests are answered with these turns."""
    answers = iter(turns)

    def respond(_: httpx.Request) -> httpx.Response:
        body = "".join(
            f"event: {one['type']}\ndata: {json.dumps(one, ensure_ascii=False)}\n\n" for one in next(answers)
        )
        return httpx.Response(200, content=body.encode(), headers={"content-type": "text/event-stream"})

    return Mistral(api_key="none", async_client=httpx.AsyncClient(transport=httpx.MockTransport(respond)))


async def run() -> AsyncIterator[Any]:
    """Yield the events of two requests, and between them the results of the functions."""
    one = client(FIRST, SECOND)
    async for each in await one.beta.conversations.start_stream_async(model=MODEL, inputs=QUESTION):
        yield each
    results: list[dict[str, Any]] = []
    for call_id, city in (("atlantis0", "Atlantis"), ("paris0000", "Paris")):
        try:
            found = json.dumps(weather(city, "C"), ensure_ascii=False)
            results.append({"type": "function.result", "tool_call_id": call_id, "result": found})
        except LookupError as error:
            yield {"call_id": call_id, "error": str(error)}
    for result in results:
        yield result
    stream = one.beta.conversations.append_stream_async(conversation_id="conv_1", inputs=results)
    async for each in await stream:
        yield each


async def failing() -> AsyncIterator[Any]:
    """Yield the events of a response that fails in the middle."""
    stream = client(FAILED).beta.conversations.start_stream_async(model=MODEL, inputs=QUESTION)
    async for each in await stream:
        yield each


PACKAGES = ("mistralai",)
RUNS: Runs = {
    "mistral_conversations": ("beta.conversations.start_stream_async, append_stream_async", run),
    "mistral_conversations_error": ("beta.conversations.start_stream_async, an error", failing),
}
