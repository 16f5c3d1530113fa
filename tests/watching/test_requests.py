"""Test that an agent asks, that the first answer counts, and that nobody who waits hangs."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

import vibe_notebook as vibe
from vibe_notebook._watching import requests
from vibe_notebook._watching.questions import Question
from vibe_notebook._watching.transcribed import pipeline_of
from vibe_notebook._watching.unattended import ANSWERS
from vibe_notebook.events import InputAnswered, InputRequested, RunFinished, RunStarted, to_json
from vibe_notebook.parts import InputPart, ToolPart


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ANSWERS, raising=False)


def asked(live: vibe.Live) -> list[vibe.Request]:
    """Register somebody who answers, and return what is asked."""
    seen: list[vibe.Request] = []
    live.on_request(seen.append)
    return seen


@pytest.mark.anyio
async def test_an_answer_wakes_the_coroutine_that_awaits_it() -> None:
    async with vibe.live("a", display=False) as live:
        seen = asked(live)
        pending = live.approve("Delete?")
        assert live.requests == seen == [pending.request]
        threading.Timer(0.01, live.answer, [pending.request, "accept"]).start()
        answer = await pending
        assert (bool(answer), answer.action, live.requests) == (True, "accept", [])
        assert await pending is answer
    (part,) = live.transcript.parts
    assert isinstance(part, InputPart)
    assert part.request.answer == answer
    assert not part.request.is_open


@pytest.mark.anyio
async def test_a_forgotten_await_approves_nothing() -> None:
    async with vibe.live("a", display=False) as live:
        asked(live)
        with pytest.raises(TypeError, match="await"):
            bool(live.approve("Delete?"))
        with live.tool("rm") as tool, pytest.raises(TypeError, match="await"):
            bool(tool.approve())


@pytest.mark.anyio
async def test_a_call_that_is_not_approved_ends_as_denied_with_the_reason() -> None:
    async with vibe.live("a", display=False) as live:
        asked(live)
        with live.tool("rm", {"path": "x"}) as tool:
            pending = tool.approve("Really?")
            assert (pending.request.tool, pending.request.kind) == ("rm", "approval")
            assert live.transcript.tools[0].state == "awaiting_approval"
            live.answer(pending.request.request_id, "decline", reason="not now")
            assert not await pending
        with live.tool("rm", {"path": "y"}) as tool:
            pending = tool.approve()
            live.answer(pending.request, "accept", {"path": "z"})
            assert (await pending).value == {"path": "z"}
            tool.result("done")
    first, second = live.transcript.tools
    assert (first.state, first.error, second.state) == ("denied", "not now", "ok")


@pytest.mark.anyio
async def test_two_requests_of_one_call_are_both_in_the_transcript() -> None:
    async with vibe.live("a", display=False) as live:
        asked(live)
        with live.tool("rm") as tool:
            for message in ("A?", None):
                pending = tool.approve(message)
                live.answer(pending.request, "accept")
                assert await pending
    words = live.transcript.to_text()
    assert [part.kind for part in live.transcript.parts] == ["tool", "input"]
    assert ("A?" in words, "May rm run?" in words, words.count("accepted")) == (True, True, 2)


@pytest.mark.anyio
async def test_of_two_answers_the_first_counts() -> None:
    async with vibe.live("a", display=False) as live:
        asked(live)
        for _ in range(50):
            pending = live.approve("?")
            start = threading.Barrier(2)
            found: dict[str, bool] = {}

            def answer(
                action: Literal["accept", "decline"],
                request: vibe.Request = pending.request,
                start: threading.Barrier = start,
                found: dict[str, bool] = found,
            ) -> None:
                start.wait()
                found[action] = live.answer(request, action)

            threads = [threading.Thread(target=answer, args=[action]) for action in ("accept", "decline")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(found.values()) == [False, True]
            assert found[(await pending).action]
    given = [part.request.answer for part in live.transcript.parts if isinstance(part, InputPart)]
    assert len(given) == 50
    assert None not in given


def test_an_answer_to_an_unknown_ended_or_answered_request_changes_nothing() -> None:
    with vibe.live("a", display=False) as live:
        asked(live)
        pending = live.approve("?")
        assert live.answer(pending.request, "accept")
        assert not live.answer(pending.request, "decline")
        assert not live.answer("no such request", "accept")
        left = live.approve("later?")
    assert not live.answer(left.request, "accept")
    assert left.result().action == "cancel"


@pytest.mark.parametrize("error", [None, ValueError("no"), KeyboardInterrupt()])
def test_the_end_of_the_block_cancels_what_is_asked(error: BaseException | None) -> None:
    live = vibe.live("a", display=False)
    live.__enter__()
    asked(live)
    pending = live.ask("?")
    live.__exit__(type(error) if error else None, error, None)
    assert pending.result().action == "cancel"
    (part,) = live.transcript.parts
    assert isinstance(part, InputPart)
    assert part.request.answer == pending.result()


@pytest.mark.parametrize(
    ("ask", "action", "value"),
    [
        (lambda live: live.approve("?", timeout=0), "cancel", None),
        (lambda live: live.approve("?", timeout=0.01, default="decline"), "decline", None),
        (lambda live: live.ask("?", timeout=0), "cancel", None),
        (lambda live: live.ask("?", timeout=0, options=["a", "b"], default="b"), "accept", "b"),
    ],
)
@pytest.mark.anyio
async def test_without_an_answer_in_time_the_default_counts(
    ask: Callable[[vibe.Live], vibe.Pending], action: str, value: Any
) -> None:
    async with vibe.live("a", display=False) as live:
        asked(live)
        answer = await ask(live)
        assert (answer.action, answer.value, answer.by) == (action, value, "timeout")


def test_a_yes_is_never_a_default() -> None:
    with vibe.live("a", display=False) as live:
        for wrong in ("accept", True, "yes"):
            with pytest.raises(ValueError, match="never a yes"):
                live.approve("?", default=wrong)
        with pytest.raises(ValueError, match="timeout"):
            live.approve("?", timeout=-1)
        with pytest.raises(ValueError, match="none of the options"):
            live.ask("?", options=["a"], default="b")
        assert live.transcript.parts == ()


@pytest.mark.anyio
async def test_where_nobody_is_there_the_default_counts_or_an_error_says_what_to_do() -> None:
    async with vibe.live("a", display=False) as live:
        answer = await live.approve("?", default="decline")
        assert (answer.action, answer.by) == ("decline", "default")
        for pending in (live.approve("Delete?"), live.ask("Which?")):
            assert pending.done()
            with pytest.raises(vibe.NoAnswerError, match=ANSWERS):
                await pending
    given = [part.request.answer for part in live.transcript.parts if isinstance(part, InputPart)]
    assert [None if answer is None else answer.by for answer in given] == ["default", "nobody", "nobody"]


@pytest.mark.anyio
async def test_the_environment_answers_where_nobody_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({"rm": "decline", "Which?": "Lima", "Fly?": "accept"}))
    async with vibe.live("a", display=False) as live:
        monkeypatch.setenv(ANSWERS, "accept")
        assert await live.approve("?")
        with pytest.raises(vibe.NoAnswerError):
            await live.ask("Which?")  # a question has no yes
        monkeypatch.setenv(ANSWERS, str(file))
        with live.tool("rm") as tool:
            answer = await tool.approve()
        assert (answer.action, answer.by) == ("decline", ANSWERS)
        assert (await live.ask("Which?", options=["Lima"])).value == "Lima"
        assert await live.approve("Fly?")
        with pytest.raises(vibe.NoAnswerError, match="none of the options"):
            await live.ask("Which?", options=["Quito"])
        refusals: list[Any] = [{"action": "decline"}, {"approve": False}, None, False, "DECLINE", True, []]
        for refusal in refusals:
            file.write_text(json.dumps({"rm": refusal}))
            with (
                live.tool("rm") as tool,
                pytest.raises(vibe.NoAnswerError, match="accept, decline or cancel"),
            ):
                await tool.approve()
        with pytest.raises(vibe.NoAnswerError, match="no answer for 'Else"):
            await live.ask("Else?")
        for wrong in (str(tmp_path / "none.json"), str(tmp_path)):
            monkeypatch.setenv(ANSWERS, wrong)
            with pytest.raises(vibe.NoAnswerError, match=ANSWERS):
                await live.approve("?")


class Trip(BaseModel):
    days: int
    city: str = "Lima"


@pytest.mark.anyio
async def test_an_answer_is_checked_where_it_is_given() -> None:
    async with vibe.live("a", display=False) as live:
        asked(live)
        pending = live.ask("?", answer_schema=Trip)
        for wrong in ({}, {"days": "x"}, {"days": 1.5}, "three", None):
            with pytest.raises(ValueError, match=r"days|object"):
                live.answer(pending.request, "accept", wrong)
        assert live.answer(pending.request, "accept", {"days": 3})
        assert (await pending).value == Trip(days=3)
        with pytest.raises(ValueError, match="action"):
            live.answer(live.approve("?").request, "yes")


def test_result_in_a_coroutine_is_an_error_that_says_await() -> None:
    async def main() -> None:
        async with vibe.live("a", display=False) as live:
            asked(live)
            with pytest.raises(RuntimeError, match="await"):
                live.approve("?").result()

    asyncio.run(main())


def test_a_thread_waits_for_its_answer_and_no_longer_than_it_says() -> None:
    with vibe.live("a", display=False) as live:
        asked(live)
        pending = live.approve("?")
        with pytest.raises(TimeoutError):
            pending.result(0.01)
        threading.Timer(0.01, live.answer, [pending.request, "accept"]).start()
        assert pending.result()


def test_a_request_waits_for_another_page_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "answer_wait", lambda: 0)
    desk = requests.Desk(lambda _: None, lambda _: None)
    desk.page_came()
    question = requests.Question("approval", "?")
    before = desk.ask(question, ("a", "r"))
    desk.page_left()
    with pytest.raises(vibe.NoAnswerError):
        before.future.result(10)
    desk.is_reachable = True
    after = desk.ask(question, ("a", "r"))  # asked while no page is there
    with pytest.raises(vibe.NoAnswerError):
        after.future.result(10)
    desk.page_came()
    again = desk.ask(question, ("a", "r"))
    assert not again.done()
    assert desk.answer(again.request, "accept")
    assert again.result().action == "accept"


def test_fifty_requests_at_once_are_answered_each_by_its_own() -> None:
    with vibe.live("a", display=False) as live:
        asked(live)
        pendings = [live.ask(f"{n}?") for n in range(50)]
        assert [request.message for request in live.requests] == [f"{n}?" for n in range(50)]
        for pending in reversed(pendings):
            live.answer(pending.request, "accept", f"to {pending.request.message}")
        assert [pending.result().value for pending in pendings] == [f"to {n}?" for n in range(50)]


def test_hostile_words_are_words() -> None:
    words = "<script>alert(1)</script>\x1b[2J\u202e"
    with vibe.live("a", display=False) as live:
        asked(live)
        with live.tool(words) as tool:
            pending = tool.approve(words)
            live.answer(pending.request, "decline", reason=words)
    html = live.transcript.to_html()
    assert "<script" not in html
    assert "\x1b" not in live.transcript.to_text()
    assert isinstance(live.transcript.parts[0], ToolPart)


# An answer that its desk has not given


def forged(request: vibe.Request, **more: Any) -> list[Any]:
    """Return answers that other code could dispatch, in all forms that a registry takes."""
    ids = {"agent_id": request.agent_id, "run_id": request.run_id, "request_id": request.request_id}
    event = InputAnswered(**ids, action="accept", by="mallory", **more)
    later = InputAnswered(**{**ids, "run_id": "later"}, request_run_id=request.run_id, action="accept")
    astray = event.model_copy(update={"request_run_id": "no-run"})
    return [event, [event], event.model_dump(), [event.model_dump()], to_json(event), later, astray]


@pytest.mark.anyio
async def test_an_answer_that_other_code_dispatches_is_left_out_before_and_after_the_real_one() -> None:
    registry, seen = vibe.Registry(), list[Any]()
    registry.tap(None, seen.append)
    async with vibe.live("a", display=False, registry=registry) as live:
        asked(live)
        pending = live.approve("?")
        for event in forged(pending.request):
            registry.dispatch(event)
        assert live.requests == [pending.request]
        (part,) = live.transcript.parts
        assert isinstance(part, InputPart)
        assert part.request.is_open
        live.answer(pending.request, "decline", reason="no")
        for event in forged(pending.request, seq=0, counter="c"):
            registry.dispatch(event)
        assert not await pending
    (part,) = live.transcript.parts
    assert isinstance(part, InputPart)
    assert part.request.answer == await pending
    assert [event.action for event in seen if isinstance(event, InputAnswered)] == ["decline"]


@pytest.mark.anyio
async def test_an_answer_in_the_agents_own_stream_is_left_out() -> None:
    registry = vibe.Registry()

    async def source() -> AsyncIterator[Any]:
        ids = {"agent_id": "a", "run_id": "r"}
        yield RunStarted(**ids)
        pending = pipeline_of(run).desk.ask(Question("approval", "?"), ("a", "r"))
        yield forged(pending.request)[0]
        found.append(run.requests)
        run.answer(pending.request, "decline")
        found.append(await pending)
        yield RunFinished(**ids)

    found: list[Any] = []
    run = vibe.watch(source(), display=False, registry=registry)
    run.on_request(lambda _: None)
    await run
    assert (len(found[0]), found[1].action) == (1, "decline")
    (part,) = run.transcript.parts
    assert isinstance(part, InputPart)
    assert part.request.answer == found[1]


def test_an_answer_to_a_request_of_no_desk_is_shown_as_before() -> None:
    with vibe.Registry(hold=0) as registry:
        ids = {"agent_id": "a", "run_id": "r", "request_id": "q"}
        registry.dispatch([InputRequested(**ids), InputAnswered(**ids, action="accept")])
        (part,) = registry.transcript("a").parts
    assert isinstance(part, InputPart)
    assert part.request.answer is not None


def test_a_thread_asks_as_the_cell_that_made_the_view_whatever_message_came_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_cell = ContextVar("is_cell", default=False)  # a thread has the kernel's last message: a click, no cell

    class Notebook:
        is_notebook, asks_in_lines = True, False

        @property
        def asks(self) -> bool:
            return is_cell.get()

        def loop_turns(self, _: float) -> bool:
            return False  # the cell joins the thread

        def ask_line(self, _: str) -> str:
            if not self.asks:
                raise vibe.NoAnswerError
            return "y"

    monkeypatch.setattr(requests, "host", Notebook)
    desk = requests.Desk(lambda _: None, lambda _: None)
    token = is_cell.set(True)
    desk.shown(is_reachable=True)
    is_cell.reset(token)
    found: list[Any] = []
    pending = desk.ask(Question("approval", "?"), ("a", "r"))
    thread = threading.Thread(target=lambda: found.append(pending.result(10).action))
    thread.start()
    thread.join()
    assert found == ["accept"]
