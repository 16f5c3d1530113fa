"""Check ``handler("langchain")`` in LangChain's own ``callbacks``, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt

import vibe_notebook as vibe

QUESTION: Any = {"messages": [("user", "1 + 2?")]}


def quiet(**options: Any) -> Any:
    return vibe.handler("langchain", **{"registry": vibe.Registry(), "display": False, **options})


def called(name: str, **args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": "c1"}])


class Model(GenericFakeChatModel):
    """Stream a message, its calls included, as one chunk."""

    def _stream(self, *args: Any, **options: Any) -> Iterator[ChatGenerationChunk]:
        del args, options
        whole: Any = next(self.messages)
        message = AIMessageChunk(content=whole.content, tool_calls=whole.tool_calls)
        yield ChatGenerationChunk(message=message)


def agent(messages: list[AIMessage], tools: list[Any]) -> Any:
    """Return a graph with tools, whose model sends these messages."""
    model = Model(messages=iter(messages))

    def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", speak)
    builder.add_node("tools", ToolNode(tools, handle_tool_errors=False))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", tools_condition)
    builder.add_edge("tools", "model")
    return builder.compile()


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def adder() -> Any:
    return agent([called("add", a=1, b=2), AIMessage("The sum is 3.")], [add])


def test_a_sync_run_is_shown_with_its_tool_and_its_end() -> None:
    hook = quiet(agent_id="adder")
    answer = adder().invoke(QUESTION, {"callbacks": [hook]})
    assert answer["messages"][-1].content == "The sum is 3."
    (call,) = hook.transcript.tools
    assert (call.tool_name, call.args, call.state, call.output) == ("add", {"a": 1, "b": 2}, "ok", "3")
    assert (hook.transcript.text, hook.transcript.outcome) == ("The sum is 3.", "success")
    assert not hook.done()
    hook.close()
    assert hook.done()


def test_an_async_run_of_agents_inside_of_agents_is_shown_as_such() -> None:
    @tool
    async def research(where: str) -> str:
        """Ask another agent."""
        inner = agent([called("add", a=1, b=2), AIMessage(f"3 in {where}.")], [add])
        return str((await inner.ainvoke(QUESTION))["messages"][-1].content)

    calls = [{"name": "research", "args": {"where": city}, "id": city} for city in ("Paris", "Oslo")]
    boss = agent([AIMessage("I ask both.", tool_calls=calls), AIMessage("Three.")], [research])
    hook = quiet()

    async def main() -> None:
        async with hook:
            await boss.ainvoke(QUESTION, {"callbacks": [hook]})

    asyncio.run(main())
    asked, text, here, there, answer = hook.transcript.parts
    assert (asked.role, asked.text) == ("user", QUESTION["messages"][0][1])
    assert (text.text, answer.text) == ("I ask both.", "Three.")
    for call, city in ((here, "Paris"), (there, "Oslo")):
        inner, last = call.children
        assert (call.args, inner.args, last.text) == ({"where": city}, {"a": 1, "b": 2}, f"3 in {city}.")
    assert [run.outcome for run in hook.transcript.runs] == ["success"] * 3


def test_each_outermost_run_is_a_run() -> None:
    hook = quiet()
    for _ in range(2):
        adder().invoke(QUESTION, {"callbacks": [hook]})
    assert [run.outcome for run in hook.transcript.runs] == ["success", "success"]


def test_a_model_alone_is_a_run_too() -> None:
    hook = quiet()
    model = GenericFakeChatModel(messages=iter([AIMessage("Hello world")]))
    list(model.stream("Hi", {"callbacks": [hook]}))
    assert (hook.transcript.text, hook.transcript.outcome) == ("Hello world", "success")


def test_a_model_without_messages_shows_its_text() -> None:
    hook = quiet()
    FakeListLLM(responses=["Hello"]).invoke("Hi", {"callbacks": [hook]})
    assert (hook.transcript.text, hook.transcript.outcome) == ("Hello", "success")
    again = quiet()
    list(FakeListLLM(responses=["Hello"]).stream("Hi", {"callbacks": [again]}))
    assert again.transcript.text == "Hello"


def test_an_error_ends_the_run_with_it() -> None:
    hook = quiet()

    def fail(_: Any) -> None:
        raise ValueError("bad day")

    with pytest.raises(ValueError, match="bad day"):
        RunnableLambda(fail).invoke(1, {"callbacks": [hook]})
    assert (hook.transcript.outcome, hook.transcript.error) == ("error", "ValueError: bad day")


def test_a_tool_that_raises_is_shown_as_failed() -> None:
    @tool
    def broken() -> None:
        """Fail."""
        raise LookupError("gone")

    hook = quiet()
    with pytest.raises(LookupError):
        agent([called("broken")], [broken]).invoke(QUESTION, {"callbacks": [hook]})
    (call,) = hook.transcript.tools
    assert (call.state, call.error, hook.transcript.outcome) == ("error", "gone", "error")


def test_a_graph_that_asks_its_user_is_interrupted() -> None:
    def ask(_: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(interrupt("sure?"))]}

    builder = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    hook = quiet()
    config: Any = {"callbacks": [hook], "configurable": {"thread_id": "t"}}
    builder.compile(InMemorySaver()).invoke({"messages": []}, config)
    assert hook.transcript.outcome == "interrupted"


def test_the_hook_does_not_change_the_runs_own_stream() -> None:
    async def events(*callbacks: Any) -> list[str]:
        stream = adder().astream_events(QUESTION, {"callbacks": list(callbacks)}, version="v2")
        return sorted([event["event"] for event in [event async for event in stream]])

    seen = asyncio.run(events(quiet()))
    assert seen == asyncio.run(events())
    assert {"on_chat_model_stream", "on_tool_end"} <= set(seen)
