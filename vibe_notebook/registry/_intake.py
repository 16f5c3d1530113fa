"""Parse the events that ``dispatch`` gets, and join the characters that a source has cut in half.

At the beginning of an event's path through the registry. Models hold whole characters; dicts and JSON text may not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from .._half_pairs import HalfPairs
from ..events import EVENT_CLASSES, Event, InputAnswered, parse_event
from ._reserved_answers import ReservedAnswers

__all__ = ["UNCHECKED", "Intake", "parse_all"]

UNCHECKED: Final = EVENT_CLASSES - {InputAnswered}
"""Events that the registry takes as they are: there are thousands of deltas a second."""

Parsed = list[tuple[dict[str, Any] | None, Event]]
"""Each event, with the dict that it was made of."""


def parse_all(given: Any) -> Parsed:
    """Parse one event, or a list of events: a model, a dict or JSON text each.

    Raises ``ProtocolError`` if one of them is no event.
    """
    is_one = isinstance(given, (dict, str, bytes, bytearray)) or not isinstance(given, Iterable)
    parsed: Parsed = []
    for item in [given] if is_one or hasattr(given, "agent_id") else given:
        event = parse_event(item)
        fields = json.loads(item) if isinstance(item, str | bytes | bytearray) else item
        parsed.append((fields if isinstance(fields, dict) else None, event))
    return parsed


class Intake:
    """Hold the halves of characters that wait. The caller of every method holds the registry's lock."""

    def __init__(self) -> None:
        self._half_pairs = HalfPairs()
        self.answers = ReservedAnswers()

    def slots(self, parsed: Parsed) -> dict[str, list[Event]]:
        """Return the events of each agent, with whole characters."""
        slots: dict[str, list[Event]] = {}
        for given, event in parsed:
            if not self.answers.accepts(event):
                continue
            events = [event]
            if given is not None:
                earlier, fields = self._half_pairs.join(event.type, given)
                if fields is not given:
                    events = [parse_event(dict(fields))]
                events[:0] = map(parse_event, earlier)
            for each in events:
                slots.setdefault(each.agent_id, []).append(each)
        return slots

    def release(self, agent_id: str, run_id: str | None = None) -> list[Event]:
        """Return the halves of an agent or of a run that stay alone, as events."""
        return [parse_event(half) for half in self._half_pairs.release(agent_id, run_id)]
