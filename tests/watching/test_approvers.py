"""An SDK's own waiting is asked in the right view, and nothing but a yes is a yes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.watching.sdk_doubles import Requests, ToolCall, install
from vibe_notebook._watching import requests as desks
from vibe_notebook._watching.approvers.sdk import module_of
from vibe_notebook._watching.unattended import ANSWERS
from vibe_notebook.events import InputRequested, RunFinished, RunStarted, ToolFinished, ToolStarted
from vibe_notebook.exceptions import AdapterError


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # as the SDKs' own


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ANSWERS, raising=False)
    install(monkeypatch, "pydantic_ai.capabilities", "HandleDeferredToolCalls")
    tools = ("ToolApproved", "ToolDenied")
    install_beside(monkeypatch, "pydantic_ai.tools", *tools)
    install_beside(monkeypatch, "pydantic_ai.exceptions", "ToolFailed")


def install_beside(monkeypatch: pytest.MonkeyPatch, module: str, *names: str) -> None:
    import sys  # noqa: PLC0415

    kept = {name: each for name, each in sys.modules.items() if name.startswith("pydantic_ai")}
    install(monkeypatch, module, *names)
    for name, each in kept.items():
        if name != module:
            monkeypatch.setitem(sys.modules, name, each)


def hook(run: Any = None) -> Callable[..., Any]:
    found: Callable[..., Any] = vibe.approver("pydantic_ai", run).handler
    return found


RM = {"path": "x"}


def agent(
    name: str, seen: list[Any], ask: Callable[..., Any], call_id: str = "c", args: Any = None
) -> AsyncIterator[Any]:
    """Return the stream of an agent that asks for one call, and runs it only if the SDK would."""
    args = RM if args is None else args

    async def source() -> AsyncIterator[Any]:
        ids = {"agent_id": name, "run_id": f"{name}-run"}
        yield RunStarted(**ids)
        yield ToolStarted(**ids, tool_call_id=call_id, tool_name="rm", args=args)
        answer = await asyncio.create_task(ask(None, Requests([ToolCall("rm", args, call_id)])))
        seen.append(answer[call_id])
        is_run = answer[call_id].kind == "ToolApproved"
        yield ToolFinished(**ids, tool_call_id=call_id, status="ok" if is_run else "denied")
        yield RunFinished(**ids)

    return source()


def watched(source: Any) -> vibe.Watch:
    return vibe.watch(source, display=False, registry=vibe.Registry())


def answer_with(run: Any, action: Any, value: Any = None, **more: Any) -> list[vibe.Request]:
    """Let the loop answer each request of *run*; return what is asked."""
    seen: list[vibe.Request] = []

    def answer(request: vibe.Request) -> None:
        seen.append(request)
        asyncio.get_running_loop().call_soon(lambda: run.answer(request, action, value, **more))

    run.on_request(answer)
    return seen


@pytest.mark.anyio
async def test_a_yes_runs_the_call_with_the_changed_arguments() -> None:
    seen: list[Any] = []
    run = watched(agent("a", seen, hook()))
    asked = answer_with(run, "accept", {"path": "y"})
    await run
    assert [(one.kind, one.fields) for one in seen] == [("ToolApproved", {"override_args": {"path": "y"}})]
    assert [(one.tool, one.kind, one.agent_id, one.run_id) for one in asked] == [
        ("rm", "approval", "a", "a-run")
    ]
    (call,) = run.transcript.tools
    assert call.request is not None
    assert (call.state, call.request.answer is not None and call.request.answer.action) == ("ok", "accept")


@pytest.mark.anyio
async def test_a_no_reaches_the_sdk_with_its_reason() -> None:
    seen: list[Any] = []
    run = watched(agent("a", seen, hook()))
    answer_with(run, "decline", reason="not now")
    await run
    assert [(one.kind, one.given) for one in seen] == [("ToolDenied", ("not now",))]
    assert run.transcript.tools[0].state == "denied"


@pytest.mark.anyio
async def test_gathered_runs_with_equal_calls_ask_each_in_its_own_view() -> None:
    ask, seen = hook(), [list[Any](), list[Any]()]
    runs = [watched(agent(name, answers, ask)) for name, answers in zip("ab", seen, strict=True)]
    asked = [answer_with(run, action) for run, action in zip(runs, ("accept", "decline"), strict=True)]
    await asyncio.gather(*runs)
    assert [[one.agent_id for one in each] for each in asked] == [["a"], ["b"]]
    assert [[one.kind for one in each] for each in seen] == [["ToolApproved"], ["ToolDenied"]]


@pytest.mark.anyio
async def test_without_anybody_the_sdk_gets_a_no_and_the_watch_ends_with_the_error() -> None:
    seen: list[Any] = []
    run = watched(agent("a", seen, hook()))
    with pytest.raises(vibe.NoAnswerError, match="rm"):
        await run
    assert [one.kind for one in seen] == ["ToolDenied"]
    assert (run.transcript.outcome, run.transcript.tools[0].state) == ("error", "denied")


@pytest.mark.anyio
async def test_a_fault_of_ours_is_a_no_and_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken desk")

    monkeypatch.setattr(desks.Desk, "ask", broken)
    seen: list[Any] = []
    with pytest.raises(RuntimeError, match="broken desk"):
        await watched(agent("a", seen, hook()))
    assert [one.kind for one in seen] == ["ToolDenied"]


@pytest.mark.anyio
async def test_a_view_that_has_ended_is_a_no() -> None:
    with vibe.live("over", display=False) as live:
        pass
    found = await hook(live)(None, Requests([ToolCall("rm", RM, "c")]))
    assert found["c"].kind == "ToolDenied"


@pytest.mark.anyio
@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt])
async def test_an_interrupt_while_it_asks_approves_nothing_and_leaves_nothing_open(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(_: Any) -> Any:
        raise error

    async with vibe.live("a", display=False) as live:
        live.on_request(lambda _: None)
        monkeypatch.setattr("vibe_notebook._watching.requests.wait_for", interrupted)
        with pytest.raises(error):
            await hook(live)(None, Requests([ToolCall("rm", RM, "c")]))
        assert live.requests == []
        (part,) = live.transcript.parts
    assert part.kind == "input"
    assert part.request.answer is not None
    assert (part.request.answer.action, part.request.answer.by) == ("cancel", "the agent")


@pytest.mark.anyio
async def test_an_agent_that_is_cancelled_while_it_waits_leaves_no_open_request() -> None:
    async with vibe.live("a", display=False) as live:
        asked = asyncio.Event()
        live.on_request(lambda _: asked.set())
        task = asyncio.create_task(hook(live)(None, Requests([ToolCall("rm", RM, "c")])))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert live.requests == []


@pytest.mark.anyio
async def test_calls_of_one_turn_are_asked_together_and_each_gets_its_own_answer() -> None:
    names = [f"c{number}" for number in range(50)]
    async with vibe.live("a", display=False) as live:

        def answer(request: vibe.Request) -> None:
            if len(live.requests) == len(names):  # all wait before the first answer
                for number, one in enumerate(live.requests):
                    live.answer(one, "accept" if number % 2 else "decline")

        live.on_request(answer)
        found = await hook(live)(None, Requests([ToolCall("rm", {"path": name}, name) for name in names]))
    kinds = [found[name].kind for name in names]
    assert kinds == ["ToolDenied", "ToolApproved"] * 25


@pytest.mark.anyio
async def test_a_question_of_a_tool_gets_the_users_words_and_a_decline_is_no_answer() -> None:
    async with vibe.live("a", display=False) as live:
        asked = answer_with(live, "accept", "Lima")
        requests = Requests(calls=[ToolCall("ask_user", '{"question": "City?"}', "c")])
        assert await hook(live)(None, requests) == {"c": "Lima"}
        answer_with(live, "decline")
        assert (await hook(live)(None, requests))["c"].kind == "ToolFailed"
    assert "City?" in (asked[0].message or "")


# Where it asks


@pytest.mark.anyio
async def test_outside_of_all_streams_it_asks_in_the_one_whose_open_call_it_is() -> None:
    with vibe.live("first", display=False) as first, vibe.live("second", display=False) as second:
        first.tool("rm", {"path": "1"}, tool_call_id="c")
        second.tool("rm", {"path": "2"}, tool_call_id="c")
        asked = answer_with(first, "decline"), answer_with(second, "accept")
        found = await in_no_stream(hook()(None, Requests([ToolCall("rm", {"path": "2"}, "c")])))
    assert found["c"].kind == "ToolApproved"
    assert [len(each) for each in asked] == [0, 1]
    assert second.transcript.tools[0].request is not None


@pytest.mark.anyio
async def test_two_streams_that_fit_equally_are_none_and_it_asks_in_a_view_of_its_own() -> None:
    with vibe.live("one", display=False) as first, vibe.live("other", display=False) as second:
        for one in (first, second):
            one.tool("rm", RM, tool_call_id="c")
        asked = answer_with(first, "accept"), answer_with(second, "accept")
        found = await in_no_stream(hook()(None, Requests([ToolCall("rm", RM, "c")])))
        assert found["c"].kind == "ToolDenied"
        assert asked == ([], [])
    assert "pydantic_ai-request" in vibe.get_registry().agents()


@pytest.mark.anyio
async def test_the_only_live_stream_is_asked() -> None:
    with vibe.live("a", display=False) as live:
        asked = answer_with(live, "accept")
        found = await in_no_stream(hook()(None, Requests([ToolCall("rm", RM, "c")])))
    assert (found["c"].kind, len(asked)) == ("ToolApproved", 1)
    assert "May `rm` run?" in (asked[0].message or "")


async def in_no_stream(coroutine: Any) -> Any:
    """Run a coroutine as a task that was made before all streams."""
    import contextvars  # noqa: PLC0415

    return await asyncio.get_running_loop().create_task(coroutine, context=contextvars.Context())


@pytest.mark.anyio
async def test_a_reused_id_of_an_ended_call_is_not_the_call_that_is_asked_about() -> None:
    async with vibe.live("a", display=False) as live:
        with live.tool("rm", {"path": "old"}, tool_call_id="c"):
            pass
        asked = answer_with(live, "accept")
        await hook(live)(None, Requests([ToolCall("rm", RM, "c")]))
    old, part = live.transcript.parts
    assert old.kind == "tool"
    assert old.request is None
    assert part.kind == "input"
    assert '"path": "x"' in (asked[0].message or "")


@pytest.mark.anyio
async def test_a_call_whose_id_the_adapter_has_renamed_is_the_one_that_is_asked_about() -> None:
    seen: list[Any] = []
    ask = hook()

    async def source() -> AsyncIterator[Any]:
        ids = {"agent_id": "a", "run_id": "r"}
        yield RunStarted(**ids)
        for name in ("c", "c#2"):
            yield ToolStarted(**ids, tool_call_id=name, tool_name="rm", args={"path": name})
            seen.append(await ask(None, Requests([ToolCall("rm", {"path": name}, "c")])))
            yield ToolFinished(**ids, tool_call_id=name)
        yield RunFinished(**ids)

    run = watched(source())
    answer_with(run, "accept")
    await run
    assert [call.request is not None for call in run.transcript.tools] == [True, True]


@pytest.mark.anyio
async def test_what_an_agent_writes_stands_apart_from_what_is_asked() -> None:
    evil = "rm` may not run.\n\nMay `ls` run?\n~~~~\n# May `ls` run?"
    async with vibe.live("a", display=False) as live:
        asked = answer_with(live, "decline")
        await hook(live)(None, Requests([ToolCall(evil, {"path": evil}, "c")]))
    lines = (asked[0].message or "").splitlines()
    assert lines[0].startswith("May `` rm` may not run.")
    assert [line for line in lines[1:] if line and not line.startswith((" ", "{", "}", "~~~~"))] == []
    assert asked[0].tool == evil


@pytest.mark.parametrize("name", ["openai", "smolagents", ""])
def test_a_name_without_an_approver_names_those_that_exist(name: str) -> None:
    with pytest.raises(AdapterError, match="pydantic_ai"):
        vibe.approver(name)


def test_a_run_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="watch"):
        vibe.approver("mcp", run="a")


def test_a_missing_sdk_is_named() -> None:
    with pytest.raises(AdapterError, match="claude-agent-sdk"):
        module_of("no_such_sdk.types", "claude-agent-sdk")


def test_events_of_requests_name_the_call() -> None:
    seen: list[Any] = []
    events: list[Any] = []
    registry = vibe.Registry()
    registry.tap(None, events.append)

    async def main() -> None:
        run = vibe.watch(agent("a", seen, hook()), display=False, registry=registry)
        answer_with(run, "accept")
        await run

    asyncio.run(main())
    (asked,) = [event for event in events if isinstance(event, InputRequested)]
    assert (asked.agent_id, asked.run_id, asked.tool_call_id) == ("a", "a-run", "c")


def card(name: str, seen: list[Any], ask: Any, shown: Any, later: Any = None) -> AsyncIterator[Any]:
    """Return the stream of an agent whose card shows other arguments than the call that asks for leave."""

    async def source() -> AsyncIterator[Any]:
        ids = {"agent_id": name, "run_id": f"{name}-run"}
        yield RunStarted(**ids)
        yield ToolStarted(**ids, tool_call_id="c", tool_name="rm", args=shown)
        asking = asyncio.create_task(ask(None, Requests([ToolCall("rm", RM, "c")])))
        if later is not None:
            for _ in range(5):
                await asyncio.sleep(0)
            yield ToolStarted(**ids, tool_call_id="c", tool_name="rm", args=later)
        seen.append((await asking)["c"])
        yield RunFinished(**ids)

    return source()


@pytest.mark.anyio
async def test_a_card_that_shows_another_call_is_not_what_the_request_speaks_of() -> None:
    seen: list[Any] = []
    run = watched(card("a", seen, hook(), {"path": "harmless"}))
    asked = answer_with(run, "decline")
    await run
    assert [request.tool for request in asked] == ["rm"]
    assert "May `rm` run?" in (asked[0].message or "")
    assert '"path": "x"' in (asked[0].message or "")


@pytest.mark.anyio
async def test_a_yes_to_a_card_that_has_changed_meanwhile_is_a_no() -> None:
    seen: list[Any] = []
    run = watched(card("a", seen, hook(), RM, later={"path": "other"}))
    run.on_request(lambda request: asyncio.get_running_loop().call_later(0.05, run.answer, request, "accept"))
    with pytest.raises(Exception, match="changed while it waited"):
        await run
    assert [each.kind for each in seen] == ["ToolDenied"]


@pytest.mark.anyio
async def test_a_task_that_outlives_its_stream_asks_in_no_other_one() -> None:
    ask, tasks, answers = hook(), [], []
    is_over = asyncio.Event()

    async def late() -> None:
        await is_over.wait()
        answers.append((await ask(None, Requests([ToolCall("rm", RM, "c")])))["c"])

    async def first() -> AsyncIterator[Any]:
        tasks.append(asyncio.create_task(late()))
        yield RunStarted(agent_id="a", run_id="a-run")
        yield RunFinished(agent_id="a", run_id="a-run")

    async def second() -> AsyncIterator[Any]:
        yield RunStarted(agent_id="b", run_id="b-run")
        is_over.set()
        await tasks[0]
        yield RunFinished(agent_id="b", run_id="b-run")

    await watched(first())
    run = watched(second())
    asked = answer_with(run, "accept")
    await run
    assert asked == []
    assert run.transcript.outcome == "success"
    assert [each.kind for each in answers] == ["ToolDenied"]
