"""Record pydantic-ai's ``run_stream_events()``, over its own function model."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from pydantic_ai import Agent, ModelRetry
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel

from ._chat import weather
from .recorder import Runs

Delta = str | dict[int, DeltaThinkingPart] | dict[int, DeltaToolCall]


async def script(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[Delta]:
    """Yield thinking, text and two calls with interleaved arguments; then the answer."""
    if any(isinstance(message, ModelResponse) for message in messages):
        yield "Paris is 18 °C and sunny; "
        yield "**Atlantis** could not be found."
        return
    yield {0: DeltaThinkingPart(content="The user wants two cities. ")}
    yield {0: DeltaThinkingPart(content="I should call get_weather once per city.")}
    yield "Let me "
    yield "check both cities."
    yield {1: DeltaToolCall(name="get_weather", tool_call_id="call_paris")}
    yield {1: DeltaToolCall(json_args='{"city": "Paris", ', tool_call_id="call_paris")}
    yield {2: DeltaToolCall(name="get_weather", tool_call_id="call_atlantis")}
    yield {2: DeltaToolCall(json_args='{"city": "Atlantis", "unit": "C"}', tool_call_id="call_atlantis")}
    yield {1: DeltaToolCall(json_args='"unit": "C"}', tool_call_id="call_paris")}


def agent() -> Agent[None, str]:
    """Return the agent with its tool."""
    made: Agent[None, str] = Agent(FunctionModel(stream_function=script), name="weather")

    @made.tool_plain(retries=2)
    def get_weather(city: str, unit: str) -> dict[str, Any]:
        try:
            return weather(city, unit)
        except LookupError as error:
            raise ModelRetry(str(error)) from error

    return made


async def streamed() -> AsyncIterator[Any]:
    """Yield the events of one run; version 2 needs ``async with``."""
    question, made = "Weather in Paris and Atlantis?", agent()
    if not hasattr(made, "run_stream_events"):
        async for event in handled(made, question):
            yield event
        return
    events: Any = made.run_stream_events(question)
    async with events if hasattr(events, "__aenter__") else contextlib.nullcontext(events) as opened:
        async for event in opened:
            yield event


async def handled(made: Agent[None, str], question: str) -> AsyncIterator[Any]:
    """Yield the events of a handler, the only way of the first versions."""
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def handler(_: Any, events: Any) -> None:
        async for event in events:
            await queue.put(event)

    task = asyncio.ensure_future(made.run(question, event_stream_handler=handler))
    task.add_done_callback(lambda _: queue.put_nowait(None))
    while (event := await queue.get()) is not None:
        yield event
    await task


PACKAGES = ("pydantic-ai-slim",)
RUNS: Runs = {"pydantic_ai_run": ("Agent.run_stream_events(), FunctionModel", streamed)}
