"""Record llama-index's ``handler.stream_events()``, over a scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ChatResponseAsyncGen, ToolCallBlock
from llama_index.core.llms import MockFunctionCallingLLM, MockLLM
from llama_index.core.tools import FunctionTool, ToolSelection
from pydantic import Field

from ._chat import weather
from .recorder import Runs

THOUGHT = "The user wants two cities. I should call get_weather once per city."
Turn = list[tuple[str, Any]]


def text_turn(*deltas: str) -> Turn:
    """Return a turn of text deltas."""
    return [("text", delta) for delta in deltas]


def call(call_id: str, name: str, **args: Any) -> tuple[str, Any]:
    """Return a tool call."""
    return "call", ToolCallBlock(tool_call_id=call_id, tool_name=name, tool_kwargs=args)


class Scripted(MockFunctionCallingLLM):
    """Answer with these turns, one after the other."""

    turns: list[Any] = Field(default_factory=list)

    def __init__(self, *turns: Any) -> None:
        super().__init__()
        self.turns = list(turns)

    async def astream_chat_with_tools(self, *_: Any, **__: Any) -> ChatResponseAsyncGen:
        """Stream the next turn, like a provider's model."""
        return self._stream(self.turns.pop(0))

    async def astream_chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponseAsyncGen:  # noqa: ARG002
        """Stream the next turn."""
        return self._stream(self.turns.pop(0))

    def get_tool_calls_from_response(self, response: ChatResponse, *_: Any, **__: Any) -> list[ToolSelection]:
        """Return the calls of an answer; the base class of the first versions returns none."""
        return [
            ToolSelection(
                tool_id=block.tool_call_id or "", tool_name=block.tool_name, tool_kwargs=block.tool_kwargs
            )
            for block in response.message.blocks
            if isinstance(block, ToolCallBlock)
        ]

    async def _stream(self, turn: Turn) -> ChatResponseAsyncGen:
        text, calls = "", []
        for kind, value in turn:
            calls += [value] if kind == "call" else []
            text += value if kind == "text" else ""
            message = ChatMessage(role="assistant", content=text)
            message.blocks.extend(calls)
            extra = {"thinking_delta": value} if kind == "thinking" else {}
            delta = value if kind == "text" else ""
            yield ChatResponse(message=message, delta=delta, additional_kwargs=extra)


async def get_weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather; Paris needs more time."""
    await asyncio.sleep(0.03 if city == "Paris" else 0)
    return weather(city, unit)


def weatherman() -> FunctionAgent:
    """Return an agent with thinking, text, two calls (one fails) and an answer."""
    turns = [
        [
            ("thinking", THOUGHT[:27]),
            ("thinking", THOUGHT[27:]),
            *text_turn("Let me ", "check both cities."),
            call("call_paris", "get_weather", city="Paris", unit="C"),
            call("call_atlantis", "get_weather", city="Atlantis", unit="C"),
        ],
        text_turn("Paris is 18 °C and sunny; ", "**Atlantis** could not be found."),
    ]
    return FunctionAgent(name="weather", llm=Scripted(*turns), tools=[get_weather])


def handoff() -> AgentWorkflow:
    """Return an agent that hands over to another agent."""
    ask = call("call_1", "handoff", to_agent="expert", reason="weather")
    desk = FunctionAgent(
        name="desk",
        description="asks",
        llm=Scripted([*text_turn("I know whom to ask."), ask]),
        can_handoff_to=["expert"],
    )
    expert = FunctionAgent(name="expert", description="knows", llm=Scripted(text_turn("It is 18 °C.")))
    return AgentWorkflow(agents=[desk, expert], root_agent="desk")


class Pondering(MockLLM):
    """Answer with these texts, without function calling."""

    texts: list[str] = Field(default_factory=list)

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self.texts = list(texts)

    async def astream_chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponseAsyncGen:  # noqa: ARG002
        """Stream the next text, word by word."""
        return self._stream(self.texts.pop(0))

    async def _stream(self, whole: str) -> ChatResponseAsyncGen:
        text = ""
        for word in whole.split(" "):
            delta = f" {word}" if text else word
            text += delta
            yield ChatResponse(message=ChatMessage(role="assistant", content=text), delta=delta)


def react() -> ReActAgent:
    """Return an agent whose model writes its calls as text."""
    action = 'Thought: I need a tool.\nAction: add\nAction Input: {"a": 1, "b": 2}'
    answer = "Thought: I can answer.\nAnswer: 3"
    return ReActAgent(name="adder", llm=Pondering(action, answer), tools=[add])


def failing() -> FunctionAgent:
    """Return an agent whose model fails at its second turn."""
    turns = [[*text_turn("Let me see."), call("call_1", "add", a=1, b=2)]]
    return FunctionAgent(name="broken", llm=Scripted(*turns), tools=[add])


def _add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


add = FunctionTool.from_defaults(_add, name="add")


async def streamed(agent: Any) -> AsyncIterator[Any]:
    """Yield the events of one run; awaiting the result raises the run's error."""
    handler = agent.run(user_msg="Weather in Paris and Atlantis?")
    async for event in handler.stream_events():
        yield event
    await handler


PACKAGES = ("llama-index-core",)
RUNS: Runs = {
    "llama_index": ("FunctionAgent.run().stream_events()", lambda: streamed(weatherman())),
    "llama_index_error": ("FunctionAgent.run().stream_events()", lambda: streamed(failing())),
    "llama_index_handoff": ("AgentWorkflow.run().stream_events()", lambda: streamed(handoff())),
    "llama_index_react": ("ReActAgent.run().stream_events()", lambda: streamed(react())),
}
