"""Record Microsoft's agent-framework, over a loopback server that speaks Chat Completions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agent_framework import Agent, WorkflowBuilder
from agent_framework.openai import OpenAIChatCompletionClient

from ._chat import CALL_AFTER_CALL, weather
from ._server import serving
from .recorder import Runs

QUESTION = "Weather in Paris and Atlantis?"


def get_weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather."""
    return weather(city, unit)


def agent(url: str, name: str, *tools: Any) -> Agent:
    """Return an agent whose model answers at *url*."""
    client = OpenAIChatCompletionClient(model="gpt-5-mini", api_key="none", base_url=url)
    return Agent(client=client, name=name, tools=list(tools))


async def run() -> AsyncIterator[Any]:
    """Yield the updates of an agent with a tool."""
    with serving(*CALL_AFTER_CALL) as url:
        async for update in agent(url, "forecaster", get_weather).run(QUESTION, stream=True):
            yield update


async def workflow() -> AsyncIterator[Any]:
    """Yield the events of a workflow of two agents."""
    answer = [{"role": "assistant", "content": "Pack a "}, {"content": "hat."}]
    with serving(*CALL_AFTER_CALL, answer) as url:
        first, last = agent(url, "forecaster", get_weather), agent(url, "packer")
        flow = WorkflowBuilder(start_executor=first).add_edge(first, last).build()
        async for event in flow.run(QUESTION, stream=True):
            yield event


PACKAGES = ("agent-framework-core", "agent-framework-openai")
RUNS: Runs = {
    "agent_framework": ("Agent.run(stream=True)", run),
    "agent_framework_workflow": ("Workflow.run(stream=True)", workflow),
}
