"""Check ``watch`` with a real SDK's stream, and under trio."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.lowlevel
from pydantic_ai import Agent
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

import vibe_notebook as vibe
from tests.watching.streams import drained, quiet, until


class Script:
    """Call a tool and answer; hang in the middle of the answer if the test wants. A model."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.hangs = hangs
        self.hanging = threading.Event()

    async def __call__(self, messages: list[Any], _: AgentInfo) -> AsyncIterator[Any]:
        if len(messages) == 1:
            yield {0: DeltaToolCall(name="add", json_args='{"a": 1, "b": 2}', tool_call_id="c1")}
            return
        yield "The sum "
        if self.hangs:
            self.hanging.set()
            await asyncio.Event().wait()
        yield "is 3."

    def agent(self) -> Agent[None, str]:
        agent: Agent[None, str] = Agent(FunctionModel(stream_function=self), name="adder")

        @agent.tool_plain
        def add(a: int, b: int) -> int:
            return a + b

        return agent


@pytest.fixture
def complaints() -> list[dict[str, Any]]:
    """Return the errors of the event loop: "exit cancel scope in a different task" comes this way."""
    return []


def run(main: Any, complaints: list[dict[str, Any]]) -> Any:
    async def heard() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        result = await main()
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0)
        return result

    return asyncio.run(heard())


def test_a_pydantic_ai_stream_is_watched_to_its_end(complaints: list[dict[str, Any]]) -> None:
    watched = quiet(Script().agent().run_stream_events("1 + 2?"))

    async def main() -> list[str]:
        return [type(event).__name__ async for event in watched]

    assert run(main, complaints)[-1] == "AgentRunResultEvent"
    assert watched.transcript.text == "The sum is 3."
    assert [(t.tool_name, t.state, t.output) for t in watched.transcript.tools] == [("add", "ok", 3)]
    assert complaints == []


def test_break_out_of_a_pydantic_ai_stream_closes_it_without_complaints(
    complaints: list[dict[str, Any]],
) -> None:
    watched = quiet(Script().agent().run_stream_events("1 + 2?"))

    async def main() -> None:
        async for _ in watched:
            break
        gc.collect()
        await until(watched.done)

    run(main, complaints)
    assert watched.transcript.outcome == "cancelled"
    assert complaints == []


def test_a_block_around_a_pydantic_ai_stream_closes_it_without_complaints(
    complaints: list[dict[str, Any]],
) -> None:
    async def main() -> vibe.Watch:
        async with quiet(Script().agent().run_stream_events("1 + 2?")) as watched:
            async for _ in watched:
                break
        assert watched.done()
        return watched

    assert run(main, complaints).transcript.outcome == "cancelled"
    assert complaints == []


def test_cancel_ends_a_pydantic_ai_stream_without_complaints(complaints: list[dict[str, Any]]) -> None:
    script = Script(hangs=True)
    watched = quiet(script.agent().run_stream_events("1 + 2?"))

    def cancel() -> None:
        script.hanging.wait(10)
        watched.cancel()

    async def main() -> vibe.Transcript:
        thread = threading.Thread(target=cancel)
        thread.start()
        transcript = await watched
        thread.join()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return transcript

    transcript = run(main, complaints)
    assert (transcript.outcome, transcript.text) == ("cancelled", "The sum ")
    assert complaints == []


def test_cancellation_of_the_consumer_ends_a_pydantic_ai_stream_without_complaints(
    complaints: list[dict[str, Any]],
) -> None:
    script = Script(hangs=True)
    watched = quiet(script.agent().run_stream_events("1 + 2?"))

    async def main() -> None:
        task = asyncio.ensure_future(drained(watched))
        await until(script.hanging.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main, complaints)
    assert watched.transcript.outcome == "cancelled"
    assert complaints == []


def test_an_error_in_a_pydantic_ai_run_is_shown_and_raised_again(complaints: list[dict[str, Any]]) -> None:
    agent = Script().agent()

    @agent.instructions
    def fail() -> str:
        raise RuntimeError("no instructions")

    watched = quiet(agent.run_stream_events("1 + 2?"))

    async def main() -> None:
        with pytest.raises(RuntimeError, match="no instructions"):
            await watched

    run(main, complaints)
    assert watched.transcript.outcome == "error"
    assert complaints == []


async def counting(count: int) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 0)
        for number in range(count):
            await trio.lowlevel.checkpoint()
            yield str(number)


def test_async_for_works_under_trio_with_a_source_that_holds_a_nursery() -> None:
    async def main() -> tuple[vibe.Watch, list[str]]:
        watched = quiet(counting(3))
        return watched, [item async for item in watched]

    watched, got = trio.run(main)
    assert got == ["0", "1", "2"]
    assert (watched.transcript.text, watched.transcript.outcome) == ("012", "success")


def test_await_works_under_trio_also_for_a_sync_source() -> None:
    async def main() -> tuple[str, str]:
        return (await quiet(counting(3))).text, (await quiet(["a", "b"])).text

    assert trio.run(main) == ("012", "ab")


def test_under_trio_cancel_takes_effect_after_the_pending_step() -> None:
    async def main() -> tuple[vibe.Watch, list[str]]:
        watched = quiet(counting(9))
        got = []
        async for item in watched:
            got.append(item)
            watched.cancel()
        return watched, got

    watched, got = trio.run(main)
    assert got == ["0"]
    assert watched.transcript.outcome == "cancelled"


def test_under_trio_cancellation_from_outside_ends_as_cancelled_and_is_raised_again() -> None:
    async def hanging() -> AsyncIterator[str]:
        yield "a"
        await trio.sleep_forever()

    async def main() -> vibe.Watch:
        watched = quiet(hanging())
        with trio.move_on_after(0.05) as scope:
            await watched
        assert scope.cancelled_caught
        return watched

    watched = trio.run(main)
    assert (watched.transcript.outcome, watched.transcript.text) == ("cancelled", "a")
