"""Run ``handler`` with the SDKs that push events."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest

import vibe_notebook as vibe

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]  # the SDKs' own warnings


def quiet(name: str, **options: Any) -> Any:
    return vibe.handler(name, **{"registry": vibe.Registry(), "display": False, **options})


def script(name: str, sdk: str) -> Any:
    """Return the script that runs an SDK; skip the test without the SDK."""
    pytest.importorskip(sdk)
    return importlib.import_module(f"tests.samples.record.{name}")


def test_langchain_shows_nested_agents() -> None:
    scripts = script("langgraph", "langchain.agents")
    hook = quiet("langchain")

    async def main() -> None:
        async with hook:
            stream = scripts.nested().astream(scripts.QUESTION, {"callbacks": [hook]}, stream_mode="messages")
            async for _ in stream:
                pass

    asyncio.run(main())
    text, here, there, answer = hook.transcript.parts
    assert (text.text, answer.text) == ("I ask both.", "Sunny, they say.")
    for call, city in ((here, "Paris"), (there, "Oslo")):
        first, weather, last = call.children
        assert (first.text, last.text) == (f"Looking at {city}. ", f"{city} is sunny.")
        assert weather.args["city"] == city
    assert [run.outcome for run in hook.transcript.runs] == ["success"] * 3


def test_langchain_shows_thinking_and_parallel_calls() -> None:
    scripts = script("langgraph", "langchain.agents")
    hook = quiet("langchain")

    async def main() -> None:
        stream = scripts.weather().astream(scripts.QUESTION, {"callbacks": [hook]}, stream_mode="messages")
        async for _ in stream:
            pass

    asyncio.run(main())
    assert [part.kind for part in hook.transcript.parts] == ["thinking", "text", "tool", "tool", "text"]
    assert [call.state for call in hook.transcript.tools] == ["ok", "error"]


def test_openai_agents_show_a_nested_agent_in_the_outer_agents_view() -> None:
    scripts = script("openai_agents", "agents")
    registry = vibe.Registry()
    hook = quiet("openai_agents", registry=registry)

    async def main() -> None:
        inner = scripts.agent("inner", [scripts.message("Hi.")])
        tool = inner.as_tool("ask", "Ask", on_stream=hook)
        outer = scripts.agent(
            "outer", [scripts.call("ask", "c1", input="?")], [scripts.message("Done.")], tools=[tool]
        )
        run = scripts.Runner.run_streamed(outer, "?", run_config=scripts.QUIET)
        (call,) = (await vibe.watch(run, registry=registry, display=False)).tools
        assert [(part.kind, part.text) for part in call.children if part.kind == "text"] == [("text", "Hi.")]

    asyncio.run(main())


def test_crewai_is_shown_by_the_block_around_its_crew() -> None:
    scripts = script("crewai", "crewai.events.stream_context")
    hook = quiet("crewai")
    with scripts.serving(*scripts.PARIS_AND_ATLANTIS) as url, hook:
        scripts.crew(url, stream=False).kickoff()
    assert [call.state for call in hook.transcript.tools] == ["ok", "error"]
    assert hook.transcript.text.endswith("**Atlantis** could not be found.")
    assert hook.transcript.outcome == "success"


def test_haystack_is_shown_by_its_callback() -> None:
    scripts = script("haystack", "haystack")
    hook = quiet("haystack")
    with scripts.serving(*scripts.PARIS_AND_ATLANTIS) as url, hook:
        scripts.agent(url, hook).run(messages=[scripts.ChatMessage.from_user("Weather?")])
    assert [call.state for call in hook.transcript.tools] == ["ok", "error"]
    assert hook.transcript.text.endswith("**Atlantis** could not be found.")


def test_mcp_is_shown_by_the_callbacks_of_a_client() -> None:
    scripts = script("mcp", "mcp.client.client")
    hook = quiet("mcp")

    async def main() -> None:
        async with hook, scripts.Client(scripts.server) as client:
            await hook.call_tool(client, "get_weather", {"city": "Paris", "unit": "C"})
            await client.call_tool("get_weather", {"city": "Oslo", "unit": "C"}, progress_callback=hook)

    asyncio.run(main())
    first, second = hook.transcript.tools
    assert (first.args, first.state, first.progress.progress) == ({"city": "Paris", "unit": "C"}, "ok", 2)
    assert (second.progress.progress, second.progress.total) == (2, 2)


def test_strands_is_shown_by_its_callback_handler() -> None:
    scripts = script("strands", "strands")
    hook = quiet("strands")
    agent = scripts.weather()
    agent.callback_handler = hook
    with hook:
        agent("Weather?")
    assert [call.state for call in hook.transcript.tools] == ["ok", "error"]
    assert [part.kind for part in hook.transcript.parts] == ["thinking", "text", "tool", "tool", "text"]


def test_openai_agents_wait_for_an_approval_and_continue_in_the_next_run() -> None:
    scripts = script("openai_agents", "agents")
    agents = importlib.import_module("agents")
    registry = vibe.Registry()

    async def erase(path: str) -> str:
        return f"erased {path}"

    tool = agents.function_tool(erase, needs_approval=True)
    agent = scripts.agent(
        "boss", [scripts.call("erase", "c1", path="x")], [scripts.message("Done.")], tools=[tool]
    )

    async def main() -> None:
        def watched(source: Any) -> vibe.Watch:
            return vibe.watch(source, agent_id="boss", registry=registry, display=False)

        first = scripts.Runner.run_streamed(agent, "?", run_config=scripts.QUIET)
        asked = await watched(first)
        assert [call.state for call in asked.tools] == ["awaiting_approval"]
        assert asked.outcome == "interrupted"
        state = first.to_state()
        state.approve(first.interruptions[0])
        await watched(scripts.Runner.run_streamed(agent, state, run_config=scripts.QUIET))

    asyncio.run(main())
    transcript = registry.transcript("boss")
    (call,) = transcript.tools
    assert (call.tool_name, call.args, call.state, call.output) == ("erase", {"path": "x"}, "ok", "erased x")
    assert [run.outcome for run in transcript.runs] == ["interrupted", "success"]
