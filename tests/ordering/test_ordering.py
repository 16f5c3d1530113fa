"""Accept numbers once, sort the events of a counter, and release them at deadlines."""

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
def test_a_counter_accepts_each_number_once(arrived: Any) -> None:
    counter = Counter(None)
    seen: set[Any] = set()
    for arrival, key in enumerate(arrived):
        assert counter.accept(key[0], key[1], arrival) == (key not in seen)
        seen.add(key)


@given(keys, st.lists(st.integers(1, 5), min_size=60, max_size=60))
def test_sorted_events_get_the_arrivals_of_their_counter_in_order(arrived: Any, steps: list[int]) -> None:
    counter, arrival = Counter(None), 0
    accepted: dict[Any, int] = {}
    for key, step in zip(arrived, steps, strict=False):
        arrival += step
        if counter.accept(key[0], key[1], arrival):
            accepted[key] = arrival
    for key, position in zip(sorted(accepted), sorted(accepted.values()), strict=True):
        assert counter.position(key[0], key[1], accepted[key]) == position


def test_a_stream_in_order_costs_two_numbers() -> None:
    counter = Counter(None)
    for seq in range(10_000):
        counter.accept(seq, 0, seq)
    assert (len(counter.seen), counter.subs, len(counter.ranks)) == (1, None, 1)


@given(st.permutations(range(30)))
def test_with_a_base_every_event_is_delivered_once_and_in_order(order: Any) -> None:
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
    assert sequencer.earliest_deadline is None


def test_to_forget_a_run_drops_its_held_events_and_no_other_runs_deadline() -> None:
    now = 0.0
    sequencer = Sequencer(clock=lambda: now)
    for run_id in "rs":
        sequencer.push([text(1, run_id=run_id)])
    sequencer.forget("r")
    assert (sequencer.held, sequencer.earliest_deadline) == (1, 0.05)
    now = 0.05
    assert [result.event.run_id for result in sequencer.tick() if isinstance(result, Delivery)] == ["s"]
    sequencer.push([text(3, run_id="s")])
    sequencer.forget("s")
    assert (sequencer.held, sequencer.earliest_deadline, sequencer.deadline) == (0, None, None)


def test_the_deadline_is_the_one_of_the_counter_that_has_waited_longest() -> None:
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
