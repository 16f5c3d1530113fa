"""Deltas in a row take a short way: what comes of them is what the long way makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.events import Event, PartCompleted, RunFinished, RunStarted, TextDelta, ThinkingDelta
from vibe_notebook.registry import Registry
from vibe_notebook.testing import FakeClock

BASE: dict[str, Any] = {"agent_id": "a", "run_id": "r", "message_id": "m"}
PLAIN = ("next", "next", "next", "next", "next")
ODD = ("again", "skipped", "missing", "sub", "derived", "part", "thinking", "free", "whole", "counter")

steps = st.lists(st.tuples(st.sampled_from((*PLAIN, *ODD)), st.integers(1, 6)), max_size=30)


def stream(made: list[tuple[str, int]]) -> list[Event]:
    """Mostly deltas in a row; now and then one that is not what comes next."""
    events: list[Event] = [RunStarted(**BASE, seq=0)]
    seq = 0
    missing: list[int] = []
    for what, count in made:
        for i in range(count):
            text = f"<{what}{seq}.{i}>"
            match what:
                case "again":
                    events.append(TextDelta(**BASE, seq=max(seq - i, 0), delta=text))
                case "skipped":
                    missing.append(seq := seq + 1)
                case "missing" if missing:
                    events.append(TextDelta(**BASE, seq=missing.pop(0), delta=text))
                case "sub":
                    events.append(TextDelta(**BASE, seq=seq, sub=i + 1, delta=text))
                case "derived":
                    events.append(TextDelta(**BASE, seq=seq + i, derived=True, delta=text))
                case "part":
                    events.append(TextDelta(**BASE, seq=(seq := seq + 1), part_id="1", delta=text))
                case "thinking":
                    events.append(ThinkingDelta(**BASE, seq=(seq := seq + 1), delta=text))
                case "free":
                    events.append(TextDelta(**BASE, delta=text))
                case "whole":
                    events.append(PartCompleted(**BASE, seq=(seq := seq + 1), text=text))
                case "counter":
                    events.append(TextDelta(**BASE, seq=i, counter=f"c{seq}", part_id="2", delta=text))
                case _:
                    events.append(TextDelta(**BASE, seq=(seq := seq + 1), delta=text))
    return events


@given(steps, st.integers(0, 12), st.booleans())
def test_what_nobody_listens_to_ends_as_what_somebody_listens_to(made: Any, look: int, ends: Any) -> None:
    with Registry(clock=FakeClock()) as alone, Registry(clock=FakeClock()) as heard:
        heard.register("a", on_event=lambda _: None)
        events = stream(made) + ([RunFinished(**BASE)] if ends else [])
        for i, event in enumerate(events):
            alone.dispatch(event)
            heard.dispatch(event)
            if look and i % look == 0:
                assert alone.transcript("a") == heard.transcript("a")
        assert alone.transcript("a") == heard.transcript("a")
        assert alone.stats("a") == heard.stats("a")
        assert alone.arrivals("a") == heard.arrivals("a")


@pytest.mark.parametrize("sequenced", [True, False])
def test_a_long_stream_is_whole_whenever_it_is_looked_at(*, sequenced: bool) -> None:
    with Registry() as registry:
        registry.dispatch(RunStarted(**BASE, seq=0))
        whole = ""
        for i in range(1, 3000):
            registry.dispatch(TextDelta(**BASE, seq=i if sequenced else None, delta=f"{i} "))
            whole += f"{i} "
            if i % 700 == 0:
                assert registry.transcript("a").text == whole
        assert registry.transcript("a").text == whole
        registry.dispatch(TextDelta(**BASE, seq=1, delta="again"))
        assert registry.stats("a").delivered == (3000 if sequenced else 3001)


def test_whoever_comes_in_the_middle_gets_all_from_there_on() -> None:
    with Registry() as registry:
        registry.dispatch(RunStarted(**BASE, seq=0))
        said = [TextDelta(**BASE, seq=i, delta=str(i)) for i in range(1, 31)]
        heard: list[str] = []
        for event in said[:10]:
            registry.dispatch(event)
        reader = registry.subscribe("a")
        for event in said[10:20]:
            registry.dispatch(event)
        registry.register("a", on_result=lambda e: heard.append(e.delta))
        for event in said[20:]:
            registry.dispatch(event)
    assert heard == [str(i) for i in range(21, 31)]
    assert [event.id for event in reader] == list(range(12, 32))


def test_a_run_that_was_forgotten_in_the_middle_begins_anew() -> None:
    with Registry(hold=0) as registry:
        for i in range(10):
            registry.dispatch(TextDelta(**BASE, seq=i, delta=str(i)))
        registry.forget("a", "r")
        assert registry.transcript("a").text == ""
        for i in range(5, 12):
            registry.dispatch(TextDelta(**BASE, seq=i, delta=str(i)))
        assert registry.transcript("a").text == "567891011"
