"""Check ``vibe.auto()`` with each SDK's hook: LangChain and pydantic-ai themselves, openai-agents by its shape."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda, RunnableParallel
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.test import TestModel

import vibe_notebook as vibe
from tests.auto.spans import Agents, Tracer, words


@pytest.fixture
def registry() -> Iterator[vibe.Registry]:
    with vibe.Registry() as made:
        yield made
        vibe.auto(False)


def shown(registry: vibe.Registry) -> list[str]:
    return [registry.transcript(agent_id).text for agent_id in registry.agents()]


# pydantic-ai


def agent() -> Agent[None, str]:
    inner = Agent(TestModel(custom_output_text="inner"), name="inner")
    made = Agent(TestModel(custom_output_text="outer"), name="outer")

    @made.tool_plain
    async def ask(question: str) -> str:
        return (await inner.run(question)).output

    return made


def default() -> Any:
    """Return the instrumentation of all agents."""
    return Agent._instrument_default


def test_a_run_of_pydantic_ai_shows_with_its_nested_agent(registry: vibe.Registry) -> None:
    report = vibe.auto(registry=registry, display=False)
    assert "pydantic-ai: instrumentation of all agents" in report.lines
    asyncio.run(agent().run("hello"))
    (agent_id,) = registry.agents()
    transcript = registry.transcript(agent_id)
    assert (transcript.turns[0].input, transcript.text, transcript.outcome) == ("hello", "outer", "success")
    assert words(transcript.tools[0].children) == ["inner"]
    assert transcript.tools[0].output == "inner"


def test_two_runs_of_pydantic_ai_at_once_are_two_views(registry: vibe.Registry) -> None:
    vibe.auto(registry=registry, display=False)

    async def main() -> None:
        await asyncio.gather(agent().run("a"), agent().run("b"))

    asyncio.run(main())
    turns = [registry.transcript(agent_id).turns[0].input for agent_id in registry.agents()]
    assert sorted(turns) == ["a", "b"]


def test_a_watched_run_of_pydantic_ai_is_shown_once(registry: vibe.Registry) -> None:
    vibe.auto(registry=registry, display=False)

    async def main() -> None:
        events: Any = agent().run_stream_events("a")
        await vibe.watch(events, registry=registry, display=False)
        assert shown(registry) == ["outer"]
        async with agent().run_stream("b") as result:  # the run begins before its watch
            assert len(registry.agents()) == 2
            await vibe.watch(result.stream_text(), registry=registry, display=False)
        assert shown(registry) == ["outer", "outer"]
        hook = vibe.handler("pydantic_ai", registry=registry, display=False)
        await agent().run("c", event_stream_handler=hook)
        hook.close()
        assert shown(registry) == ["outer", "outer", "outer"]

    asyncio.run(main())


def test_instrumentation_of_the_users_stays_and_is_shown_too(registry: vibe.Registry) -> None:
    provider = Tracer()
    mine: Any = SimpleNamespace(tracer=SimpleNamespace(span_processor=provider))
    Agent.instrument_all(mine)
    try:
        assert "pydantic-ai: a span processor of your instrumentation" in vibe.auto(registry=registry).lines
        assert default() is mine
        with provider.agent("A"), provider.chat(gen_ai__output__messages='"hi"'):
            pass
        assert shown(registry) == ["hi"]
    finally:
        Agent.instrument_all(instrument=False)


def test_off_takes_back_the_instrumentation_and_makes_hooks_inert(registry: vibe.Registry) -> None:
    vibe.auto(registry=registry, display=False)
    assert isinstance(default(), InstrumentationSettings)
    assert repr(vibe.auto(False)) == "vibe.auto is off"
    assert default() is False
    asyncio.run(agent().run("hello"))
    model(AIMessage("hi")).invoke("?")
    assert registry.agents() == []


# LangChain


def model(*messages: AIMessage) -> Any:
    return GenericFakeChatModel(messages=iter(messages))


def test_a_chain_shows_from_its_first_model_on(registry: vibe.Registry) -> None:
    vibe.auto(registry=registry, display=False)
    RunnableLambda(str).invoke("no model")
    assert registry.agents() == []
    (RunnableLambda(str) | model(AIMessage("hi there"))).invoke("?")
    (agent_id,) = registry.agents()
    assert registry.transcript(agent_id).outcome == "success"
    assert shown(registry) == ["hi there"]


def test_parallel_models_of_one_chain_are_one_view_and_two_chains_are_two(registry: vibe.Registry) -> None:
    vibe.auto(registry=registry, display=False)
    both = RunnableParallel(a=model(AIMessage("one")), b=model(AIMessage("two")))
    both.invoke("?")
    assert [sorted(words(registry.transcript(a).parts)) for a in registry.agents()] == [["one", "two"]]

    async def main() -> None:
        await asyncio.gather(model(AIMessage("x")).ainvoke("?"), model(AIMessage("y")).ainvoke("?"))

    asyncio.run(main())
    assert sorted(shown(registry)[1:]) == ["x", "y"]


def test_a_watched_chain_and_one_with_a_handler_are_shown_once(registry: vibe.Registry) -> None:
    vibe.auto(registry=registry, display=False)
    for _ in vibe.watch(model(AIMessage("a")).stream("?"), registry=registry, display=False):
        pass
    assert shown(registry) == ["a"]
    hook = vibe.handler("langchain", registry=registry, display=False)
    model(AIMessage("b")).invoke("?", {"callbacks": [hook]})
    hook.close()
    assert shown(registry) == ["a", "b"]


def test_a_failing_chain_shows_its_error_and_raises_it(registry: vibe.Registry) -> None:
    vibe.auto(registry=registry, display=False)

    def fail(_: object) -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        (model(AIMessage("hi")) | RunnableLambda(fail)).invoke("?")
    (agent_id,) = registry.agents()
    transcript = registry.transcript(agent_id)
    assert (transcript.outcome, transcript.error) == ("error", "LookupError: gone")


# openai-agents


@pytest.fixture
def agents(monkeypatch: pytest.MonkeyPatch) -> Agents:
    made = Agents()
    package, tracing = ModuleType("agents"), ModuleType("agents.tracing")
    tracing.add_trace_processor = made.add_trace_processor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "agents", package)
    monkeypatch.setitem(sys.modules, "agents.tracing", tracing)
    return made


def run_agent(agents: Agents, trace: Any) -> None:
    with agents.span(trace, "agent", name="A") as outer:
        call = {"id": "c1", "function": {"name": "ask", "arguments": '{"q": "?"}'}}
        with agents.span(trace, "generation", outer, input=None, output=None, model="m", usage=None) as model:
            model.span_data.input = [{"role": "user", "content": "hello"}]
            model.span_data.output = [{"role": "assistant", "content": "I ask.", "tool_calls": [call]}]
        with agents.span(trace, "function", outer, name="ask", input='{"q": "?"}', output=None) as tool:
            with (
                agents.span(trace, "agent", tool, name="B") as inner,
                agents.span(
                    trace, "generation", inner, input=None, output=None, model="m", usage=None
                ) as model,
            ):
                model.span_data.output = [{"role": "assistant", "content": "hi"}]
            tool.span_data.output = "hi"
    agents.end_trace(trace)


def test_a_run_of_openai_agents_shows_with_an_agent_as_a_tool(
    registry: vibe.Registry, agents: Agents
) -> None:
    assert "openai-agents: a trace processor" in vibe.auto(registry=registry, display=False).lines
    run_agent(agents, agents.start_trace())
    (agent_id,) = registry.agents()
    transcript = registry.transcript(agent_id)
    assert (transcript.turns[0].input, transcript.text, transcript.outcome) == ("hello", "I ask.", "success")
    (call,) = transcript.tools
    assert (call.tool_call_id, call.output, words(call.children)) == ("c1", "hi", ["hi"])


class Streamed:
    """Hold a streamed run of openai-agents, which begins before anybody watches it."""

    def __init__(self, agents: Agents) -> None:
        self.agents = agents
        self.trace = agents.start_trace()
        self.input = "hello"

    async def stream_events(self) -> AsyncIterator[Any]:
        """Yield the one event of the run."""
        yield SimpleNamespace(type="agent_updated_stream_event", new_agent=SimpleNamespace(name="A"))


Streamed.__module__ = "agents.result"


@pytest.mark.parametrize("is_late", [False, True])
def test_a_streamed_run_that_a_watch_claims_is_shown_once(
    registry: vibe.Registry, agents: Agents, *, is_late: bool
) -> None:
    vibe.auto(registry=registry, display=False)
    run = Streamed(agents)
    with (
        agents.span(run.trace, "agent", name="A")
        if is_late
        else agents.span(run.trace, "task", name="t") as span
    ):
        assert len(registry.agents()) == int(is_late)

        async def main() -> None:
            watch = vibe.watch(run, registry=registry, display=False)
            with agents.span(run.trace, "function", span, name="f", input="", output=""):
                pass
            await watch

        asyncio.run(main())
    agents.end_trace(run.trace)
    (agent_id,) = registry.agents()
    assert [each.agent_name for each in registry.transcript(agent_id).runs] == ["A"]


def test_processors_of_the_users_are_kept_and_ours_is_added_once(
    registry: vibe.Registry, agents: Agents
) -> None:
    seen: list[Any] = []
    mine = SimpleNamespace(
        on_trace_start=seen.append,
        on_span_start=seen.append,
        on_span_end=seen.append,
        on_trace_end=seen.append,
    )
    agents.add_trace_processor(mine)
    for _ in range(2):
        vibe.auto(registry=registry, display=False)
    run_agent(agents, agents.start_trace())
    assert len(seen) == 12
    assert len(registry.agents()) == 1


def test_the_report_names_sdks_that_have_no_hook(
    registry: vibe.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "claude_agent_sdk", ModuleType("claude_agent_sdk"))
    report = vibe.auto(registry=registry, display=False)
    assert any(line.startswith("claude-agent-sdk") or ", claude-agent-sdk" in line for line in report.lines)
    assert repr(report).startswith("vibe.auto is on\n  ")
