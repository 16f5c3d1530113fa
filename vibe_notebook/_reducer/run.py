"""Hold one growing run: its part builders, and the events about the run as a whole.

Part of the reducer, below the part builders' classes and ``AgentLog``. A run places everything by (counter, seq,
sub), so a late event lands where it belongs. Every property is reduced in that order when a caller reads it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .._ordering.sequencer import builds_of
from ..events import (
    MessageFinished,
    RunFinished,
    RunStarted,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from .._ordering.counter import Counter, Place
    from ..events import Event
    from ..parts import Part
    from .growing_text import GrowingText

__all__ = ["Key", "PartBuilder", "RunLog", "position", "retain_first", "retain_last", "total", "twin"]


T = TypeVar("T")

Key = tuple[str, str | None, str]
"""A part's key within its run: (kind, message id of a text, part id)."""


class PartBuilder(ABC):
    """Build one part from its events; ``version`` changes whenever the part does."""

    __slots__ = ("_is_outdated", "first_places", "kind", "message_id", "moves", "name", "run", "version")

    def __init__(self, run: RunLog, key: Key) -> None:
        self.run = run
        self.kind, self.message_id, self.name = key
        self.version = 0
        self.first_places: dict[Counter | None, Place] = {}  # by counter
        self.moves = 0  # changes of ``first_places``
        self._is_outdated = False  # some of ``first_places`` may be retracted

    def apply(self, event: Event, place: Place) -> None:
        """Apply one event."""
        self.version += 1
        first = self.first_places.get(place[0])
        if first is None or place < first:  # places of one counter compare by (seq, sub, arrival)
            self.first_places[place[0]] = place
            self.moves += 1
        self._apply(event, place)

    def first(self) -> int:
        """Return the position of the part's first event."""
        if self._is_outdated:
            self._is_outdated = False
            self.first_places = {}
            for place in self.places():
                first = self.first_places.get(place[0])
                if first is None or place < first:
                    self.first_places[place[0]] = place
        return min(position(place) for place in self.first_places.values())

    def drop_derived(self, message_id: str | None) -> None:
        """Drop the text that derived deltas of the message built."""
        self.version += 1
        self._drop_derived(message_id)
        self._is_outdated = (
            True  # first() finds the places again, later: one call may lose thousands of messages
        )

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Return whether the part has no event left: no form shows the part then."""

    @abstractmethod
    def places(self) -> list[Place]:
        """Return the places of all events that are left."""

    def text_of(self, event: Event) -> GrowingText | None:
        """Return the growing text that the event changes; ``None``: the event changes no text of the part."""
        del event
        return None

    def newest_of(self, event: Event) -> Event:
        """Return the event that counts in the place of a late *event* that a later one replaces."""
        return event

    @abstractmethod
    def part(self) -> Part | None:
        """Return the part's present value; ``None`` for an empty text."""

    @abstractmethod
    def compact(self) -> None:
        """Free the memory that only an open run needs."""

    @abstractmethod
    def _apply(self, event: Event, place: Place) -> None: ...

    @abstractmethod
    def _drop_derived(self, message_id: str | None) -> None: ...


def retain_first(retained: dict[Any, tuple[Place, T]], key: Any, place: Place, value: T) -> None:
    """Retain *value* unless the key, which names the counter, has an earlier one."""
    if key not in retained or place < retained[key][0]:
        retained[key] = place, value


def retain_last(retained: dict[Any, tuple[Place, T]], key: Any, place: Place, value: T) -> None:
    """Retain *value* unless the key, which names the counter, has a later one."""
    if key not in retained or place >= retained[key][0]:
        retained[key] = place, value


def position(place: Place) -> int:
    """Return the event's position among all events of its agent."""
    counter, seq, sub, arrival = place
    return arrival if counter is None else counter.position(seq, sub, arrival)


def twin(event: Event) -> tuple[str | None] | None:
    """Return (message_id,) of a derived event, by which a retraction finds it; ``None`` for a direct one."""
    return (event.message_id,) if event.derived else None


_T = TypeVar("_T")
_BEGINS: Final = ("agent_name", "parent_run_id", "parent_tool_call_id", "input")
_FAILED: Final = ("error", "cancelled")
_UNSORTED: tuple[int, int, list[PartBuilder]] = (-1, 0, [])


class RunLog:
    """Hold one run's part builders, and the events about the run as a whole."""

    __slots__ = (
        "_callers",
        "_changed",
        "_compacted",
        "_derived",
        "_finished",
        "_kind_of",
        "_sorted",
        "_started",
        "_starts",
        "_usages",
        "arrival",
        "closed_at",
        "counters",
        "nodes",
        "parent_ended_at",
        "run_id",
        "version",
    )

    def __init__(
        self,
        run_id: str,
        arrival: int,
        kind_of: Callable[[Event], tuple[Key, type[PartBuilder]] | None],
        callers: dict[str, dict[RunLog, None]],
    ) -> None:
        self._kind_of = kind_of  # passed in: the builders' module imports this one
        self.run_id = run_id
        self._callers = callers  # by call id, the runs of the agent that made the call
        self._compacted = False
        self._changed: dict[PartBuilder, None] = {}  # builders that changed after compact()
        self.arrival = arrival  # of its first event: runs are ordered by it
        self.nodes: dict[Key, PartBuilder] = {}
        self.counters: dict[Counter, None] = {}
        self.version = 0  # changes with the set or the order of ``nodes``
        self.closed_at: int | None = None  # the agent's arrivals when finish() was called
        self.parent_ended_at: int | None = None  # the position at which the parent run ended
        # Of each counter, the events that its other events cannot replace.
        self._started: dict[tuple[Counter | None, str], tuple[Place, Any]] = {}
        self._finished: dict[tuple[Counter | None, str], tuple[Place, RunFinished]] = {}
        self._starts: dict[Counter | None, Place] = {}  # of each counter, the last start
        self._usages: dict[str | None, dict[Counter | None, tuple[Place, Usage]]] = {}
        self._derived: dict[tuple[str | None, str], dict[PartBuilder, None]] = {}
        self._sorted = _UNSORTED

    @property
    def ended(self) -> bool:
        """Return whether the run has ended: none of its calls may be left preparing or running."""
        is_over = self.closed_at is not None or self.parent_ended_at is not None
        return is_over or (bool(self._finished) and not self._is_resumed)

    @property
    def ended_at(self) -> int | None:
        """Return the position of the run's end; ``None`` while the run is open."""
        finishes = () if self._is_resumed else self._finished.values()
        ends = [self.closed_at, self.parent_ended_at, *(position(place) for place, _ in finishes)]
        return min((end for end in ends if end is not None), default=None)

    @property
    def shifts(self) -> int:
        """Return the count of events that arrived out of order: each may have moved positions."""
        return sum(counter.shifts for counter in self.counters)

    @property
    def parent(self) -> tuple[str | None, str | None]:
        """Return (parent_run_id, parent_tool_call_id), each from the first RunStarted that has it."""
        if not self._started:
            return None, None
        return self._started_value("parent_run_id") or None, self._started_value(
            "parent_tool_call_id"
        ) or None

    @property
    def agent_name(self) -> str | None:
        """Return the agent name that the run gives itself."""
        name: str | None = self._started_value("agent_name")
        return name

    @property
    def input(self) -> Any:
        """Return the run's input."""
        return self._started_value("input")

    @property
    def final(self) -> RunFinished | None:
        """Return the RunFinished that counts: the first failure in order, else the last one.

        An interrupted run can resume: a later start opens it again, and a later end replaces its interruption.
        """
        return None if self._is_resumed else self._last_end[1]

    @property
    def is_paused(self) -> bool:
        """Return whether the run's end interrupted it for an answer, and it has not started again."""
        final = self.final if self._has_pause else None
        return final is not None and final.outcome == "interrupted"

    @property
    def _last_end(self) -> tuple[Place | None, RunFinished | None]:
        """Return the end that counts if the run has not started again, with its place."""
        ordered = self._finishes()
        failed = ((place, event) for place, event in ordered if event.outcome in _FAILED)
        return next(failed, ordered[-1] if ordered else (None, None))

    @property
    def _is_resumed(self) -> bool:
        """Return whether the run has started again after the end that interrupted it."""
        if not (self._starts and self._has_pause):
            return False
        place, end = self._last_end
        if place is None or end is None or end.outcome != "interrupted":
            return False
        return any(_follows(start, place) for start in self._starts.values())

    @property
    def _has_pause(self) -> bool:
        return any(event.outcome == "interrupted" for _, event in self._finished.values())

    @property
    def usage(self) -> Usage | None:
        """Return the usage that the run's end reports, else the sum over its messages."""
        usages = [event.usage for _, event in self._finishes() if event.usage is not None]
        return usages[-1] if usages else total([_ordered(u.values())[-1][1] for u in self._usages.values()])

    def ordered(self) -> list[PartBuilder]:
        """Return the part builders in the order of their first appearance."""
        version, shifts, builders = self._sorted
        now = self.shifts
        if version != self.version or shifts != now:
            builders = [builder for builder in self.nodes.values() if not builder.is_empty]
            places = {builder: builder.first() for builder in builders}
            builders.sort(key=places.__getitem__)
            self._sorted = (self.version, now, builders)
        return builders

    def apply(self, event: Event, place: Place) -> PartBuilder | None:
        """Apply the event at its place; return the part builder that it changed."""
        counter = place[0]
        if counter is not None and counter not in self.counters:
            self.counters[counter] = None
        builder = self._builder_of(event)
        if builder is None:
            self._apply_to_run(event, place)
            return None
        before = builder.moves
        builder.apply(event, place)
        if builder.moves != before:
            self.version += 1
        if self._compacted:
            self._changed[builder] = None
        builds = builds_of(event) if event.derived else None
        if builds is not None:
            self._derived.setdefault((event.message_id, builds), {})[builder] = None
        return builder

    def retract(self, message_id: str | None, kind: str) -> list[PartBuilder]:
        """Retract the text that derived deltas built; return the part builders that changed."""
        builders = list(self._derived.pop((message_id, kind), {}))
        for builder in builders:
            builder.drop_derived(message_id)
        self.version += 1
        return builders

    def compact(self) -> None:
        """Free the memory that only an open run needs."""
        for builder in self._changed if self._compacted else self.nodes.values():
            builder.compact()
        self._compacted, self._changed = True, {}

    def _builder_of(self, event: Event) -> PartBuilder | None:
        found = self._kind_of(event)
        if found is None:
            return None
        key, cls = found
        builder = self.nodes.get(key)
        if builder is None:
            builder = self.nodes[key] = cls(self, key)
            builder.message_id = event.message_id  # a call's key names no message, its whole arguments do
            if key[0] == "tool":
                self._callers.setdefault(key[2], {})[self] = None
        return builder

    def _apply_to_run(self, event: Event, place: Place) -> None:
        counter = place[0]
        if isinstance(event, RunStarted):
            self._starts[counter] = max(place, self._starts.get(counter, place))
            for name in _BEGINS:
                value = getattr(event, name)
                if value is not None:
                    retain_first(self._started, (counter, name), place, value)
            self.version += 1
        elif isinstance(event, RunFinished):
            retain_first(self._finished, (counter, "first"), place, event)
            retain_last(self._finished, (counter, "last"), place, event)
            if event.outcome in _FAILED:
                retain_first(self._finished, (counter, "failed"), place, event)
            if event.usage is not None:
                retain_last(self._finished, (counter, "usage"), place, event)
            self.version += 1
        elif isinstance(event, MessageFinished) and event.usage is not None:
            retain_last(self._usages.setdefault(event.message_id, {}), counter, place, event.usage)

    def _started_value(self, field: str) -> Any:
        """Return the field's first value, in order, over the run's RunStarted events."""
        values = [item for (_, name), item in self._started.items() if name == field]
        return _ordered(values)[0][1] if values else None

    def _finishes(self) -> list[tuple[Place, RunFinished]]:
        """Return the retained RunFinished events with their places, in order."""
        finishes = {place: (place, event) for place, event in self._finished.values()}
        return _ordered(finishes.values())


def _follows(place: Place, other: Place) -> bool:
    """Return whether *place* stands after *other*; places of one counter need no positions, which cost more."""
    return place > other if place[0] is other[0] else position(place) > position(other)


def _ordered(values: Collection[tuple[Place, _T]]) -> list[tuple[Place, _T]]:
    if len({item[0][0] for item in values}) <= 1:
        return sorted(values, key=_number)
    return sorted(values, key=lambda item: position(item[0]))


def _number(item: tuple[Place, Any]) -> tuple[int, int, int]:
    return item[0][1:]


def total(usages: list[Usage]) -> Usage | None:
    """Return the sum of the usages; a field that no usage has stays ``None``."""
    if len(usages) <= 1:
        return usages[0] if usages else None
    fields = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost")
    sums = {}
    for field in fields:
        known = [value for usage in usages if (value := getattr(usage, field)) is not None]
        sums[field] = sum(known) if known else None
    return Usage(**sums, model=next((u.model for u in reversed(usages) if u.model), None))
