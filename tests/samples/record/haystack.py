"""Record Haystack's chunks of an agent, over a loopback server that speaks Chat Completions."""

from __future__ import annotations

import json
import os

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"

from collections.abc import AsyncIterator
from typing import Any

from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool
from haystack.utils import Secret

from ._chat import PARIS_AND_ATLANTIS, weather
from ._server import serving
from .recorder import Runs


@tool
def get_weather(city: str, unit: str) -> str:
    """Return the weather."""
    return json.dumps(weather(city, unit), ensure_ascii=False)


def agent(url: str, callback: Any) -> Agent:
    """Return an agent that pushes its chunks to *callback*."""
    model = OpenAIChatGenerator(
        model="gpt-5-mini",
        api_key=Secret.from_token("none"),
        api_base_url=url,
        generation_kwargs={"stream_options": {"include_usage": True}},
    )
    made = Agent(chat_generator=model, tools=[get_weather], streaming_callback=callback)
    made.warm_up()
    return made


async def run() -> AsyncIterator[Any]:
    """Yield the chunks in their order."""
    seen: list[Any] = []
    with serving(*PARIS_AND_ATLANTIS) as url:
        agent(url, seen.append).run(messages=[ChatMessage.from_user("Weather in Paris and Atlantis?")])
    for chunk in seen:
        yield chunk


PACKAGES = ("haystack-ai",)
RUNS: Runs = {"haystack": ("Agent(streaming_callback=…)", run)}
