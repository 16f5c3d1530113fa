"""Record smolagents' ``agent.run(stream=True)``, over its OpenAI model with an offline client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
from smolagents import CodeAgent, LogLevel, OpenAIModel, ToolCallingAgent
from smolagents import tool as as_tool

from ._chat import PARIS_AND_ATLANTIS, Turn, call, transport, weather
from .recorder import Runs


def model(*turns: Turn, fails: bool = False) -> OpenAIModel:
    """Return a model that answers with these turns."""
    http = httpx2.Client(transport=transport(*turns, fails=fails))
    kwargs = {"http_client": http, "max_retries": 0}
    return OpenAIModel("gpt-5-mini", api_key="none", client_kwargs=kwargs)


@as_tool  # type: ignore[untyped-decorator]
def get_weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather.

    Args:
        city: where
        unit: C or F
    """
    return weather(city, unit)


def final(answer: str, call_id: str) -> dict[str, Any]:
    """Return the call that ends a run."""
    return call(0, "final_answer", f'{{"answer": "{answer}"}}', call_id)


def weatherman() -> ToolCallingAgent:
    """Return an agent with text, a call, a failed call, two calls at once, and the answer."""
    asked = [
        [
            {"content": "Let me "},
            {"content": "check."},
            *PARIS_AND_ATLANTIS[0][4:6],
            PARIS_AND_ATLANTIS[0][7],
        ],
        [
            {"content": "And the other."},
            call(0, "get_weather", '{"city": "Atlantis", "unit": "C"}', "call_2"),
        ],
        [
            call(0, "get_weather", '{"city": "Rome", ', "call_rome"),
            call(1, "get_weather", '{"city": "Oslo", "unit": "C"}', "call_oslo"),
            call(0, None, '"unit": "C"}'),
        ],
        [final("Paris is 18 °C", "call_3")],
    ]
    return ToolCallingAgent([get_weather], model(*asked), stream_outputs=True, verbosity_level=LogLevel.OFF)


def coder() -> CodeAgent:
    """Return a planning code agent with code, failing code, and code that answers."""
    turns = [
        [{"content": "1. Compute. "}, {"content": "2. Answer."}],
        [{"content": "Thought: "}, {"content": "print it\n<code>\nprint(1 + 1)\n</code>"}],
        [{"content": "Thought: divide\n<code>\n1 / 0\n</code>"}],
        [{"content": "Thought: answer\n<code>\nfinal_answer(2)\n</code>"}],
    ]
    options: dict[str, Any] = {"stream_outputs": True, "verbosity_level": LogLevel.OFF}
    return CodeAgent([], model(*turns), planning_interval=9, **options)


def failing() -> ToolCallingAgent:
    """Return an agent whose model server returns an error."""
    options: dict[str, Any] = {"stream_outputs": True, "verbosity_level": LogLevel.OFF}
    return ToolCallingAgent([get_weather], model(fails=True), **options)


async def streamed(agent: Any) -> AsyncIterator[Any]:
    """Yield the natives of one run."""
    for native in agent.run("Weather in Paris and Atlantis?", stream=True):
        yield native


PACKAGES = ("smolagents", "openai")
RUNS: Runs = {
    "smolagents": ("ToolCallingAgent.run(stream=True), OpenAIModel", lambda: streamed(weatherman())),
    "smolagents_code": ("CodeAgent.run(stream=True), OpenAIModel", lambda: streamed(coder())),
    "smolagents_error": ("ToolCallingAgent.run(stream=True), OpenAIModel", lambda: streamed(failing())),
}
