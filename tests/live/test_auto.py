"""Run ``vibe.auto()`` and ``vibe.spans()`` with the SDKs themselves: each run once, watched or not."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import vibe_notebook as vibe

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]  # the SDKs' own warnings


@pytest.fixture
def registry() -> Iterator[vibe.Registry]:
    with vibe.Registry() as made:
        yield made
        vibe.auto(False)


def script(name: str, sdk: str) -> Any:
    """Return the script that runs an SDK; skip the test without the SDK."""
    pytest.importorskip(sdk)
    return importlib.import_module(f"tests.samples.record.{name}")


def shown(registry: vibe.Registry) -> list[str]:
    return [registry.transcript(agent_id).text for agent_id in registry.agents()]


def check_each_is_one(registry: vibe.Registry, *runs: Callable[[], Awaitable[Any]]) -> None:
    """Assert that each run, the last two of them at once, adds one agent to the registry."""

    async def main() -> None:
        for count, run in enumerate(runs, 1):
            await run()
            assert len(registry.agents()) == count
        await asyncio.gather(runs[0](), runs[0]())
        assert len(registry.agents()) == len(runs) + 2

    asyncio.run(main())


def test_langchain(registry: vibe.Registry) -> None:
    scripts = script("langgraph", "langchain.agents")
    vibe.auto(registry=registry, display=False)

    async def handled() -> None:
        hook = vibe.handler("langchain", registry=registry, display=False)
        await scripts.nested().ainvoke(scripts.QUESTION, {"callbacks": [hook]})
        hook.close()

    check_each_is_one(
        registry,
        lambda: scripts.nested().ainvoke(scripts.QUESTION),
        lambda: drain(registry, scripts.nested().astream_events(scripts.QUESTION, version="v2")),
        lambda: drain(
            registry, scripts.nested().astream(scripts.QUESTION, stream_mode=["messages", "updates"])
        ),
        handled,
    )
    transcript = registry.transcript(registry.agents()[0])
    assert [call.tool_name for call in transcript.tools if not call.children] == []
    assert [run.outcome for run in transcript.runs] == ["success"] * 3


async def drain(registry: vibe.Registry, source: Any) -> None:
    await vibe.watch(source, registry=registry, display=False)


def test_openai_agents(registry: vibe.Registry) -> None:
    scripts = script("openai_agents_traces", "agents")
    scripts.set_trace_processors([])
    vibe.auto(registry=registry, display=False)

    async def late() -> None:
        run = scripts.Runner.run_streamed(scripts.slow(), "?")
        await scripts.is_waiting.wait()  # its first tool works: the automatic view has begun
        await vibe.watch(run, registry=registry, display=False)

    check_each_is_one(
        registry,
        lambda: scripts.Runner.run(scripts.nested(), "Weather?"),
        lambda: drain(registry, scripts.Runner.run_streamed(scripts.weather(), "Weather?")),
        late,
    )
    transcript = registry.transcript(registry.agents()[0])
    (call,) = transcript.tools
    assert (transcript.text, transcript.turns[0].input) == ("I ask.Sunny, they say.", "Weather?")
    assert [part.kind for part in call.children] == ["text", "tool", "tool", "text"]


def test_pydantic_ai(registry: vibe.Registry) -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    test = pytest.importorskip("pydantic_ai.models.test")
    vibe.auto(registry=registry, display=False)
    inner = pydantic_ai.Agent(test.TestModel(custom_output_text="inner"), name="inner")
    outer = pydantic_ai.Agent(test.TestModel(custom_output_text="outer"), name="outer")

    @outer.tool_plain
    async def ask(question: str) -> str:
        return str((await inner.run(question)).output)

    async def streamed() -> None:
        async with outer.run_stream("?") as result:
            await vibe.watch(result.stream_text(), registry=registry, display=False)

    async def handled() -> None:
        hook = vibe.handler("pydantic_ai", registry=registry, display=False)
        await outer.run("?", event_stream_handler=hook)
        hook.close()

    check_each_is_one(registry, lambda: outer.run("Weather?"), handled, streamed)
    transcript = registry.transcript(registry.agents()[0])
    assert (transcript.text, transcript.turns[0].input) == ("outer", "Weather?")
    (call,) = transcript.tools
    assert ([part.text for part in call.children], call.output) == (["inner"], "inner")  # type: ignore[union-attr]


def test_spans_of_a_provider(registry: vibe.Registry) -> None:
    scripts = script("otel_spans", "opentelemetry.sdk.trace")
    provider = scripts.TracerProvider()
    provider.add_span_processor(vibe.spans(registry=registry, display=False))
    check_each_is_one(registry, lambda: scripts.run_nested(provider))
    assert shown(registry)[0] == "I ask.Sunny, they say."
