"""What every growing part of a run has in common: its places, and folding them when read.

Part of the reducer, below ``_nodes.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ._runs import RunLog
    from ._track import Place, Track
    from .events import Event
    from .transcript import Part

__all__ = ["Node", "keep_first", "keep_last", "position", "twin"]

T = TypeVar("T")


class Node(ABC):
    """A part in the making. ``version`` changes whenever it does."""

    __slots__ = ("_is_thinned", "kind", "message_id", "moves", "name", "run", "since", "version")

    def __init__(self, run: RunLog, key: tuple[str, str | None, str], message_id: str | None) -> None:
        self.run = run
        self.kind, _, self.name = key
        self.message_id = message_id
        """Of the first event delivered."""
        self.version = 0
        self.since: dict[Track | None, Place] = {}  # the first place of each track
        self.moves = 0  # how often that changed
        self._is_thinned = False  # whether some of them may be gone

    def apply(self, event: Event, place: Place) -> None:
        """Take one event."""
        self.version += 1
        first = self.since.get(place[0])
        if first is None or place < first:  # of one track: (seq, sub, arrival) decides
            self.since[place[0]] = place
            self.moves += 1
        self._take(event, place)

    def first(self) -> int:
        """The position of its first event."""
        if self._is_thinned:
            self._is_thinned = False
            self.since = {}
            for place in self.places():
                first = self.since.get(place[0])
                if first is None or place < first:
                    self.since[place[0]] = place
        return min(position(place) for place in self.since.values())

    def drop_derived(self, message_id: str | None) -> None:
        """Forget what second-hand deltas of the message built."""
        self.version += 1
        self._drop_derived(message_id)
        self._is_thinned = True  # looked at when it is read: one call may lose thousands of messages

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


def keep_first(said: dict[Any, tuple[Place, T]], key: Any, place: Place, value: T) -> None:
    """Keep *value* if nothing of the key, which names the track, is before it."""
    if key not in said or place < said[key][0]:
        said[key] = place, value


def keep_last(said: dict[Any, tuple[Place, T]], key: Any, place: Place, value: T) -> None:
    """Keep *value* if nothing of the key, which names the track, is after it."""
    if key not in said or place >= said[key][0]:
        said[key] = place, value


def position(place: Place) -> int:
    """Where the event stands among all of its agent's."""
    track, seq, sub, arrival = place
    return arrival if track is None else track.position(seq, sub, arrival)


def twin(event: Event) -> tuple[str | None] | None:
    """(message_id,) of a second-hand event: what identifies it when it has to go."""
    return (event.message_id,) if event.derived else None
