"""Record OpenTelemetry's spans as a processor exports them, the children first: pydantic-ai's and OpenInference's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings

from . import pydantic_ai as script
from .recorder import Runs

QUESTION = "Weather in Paris and Atlantis?"


async def nested() -> AsyncIterator[Any]:
    """Yield the spans of an agent whose tool asks another agent."""
    provider, spans = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    await run_nested(provider)
    for span in spans.get_finished_spans():
        yield span


async def run_nested(provider: TracerProvider) -> None:
    """Run the agents."""
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
    try:
        inner = script.agent()
        outer: Agent[None, str] = Agent(FunctionModel(stream_function=boss), name="boss")

        @outer.tool_plain
        async def research(question: str) -> str:
            return str((await inner.run(question, event_stream_handler=read)).output)

        await outer.run(QUESTION, event_stream_handler=read)
    finally:
        Agent.instrument_all(instrument=False)


async def read(_: Any, events: Any) -> None:
    """Read a stream: the models of the script stream."""
    async for _event in events:
        pass


async def boss(messages: list[Any], _: Any) -> AsyncIterator[Any]:
    """Yield a call, then the answer."""
    from pydantic_ai.messages import ModelResponse  # noqa: PLC0415
    from pydantic_ai.models.function import DeltaToolCall  # noqa: PLC0415

    if any(isinstance(message, ModelResponse) for message in messages):
        yield "Sunny, they say."
        return
    yield "I ask."
    yield {1: DeltaToolCall(name="research", tool_call_id="call_1", json_args='{"question": "Paris?"}')}


PACKAGES = ("pydantic-ai-slim", "opentelemetry-sdk")
RUNS: Runs = {"otel_spans": ("Agent.instrument_all, spans as exported", nested)}
