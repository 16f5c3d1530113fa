"""Record openai-agents' ``stream_events()``, over the SDK's own scripted model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from agents import Agent, OpenAIChatCompletionsModel, RunConfig, Runner, function_tool
from agents.testing import ModelStep, ScriptedModel
from agents.usage import Usage
from openai import AsyncOpenAI
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
)
from openai.types.responses.response_reasoning_item import Summary
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

from .recorder import Runs

QUIET = RunConfig(tracing_disabled=True)
USED = Usage(
    requests=1,
    input_tokens=120,
    output_tokens=60,
    total_tokens=180,
    input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
    output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
)


def message(text: str) -> ResponseOutputMessage:
    """Return a message; the scripted model gives the same id to all messages."""
    part = ResponseOutputText(text=text, type="output_text", annotations=[], logprobs=[])
    return ResponseOutputMessage(id="1", type="message", role="assistant", status="completed", content=[part])


def reasoning(text: str) -> ResponseReasoningItem:
    """Return a reasoning item with a summary."""
    return ResponseReasoningItem(id="1", type="reasoning", summary=[Summary(text=text, type="summary_text")])


def call(name: str, call_id: str, **args: Any) -> ResponseFunctionToolCall:
    """Return a function call."""
    return ResponseFunctionToolCall(
        id="1", call_id=call_id, type="function_call", name=name, arguments=json.dumps(args)
    )


def agent(name: str, *steps: list[Any], **options: Any) -> Agent[None]:
    """Return an agent whose model answers with these turns, one after the other."""
    return Agent(name=name, model=ScriptedModel([ModelStep(list(s), usage=USED) for s in steps]), **options)


@function_tool
async def get_weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather; raise an error for Atlantis, before the other result."""
    if city == "Atlantis":
        raise LookupError(f"no such city: {city}")
    await asyncio.sleep(0.02)
    return {"city": city, "temp_c": 18, "sky": "sunny ☀️"}


@function_tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def weather() -> Agent[None]:
    """Return an agent with thinking, text, two parallel calls (one fails) and an answer."""
    return agent(
        "weather",
        [
            reasoning("The user wants two cities. I should call get_weather once per city."),
            message("Let me check both cities."),
            call("get_weather", "call_paris", city="Paris", unit="C"),
            call("get_weather", "call_atlantis", city="Atlantis", unit="C"),
        ],
        [message("Paris is 18 °C and sunny; **Atlantis** could not be found.")],
        tools=[get_weather],
    )


def handoff() -> Agent[None]:
    """Return an agent that hands over to another agent."""
    expert = agent("weather expert", [message("It is 18 °C in Paris.")])
    return agent(
        "front desk",
        [message("I know whom to ask."), call("transfer_to_weather_expert", "call_1")],
        handoffs=[expert],
    )


async def subagent() -> AsyncIterator[Any]:
    """Yield the events of an agent and of its nested agent in one stream, in arrival order."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    inner = agent(
        "researcher",
        [message("I look it up."), call("get_weather", "call_1", city="Paris", unit="C")],
        [message("Paris is sunny.")],
        tools=[get_weather],
    )
    tool = inner.as_tool("research", "Find it out", on_stream=queue.put)
    outer = agent(
        "boss", [call("research", "call_1", input="Paris?")], [message("Sunny, they say.")], tools=[tool]
    )

    async def run() -> None:
        async for event in Runner.run_streamed(outer, "Paris?", run_config=QUIET).stream_events():
            await queue.put(event)
        await queue.put(None)

    task = asyncio.ensure_future(run())
    while (event := await queue.get()) is not None:
        yield event
    await task


def chat() -> Agent[None]:
    """Return an agent with another provider's model; the SDK converts its chunks to Responses events."""
    answers = iter(
        (
            (
                {"role": "assistant", "reasoning_content": "Two sums, "},
                {"reasoning_content": "at once."},
                {"content": "Let me "},
                {"content": "add."},
                {"tool_calls": [_call_delta(0, "add", "", "call_a")]},
                {"tool_calls": [_call_delta(0, None, '{"a": 1, ')]},
                {"tool_calls": [_call_delta(1, "add", '{"a": 5, "b": 5}', "call_b")]},
                {"tool_calls": [_call_delta(0, None, '"b": 2}')]},
            ),
            ({"role": "assistant", "content": "3 and "}, {"content": "10."}),
        )
    )

    def respond(_: httpx2.Request) -> httpx2.Response:
        lines = [_line(choices=[{"index": 0, "delta": d, "finish_reason": None}]) for d in next(answers)]
        lines.append(_line(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        used = {"prompt_tokens": 120, "completion_tokens": 60, "total_tokens": 180}
        lines += [_line(choices=[], usage=used), "data: [DONE]\n\n"]
        body = "".join(lines).encode()
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    model = OpenAIChatCompletionsModel("other-model", AsyncOpenAI(api_key="none", http_client=http))
    return Agent(name="adder", model=model, tools=[add])


def _call_delta(index: int, name: str | None, arguments: str, call_id: str | None = None) -> dict[str, Any]:
    start = {"id": call_id, "type": "function"} if call_id else {}
    return {"index": index, **start, "function": {"arguments": arguments} | ({"name": name} if name else {})}


def _line(**fields: Any) -> str:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "other-model"}
    return f"data: {json.dumps({**head, **fields})}\n\n"


async def streamed(starting: Agent[None]) -> AsyncIterator[Any]:
    """Yield the events of one run."""
    question = "Weather in Paris and Atlantis?"
    async for event in Runner.run_streamed(starting, question, run_config=QUIET).stream_events():
        yield event


PACKAGES = ("openai-agents", "openai")
RUNS: Runs = {
    "openai_agents": ("Runner.run_streamed, ScriptedModel", lambda: streamed(weather())),
    "openai_agents_chat": ("Runner.run_streamed, OpenAIChatCompletionsModel", lambda: streamed(chat())),
    "openai_agents_handoff": ("Runner.run_streamed, ScriptedModel", lambda: streamed(handoff())),
    "openai_agents_subagent": ("Runner.run_streamed with as_tool(on_stream=), ScriptedModel", subagent),
}
