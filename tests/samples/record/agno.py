"""Record agno's events, over its OpenAI model with an offline client."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx2
from agno.agent import Agent
from agno.models.openai import OpenAIChat
from agno.team import Team
from agno.tools import tool
from openai import AsyncOpenAI

from ._chat import PARIS_AND_ATLANTIS, Turn, call, transport, weather
from .recorder import Runs

logging.getLogger("agno").setLevel(logging.CRITICAL)


def model(*turns: Turn, fails: bool = False) -> OpenAIChat:
    """Return a model that answers with these turns."""
    http = httpx2.AsyncClient(transport=transport(*turns, fails=fails))
    client = AsyncOpenAI(api_key="none", max_retries=0, http_client=http)
    return OpenAIChat(id="gpt-5-mini", async_client=client)


def get_weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather."""
    return weather(city, unit)


@tool(requires_confirmation=True)
def delete(path: str) -> str:
    """Delete a file."""
    return f"deleted {path}"


def agent(name: str, *turns: Turn, **options: Any) -> Agent:
    """Return an agent whose model answers with these turns."""
    return Agent(name=name, model=model(*turns), telemetry=False, **options)


def team() -> Team:
    """Return a team with two parallel members; a member uses a call id that the team also uses."""
    researcher = agent(
        "Researcher",
        [{"content": "I look it up."}, call(0, "get_weather", '{"city": "Paris", "unit": "C"}', "call_1")],
        [{"content": "Paris is sunny."}],
        tools=[get_weather],
    )
    poet = agent("Poet", [{"content": "Blue, "}, {"content": "so blue."}])
    leader = model(
        [
            call(0, "delegate_task_to_member", '{"member_id": "researcher", "task": "Paris?"}', "call_1"),
            call(1, "delegate_task_to_member", '{"member_id": "poet", "task": "The sky?"}', "call_2"),
        ],
        [{"content": "Sunny and blue, they say."}],
    )
    return Team(name="Boss", members=[researcher, poet], model=leader, telemetry=False)


async def streamed(made: Agent | Team, **options: Any) -> AsyncIterator[Any]:
    """Yield the events of one run."""
    async for event in made.arun("Weather in Paris and Atlantis?", stream=True, **options):
        yield event


def weatherman() -> Agent:
    """Return an agent with thinking, text, two calls (one fails) and an answer."""
    return agent("weather", *PARIS_AND_ATLANTIS, tools=[get_weather])


def failing() -> Agent:
    """Return an agent whose model server returns an error."""
    return Agent(name="broken", model=model(fails=True), telemetry=False)


def paused() -> Agent:
    """Return an agent with a call that needs a confirmation."""
    return agent("careful", [call(0, "delete", '{"path": "/tmp/x"}', "call_1")], tools=[delete])


whole = partial(streamed, stream_events=True)
PACKAGES = ("agno", "openai")
RUNS: Runs = {
    "agno": ("Agent.arun(stream_events=True), OpenAIChat", lambda: whole(weatherman())),
    "agno_content": ("Agent.arun without stream_events, OpenAIChat", lambda: streamed(weatherman())),
    "agno_error": ("Agent.arun(stream_events=True), OpenAIChat", lambda: whole(failing())),
    "agno_paused": ("Agent.arun(stream_events=True), OpenAIChat", lambda: whole(paused())),
    "agno_team": ("Team.arun(stream_events=True), OpenAIChat", lambda: whole(team())),
}
