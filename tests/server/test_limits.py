"""Limits hold, whatever order things come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.server import Limits
from vibe_notebook.server._errors import Refused
from vibe_notebook.server._limits import Pace, Seats
from vibe_notebook.testing import FakeClock


class Sitting:
    """A listener."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def refusal(pace: Pace, count: int) -> Refused | None:
    try:
        pace.take("p", count)
    except Refused as error:
        return error
    return None


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 20)), max_size=60))
def test_no_stretch_of_time_lets_more_pass_than_the_rate_and_one_burst(
    steps: list[tuple[float, int]],
) -> None:
    clock = FakeClock()
    pace = Pace(10, clock)
    passed: list[tuple[float, int]] = []
    for wait, count in steps:
        clock.advance(wait)
        refused = refusal(pace, count)
        if refused is None:
            passed.append((clock.now, count))
        else:
            assert refused.status == 429
            assert int(refused.headers["Retry-After"]) >= 1
    for begin in range(len(passed)):
        for end in range(begin, len(passed)):
            seconds = passed[end][0] - passed[begin][0]
            assert sum(count for _, count in passed[begin : end + 1]) <= 10 * seconds + 20 + 1e-6


@given(st.integers(1, 200), st.integers(1, 200))
def test_who_waits_as_long_as_told_is_let_in(first: int, second: int) -> None:
    clock = FakeClock()
    pace = Pace(10, clock)
    pace.take("p", first)
    refused = refusal(pace, second)
    if refused is not None:
        clock.advance(int(refused.headers["Retry-After"]))
        pace.take("p", second)


def test_projects_do_not_pay_for_each_other() -> None:
    pace = Pace(1, FakeClock())
    pace.take("a", 2)
    with pytest.raises(Refused):
        pace.take("a", 1)
    pace.take("b", 2)
    Pace(None).take("c", 10**9)


def test_a_full_project_is_429_and_a_full_server_503() -> None:
    seats = Seats(Limits(listeners=3, listeners_per_project=2))
    sitting = [Sitting() for _ in range(3)]
    for listener in sitting[:2]:
        seats.check("a")
        seats.take("a", listener)
    with pytest.raises(Refused) as caught:
        seats.check("a")
    assert caught.value.status == 429
    seats.check("b")
    seats.take("b", sitting[2])
    with pytest.raises(Refused) as caught:
        seats.check("c")
    assert caught.value.status == 503
    seats.free(sitting[0])
    seats.free(sitting[0])
    assert (len(seats), seats.of("a")) == (2, 1)
    seats.check("a")


def test_the_end_closes_every_listener_and_lets_nobody_in() -> None:
    seats = Seats(Limits())
    listener = Sitting()
    seats.take("a", listener)
    seats.end()
    assert listener.closed
    with pytest.raises(Refused) as caught:
        seats.check("b")
    assert caught.value.status == 503


def test_a_limit_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="body_bytes"):
        Limits(body_bytes=0)
    Limits(events_per_second=None)
