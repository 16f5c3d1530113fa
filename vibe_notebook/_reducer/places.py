"""Compare the places of a run's events, and retain the first or the last event of each counter.

At the bottom of the reducer. A counter's places compare by (seq, sub, arrival); places of several counters by their
positions among all events of the agent.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .._ordering.counter import Place
    from ..events import Event
    from ..parts import ArtifactPart, ToolPart

__all__ = ["follows", "in_order", "position", "retain_first", "retain_last", "twin", "with_display"]

T = TypeVar("T")
P = TypeVar("P", "ToolPart", "ArtifactPart")


def retain_first(retained: dict[Any, tuple[Place, T]], key: Any, place: Place, value: T) -> None:
    """Retain *value* unless the key, which names the counter, has an earlier one."""
    if key not in retained or place < retained[key][0]:
        retained[key] = place, value


def retain_last(retained: dict[Any, tuple[Place, T]], key: Any, place: Place, value: T) -> None:
    """Retain *value* unless the key, which names the counter, has a later one."""
    if key not in retained or place >= retained[key][0]:
        retained[key] = place, value


def with_display(part: P, bundle: dict[str, Any] | None) -> P:
    """Return a part with an event's bundle: the event has cleaned the bundle, and the part need not do it again."""
    return part if bundle is None else part.model_copy(update={"display": dict(bundle)})


def position(place: Place) -> int:
    """Return the event's position among all events of its agent."""
    counter, seq, sub, arrival = place
    return arrival if counter is None else counter.position(seq, sub, arrival)


def twin(event: Event) -> tuple[str | None] | None:
    """Return (message_id,) of a derived event, by which a retraction finds it; ``None`` for a direct one."""
    return (event.message_id,) if event.derived else None


def follows(place: Place, other: Place) -> bool:
    """Return whether *place* stands after *other*; places of one counter need no positions, which cost more."""
    return place > other if place[0] is other[0] else position(place) > position(other)


def in_order(values: Collection[tuple[Place, T]]) -> list[tuple[Place, T]]:
    if len({item[0][0] for item in values}) <= 1:
        return sorted(values, key=_number)
    return sorted(values, key=lambda item: position(item[0]))


def _number(item: tuple[Place, Any]) -> tuple[int, int, int]:
    return item[0][1:]
