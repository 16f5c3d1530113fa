"""What ``Registry.dispatch`` costs without subscribers, in units of making the event.

``python -m benchmarks.dispatch`` prints it; ``run()`` gives the same as numbers. The garbage
collector is on, as users have it. Every ratio is of two times of one run: machines differ, and
one machine differs from itself, by more than what is measured here.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable

from vibe_notebook.events import TextDelta
from vibe_notebook.registry import Registry

EVENTS = 200_000
ROUNDS = 5
PLACES = 30
"""How far from its place an event comes in the shuffled stream."""
AGENTS = (1, 100, 10_000)


def stream(events: int, agents: int = 1) -> list[TextDelta]:
    """Deltas with five fields, of all agents in turn, each agent's in order."""
    names = [f"agent-{i}" for i in range(agents)]
    return [
        TextDelta(agent_id=names[i % agents], run_id="run", message_id="m", seq=i // agents, delta="abcd")
        for i in range(events)
    ]


def shuffled(events: Iterable[TextDelta], places: int = PLACES) -> list[TextDelta]:
    """The same, each at most about *places* from where it belongs."""
    chance = random.Random(7)
    keyed = [(i + chance.uniform(0, places), event) for i, event in enumerate(events)]
    return [event for _, event in sorted(keyed, key=lambda item: item[0])]


def timed(call: Callable[[], object]) -> float:
    """Seconds of the processor that *call* takes, those of the timer's thread included."""
    began = time.process_time()
    call()
    return time.process_time() - began


def created(events: int) -> None:
    """Make that many, and keep none."""
    for i in range(events):
        TextDelta(agent_id="agent-0", run_id="run", message_id="m", seq=i, delta="abcd")


def dispatched(events: list[TextDelta]) -> list[float]:
    """Seconds that each fifth of the stream takes, the agents' first events included."""
    fifth = max(len(events) // 5, 1)
    with Registry() as registry:

        def some(at: int) -> None:
            dispatch = registry.dispatch
            for event in events[at : at + fifth]:
                dispatch(event)

        return [timed(lambda at=at: some(at)) for at in range(0, len(events), fifth)]  # type: ignore[misc]


def run(events: int = EVENTS, rounds: int = ROUNDS) -> dict[str, float]:
    """Medians: µs an event, and the ratios to making it (``growth``: the last fifth to the first)."""
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for _ in range(rounds):
        creation = timed(lambda: created(events))
        made = stream(events)
        note("creation µs", creation / events * 1e6)
        fifths = dispatched(made)
        note("in order", sum(fifths) / creation)
        note("growth with length", fifths[-1] / fifths[0])
        note("shuffled", sum(dispatched(shuffled(made))) / creation)
        for agents in AGENTS[1:]:
            note(f"{agents} agents", sum(dispatched(stream(events, agents))) / creation)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Print a table."""
    print(f"dispatch, {EVENTS:,} events, median of {ROUNDS}; ratios to making the event")
    for name, value in run().items():
        print(f"{name:>20}  {value:.2f}", flush=True)


if __name__ == "__main__":
    main()
