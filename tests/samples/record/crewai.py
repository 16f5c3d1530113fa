"""Record CrewAI's streams and its event bus, over a loopback server that speaks Chat Completions."""

from __future__ import annotations

import os

os.environ |= {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
}

from collections.abc import AsyncIterator
from typing import Any

from crewai import LLM, Agent, Crew, Task
from crewai.events.event_bus import crewai_event_bus
from crewai.events.stream_context import add_stream_sink, reset_stream_sinks
from crewai.tools import tool

from ._chat import PARIS_AND_ATLANTIS, weather
from ._server import serving
from .recorder import Runs


@tool("get_weather")
def get_weather(city: str, unit: str) -> str:
    """Return the weather."""
    return str(weather(city, unit))


def crew(url: str, *, stream: bool) -> Crew:
    """Return a crew of one agent with a tool."""
    llm = LLM(model="openai/gpt-5-mini", base_url=url, api_key="none", stream=True)
    forecaster = Agent(
        role="Forecaster", goal="Tell the weather", backstory="Knows it.", llm=llm, tools=[get_weather]
    )
    task = Task(
        description="Weather in Paris and Atlantis?",
        expected_output="One sentence",
        agent=forecaster,
        name="forecast",
    )
    return Crew(agents=[forecaster], tasks=[task], stream=stream, name="weather")


async def chunks() -> AsyncIterator[Any]:
    """Yield the chunks of a crew's run."""
    with serving(*PARIS_AND_ATLANTIS) as url:
        async for chunk in await crew(url, stream=True).kickoff_async():
            yield chunk


async def events() -> AsyncIterator[Any]:
    """Yield the events of the bus in the order in which the crew emits them."""
    seen: list[Any] = []
    with serving(*PARIS_AND_ATLANTIS) as url:
        token = add_stream_sink(lambda _, event: seen.append(event))
        try:
            await crew(url, stream=False).kickoff_async()
        finally:
            reset_stream_sinks(token)
            crewai_event_bus.flush()
    for event in seen:
        yield event


PACKAGES = ("crewai",)
RUNS: Runs = {
    "crewai": ("the event bus", events),
    "crewai_chunks": ("Crew(stream=True).kickoff_async()", chunks),
}
