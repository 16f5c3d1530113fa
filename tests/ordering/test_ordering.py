"""One count: what was seen, and where each event stands once all are sorted."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook._ordering.counter import Counter
from vibe_notebook._ordering.sequencer import Delivery, Sequencer
from vibe_notebook.events import TextDelta

keys = st.lists(st.tuples(st.integers(-5, 40), st.integers(-1, 2)), max_size=60)


def text(seq: int | None, **more: Any) -> TextDelta:
    return TextDelta(**{"agent_id": "a", "run_id": "r", **more}, seq=seq, delta="x")


@given(keys)
def test_a_number_is_new_once_and_a_duplicate_ever_after(arrived: Any) -> None:
    track = Counter(None)
    seen: set[Any] = set()
    for arrival, key in enumerate(arrived):
        assert track.see(key[0], key[1], arrival) == (key not in seen)
        seen.add(key)


@given(keys, st.lists(st.integers(1, 5), min_size=60, max_size=60))
def test_sorted_they_take_the_arrivals_that_they_have_had(arrived: Any, steps: list[int]) -> None:
    track, arrival = Counter(None), 0
    accepted: dict[Any, int] = {}
    for key, step in zip(arrived, steps, strict=False):
        arrival += step
        if track.see(key[0], key[1], arrival):
            accepted[key] = arrival
    for key, position in zip(sorted(accepted), sorted(accepted.values()), strict=True):
        assert track.position(key[0], key[1], accepted[key]) == position


def test_a_stream_in_order_is_remembered_in_two_numbers() -> None:
    track = Counter(None)
    for seq in range(10_000):
        track.see(seq, 0, seq)
    assert (len(track.seen), track.subs, len(track.ranks)) == (1, None, 1)


@given(st.permutations(range(30)))
def test_with_a_base_everything_comes_out_once_and_in_order(order: Any) -> None:
    sequencer = Sequencer(clock=lambda: 0.0)
    out: list[Any] = []
    for seq in order:
        event = text(seq)
        if sequencer.step(event) is not None:
            out.append(seq)
        else:
            out += [result.event.seq for result in sequencer.push([event]) if isinstance(result, Delivery)]
    assert out == list(range(30))
    assert sequencer.held == 0
    assert sequencer.soonest is None


def test_the_deadline_is_that_of_the_count_that_waits_the_longest() -> None:
    now = 0.0
    sequencer = Sequencer(clock=lambda: now)
    assert sequencer.deadline is None
    sequencer.push([text(0)])
    sequencer.push([text(2)])
    now = 0.5
    sequencer.push([text(7, counter="m")])
    assert sequencer.deadline == 0.55
    now = 0.55
    assert len(sequencer.tick()) == 1
    assert sequencer.deadline == 1.0
    now = 1.0
    assert len(sequencer.tick()) == 1
    assert sequencer.deadline is None
