"""Make scripted agents, shuffled events and a fake clock, for the users' tests and our own.

Beside the adapters: it needs only the events.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .events import (
    Event,
    MessageFinished,
    MessageStarted,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolStarted,
)

__all__ = ["FakeClock", "scripted", "shuffled"]


class FakeClock:
    """Stand still until the test advances the clock: ``Registry(clock=FakeClock())``, in seconds.

    After ``advance`` call the registry's ``tick()``: the registry does not know that time has passed.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> float:
        """Advance the clock; return the new time. Raises ``ValueError`` for a step back."""
        if seconds < 0:
            msg = f"advance({seconds}): time only goes forward."
            raise ValueError(msg)
        self.now += seconds
        return self.now


def scripted(
    text: str,
    *,
    thinking: str | None = None,
    tools: Sequence[tuple[str, Any, Any]] = (),
    agent_id: str = "agent",
    run_id: str = "run",
    numbered: bool = False,
    size: int = 4,
) -> list[Event]:
    """Make the events of an agent that thinks, calls tools and answers; the same events for the same arguments.

    *tools* are (name, arguments, output); an exception as output makes the call an error. *size* is the
    characters of each delta; *numbered* gives every event a ``seq`` from 0 on. Raises ``ValueError`` for a
    *size* below 1.
    """
    if size < 1:
        msg = f"size={size}: a delta has at least one character."
        raise ValueError(msg)
    made: list[Event] = []
    count = iter(range(1_000_000_000))

    def emit(cls: Callable[..., Event], message_id: str | None = None, **payload: Any) -> None:
        seq = next(count) if numbered else None
        made.append(cls(agent_id=agent_id, run_id=run_id, message_id=message_id, seq=seq, **payload))

    emit(RunStarted, agent_name=agent_id)
    emit(MessageStarted, "m0")
    for chunk in _chunks(thinking or "", size):
        emit(ThinkingDelta, "m0", delta=chunk)
    for number, (name, args, _) in enumerate(tools):
        for chunk in _chunks(json.dumps(args), size):
            emit(ToolCallDelta, "m0", tool_call_id=f"call-{number}", tool_name=name, delta=chunk)
    if tools:
        emit(MessageFinished, "m0", finish_reason="tool_calls")
    for number, (name, args, output) in enumerate(tools):
        call = {"tool_call_id": f"call-{number}", "tool_name": name}
        emit(ToolStarted, "m0", **call, args=args)
        if isinstance(output, BaseException):
            emit(ToolFinished, "m0", **call, status="error", error=f"{type(output).__name__}: {output}")
        else:
            emit(ToolFinished, "m0", **call, output=output)
    last = "m1" if tools else "m0"
    if tools:
        emit(MessageStarted, last)
    for chunk in _chunks(text, size):
        emit(TextDelta, last, delta=chunk)
    emit(MessageFinished, last, finish_reason="stop")
    emit(RunFinished, outcome="success")
    return made


def shuffled(events: Iterable[Event], *, seed: int = 0, displace: int | None = None) -> list[Event]:
    """Return *events* in the order of a bad network, always the same order for one *seed*.

    Events with a ``seq`` change places among themselves; those without one stay in their places, since
    their arrival is their order. *displace* bounds how many places an event comes early or late.
    """
    made = list(events)
    places = [place for place, event in enumerate(made) if event.seq is not None]
    chance = random.Random(seed)  # noqa: S311 - it must be repeatable, not secret
    if displace is None:
        order = places[:]
        chance.shuffle(order)
    else:
        # Sorting by a key that moves by less than d + 1 moves no event by more than d.
        keys = [(index + chance.uniform(0, displace), place) for index, place in enumerate(places)]
        order = [place for _, place in sorted(keys)]
    found = [made[place] for place in order]
    for place, event in zip(places, found, strict=True):
        made[place] = event
    return made


def _chunks(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))
