"""Check ``handler``: an SDK's push-style hook."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

import vibe_notebook as vibe
from tests.adapters.support import recording
from tests.watching.test_watch_real import Script
from vibe_notebook.exceptions import AdapterError, ClosedError


def quiet(name: str = "pydantic_ai", **options: Any) -> Any:
    return vibe.handler(name, **{"registry": vibe.Registry(), "display": False, **options})


def agent() -> Agent[None, str]:
    return Script().agent()


def test_agent_run_is_watched_through_the_hook() -> None:
    hook = quiet(agent_id="adder")

    async def main() -> str:
        async with hook:
            return (await agent().run("1 + 2?", event_stream_handler=hook)).output

    assert asyncio.run(main()) == "The sum is 3."
    assert hook.transcript.text == "The sum is 3."
    assert [(t.tool_name, t.output) for t in hook.transcript.tools] == [("add", 3)]
    assert (hook.transcript.agent_id, hook.transcript.outcome) == ("adder", "success")


def test_the_run_ends_with_close_or_its_block_and_not_before() -> None:
    hook = quiet("Pydantic-AI")
    asyncio.run(agent().run("1 + 2?", event_stream_handler=hook))
    assert not hook.done()
    assert hook.transcript.outcome is None
    hook.close()
    hook.close()
    assert hook.done()
    assert hook.transcript.outcome == "success"


def test_an_error_that_leaves_the_block_is_shown() -> None:
    hook = quiet()

    async def main() -> None:
        async with hook:
            await agent().run("1 + 2?", event_stream_handler=hook)
            raise RuntimeError("later")

    with pytest.raises(RuntimeError, match="later"):
        asyncio.run(main())
    assert hook.transcript.error == "RuntimeError: later"


def test_an_ended_hook_raises_an_error_that_asks_for_a_new_one() -> None:
    hook = quiet()
    with hook:
        pass
    with pytest.raises(ClosedError, match=r"vibe\.handler"):
        asyncio.run(agent().run("1 + 2?", event_stream_handler=hook))


def test_nothing_is_shown_before_the_first_event(capsys: pytest.CaptureFixture[str]) -> None:
    hook = vibe.handler("pydantic_ai", registry=vibe.Registry())
    assert capsys.readouterr().out == ""
    asyncio.run(agent().run("1 + 2?", event_stream_handler=hook))
    assert "The sum is 3." in capsys.readouterr().out
    hook.close()


def test_a_cancelled_run_ends_as_cancelled() -> None:
    script = Script(hangs=True)
    hook = quiet()

    async def work() -> None:
        async with hook:
            await script.agent().run("1 + 2?", event_stream_handler=hook)

    async def main() -> None:
        task = asyncio.ensure_future(work())
        await asyncio.to_thread(script.hanging.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert hook.transcript.outcome == "cancelled"


def test_an_sdk_without_a_hook_is_an_error_that_names_watch() -> None:
    for name in ("openai", "nonsense"):
        with pytest.raises(AdapterError, match=r"vibe\.watch"):
            quiet(name)


# Nested agents.


def texts(parts: Any) -> list[str]:
    return [part.text for part in parts]


def helper(name: str) -> Agent[None, str]:
    async def answer(messages: list[Any], info: AgentInfo) -> AsyncIterator[str]:
        del messages, info
        await asyncio.sleep(0)
        yield f"{name} says hi."

    return Agent(FunctionModel(stream_function=answer), name=name)


def boss(hook: Any, *prompts: str) -> Agent[None, str]:
    async def calls(messages: list[Any], info: AgentInfo) -> AsyncIterator[Any]:
        del info
        if len(messages) > 1:
            yield "Done."
            return
        for i, prompt in enumerate(prompts):
            yield {i: DeltaToolCall(name="ask", json_args=f'{{"q": "{prompt}"}}', tool_call_id=f"c{i}")}

    made: Agent[None, str] = Agent(FunctionModel(stream_function=calls), name="boss")

    @made.tool_plain
    async def ask(q: str) -> str:
        return (await helper(q).run(q, event_stream_handler=hook)).output

    return made


@pytest.mark.parametrize("prompts", [("Ann",), ("Ann", "Bob")])
def test_a_nested_agent_is_shown_inside_of_the_call_that_runs_it(prompts: tuple[str, ...]) -> None:
    hook = quiet()

    async def main() -> None:
        async with hook:
            await boss(hook, *prompts).run("?", event_stream_handler=hook)

    asyncio.run(main())
    assert [texts(call.children) for call in hook.transcript.tools] == [
        [f"{name} says hi."] for name in prompts
    ]
    assert [run.agent_name for run in hook.transcript.runs] == ["boss", *prompts]
    assert {run.outcome for run in hook.transcript.runs} == {"success"}
    assert hook.transcript.text == "Done."


def test_nested_agents_that_cannot_be_told_apart_are_runs_of_their_own() -> None:
    hook = quiet()

    async def main() -> None:
        async with hook:
            await boss(hook, "Ann", "Ann").run("?", event_stream_handler=hook)

    asyncio.run(main())
    assert [len(call.children) for call in hook.transcript.tools] == [0, 0]
    assert [run.agent_name for run in hook.transcript.runs] == ["boss", "Ann", "Ann"]


def test_unrelated_runs_stay_apart() -> None:
    hook = quiet()
    for _ in range(2):
        asyncio.run(agent().run("1 + 2?", event_stream_handler=hook))
    assert [(run.agent_name, run.parent_run_id) for run in hook.transcript.runs] == [("adder", None)] * 2
    assert hook.transcript.text == "The sum is 3." * 2


NESTED = recording("openai_agents_subagent").natives


def test_an_agent_as_a_tool_is_shown_inside_of_its_call_in_the_view_of_the_outer_run() -> None:
    registry = vibe.Registry()
    hook = vibe.handler("openai_agents", registry=registry)

    def outer() -> Iterator[Any]:
        for native in NESTED:
            if "tool_call" in native:
                hook(native)
            else:
                yield native

    run = vibe.watch(outer(), registry=registry, display=False)
    for _ in run:
        pass
    (call,) = run.transcript.tools
    assert [part.kind for part in call.children] == ["text", "tool", "text"]
    assert hook.agent_id == run.agent_id
    hook.close()
    assert [each.outcome for each in run.transcript.runs] == ["success", "success"]


def test_an_agent_as_a_tool_of_an_unwatched_run_is_a_run_of_its_own() -> None:
    hook = quiet("openai_agents")
    for native in NESTED:
        if "tool_call" in native:
            hook(native)
    assert [run.agent_name for run in hook.transcript.runs] == ["researcher"]
    assert [part.kind for part in hook.transcript.parts] == ["text", "tool", "text"]


@pytest.mark.parametrize("payload", [None, 3, {}, {"tool_call": 3, "agent": {"name": 4}, "event": object()}])
def test_an_unknown_payload_does_not_end_the_agents_work(payload: Any) -> None:
    hook = quiet("openai_agents")
    hook(payload)
    hook.close()
    assert hook.transcript.outcome == "error"
    assert "did not understand the stream's only event" in (hook.transcript.runs[0].error or "")


def test_strands_pushes_into_its_callback_handler() -> None:
    hook = quiet("strands")
    with hook:
        for native in recording("strands").natives:
            hook(**native)
    assert [call.state for call in hook.transcript.tools] == ["ok", "error"]
    assert [part.kind for part in hook.transcript.parts] == ["thinking", "text", "tool", "tool", "text"]
