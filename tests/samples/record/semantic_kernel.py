"""Record Semantic Kernel's agents, over a loopback server that speaks Chat Completions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from openai import AsyncOpenAI
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function

from ._chat import PARIS_AND_ATLANTIS, weather
from ._server import serving
from .recorder import Runs

QUESTION = "Weather in Paris and Atlantis?"


class Weather:
    """Hold the agent's tool."""

    @kernel_function(name="get_weather", description="Return the weather.")
    def get_weather(self, city: str, unit: str) -> str:
        """Return the weather."""
        return json.dumps(weather(city, unit), ensure_ascii=False)


def agent(url: str) -> ChatCompletionAgent:
    """Return an agent whose model answers at *url*."""
    service = OpenAIChatCompletion(
        ai_model_id="gpt-5-mini", async_client=AsyncOpenAI(api_key="none", base_url=url)
    )
    return ChatCompletionAgent(service=service, name="forecaster", plugins=[Weather()])


async def run() -> AsyncIterator[Any]:
    """Yield the contents of an agent's answer, and those of the messages between."""
    with serving(*PARIS_AND_ATLANTIS) as url:
        between: list[Any] = []

        async def note(message: Any) -> None:
            between.append(message)

        async for content in agent(url).invoke_stream(messages=QUESTION, on_intermediate_message=note):
            while between:
                yield between.pop(0)
            yield content


async def chunks() -> AsyncIterator[Any]:
    """Yield the contents of an agent's answer alone."""
    with serving(*PARIS_AND_ATLANTIS) as url:
        async for content in agent(url).invoke_stream(messages=QUESTION):
            yield content


PACKAGES = ("semantic-kernel",)
RUNS: Runs = {
    "semantic_kernel": ("ChatCompletionAgent.invoke_stream(on_intermediate_message=…)", run),
    "semantic_kernel_chunks": ("ChatCompletionAgent.invoke_stream()", chunks),
}
