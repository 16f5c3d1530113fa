"""Test that the end of a watch is the end of the run, where the SDK's run goes on without a reader."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

import vibe_notebook as vibe
from vibe_notebook.registry import Registry


class Run:
    """Act in a task of its own, as the runs of openai-agents and llama-index do; readers only listen."""

    def __init__(self, steps: int = 5) -> None:
        self.events: asyncio.Queue[str | None] = asyncio.Queue()
        self.acted: list[int] = []
        self.ended = asyncio.Event()
        self.task = asyncio.ensure_future(self._act(steps))

    async def _act(self, steps: int) -> None:
        try:
            for step in range(steps):
                self.events.put_nowait(f"step {step} ")
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                self.acted.append(step)
            self.events.put_nowait(None)
        finally:
            self.ended.set()

    async def stream_events(self) -> AsyncIterator[str]:
        while (event := await self.events.get()) is not None:
            yield event


class OpenAIRun(Run):
    """Have the method of openai-agents."""

    cancels = 0

    def cancel(self) -> None:
        self.cancels += 1
        self.task.cancel()


class WaitingRun(OpenAIRun):
    """Let the reader that leaves wait for the run's end, as openai-agents does."""

    async def stream_events(self) -> AsyncIterator[str]:
        try:
            async for event in super().stream_events():
                yield event
        finally:
            await self.ended.wait()


class LlamaIndexRun(Run):
    """Have the method of llama-index, whose plain ``cancel`` ends the future and not the run."""

    cancels = 0

    def cancel(self) -> None:
        pass

    async def cancel_run(self) -> None:
        self.cancels += 1
        self.task.cancel()
        await self.ended.wait()


async def by_break(watch: Any) -> None:
    async for _ in watch:
        break
    # The loop closes the dropped iterator in a task of its own.
    while not watch.done():  # noqa: ASYNC110 - a watch has no event for its end
        await asyncio.sleep(0)


async def by_block(watch: Any) -> None:
    async with watch:
        async for _ in watch:
            break


async def by_cancel(watch: Any) -> None:
    async for _ in watch:
        watch.cancel()


async def by_an_error(watch: Any) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what is tested
        async with watch:
            async for _ in watch:
                1 / 0  # noqa: B018


@pytest.mark.parametrize("kind", [OpenAIRun, WaitingRun, LlamaIndexRun])
@pytest.mark.parametrize("end", [by_break, by_block, by_cancel, by_an_error])
def test_an_agent_does_nothing_after_the_watch_has_ended(
    kind: type[Any], end: Callable[[Any], Awaitable[None]]
) -> None:
    async def main() -> None:
        run = kind()
        watch = vibe.watch(run, display=False, registry=Registry())
        await end(watch)
        await asyncio.wait_for(run.ended.wait(), 10)  # a cancelled task ends in the loop's next turn
        assert run.cancels == 1
        assert len(run.acted) < 5
        assert watch.transcript.outcome == ("error" if end is by_an_error else "cancelled")

    asyncio.run(main())


@pytest.mark.parametrize("kind", [OpenAIRun, LlamaIndexRun])
def test_a_run_that_was_read_to_its_end_is_not_cancelled(kind: type[Any]) -> None:
    async def main() -> None:
        run = kind()
        transcript = await vibe.watch(run, display=False, registry=Registry())
        assert (run.cancels, len(run.acted), transcript.outcome) == (0, 5, "success")

    asyncio.run(main())


def yields_while_it_is_closed(seen: list[str]) -> Iterator[str]:
    try:
        yield "one"
        yield "two"
    finally:
        yield "the step so far"  # as smolagents does
        seen.append("never")


async def yields_while_it_is_closed_too(seen: list[str]) -> AsyncIterator[str]:
    try:
        yield "one"
        yield "two"
    finally:
        yield "the step so far"
        seen.append("never")


@pytest.mark.parametrize("how", ["for", "with", "await"])
def test_a_generator_that_yields_while_it_is_closed_raises_nothing_and_goes_no_further(how: str) -> None:
    seen: list[str] = []
    watch = vibe.watch(yields_while_it_is_closed(seen), display=False, registry=Registry())
    if how == "for":
        for _ in watch:
            break
    elif how == "with":
        with watch:
            for _ in watch:
                break
    else:
        other = vibe.watch(yields_while_it_is_closed_too(seen), display=False, registry=Registry())
        asyncio.run(by_block(other))
        assert other.transcript.outcome == "cancelled"
        watch.cancel()
    assert watch.transcript.outcome == "cancelled" or how == "await"
    assert seen == []


async def held_by_name(run: Run) -> AsyncIterator[str]:
    async for event in run.stream_events():
        yield event


async def held_by_the_loop_alone(run: Run) -> AsyncIterator[str]:
    stream, run = run.stream_events(), None  # type: ignore[assignment]
    async for event in stream:
        yield event


async def held_by_a_task(run: Run) -> AsyncIterator[str]:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def pump(run: Run) -> None:
        async for event in run.stream_events():
            queue.put_nowait(event)

    task, run = asyncio.ensure_future(pump(run)), None  # type: ignore[assignment]
    while True:
        yield await queue.get()
    await task


async def held_by_an_inner_generator(run: Run) -> AsyncIterator[str]:
    async for event in held_by_name(run):
        yield event


async def held_in_a_closure(run: Run) -> AsyncIterator[str]:
    def stream() -> AsyncIterator[str]:
        return run.stream_events()

    async for event in stream():
        yield event


HELD = [
    held_by_name,
    held_by_the_loop_alone,
    held_by_a_task,
    held_by_an_inner_generator,
    held_in_a_closure,
    lambda run: run.stream_events(),
]


@pytest.mark.parametrize("hold", HELD)
@pytest.mark.parametrize("kind", [OpenAIRun, LlamaIndexRun])
@pytest.mark.parametrize("end", [by_break, by_block, by_cancel])
def test_a_run_that_the_user_s_generator_holds_is_ended_too(
    hold: Callable[[Run], AsyncIterator[str]], kind: type[Any], end: Callable[[Any], Awaitable[None]]
) -> None:
    async def main() -> None:
        run = kind()
        watch = vibe.watch(hold(run), display=False, registry=Registry())
        await end(watch)
        await asyncio.wait_for(run.ended.wait(), 10)
        assert run.cancels == 1
        assert len(run.acted) < 5

    asyncio.run(main())


@pytest.mark.parametrize("hold", [held_by_name, held_by_an_inner_generator])
def test_a_held_run_that_was_read_to_its_end_is_not_cancelled(
    hold: Callable[[Run], AsyncIterator[str]],
) -> None:
    async def main() -> None:
        run = OpenAIRun()
        await vibe.watch(hold(run), display=False, registry=Registry())
        assert (run.cancels, len(run.acted)) == (0, 5)

    asyncio.run(main())


def test_a_run_of_langgraph_s_protocol_is_aborted_before_it_is_left() -> None:
    class Graph:
        aborts = 0

        async def abort(self) -> None:
            self.aborts += 1

        async def __aiter__(self) -> AsyncIterator[str]:
            yield "one"
            yield "two"

    async def main() -> None:
        graph = Graph()
        await by_block(vibe.watch(graph, display=False, registry=Registry()))
        assert graph.aborts == 1

    asyncio.run(main())


class Token:
    """Have the class's name and module of AutoGen's token."""

    is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


Token.__name__, Token.__module__ = "CancellationToken", "autogen_core._cancellation_token"


class Team:
    """Work in the tasks of a runtime of its own, and close only when all is done, as a team of AutoGen does."""

    _embedded_runtime = True

    def __init__(self) -> None:
        self._runtime = self
        self._background_tasks: set[asyncio.Task[None]] = set()
        self._is_running = False
        self.acted: list[int] = []
        self.stopped = asyncio.Event()

    async def stop(self) -> None:
        self.stopped.set()

    async def _act(self) -> None:
        for step in range(100):
            await asyncio.sleep(0)
            self.acted.append(step)

    async def run_stream(self, token: Token | None = None) -> AsyncIterator[str]:
        del token
        self._is_running = True
        task = asyncio.ensure_future(self._act())
        self._background_tasks.add(task)
        try:
            while True:
                yield "message "
                await asyncio.sleep(0)
        finally:
            await asyncio.wait([task])


Team.__module__ = "autogen_agentchat.teams._group_chat"


@pytest.mark.parametrize("end", [by_break, by_block, by_cancel])
def test_a_team_without_a_token_stops_with_its_present_message(
    end: Callable[[Any], Awaitable[None]],
) -> None:
    async def main() -> None:
        team = Team()
        await end(vibe.watch(team.run_stream(), display=False, registry=Registry()))
        assert team.stopped.is_set()
        assert len(team.acted) < 100

    asyncio.run(main())


def test_the_runtime_of_others_goes_on() -> None:
    async def main() -> None:
        team = Team()
        team._embedded_runtime = False
        await by_block(vibe.watch(team.run_stream(), display=False, registry=Registry()))
        assert not team.stopped.is_set()

    asyncio.run(main())


def test_a_token_that_the_stream_holds_is_cancelled() -> None:
    async def stream(token: Token) -> AsyncIterator[str]:
        yield "one"
        yield f"two {token}"

    async def main() -> None:
        token = Token()
        await by_block(vibe.watch(stream(token), display=False, registry=Registry()))
        assert token.is_cancelled

    asyncio.run(main())


@pytest.mark.parametrize("is_sync", [False, True])
def test_a_run_of_agno_is_ended_by_the_id_in_its_events(
    is_sync: bool,  # noqa: FBT001 - the parameter of a test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[str] = []
    module = types.ModuleType("agno.run.cancel")
    module.cancel_run = ended.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "agno.run.cancel", module)
    event = type(
        "RunContentEvent", (), {"event": "RunContent", "content": "x", "__module__": "agno.run.agent"}
    )

    def made(run_id: str) -> Any:
        native = event()
        native.run_id = run_id
        return native

    async def stream() -> AsyncIterator[Any]:
        for run_id in ("team", "member", "team", "late"):
            yield made(run_id)

    async def main() -> None:
        watch = vibe.watch(stream(), adapter="agno", display=False, registry=Registry())
        async with watch:
            count = 0
            async for _ in watch:
                if (count := count + 1) == 3:
                    break
        await vibe.watch(stream(), adapter="agno", display=False, registry=Registry())

    if is_sync:
        watch = vibe.watch(
            map(made, ["team", "member", "late"]), adapter="agno", display=False, registry=Registry()
        )
        with watch:
            steps = iter(watch)
            next(steps)
            next(steps)
    else:
        asyncio.run(main())
    assert ended == ["team", "member"]


def test_a_run_that_refuses_to_end_does_not_hold_the_watch_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vibe_notebook._watching.runs_behind._END_SECONDS", 0)

    class Stubborn(Run):
        async def cancel_run(self) -> None:
            await asyncio.Event().wait()

    class Broken(Run):
        def cancel(self) -> None:
            raise RuntimeError("no")

    async def main() -> None:
        for kind in (Stubborn, Broken):
            run = kind()
            watch = vibe.watch(run, display=False, registry=Registry())
            await by_block(watch)
            assert watch.transcript.outcome == "cancelled"
            run.task.cancel()

    asyncio.run(main())
    assert len(caplog.records) == 2


class UnreadableError(RuntimeError):
    pass


def unreadable(*names: str) -> type[Run]:
    """Return a run whose attributes of these names raise when they are read."""

    def read(self: Any) -> Any:
        raise UnreadableError("no such thing today")

    return type("Closed", (Run,), {name: property(read) for name in names})


@pytest.mark.parametrize("names", [["cancel"], ["cancel_run"], ["cancel", "cancel_run"]])
@pytest.mark.parametrize("end", [by_break, by_block, by_cancel, by_an_error])
def test_a_method_that_cannot_be_read_is_reported_and_the_watch_ends_as_it_should(
    names: list[str],
    end: Callable[[Any], Awaitable[None]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(
        "vibe_notebook._watching.pipeline.Pipeline.report", lambda _, text: shown.append(text)
    )

    async def main() -> None:
        run = unreadable(*names)()
        watch = vibe.watch(run, display=False, registry=Registry())
        await end(watch)
        assert watch.transcript.outcome == ("error" if end is by_an_error else "cancelled")
        run.task.cancel()

    asyncio.run(main())
    assert len(shown) == len(caplog.records) == len(names)
    assert "could not be read" in shown[0]
    assert "no such thing today" in caplog.text


class Closing:
    """Give two events, and have a ``close`` and an ``aclose`` that cannot be read."""

    def __iter__(self) -> Any:
        return iter(["one", "two"])

    @property
    def close(self) -> Any:
        raise UnreadableError("no such thing today")

    aclose = close


class AsyncClosing(Closing):
    async def __aiter__(self) -> AsyncIterator[str]:
        yield "one"
        yield "two"

    __iter__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [Closing, AsyncClosing])
def test_a_source_whose_close_cannot_be_read_is_read_to_its_end(
    kind: type[Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        transcript = await vibe.watch(kind(), display=False, registry=Registry())
        assert (transcript.text, transcript.outcome) == ("onetwo", "success")

    asyncio.run(main())
    assert "could not be read" in caplog.text
    if kind is Closing:
        assert list(vibe.watch(Closing(), display=False, registry=Registry())) == ["one", "two"]
