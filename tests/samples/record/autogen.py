"""Record AutoGen's ``run_stream``, over a loopback server that speaks Chat Completions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_ext.models.openai import OpenAIChatCompletionClient

from ._chat import CALL_AFTER_CALL, weather
from ._server import serving
from .recorder import Runs

QUESTION = "Weather in Paris and Atlantis?"
INFO: Any = {
    "vision": False,
    "function_calling": True,
    "json_output": False,
    "family": "unknown",
    "structured_output": False,
}


async def get_weather(city: str, unit: str) -> str:
    """Return the weather."""
    return json.dumps(weather(city, unit), ensure_ascii=False)


def agent(url: str, name: str, *tools: Any, streams: bool = True) -> AssistantAgent:
    """Return an agent whose model answers at *url*."""
    client = OpenAIChatCompletionClient(model="gpt-5-mini", api_key="none", base_url=url, model_info=INFO)
    return AssistantAgent(
        name,
        client,
        tools=list(tools),
        model_client_stream=streams,
        reflect_on_tool_use=bool(tools),
        description=f"A {name}",
    )


async def run() -> AsyncIterator[Any]:
    """Yield the messages of an agent with a tool."""
    with serving(*CALL_AFTER_CALL) as url:
        async for message in agent(url, "forecaster", get_weather).run_stream(task=QUESTION):
            yield message


async def team() -> AsyncIterator[Any]:
    """Yield the messages of two agents, of which one does not stream."""
    answer = [{"role": "assistant", "content": "Pack a "}, {"content": "hat."}]
    with serving(*CALL_AFTER_CALL, answer) as url:
        agents: list[Any] = [agent(url, "forecaster", get_weather), agent(url, "packer", streams=False)]
        chat = RoundRobinGroupChat(agents, max_turns=2)
        async for message in chat.run_stream(task=QUESTION):
            yield message


PACKAGES = ("autogen-agentchat", "autogen-ext")
RUNS: Runs = {
    "autogen": ("AssistantAgent.run_stream()", run),
    "autogen_team": ("RoundRobinGroupChat.run_stream()", team),
}
