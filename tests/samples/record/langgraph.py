"""LangGraph's streams, over agents of LangChain whose model is LangChain's own fake one."""

from __future__ import annotations

import asyncio
import functools
import warnings
from collections.abc import AsyncIterator
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessageChunk, message_chunk_to_message
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.prebuilt import ToolNode

from .recorder import Runs

QUESTION = {"messages": [("user", "Weather in Paris and Atlantis?")]}
USED = {"input_tokens": 120, "output_tokens": 60, "total_tokens": 180}


class Model(GenericFakeChatModel):
    """The fake model, streaming the pieces it is given, one list a turn."""

    def bind_tools(self, tools: Any, **options: Any) -> Model:  # noqa: ARG002 - its script knows them
        """Return itself."""
        return self

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        del messages, stop, run_manager, options
        for piece in next(self.messages):
            yield ChatGenerationChunk(message=piece)

    async def _agenerate(self, *args: Any, **options: Any) -> ChatResult:
        del args, options
        pieces: Any = next(self.messages)
        whole = message_chunk_to_message(functools.reduce(lambda a, b: a + b, pieces))
        return ChatResult(generations=[ChatGeneration(message=whole)])


def said(content: Any = "", **fields: Any) -> AIMessageChunk:
    """A piece of text, or content blocks."""
    return AIMessageChunk(content=content, **fields)


def thought(text: str) -> AIMessageChunk:
    """A piece of thinking."""
    return said([{"type": "reasoning", "reasoning": text, "index": 0}])


def called(index: int, args: str, name: str | None = None, call_id: str | None = None) -> AIMessageChunk:
    """A piece of a tool call."""
    return said(tool_call_chunks=[{"index": index, "id": call_id, "name": name, "args": args}])


def over() -> AIMessageChunk:
    """The last piece."""
    return said(usage_metadata=USED, response_metadata={"finish_reason": "stop"}, chunk_position="last")


@tool
async def get_weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather; Atlantis is answered first, with an error."""
    if city == "Atlantis":
        raise LookupError(f"no such city: {city}")
    await asyncio.sleep(0.02)
    return {"city": city, "temp_c": 18, "sky": "sunny ☀️"}


def agent(name: str, tools: list[Any], *turns: list[AIMessageChunk]) -> Any:
    """An agent whose model says these things; a tool's error is answered to the model."""
    made = create_agent(Model(messages=iter(turns)), tools, name=name)
    node = made.nodes["tools"].bound
    assert isinstance(node, ToolNode)
    node._handle_tool_errors = True
    return made


def weather() -> Any:
    """Thinking, text, two parallel calls of which one fails, an answer."""
    return agent(
        "weather",
        [get_weather],
        [
            thought("The user wants two cities. "),
            thought("I should call get_weather once per city."),
            said([{"type": "text", "text": "Let me check ", "index": 1}]),
            said([{"type": "text", "text": "both cities.", "index": 1}]),
            called(2, "", "get_weather", "call_paris"),
            called(2, '{"city": "Paris", '),
            called(3, '{"city": "Atlantis", ', "get_weather", "call_atlantis"),
            called(2, '"unit": "C"}'),
            called(3, '"unit": "C"}'),
            over(),
        ],
        [said("Paris is 18 °C and sunny; "), said("**Atlantis** could not be found."), over()],
    )


def nested() -> Any:
    """An agent with two others as its tools, both at work at the same time."""

    def helper(name: str, city: str) -> Any:
        call = called(0, f'{{"city": "{city}", "unit": "C"}}', "get_weather", f"call_{city.lower()}")
        return agent(
            name,
            [get_weather],
            [said(f"Looking at {city}. "), call, over()],
            [said(f"{city} is "), said("sunny."), over()],
        )

    helpers = {"here": helper("here", "Paris"), "there": helper("there", "Oslo")}

    @tool
    async def research(where: str) -> str:
        """Ask another agent."""
        answer = await helpers[where].ainvoke(QUESTION)
        return str(answer["messages"][-1].content)

    return agent(
        "boss",
        [research],
        [
            said("I ask both."),
            called(0, '{"where": "here"}', "research", "call_here"),
            called(1, '{"where": "there"}', "research", "call_there"),
            over(),
        ],
        [said("Sunny, "), said("they say."), over()],
    )


def modes(graph: Any, *names: str, **options: Any) -> AsyncIterator[Any]:
    """``astream`` with these modes."""
    stream: AsyncIterator[Any] = graph.astream(QUESTION, stream_mode=list(names), **options)
    return stream


async def protocol(graph: Any) -> AsyncIterator[Any]:
    """``astream_events(version="v3")``, which is a beta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stream = await graph.astream_events(QUESTION, version="v3")
    async for event in stream:
        yield event


PACKAGES = ("langgraph", "langchain", "langchain-core", "langchain-protocol")
RUNS: Runs = {
    "langgraph_v3": ('astream_events(version="v3")', lambda: protocol(weather())),
    "langgraph_v3_nested": ('astream_events(version="v3")', lambda: protocol(nested())),
    "langgraph_events": (
        'astream_events(version="v2")',
        lambda: weather().astream_events(QUESTION, version="v2"),
    ),
    "langgraph_events_nested": (
        'astream_events(version="v2")',
        lambda: nested().astream_events(QUESTION, version="v2"),
    ),
    "langgraph_updates": (
        'astream(stream_mode=["updates"], version="v2")',
        lambda: modes(weather(), "updates", version="v2"),
    ),
    "langgraph_debug": ('astream(stream_mode=["debug"])', lambda: modes(weather(), "debug")),
    "langgraph_parts_nested": (
        'astream(stream_mode=["messages", "updates"], subgraphs=True, version="v2")',
        lambda: modes(nested(), "messages", "updates", subgraphs=True, version="v2"),
    ),
    "langgraph_tasks_nested": (
        'astream(stream_mode=["tasks", "messages"], subgraphs=True)',
        lambda: modes(nested(), "tasks", "messages", subgraphs=True),
    ),
}
