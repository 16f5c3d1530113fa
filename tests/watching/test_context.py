"""A hook within a stream's code finds the stream's own view: in its steps, its tasks and threads, and in nested blocks."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import vibe_notebook as vibe
from vibe_notebook._watching.context import current


def test_the_code_of_a_source_finds_its_watch_and_the_consumer_does_not() -> None:
    seen = []

    def source() -> Iterator[str]:
        seen.append(current())
        yield "a"
        seen.append(current())

    run = vibe.watch(source(), display=False)
    for _ in run:
        assert current() is None
    assert seen == [run, run]
    assert current() is None


def test_a_task_of_an_async_source_finds_its_watch_also_beside_another_one() -> None:
    async def source(seen: list[object]) -> AsyncIterator[str]:
        async def inner() -> None:
            await asyncio.sleep(0)
            seen.append(current())

        yield "a"
        await asyncio.create_task(inner())
        yield "b"

    async def main() -> None:
        seen: list[list[object]] = [[], []]
        runs = [vibe.watch(source(each), display=False) for each in seen]
        await asyncio.gather(*runs)
        assert seen == [[runs[0]], [runs[1]]]
        assert current() is None

    asyncio.run(main())


def test_a_sync_source_that_is_awaited_finds_its_watch_in_its_thread() -> None:
    seen = []

    def source() -> Iterator[str]:
        yield "a"
        seen.append(current())

    async def main() -> None:
        run = vibe.watch(source(), display=False)
        await run
        assert seen == [run]

    asyncio.run(main())


def test_the_innermost_block_is_current_until_its_end() -> None:
    with vibe.live("outer", display=False) as outer:
        assert current() is outer
        with vibe.live("inner", display=False) as inner:
            assert current() is inner
        with vibe.handler("langchain", display=False) as handler:
            assert current() is handler
        assert current() is outer
    assert current() is None
