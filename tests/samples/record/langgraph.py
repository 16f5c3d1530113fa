"""Record LangGraph's streams, over LangChain agents with LangChain's own fake model."""

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
    """Stream the chunks of a script, one list a turn."""

    def bind_tools(self, tools: Any, **options: Any) -> Model:  # noqa: ARG002 - the script contains the calls
        """Return this model."""
        return self

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        del messages, stop, run_manager, options
        for chunk in next(self.messages):
            yield ChatGenerationChunk(message=chunk)

    async def _agenerate(self, *args: Any, **options: Any) -> ChatResult:
        del args, options
        chunks: Any = next(self.messages)
        whole = message_chunk_to_message(functools.reduce(lambda a, b: a + b, chunks))
        return ChatResult(generations=[ChatGeneration(message=whole)])


def message_chunk(content: Any = "", **fields: Any) -> AIMessageChunk:
    """Return a chunk of text, or of content blocks."""
    return AIMessageChunk(content=content, **fields)


def thinking_chunk(text: str) -> AIMessageChunk:
    """Return a chunk of thinking."""
    return message_chunk([{"type": "reasoning", "reasoning": text, "index": 0}])


def call_chunk(index: int, args: str, name: str | None = None, call_id: str | None = None) -> AIMessageChunk:
    """Return a chunk of a tool call."""
    return message_chunk(tool_call_chunks=[{"index": index, "id": call_id, "name": name, "args": args}])


def last_chunk() -> AIMessageChunk:
    """Return the last chunk."""
    return message_chunk(
        usage_metadata=USED, response_metadata={"finish_reason": "stop"}, chunk_position="last"
    )


@tool
async def get_weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather; raise an error for Atlantis, before the other result."""
    if city == "Atlantis":
        raise LookupError(f"no such city: {city}")
    await asyncio.sleep(0.02)
    return {"city": city, "temp_c": 18, "sky": "sunny ☀️"}


def agent(name: str, tools: list[Any], *turns: list[AIMessageChunk]) -> Any:
    """Return an agent whose model answers with these turns, and gets the errors of tools."""
    made = create_agent(Model(messages=iter(turns)), tools, name=name)
    node = made.nodes["tools"].bound
    assert isinstance(node, ToolNode)
    node._handle_tool_errors = True
    return made


def weather() -> Any:
    """Return an agent with thinking, text, two parallel calls (one fails) and an answer."""
    return agent(
        "weather",
        [get_weather],
        [
            thinking_chunk("The user wants two cities. "),
            thinking_chunk("I should call get_weather once per city."),
            message_chunk([{"type": "text", "text": "Let me check ", "index": 1}]),
            message_chunk([{"type": "text", "text": "both cities.", "index": 1}]),
            call_chunk(2, "", "get_weather", "call_paris"),
            call_chunk(2, '{"city": "Paris", '),
            call_chunk(3, '{"city": "Atlantis", ', "get_weather", "call_atlantis"),
            call_chunk(2, '"unit": "C"}'),
            call_chunk(3, '"unit": "C"}'),
            last_chunk(),
        ],
        [
            message_chunk("Paris is 18 °C and sunny; "),
            message_chunk("**Atlantis** could not be found."),
            last_chunk(),
        ],
    )


def nested() -> Any:
    """Return an agent with two other agents as its tools, which run at the same time."""

    def helper(name: str, city: str) -> Any:
        call = call_chunk(0, f'{{"city": "{city}", "unit": "C"}}', "get_weather", f"call_{city.lower()}")
        return agent(
            name,
            [get_weather],
            [message_chunk(f"Looking at {city}. "), call, last_chunk()],
            [message_chunk(f"{city} is "), message_chunk("sunny."), last_chunk()],
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
            message_chunk("I ask both."),
            call_chunk(0, '{"where": "here"}', "research", "call_here"),
            call_chunk(1, '{"where": "there"}', "research", "call_there"),
            last_chunk(),
        ],
        [message_chunk("Sunny, "), message_chunk("they say."), last_chunk()],
    )


def modes(graph: Any, *names: str, **options: Any) -> AsyncIterator[Any]:
    """Yield from ``astream`` with these modes."""
    stream: AsyncIterator[Any] = graph.astream(QUESTION, stream_mode=list(names), **options)
    return stream


async def protocol(graph: Any) -> AsyncIterator[Any]:
    """Yield from ``astream_events(version="v3")``, which is a beta."""
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
