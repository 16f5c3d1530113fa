"""Check sources: streams and other objects, and the way a watch opens and closes them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from vibe_notebook._watching.sources import (
    Threaded,
    check,
    closer,
    discard,
    is_async,
    is_async_only,
    open_async,
    open_sync,
)


class Both:
    """Have sync and async forms in one object, as many SDKs' clients do."""

    def __iter__(self) -> Iterator[str]:
        return iter("ab")

    async def __aiter__(self) -> Any:
        yield "async"


class Closing:
    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Iterator[str]:
        return iter("ab")

    def close(self) -> None:
        self.closed += 1


class Runner:
    def __init__(self, stream: Any) -> None:
        self.stream_events = stream


async def agen() -> Any:
    yield "a"


def gen() -> Iterator[str]:
    yield "a"


async def coroutine() -> Any:
    return ["a"]


def test_a_source_with_both_forms_is_read_in_the_requested_form() -> None:
    source = Both()
    assert is_async(source)
    assert not is_async_only(source)
    with contextlib.ExitStack() as stack:
        assert list(open_sync(source, stack)) == ["a", "b"]

    async def main() -> list[str]:
        async with contextlib.AsyncExitStack() as stack:
            return [item async for item in await open_async(source, stack)]

    assert asyncio.run(main()) == ["async"]


def test_stream_events_is_async_unless_it_is_a_generator_function() -> None:
    assert is_async_only(Runner(agen))
    assert is_async_only(Runner(coroutine))
    assert not is_async_only(Runner(gen))
    with contextlib.ExitStack() as stack:
        assert list(open_sync(Runner(gen), stack)) == ["a"]


def test_a_source_is_closed_once_it_is_left() -> None:
    source = Closing()
    with contextlib.ExitStack() as stack:
        open_sync(source, stack)
        assert source.closed == 0
    assert source.closed == 1


def test_an_awaitable_may_give_a_sync_stream() -> None:
    async def main() -> list[str]:
        async with contextlib.AsyncExitStack() as stack:
            return [item async for item in await open_async(coroutine(), stack)]

    assert asyncio.run(main()) == ["a"]


def test_a_source_that_opens_to_itself_for_ever_is_an_error() -> None:
    class Circle:
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None: ...

    with pytest.raises(TypeError, match="not a stream"), contextlib.ExitStack() as stack:
        open_sync(Circle(), stack)


@pytest.mark.parametrize(
    ("source", "hint"), [("run.jsonl", r"vibe\.replay"), (agen, "forget to call"), (Both, "forget to call")]
)
def test_the_error_for_an_object_that_is_no_stream_gives_a_hint(source: object, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        check(source)


def test_a_threaded_source_keeps_the_loop_free_and_closes_after_the_step_that_blocks_in_it() -> None:
    go, closed = threading.Event(), threading.Event()

    def blocks() -> Iterator[str]:
        try:
            go.wait(10)
            yield "a"
        finally:
            closed.set()

    async def main() -> None:
        source = Threaded(blocks())
        step = asyncio.ensure_future(anext(source))
        await asyncio.sleep(0)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        await source.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(source)

    asyncio.run(main())
    assert not closed.is_set()
    go.set()
    assert closed.wait(10)


def test_a_generator_is_not_closed_from_another_thread() -> None:
    source = gen()
    assert closer(source, source) is None
    closing = Closing()
    assert closer(closing, iter(closing)) == closing.close


def test_a_source_that_is_never_opened_is_discarded_without_a_warning() -> None:
    made = coroutine()
    discard(made)
    discard(gen())
    discard(Both())
    with pytest.raises(RuntimeError, match="cannot reuse"):
        asyncio.run(made)
