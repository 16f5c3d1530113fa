"""Whatever is sent, trimmed and closed: what is read after any id is what a list would give."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.projects.listening import kept, send
from vibe_notebook.projects import Gap, ProjectEventStream

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 5)),
        st.tuples(st.just("trim"), st.integers(0, 8)),
        st.tuples(st.just("close"), st.just(0)),
    ),
    max_size=12,
)
NAMES = itertools.count()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, limit=st.integers(1, 7))
def test_reading_is_reading_a_list(
    stream: ProjectEventStream, kind: str, steps: list[tuple[str, int]], limit: int
) -> None:
    project = f"p{next(NAMES)}"
    ids: list[str] = []
    log: list[int | None] = []  # the numbers sent; None is a mark
    gone = 0  # of the log's

    async def play() -> None:
        nonlocal gone
        for step, count in steps:
            if step == "send":
                numbers = range(len(ids), len(ids) + count)
                ids.extend(await send(stream, *numbers, project=project))
                log.extend(numbers)
            elif step == "trim":
                went = await stream.log.trim(project, count)
                assert went == max(0, len(log) - gone - count)
                gone += went
            else:
                await stream.aclose_stream(project)
                # Where all was trimmed, so was the mark.
                if log and (log[-1] is not None or gone == len(log)):
                    log.append(None)

    async def read(after: str) -> list[int | str]:
        found: list[int | str] = []
        while page := await stream.read(project, after, limit):
            found += kept(page)
            newest = page[-1]
            if isinstance(newest, Gap):
                break  # nothing is left
            after = newest.id
        return found

    async def main() -> None:
        await play()
        there = [number for number in log[gone:] if number is not None]
        assert await read("") == (["trimmed"] if gone else []) + there
        for number, after in enumerate(ids):
            place = log.index(number) + 1
            missed = place < gone or (kind == "redis" and place == gone and place < len(log))
            expected = [n for n in log[max(place, gone) :] if n is not None]
            assert await read(after) == (["trimmed"] if missed else []) + expected

    asyncio.run(main())
