"""Record Strands: ``agent.stream_async`` over a scripted model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from strands import Agent, tool
from strands.models import Model
from strands.multiagent import GraphBuilder

from .recorder import Runs

Block = dict[str, Any]


class Scripted(Model):
    """Answer with scripted turns, each a list of blocks."""

    def __init__(self, *turns: list[Block]) -> None:
        self._turns = list(turns)

    def update_config(self, **model_config: Any) -> None:
        """Ignore the configuration."""

    def get_config(self) -> dict[str, Any]:
        """Return no configuration."""
        return {}

    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        """Return nothing; no script uses structured output."""
        raise NotImplementedError

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Yield the next turn."""
        del args, kwargs
        blocks = self._turns.pop(0)
        yield {"messageStart": {"role": "assistant"}}
        for block in blocks:
            call = block.get("toolUse")
            names = {"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}} if call else {}
            yield {"contentBlockStart": {"start": names}}
            for delta in _deltas(block):
                yield {"contentBlockDelta": {"delta": delta}}
            yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if "toolUse" in blocks[-1] else "end_turn"}}
        usage = {"inputTokens": 120, "outputTokens": 60, "totalTokens": 180}
        yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}}}


def _deltas(block: Block) -> list[Block]:
    (kind, body), *_ = block.items()
    whole = json.dumps(body["input"], ensure_ascii=False) if kind == "toolUse" else body
    pieces = whole[: len(whole) // 2], whole[len(whole) // 2 :]
    if kind == "toolUse":
        return [{"toolUse": {"input": piece}} for piece in pieces]
    return [{"text": p} if kind == "text" else {"reasoningContent": {"text": p}} for p in pieces]


def text(words: str) -> Block:
    """Return a text block."""
    return {"text": words}


def thinking(words: str) -> Block:
    """Return a thinking block."""
    return {"reasoningContent": words}


def call(name: str, call_id: str, **args: Any) -> Block:
    """Return a block that calls a tool."""
    return {"toolUse": {"toolUseId": call_id, "name": name, "input": args}}


@tool
async def get_weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather; raise an error for Atlantis, before the other result.

    Args:
        city: Where.
        unit: C or F.
    """
    if city == "Atlantis":
        raise LookupError(f"no such city: {city}")
    await asyncio.sleep(0.02)
    return {"status": "success", "content": [{"json": {"city": city, "temp_c": 18, "unit": unit}}]}


def agent(name: str, *turns: list[Block], **options: Any) -> Agent:
    """Return an agent whose model answers with these turns, one after the other."""
    return Agent(name=name, model=Scripted(*turns), callback_handler=None, **options)


def weather() -> Agent:
    """Return an agent with thinking, text, two parallel calls (one fails) and an answer."""
    return agent(
        "weather",
        [
            thinking("The user wants two cities. I should call get_weather once per city."),
            text("Let me check both cities."),
            call("get_weather", "call_paris", city="Paris", unit="C"),
            call("get_weather", "call_atlantis", city="Atlantis", unit="C"),
        ],
        [text("Paris is 18 °C and sunny; **Atlantis** could not be found.")],
        tools=[get_weather],
    )


def subagent() -> Agent:
    """Return an agent with another agent as its tool."""
    first = [text("I look it up."), call("get_weather", "call_2", city="Paris", unit="C")]
    inner = agent("researcher", first, [text("Paris is sunny.")], tools=[get_weather])
    asked = [text("I ask."), call("researcher", "call_1", input="Paris?")]
    return agent("boss", asked, [text("Sunny, they say.")], tools=[inner.as_tool()])


def graph() -> Any:
    """Return a graph of two agents, one after the other."""
    builder = GraphBuilder()
    builder.add_node(agent("first", [text("One.")]), "first")
    builder.add_node(agent("second", [text("Two.")]), "second")
    builder.add_edge("first", "second")
    builder.set_execution_timeout(60)
    return builder.build()


PACKAGES = ("strands-agents",)
RUNS: Runs = {
    "strands": ("Agent.stream_async", lambda: weather().stream_async("Weather in Paris and Atlantis?")),
    "strands_subagent": ("Agent.stream_async, Agent.as_tool", lambda: subagent().stream_async("Paris?")),
    "strands_graph": ("Graph.stream_async", lambda: graph().stream_async("Count.")),
}
