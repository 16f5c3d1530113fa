"""What every growing part of a run has in common: its places, and folding them when read.

Part of the reducer, below ``_nodes.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._runs import RunLog
    from ._track import Place, Track
    from .events import Event
    from .transcript import Part

__all__ = ["Node", "position", "twin"]


class Node(ABC):
    """A part in the making. ``version`` changes whenever it does."""

    __slots__ = ("kind", "message_id", "name", "run", "since", "version")

    def __init__(self, run: RunLog, key: tuple[str, str | None, str], message_id: str | None) -> None:
        self.run = run
        self.kind, _, self.name = key
        self.message_id = message_id
        """Of the first event delivered."""
        self.version = 0
        self.since: dict[Track | None, Place] = {}  # the first place of each track

    def apply(self, event: Event, place: Place) -> None:
        """Take one event."""
        self.version += 1
        first = self.since.get(place[0])
        if first is None or place < first:  # of one track: (seq, sub, arrival) decides
            self.since = {**self.since, place[0]: place}
        self._take(event, place)

    def first(self) -> int:
        """The position of its first event."""
        return min(position(place) for place in self.since.values())

    def drop_derived(self, message_id: str | None) -> None:
        """Forget what second-hand deltas of the message built."""
        self.version += 1
        self._drop_derived(message_id)
        left = self.places()
        self.since = {}
        for place in left:
            first = self.since.get(place[0])
            if first is None or place < first:
                self.since[place[0]] = place

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether nothing is left of it: the node is not there any more."""

    @abstractmethod
    def places(self) -> list[Place]:
        """The places of all that is left."""

    @abstractmethod
    def part(self) -> Part | None:
        """Its value now; ``None`` if there is nothing to show."""

    @abstractmethod
    def compact(self) -> None:
        """Free what only an open run needs."""

    @abstractmethod
    def _take(self, event: Event, place: Place) -> None: ...

    @abstractmethod
    def _drop_derived(self, message_id: str | None) -> None: ...


def position(place: Place) -> int:
    """Where the event stands among all of its agent's."""
    track, seq, sub, arrival = place
    return arrival if track is None else track.position(seq, sub, arrival)


def twin(event: Event) -> tuple[str | None] | None:
    """(message_id,) of a second-hand event: what identifies it when it has to go."""
    return (event.message_id,) if event.derived else None
