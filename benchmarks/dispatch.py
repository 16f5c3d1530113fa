"""Measure ``registry.dispatch`` beside making the event: in order, shuffled, long, and with many agents."""

from __future__ import annotations

import gc
import random
import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any

from vibe_notebook.display._packing import Packer
from vibe_notebook.display._view import View
from vibe_notebook.events import RunStarted, TextDelta
from vibe_notebook.registry import Registry

from . import page

__all__ = ["run"]

COUNT = 200_000
TIMES = 5
PLACES = 30


def _made(agents: int = 1) -> list[TextDelta]:
    return [
        TextDelta(agent_id=f"a{i % agents}", run_id="r", message_id="m", seq=1 + i // agents, delta="abcd")
        for i in range(COUNT)
    ]


def _make() -> None:
    """Make the events and hold none, so that the measured time includes no garbage collection."""
    for i in range(COUNT):
        TextDelta(agent_id="a", run_id="r", message_id="m", seq=i, delta="abcd")


def _shuffled(events: list[TextDelta]) -> list[TextDelta]:
    """Return the events, each at most ``PLACES`` places from its own."""
    rng = random.Random(1)
    keys = sorted((index + rng.uniform(0, PLACES), index) for index in range(len(events)))
    return [events[index] for _, index in keys]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _dispatched(events: list[TextDelta], agents: int = 1, *, has_view: bool = False) -> list[float]:
    """Return the seconds of each fifth; *has_view* adds a live view that packs its messages and drops them."""
    gc.collect()
    gc.freeze()  # older objects stay out of each collection
    registry = Registry()
    for agent in range(agents):
        registry.dispatch(RunStarted(agent_id=f"a{agent}", run_id="r", seq=0))
    view: View | None = None
    if has_view:
        packer = Packer()

        def send(message: dict[str, Any]) -> None:
            packer.pack(message)

        view = View(registry, title="agent", send=send)
        view.watch("a0")
    fifth = len(events) // 5

    def some(start: int) -> None:
        for event in events[start : start + fifth]:
            registry.dispatch(event)

    found = [_seconds(lambda start=start: some(start)) for start in range(0, fifth * 5, fifth)]  # type: ignore[misc]
    if view is not None:
        view.finish()
    registry.close()
    gc.unfreeze()
    return found


def _rounds() -> Iterator[dict[str, float]]:
    for _ in range(TIMES):
        create = _seconds(_make)
        events = _made()
        ordered = _dispatched(events)
        found = {"made": create, "in order": sum(ordered), "growth": ordered[-1] / ordered[0]}
        found["in order, with a live view"] = sum(_dispatched(events, has_view=True))
        found["shuffled"] = sum(_dispatched(_shuffled(events)))
        for agents in (100, 10_000):
            fifths = _dispatched(_made(agents), agents)
            found[f"{agents:,} agents"] = sum(fifths)
            found[f"{agents:,} agents, last fifth"] = fifths[-1] * 5
        yield found


def run(options: Namespace) -> tuple[str, str]:
    """Measure five rounds. Each ratio is of one round; the page shows the median of the five."""
    del options
    rounds = list(_rounds())
    names = (
        "in order",
        "in order, with a live view",
        "shuffled",
        "100 agents",
        "10,000 agents",
        "10,000 agents, last fifth",
    )
    rows = []
    for name in names:
        ratios = [found[name] / found["made"] for found in rounds]
        each = statistics.median(found[name] for found in rounds) / COUNT * 1e6
        rows.append([name, f"{statistics.median(ratios):.2f}", f"{each:.2f}"])
    made = statistics.median(found["made"] for found in rounds) / COUNT * 1e6
    growth = statistics.median(found["growth"] for found in rounds)
    body = [
        (
            f"{COUNT:,} `TextDelta` of five fields, median of {TIMES} rounds; making one took {made:.2f} µs. *Shuffled*: "
            f"each event is up to {PLACES} places off. The live view draws as in a kernel. In order, the last fifth took {growth:.2f} times the first. The texts of "
            "all 10,000 agents begin in the first fifth."
        ),
        page.table(("dispatch, without subscribers", "ratio to making the event", "µs each"), rows),
    ]
    return "Dispatch", "\n\n".join(body)
