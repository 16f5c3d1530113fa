"""A budget ends the run that uses more than it allows, says which limit, and asks first if it is told to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import vibe_notebook as vibe
from vibe_notebook import _prices
from vibe_notebook._watching.meter import Meter
from vibe_notebook.events import (
    Event,
    InputRequested,
    MessageFinished,
    RunFinished,
    RunStarted,
    TextDelta,
    ToolStarted,
    Usage,
)
from vibe_notebook.exceptions import MissingExtraError, NotSupportedError
from vibe_notebook.registry import Registry

ID: dict[str, Any] = {"agent_id": "a", "run_id": "r"}


def call(number: int, **usage: Any) -> list[Event]:
    return [
        TextDelta(**ID, message_id=str(number), part_id="0", delta=f"{number} "),
        MessageFinished(**ID, message_id=str(number), usage=Usage(**usage)),
    ]


def tool(number: int) -> list[Event]:
    return [ToolStarted(**ID, tool_call_id=str(number), tool_name="t", args={})]


def run(*groups: list[Event], budget: vibe.Budget, **options: Any) -> tuple[vibe.Watch, int]:
    """Watch a stream of events, and return the watch and how many the consumer got."""
    events = [RunStarted(**ID), *(event for group in groups for event in group)]
    watched = vibe.watch(iter(events), registry=Registry(), display=False, budget=budget, **options)
    return watched, sum(1 for _ in watched)


def ended(watched: vibe.Watch) -> tuple[str | None, str | None, str | None]:
    first = watched.transcript.runs[0]
    return first.outcome, first.code, first.error


def test_the_call_that_uses_too_many_tokens_is_the_last() -> None:
    watched, count = run(
        *(call(n, input_tokens=50, output_tokens=10) for n in range(5)), budget=vibe.Budget(tokens=100)
    )
    assert count == 5  # the start and two calls
    words = "The budget of 100 tokens is used up (120 tokens)."
    assert ended(watched) == ("cancelled", "budget", words)
    assert watched.transcript.text == "0 1 "


def test_a_limit_that_is_only_reached_holds() -> None:
    watched, count = run(call(0, input_tokens=100), tool(0), budget=vibe.Budget(tokens=100, tool_calls=1))
    assert count == 4
    assert ended(watched)[1] is None


def test_dollars_are_those_of_the_sdk_or_of_the_table() -> None:
    watched, _ = run(call(0, cost=0.3), call(1, cost=0.3), call(2, cost=0.3), budget=vibe.Budget(usd=0.5))
    assert ended(watched)[2] == "The budget of $0.5 is used up ($0.6)."
    dear: dict[str, Any] = {"input_tokens": 1_000_000, "model": "gpt-4o"}
    watched, _ = run(call(0, **dear), call(1, **dear), budget=vibe.Budget(usd=0.01))
    assert ended(watched)[1] == "budget"
    assert watched.transcript.text == "0 "


def test_a_model_without_a_price_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    watched = vibe.watch(
        iter(
            [RunStarted(**ID), *call(0, input_tokens=10, model="mine"), RunFinished(**ID, outcome="success")]
        ),
        registry=Registry(),
        budget=vibe.Budget(usd=0.5),
    )
    for _ in watched:
        pass
    printed = capsys.readouterr()
    assert "does not count mine: no price is known" in printed.out + printed.err
    assert ended(watched)[0] == "success"


def test_the_tool_call_after_the_last_one_ends_the_run() -> None:
    watched, count = run(*(tool(n) for n in range(5)), budget=vibe.Budget(tool_calls=2))
    assert count == 4
    assert ended(watched)[2] == "The budget of 2 tool calls is used up (3 begun)."


def test_no_tool_calls_are_allowed_by_a_budget_of_none() -> None:
    watched, count = run(call(0), tool(0), call(1), budget=vibe.Budget(tool_calls=0))
    assert count == 4
    assert ended(watched)[1] == "budget"


@pytest.mark.parametrize("budget", [{"usd": 0}, {"tokens": 0}, {"seconds": 0}])
def test_a_budget_of_nothing_takes_no_step(budget: dict[str, int]) -> None:
    stepped: list[int] = []

    def source() -> Iterator[str]:
        stepped.append(1)
        yield "a"

    watched = vibe.watch(source(), registry=Registry(), display=False, budget=vibe.Budget(**budget))
    assert list(watched) == []
    assert stepped == []
    assert ended(watched)[:2] == ("cancelled", "budget")


def test_the_first_limit_of_several_counts() -> None:
    budget = vibe.Budget(tokens=100, tool_calls=1, usd=1, seconds=1000)
    watched, _ = run(tool(0), call(0, input_tokens=20), tool(1), call(1, input_tokens=500), budget=budget)
    assert ended(watched)[2] == "The budget of 1 tool call is used up (2 begun)."


def test_subagents_count() -> None:
    child: dict[str, Any] = {"agent_id": "a", "run_id": "child"}
    events = [
        RunStarted(**child, parent_run_id="r"),
        MessageFinished(**child, message_id="1", usage=Usage(input_tokens=200)),
        ToolStarted(**ID, tool_call_id="1", tool_name="t", args={}),
    ]
    watched, count = run(events, budget=vibe.Budget(tokens=100))
    assert count == 3
    assert {one.run_id: one.code for one in watched.transcript.runs} == {"r": "budget", "child": "budget"}


def test_a_stream_that_tells_no_usage_is_counted_by_its_text() -> None:
    pieces = iter(["x" * 40] * 10)
    watched = vibe.watch(
        pieces, adapter="text", registry=Registry(), display=False, budget=vibe.Budget(tokens=25)
    )
    assert len(list(watched)) == 3
    assert ended(watched)[2] == "The budget of 25 tokens is used up (≈30 tokens)."


def test_dollars_are_refused_where_they_are_known_at_the_end_only() -> None:
    watched = vibe.watch(
        iter(["x"]), adapter="text", registry=Registry(), display=False, budget=vibe.Budget(usd=1)
    )
    with pytest.raises(NotSupportedError, match="tokens="):
        list(watched)
    assert ended(watched)[0] == "error"


def test_dollars_without_the_table_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_prices, "_table", lambda: None)
    with pytest.raises(MissingExtraError, match="prices"):
        vibe.watch(iter([]), budget=vibe.Budget(usd=1))


def test_seconds_end_a_step_that_blocks() -> None:
    async def source() -> AsyncIterator[Event]:
        yield RunStarted(**ID)
        await asyncio.Event().wait()

    async def main() -> vibe.Watch:
        watched = vibe.watch(source(), registry=Registry(), display=False, budget=vibe.Budget(seconds=0.05))
        await watched
        return watched

    assert ended(asyncio.run(main())) == ("cancelled", "budget", "The budget of 0.05 s is used up.")


def test_the_clock_stands_while_a_request_waits() -> None:
    asked = InputRequested(**ID, request_id="q", kind="approval")

    async def source() -> AsyncIterator[Event]:
        yield RunStarted(**ID)
        yield asked
        await asyncio.sleep(0.3)  # six times the budget
        yield TextDelta(**ID, part_id="0", delta="still here")
        yield RunFinished(**ID, outcome="success")

    async def main() -> vibe.Watch:
        watched = vibe.watch(source(), registry=Registry(), display=False, budget=vibe.Budget(seconds=0.05))
        await watched
        return watched

    watched = asyncio.run(main())
    assert ended(watched)[0] == "success"
    assert watched.transcript.text == "still here"


def test_with_ask_a_yes_gives_as_much_again_and_a_no_ends_the_run() -> None:
    answers = iter(["accept", "decline"])
    asked: list[str | None] = []

    def source() -> Iterator[Event]:
        yield RunStarted(**ID)
        for n in range(10):
            yield from call(n, input_tokens=60)

    watched = vibe.watch(
        source(), registry=Registry(), display=False, budget=vibe.Budget(tokens=100, ask=True)
    )

    def answer(request: vibe.Request) -> None:
        asked.append(request.message)
        watched.answer(request, next(answers))

    watched.on_request(answer)
    for _ in watched:
        pass
    assert asked == [
        "The budget of 100 tokens is used up (120 tokens). Go on with as much again?",
        "The budget of 200 tokens is used up (240 tokens). Go on with as much again?",
    ]
    assert watched.transcript.text == "0 1 2 3 "
    assert ended(watched)[1] == "budget"
    answers_shown = [part.request.answer for part in watched.transcript.parts if part.kind == "input"]
    assert [shown.action for shown in answers_shown if shown is not None] == ["accept", "decline"]


def test_with_ask_the_source_takes_no_step_until_the_answer() -> None:
    stepped: list[int] = []

    async def source() -> AsyncIterator[Event]:
        yield RunStarted(**ID)
        for n in range(3):
            stepped.append(n)
            yield MessageFinished(**ID, message_id=str(n), usage=Usage(input_tokens=60))

    async def main() -> None:
        watched = vibe.watch(
            source(), registry=Registry(), display=False, budget=vibe.Budget(tokens=50, ask=True)
        )
        asked = asyncio.Event()
        watched.on_request(lambda _: asked.set())
        reading = asyncio.ensure_future(watched)
        await asked.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert stepped == [0]
        assert watched.answer(watched.requests[0], "accept")
        asked.clear()
        await asked.wait()
        assert stepped == [0, 1]
        watched.cancel()
        await reading
        assert stepped == [0, 1]
        assert watched.transcript.outcome == "cancelled"

    asyncio.run(main())


def test_with_ask_and_nobody_there_the_run_ends() -> None:
    watched, count = run(
        *(call(n, input_tokens=60) for n in range(5)), budget=vibe.Budget(tokens=100, ask=True)
    )
    assert count == 5
    assert ended(watched)[1] == "budget"


def test_gathered_runs_keep_their_own_budgets() -> None:
    async def source(agent: str, tokens: int) -> AsyncIterator[Event]:
        for n in range(3):
            await asyncio.sleep(0)
            yield MessageFinished(
                agent_id=agent, run_id=agent, message_id=str(n), usage=Usage(input_tokens=tokens)
            )

    async def main() -> list[vibe.Transcript]:
        budget = vibe.Budget(tokens=100)
        return await asyncio.gather(
            *(
                vibe.watch(source(agent, tokens), registry=Registry(), display=False, budget=budget)
                for agent, tokens in (("a", 30), ("b", 40), ("c", 101))
            )
        )

    assert [found.runs[-1].code for found in asyncio.run(main())] == [None, "budget", "budget"]


@pytest.mark.parametrize(
    "wrong",
    [{}, {"ask": True}, {"tokens": -1}, {"usd": float("nan")}, {"seconds": "5"}, {"tool_calls": True}],
)
def test_a_budget_without_a_limit_or_with_a_wrong_one_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"limit|number"):
        vibe.Budget(**wrong)


def test_no_timer_is_left_behind() -> None:
    run(call(0, input_tokens=1), budget=vibe.Budget(seconds=1000))
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert all(timer.finished.is_set() for timer in timers)


def test_a_yes_to_a_use_far_beyond_the_limit_is_one_step() -> None:
    answers = iter(["accept", "decline"])
    watched = vibe.watch(
        iter([RunStarted(**ID), *call(0, input_tokens=9_000_000_000), *call(1, input_tokens=1)]),
        registry=Registry(),
        display=False,
        budget=vibe.Budget(tokens=1, ask=True),
    )
    watched.on_request(lambda request: watched.answer(request, next(answers)))
    for _ in watched:
        pass
    assert ended(watched)[1] == "budget"
    assert watched.transcript.text == "0 1 "


def test_no_report_gives_anything_back() -> None:
    watched, _ = run(call(0, cost=-9.0), *(call(n, cost=0.5) for n in range(1, 9)), budget=vibe.Budget(usd=1))
    assert ended(watched)[1] == "budget"
    child: dict[str, Any] = {"agent_id": "a", "run_id": "child"}
    events: list[Event] = [
        RunStarted(**child, parent_run_id="r"),
        MessageFinished(**child, message_id="1", usage=Usage(input_tokens=90)),
        RunFinished(**child, outcome="success", usage=Usage(input_tokens=0)),
    ]
    watched, _ = run(events, call(1, input_tokens=20), budget=vibe.Budget(tokens=100))
    assert ended(watched)[1] == "budget"


def test_the_clock_goes_on_once_the_run_that_asked_has_ended() -> None:
    child: dict[str, Any] = {"agent_id": "a", "run_id": "child"}

    async def source() -> AsyncIterator[Event]:
        yield RunStarted(**ID)
        yield RunStarted(**child, parent_run_id="r")
        yield InputRequested(**child, request_id="q", kind="approval")
        yield RunFinished(**child, outcome="error")
        await asyncio.Event().wait()

    async def main() -> vibe.Watch:
        watched = vibe.watch(source(), registry=Registry(), display=False, budget=vibe.Budget(seconds=0.05))
        await watched
        return watched

    assert ended(asyncio.run(main()))[1] == "budget"


@pytest.mark.parametrize("wrong", [5, {"usd": 1}])
def test_what_is_no_budget_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"vibe\.Budget"):
        vibe.watch(iter(["a"]), budget=wrong)


def test_a_header_over_many_calls_costs_no_square(monkeypatch: pytest.MonkeyPatch) -> None:
    priced: list[int] = []
    real = _prices.price

    def price(*args: Any, **options: Any) -> float | None:
        priced.append(1)
        return real(*args, **options)

    monkeypatch.setattr("vibe_notebook._forms.costs.price", price)
    meter = Meter()
    for n in range(300):
        meter.add(call(n, input_tokens=10, model="gpt-4o"))
        assert meter.shown()
    assert len(priced) == 300
    one = real("gpt-4o", None, input_tokens=10, output_tokens=None)
    assert meter.cost.usd == pytest.approx(300 * (one or 0))


def test_a_yes_to_one_limit_asks_about_the_next_and_the_source_waits_for_it() -> None:
    stepped: list[int] = []

    async def source() -> AsyncIterator[Event]:
        yield RunStarted(**ID)
        yield ToolStarted(**ID, tool_call_id="1", tool_name="t", args={})
        yield MessageFinished(**ID, message_id="1", usage=Usage(input_tokens=60))
        stepped.append(1)
        yield RunFinished(**ID, outcome="success")

    async def main() -> None:
        watched = vibe.watch(
            source(), registry=Registry(), display=False, budget=vibe.Budget(tokens=50, usd=0.1, ask=True)
        )
        asked: list[vibe.Request] = []
        is_second = asyncio.Event()

        def answer(request: vibe.Request) -> None:
            asked.append(request)
            if len(asked) > 1:
                is_second.set()
            else:
                watched._pipeline.meter.add(call(9, cost=5.0))
                watched.answer(request, "accept")

        watched.on_request(answer)
        reading = asyncio.ensure_future(watched)
        await is_second.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert stepped == []
        watched.answer(asked[1], "decline")
        await reading
        assert ended(watched)[1] == "budget"

    asyncio.run(main())
