"""What the sequencer says, and what it keeps of each run and each agent.

Part of ordering.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ._track import Place, Track

if TYPE_CHECKING:
    from .events import Event

__all__ = ["Counts", "Delivery", "Results", "Retraction", "RunOrder", "Slot"]


class Delivery(NamedTuple):
    """An event whose turn it is; ``late`` if its gap was given up before it came."""

    event: Event
    place: Place
    late: bool


class Retraction(NamedTuple):
    """A direct delta was seen: what derived ones of the same key built goes."""

    run_id: str
    message_id: str | None
    kind: str


Results = list[Delivery | Retraction]
Slot = list[tuple["Event", Place]]


class RunOrder:
    """A run's counts, and which of its texts have a direct and which a derived source."""

    __slots__ = ("arrival", "closed", "derived", "direct", "tracks")

    def __init__(self, arrival: int) -> None:
        self.arrival = arrival
        self.closed = False
        self.tracks: dict[tuple[str, bool], Track] = {}
        self.direct: set[tuple[str | None, str]] = set()
        self.derived: frozenset[tuple[str | None, str]] = frozenset()


@dataclass(slots=True)
class Counts:
    """What became of an agent's events."""

    duplicates: int = 0
    gaps: int = 0
    late: int = 0
    derived_suppressed: int = 0
