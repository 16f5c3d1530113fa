"""Tests of the limits: they hold for events and streams in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.server import Limits
from vibe_notebook.server._errors import Refused
from vibe_notebook.server._limits import OpenStreams, RateLimiter
from vibe_notebook.testing import FakeClock


class FakeListener:
    """Count the calls of ``close``."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def refusal(rate: RateLimiter, count: int) -> Refused | None:
    try:
        rate.admit("p", count)
    except Refused as error:
        return error
    return None


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 20)), max_size=60))
def test_no_interval_admits_more_events_than_the_rate_and_one_burst(
    steps: list[tuple[float, int]],
) -> None:
    clock = FakeClock()
    rate = RateLimiter(10, clock)
    passed: list[tuple[float, int]] = []
    for wait, count in steps:
        clock.advance(wait)
        refused = refusal(rate, count)
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
def test_a_request_passes_after_the_wait_of_retry_after(first: int, second: int) -> None:
    clock = FakeClock()
    rate = RateLimiter(10, clock)
    rate.admit("p", first)
    refused = refusal(rate, second)
    if refused is not None:
        clock.advance(int(refused.headers["Retry-After"]))
        rate.admit("p", second)


def test_the_rate_of_one_project_does_not_limit_another() -> None:
    rate = RateLimiter(1, FakeClock())
    rate.admit("a", 2)
    with pytest.raises(Refused):
        rate.admit("a", 1)
    rate.admit("b", 2)
    RateLimiter(None).admit("c", 10**9)


def test_a_full_project_is_429_and_a_full_server_503() -> None:
    open_streams = OpenStreams(Limits(listeners=3, listeners_per_project=2))
    listeners = [FakeListener() for _ in range(3)]
    for listener in listeners[:2]:
        open_streams.check("a")
        open_streams.add("a", listener)
    with pytest.raises(Refused) as caught:
        open_streams.check("a")
    assert caught.value.status == 429
    open_streams.check("b")
    open_streams.add("b", listeners[2])
    with pytest.raises(Refused) as caught:
        open_streams.check("c")
    assert caught.value.status == 503
    open_streams.remove(listeners[0])
    open_streams.remove(listeners[0])
    assert (len(open_streams), open_streams.count("a")) == (2, 1)
    open_streams.check("a")


def test_close_ends_every_listener_and_refuses_new_ones() -> None:
    open_streams = OpenStreams(Limits())
    listener = FakeListener()
    open_streams.add("a", listener)
    open_streams.close()
    assert listener.closed
    with pytest.raises(Refused) as caught:
        open_streams.check("b")
    assert caught.value.status == 503


def test_a_limit_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="body_bytes"):
        Limits(body_bytes=0)
    Limits(events_per_second=None)
