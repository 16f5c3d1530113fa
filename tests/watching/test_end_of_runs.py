"""Test that the end of a watch is the end of the run, where the SDK's run goes on without a reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
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


def test_a_run_that_refuses_to_end_does_not_hold_the_watch_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vibe_notebook._watching.sources._END_SECONDS", 0)

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
