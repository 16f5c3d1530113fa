"""One run in the making: its nodes, and what is said of it as a whole.

Part of the reducer. Everything is placed by (track, seq, sub), so a late event lands where it
belongs, and every property is folded in that order when it is read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .._ordering.sequencer import DELTA_KINDS
from ..events import (
    MessageFinished,
    PartCompleted,
    RunFinished,
    RunStarted,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from .._ordering.counter import Counter, Place
    from ..events import Event
    from ..parts import Part

__all__ = ["Key", "PartBuilder", "RunLog", "keep_first", "keep_last", "position", "total", "twin"]


# What every growing part of a run has in common: its places, and folding them when read.
#
# Part of the reducer, below ``_reducer/part_builders.py``.

T = TypeVar("T")


Key = tuple[str, str | None, str]
"""A part within its run: kind, message id, part id."""


class PartBuilder(ABC):
    """A part in the making. ``version`` changes whenever it does."""

    __slots__ = ("_is_thinned", "kind", "message_id", "moves", "name", "run", "since", "version")

    def __init__(self, run: RunLog, key: tuple[str, str | None, str], message_id: str | None) -> None:
        self.run = run
        self.kind, _, self.name = key
        self.message_id = message_id
        """Of the first event delivered."""
        self.version = 0
        self.since: dict[Counter | None, Place] = {}  # the first place of each track
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


_T = TypeVar("_T")
_BEGINS: Final = ("agent_name", "parent_run_id", "parent_tool_call_id", "input")
_FAILED: Final = ("error", "cancelled")
_UNSORTED: tuple[int, int, list[PartBuilder]] = (-1, 0, [])


class RunLog:
    """One run's nodes and what is said of the run as a whole."""

    __slots__ = (
        "_callers",
        "_compacted",
        "_derived",
        "_finished",
        "_kind_of",
        "_sorted",
        "_started",
        "_touched",
        "_usages",
        "arrival",
        "closed_at",
        "nodes",
        "over_at",
        "run_id",
        "tracks",
        "version",
    )

    def __init__(
        self,
        run_id: str,
        arrival: int,
        kind_of: Callable[[Event], tuple[Key, type[PartBuilder]] | None],
        callers: dict[str, dict[RunLog, None]] | None = None,
    ) -> None:
        self._kind_of = kind_of  # handed in: the builders know their run, the run not its builders
        self.run_id = run_id
        self._callers = callers  # of all the agent's runs: which have made each call
        self._compacted = False
        self._touched: dict[PartBuilder, None] = {}  # since then
        self.arrival = arrival  # of its first event: runs are ordered by it
        self.nodes: dict[tuple[str, str | None, str], PartBuilder] = {}
        self.tracks: dict[Counter, None] = {}
        self.version = 0  # changes with the set or the order of nodes
        self.closed_at: int | None = None  # how many events had come when finish() was called
        self.over_at: int | None = None  # when the run that it is a part of ended
        # Of each track what its other events cannot replace.
        self._started: dict[tuple[Counter | None, str], tuple[Place, Any]] = {}
        self._finished: dict[tuple[Counter | None, str], tuple[Place, RunFinished]] = {}
        self._usages: dict[str | None, dict[Counter | None, tuple[Place, Usage]]] = {}
        self._derived: dict[tuple[str | None, str], dict[PartBuilder, None]] = {}
        self._sorted = _UNSORTED

    @property
    def ended(self) -> bool:
        """Whether nothing of this run may be left preparing or running."""
        return bool(self._finished) or self.closed_at is not None or self.over_at is not None

    @property
    def ended_at(self) -> int | None:
        """The position of its end."""
        ends = [self.closed_at, self.over_at, *(position(place) for place, _ in self._finished.values())]
        return min((end for end in ends if end is not None), default=None)

    @property
    def shifts(self) -> int:
        """How often an event arrived out of order: positions may have moved since."""
        return sum(track.shifts for track in self.tracks)

    @property
    def parent(self) -> tuple[str | None, str | None]:
        """(parent_run_id, parent_tool_call_id), from whichever RunStarted says so."""
        if not self._started:
            return None, None
        return self._begins("parent_run_id") or None, self._begins("parent_tool_call_id") or None

    @property
    def agent_name(self) -> str | None:
        """What it calls itself."""
        name: str | None = self._begins("agent_name")
        return name

    @property
    def input(self) -> Any:
        """What was asked."""
        return self._begins("input")

    @property
    def final(self) -> RunFinished | None:
        """How it ended: the first failure in order, else the last that is said.

        An interrupted run is resumable, so what comes after that counts.
        """
        ordered = self._ends()
        failed = (event for event in ordered if event.outcome in _FAILED)
        return next(failed, ordered[-1] if ordered else None)

    @property
    def usage(self) -> Usage | None:
        """What the run says it used, else the sum of its messages."""
        said = [event.usage for event in self._ends() if event.usage is not None]
        return said[-1] if said else total([_ordered(u.values())[-1][1] for u in self._usages.values()])

    def ordered(self) -> list[PartBuilder]:
        """The nodes in the order of their first appearance."""
        version, shifts, nodes = self._sorted
        now = self.shifts
        if version != self.version or shifts != now:
            nodes = [node for node in self.nodes.values() if not node.is_empty]
            places = {node: node.first() for node in nodes}
            nodes.sort(key=places.__getitem__)
            self._sorted = (self.version, now, nodes)
        return nodes

    def apply(self, event: Event, place: Place) -> PartBuilder | None:
        """Put the event where it belongs; return the node it changed."""
        track = place[0]
        if track is not None and track not in self.tracks:
            self.tracks[track] = None
        node = self._node(event)
        if node is None:
            self._about_the_run(event, place)
            return None
        before = node.moves
        node.apply(event, place)
        if node.moves != before:
            self.version += 1
        if self._compacted:
            self._touched[node] = None
        if event.derived:
            kind = event.kind if isinstance(event, PartCompleted) else DELTA_KINDS.get(event.type, "")
            self._derived.setdefault((event.message_id, kind), {})[node] = None
        return node

    def retract(self, message_id: str | None, kind: str) -> list[PartBuilder]:
        """Drop what derived deltas built; return the nodes that changed."""
        nodes = list(self._derived.pop((message_id, kind), {}))
        for node in nodes:
            node.drop_derived(message_id)
        self.version += 1
        return nodes

    def compact(self) -> None:
        """Free what only an open run needs."""
        for node in self._touched if self._compacted else self.nodes.values():
            node.compact()
        self._compacted, self._touched = True, {}

    def _node(self, event: Event) -> PartBuilder | None:
        found = self._kind_of(event)
        if found is None:
            return None
        key, cls = found
        node = self.nodes.get(key)
        if node is None:
            node = self.nodes[key] = cls(self, key, event.message_id)
            if key[0] == "tool" and self._callers is not None:
                self._callers.setdefault(key[2], {})[self] = None
        return node

    def _about_the_run(self, event: Event, place: Place) -> None:
        track = place[0]
        if isinstance(event, RunStarted):
            for name in _BEGINS:
                value = getattr(event, name)
                if value is not None:
                    keep_first(self._started, (track, name), place, value)
            self.version += 1
        elif isinstance(event, RunFinished):
            keep_first(self._finished, (track, "first"), place, event)
            keep_last(self._finished, (track, "last"), place, event)
            if event.outcome in _FAILED:
                keep_first(self._finished, (track, "failed"), place, event)
            if event.usage is not None:
                keep_last(self._finished, (track, "usage"), place, event)
            self.version += 1
        elif isinstance(event, MessageFinished) and event.usage is not None:
            keep_last(self._usages.setdefault(event.message_id, {}), track, place, event.usage)

    def _begins(self, field: str) -> Any:
        """The first value in order that a RunStarted gives."""
        said = [item for (_, name), item in self._started.items() if name == field]
        return _ordered(said)[0][1] if said else None

    def _ends(self) -> list[RunFinished]:
        """What is said of its end, in order."""
        said = {place: (place, event) for place, event in self._finished.values()}
        return [event for _, event in _ordered(said.values())]


def _ordered(said: Collection[tuple[Place, _T]]) -> list[tuple[Place, _T]]:
    return sorted(said, key=lambda item: position(item[0])) if len(said) > 1 else list(said)


def total(usages: list[Usage]) -> Usage | None:
    """Add up; a field that nobody reported stays ``None``."""
    if len(usages) <= 1:
        return usages[0] if usages else None
    fields = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost")
    sums = {}
    for field in fields:
        said = [value for usage in usages if (value := getattr(usage, field)) is not None]
        sums[field] = sum(said) if said else None
    return Usage(**sums, model=next((u.model for u in reversed(usages) if u.model), None))
