"""What the sequencer says, and what it keeps of each run and each agent.

Part of ordering.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from ._track import Place, Track

if TYPE_CHECKING:
    from .events import Event

__all__ = [
    "DELTA_KINDS",
    "Counts",
    "Delivery",
    "Results",
    "Retraction",
    "RunOrder",
    "Slot",
    "builds_of",
    "opens",
    "sub_of",
]

DELTA_KINDS: Final = {"text_delta": "text", "thinking_delta": "thinking", "tool_call_delta": "args"}
"""Deltas that a better source may repeat, and what they build."""


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

    __slots__ = ("_by_message", "_shifts", "arrival", "closed", "derived", "direct", "tracks")

    def __init__(self, arrival: int, shifts: list[int]) -> None:
        self.arrival = arrival
        self.closed = False
        self.tracks: dict[tuple[str, bool], Track] = {}
        self.direct: set[tuple[str | None, str]] = set()
        self.derived: set[tuple[str | None, str]] | frozenset[tuple[str | None, str]] = frozenset()
        self._by_message: dict[str, list[Track]] = {}  # tracks with a name that are not closed
        self._shifts = shifts  # what all the agent's tracks share

    def track(self, counter: str, message_id: str | None, *, derived: bool = False) -> Track:
        """Return the track of a count, made if there is none."""
        track = self.tracks.get((counter, derived))
        if track is None:
            track = Track(message_id, len(self.tracks), self._shifts)
            track.closed = self.closed
            self.tracks[counter, derived] = track
            if counter and message_id is not None:
                self._by_message.setdefault(message_id, []).append(track)
        return track

    def close(self, message_id: str | None, counter: str, *, whole: bool) -> list[Track]:
        """Close the message's own tracks, or all; return those that were open, in the order of their making."""
        if whole:
            found = [] if self.closed else list(self.tracks.values())
            self.closed = True
            self._by_message = {}
        else:
            names = [name for name in (message_id, counter) if name]
            found = [
                self.tracks[key]
                for name in names
                for key in ((name, False), (name, True))
                if key in self.tracks
            ]
            found += self._by_message.pop(message_id, ()) if message_id is not None else ()
            found = sorted(dict.fromkeys(found), key=_index)
        for track in found:
            track.closed = True
        return found

    def note_twins(self, event: Event) -> Retraction | None:
        """Remember which source the event's text has; at the first direct one derived ones go."""
        builds = builds_of(event) if event.derived else DELTA_KINDS.get(event.type)
        key = (event.message_id, builds or "")
        if builds is None or key in self.direct:
            return None
        if event.derived:  # also a whole text: it would stand beside the first hand's deltas
            if isinstance(self.derived, frozenset):
                self.derived = set()  # most runs need none
            self.derived.add(key)
            return None
        self.direct.add(key)
        return Retraction(event.run_id, event.message_id, builds) if key in self.derived else None


@dataclass(slots=True)
class Counts:
    """What became of an agent's events."""

    duplicates: int = 0
    gaps: int = 0
    late: int = 0
    derived_suppressed: int = 0


def sub_of(item: tuple[Event, Place]) -> int:
    """Its place among the events of one native."""
    return item[1][2]


def _index(track: Track) -> int:
    return track.index


def opens(event: Event) -> bool:
    """Whether its number is the base of its count."""
    return not event.derived and event.type == ("message_started" if event.counter else "run_started")


def builds_of(event: Event) -> str | None:
    """What of a message it builds that a better source may build too."""
    return event.kind if event.type == "part_completed" else DELTA_KINDS.get(event.type)
