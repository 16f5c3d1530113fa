"""A property: after any sends, trims and closes, a read after any id returns the same as a list."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.projects.listening import send, stored
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
def test_a_read_after_any_id_returns_the_same_as_a_list(
    stream: ProjectEventStream, kind: str, steps: list[tuple[str, int]], limit: int
) -> None:
    project = f"p{next(NAMES)}"
    ids: list[str] = []
    log: list[int | None] = []  # the numbers sent; None is the mark of a closed stream
    dropped = 0  # entries of the log

    async def play() -> None:
        nonlocal dropped
        for step, count in steps:
            if step == "send":
                numbers = range(len(ids), len(ids) + count)
                ids.extend(await send(stream, *numbers, project=project))
                log.extend(numbers)
            elif step == "trim":
                newly_dropped = await stream.log.trim(project, count)
                assert newly_dropped == max(0, len(log) - dropped - count)
                dropped += newly_dropped
            else:
                await stream.aclose_stream(project)
                # A trim of all entries drops the mark too.
                if log and (log[-1] is not None or dropped == len(log)):
                    log.append(None)

    async def read(after: str) -> list[int | str]:
        found: list[int | str] = []
        while page := await stream.read(project, after, limit):
            found += stored(page)
            newest = page[-1]
            if isinstance(newest, Gap):
                break  # the log has no entry
            after = newest.id
        return found

    async def main() -> None:
        await play()
        there = [number for number in log[dropped:] if number is not None]
        assert await read("") == (["trimmed"] if dropped else []) + there
        for number, after in enumerate(ids):
            place = log.index(number) + 1
            missed = place < dropped or (kind == "redis" and place == dropped and place < len(log))
            expected = [n for n in log[max(place, dropped) :] if n is not None]
            assert await read(after) == (["trimmed"] if missed else []) + expected

    asyncio.run(main())
