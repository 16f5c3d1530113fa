"""Record chatlas, over a loopback server that speaks Chat Completions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chatlas import ChatOpenAICompletions

from ._chat import PARIS_AND_ATLANTIS, weather
from ._server import serving
from .recorder import Runs


async def get_weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather."""
    return weather(city, unit)


async def run() -> AsyncIterator[Any]:
    """Yield the contents of a chat with a tool."""
    with serving(*PARIS_AND_ATLANTIS) as url:
        chat = ChatOpenAICompletions(model="gpt-5-mini", base_url=url, api_key="none")
        chat.register_tool(get_weather)
        async for content in await chat.stream_async(
            "Weather in Paris and Atlantis?", content="all", echo="none"
        ):
            yield content


PACKAGES = ("chatlas",)
RUNS: Runs = {"chatlas": ("chat.stream_async(content='all')", run)}
