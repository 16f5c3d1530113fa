"""Check the test doubles for users."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.registry import Registry
from vibe_notebook.testing import FakeClock, scripted, shuffled

TOOLS = [("search", {"q": "x"}, {"hits": 3}), ("fail", None, ValueError("no"))]


def test_a_scripted_agent_follows_its_script() -> None:
    registry = Registry()
    for event in scripted("Hello world", thinking="hm", tools=TOOLS, agent_id="a", run_id="1"):
        registry.dispatch(event)
    transcript = registry.transcript("a")
    assert (transcript.text, transcript.thinking, transcript.outcome) == ("Hello world", "hm", "success")
    assert [(t.tool_name, t.args, t.output, t.error, t.state) for t in transcript.tools] == [
        ("search", {"q": "x"}, {"hits": 3}, None, "ok"),
        ("fail", None, None, "ValueError: no", "error"),
    ]


def test_a_script_is_always_the_same() -> None:
    assert scripted("abc", tools=TOOLS) == scripted("abc", tools=TOOLS)
    with pytest.raises(ValueError, match="size"):
        scripted("abc", size=0)


@given(st.integers(0, 1000), st.none() | st.integers(0, 10))
def test_shuffled_numbered_events_make_the_same_transcript(seed: int, displace: int | None) -> None:
    events = scripted("Hello world", thinking="hm", tools=TOOLS, numbered=True, size=2)
    registry, straight = Registry(hold=0), Registry(hold=0)
    for event in shuffled(events, seed=seed, displace=displace):
        registry.dispatch(event)
    for event in events:
        straight.dispatch(event)
    assert registry.transcript("agent") == straight.transcript("agent")


@given(st.integers(0, 1000), st.integers(0, 5))
def test_shuffling_keeps_every_event_and_moves_none_further_than_displace(seed: int, displace: int) -> None:
    events = scripted("Hello world, this is a text", numbered=True, size=1)
    made = shuffled(events, seed=seed, displace=displace)
    assert sorted(event.seq or 0 for event in made) == list(range(len(events)))
    assert all(abs(place - (event.seq or 0)) <= displace for place, event in enumerate(made))
    assert shuffled(events, seed=seed, displace=displace) == made


def test_events_without_a_number_stay_where_they_are() -> None:
    mixed = [
        event
        for pair in zip(
            scripted("abcd", size=1, numbered=True), scripted("wxyz", size=1, run_id="2"), strict=True
        )
        for event in pair
    ]
    made = shuffled(mixed, seed=3)
    assert made[1::2] == mixed[1::2]
    assert made[::2] != mixed[::2]


def test_shuffling_without_a_bound_does_shuffle() -> None:
    events = scripted("Hello world", numbered=True, size=1)
    assert shuffled(events, seed=1) != events


def test_the_clock_stands_until_it_is_moved() -> None:
    clock = FakeClock()
    registry = Registry(clock=clock, max_wait=1.0)
    events = scripted("abcdef", numbered=True, size=1)
    for event in [*events[:3], *events[4:-1]]:
        registry.dispatch(event)
    registry.tick()
    assert registry.stats("agent").held > 0
    assert clock.advance(2.0) == clock() == 2.0
    registry.tick()
    assert (registry.stats("agent").held, registry.stats("agent").gaps) == (0, 1)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)
