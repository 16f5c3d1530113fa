"""Hold one growing run: its part builders, and the events about the run as a whole.

Part of the reducer, below the part builders' classes and ``AgentLog``. A run places everything by (counter, seq,
sub), so a late event lands where it belongs. Every property is reduced in that order when a caller reads it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from .._ordering.sequencer import builds_of
from ..events import (
    Citation,
    Custom,
    InputRequested,
    MessageStarted,
    RunFinished,
    RunStarted,
    Usage,
)
from ..parts import Message, Role, role_of
from .citations import Citations
from .messages import MessageLog, total
from .places import follows, in_order, position, retain_first, retain_last, twin

if TYPE_CHECKING:
    from .._ordering.counter import Counter, Place
    from ..events import Event
    from ..parts import Part
    from .growing_text import GrowingText

__all__ = ["Answers", "Key", "PartBuilder", "RunLog"]


Key = tuple[str, str | None, str]
"""A part's key within its run: (kind, message id of a text, part id)."""

_Times = tuple[tuple[str | None] | None, float, float]
"""(Message of derived deltas, the least and the greatest ``ts``)."""
Answers = dict[str, list[tuple["Place", "Event"]]]
"""By the id of a request, the answers that came in later runs of the agent."""


class PartBuilder(ABC):
    """Build one part from its events; ``version`` changes whenever the part does."""

    __slots__ = (
        "_is_outdated",
        "_times",
        "first_places",
        "kind",
        "message_id",
        "moves",
        "name",
        "run",
        "version",
    )

    def __init__(self, run: RunLog, key: Key) -> None:
        self.run = run
        self.kind, self.message_id, self.name = key
        self.version = 0
        self.first_places: dict[Counter | None, Place] = {}  # by counter
        self.moves = 0  # changes of ``first_places``
        self._is_outdated = False  # some of ``first_places`` may be retracted
        self._times: tuple[_Times, ...] = ()

    def apply(self, event: Event, place: Place) -> None:
        """Apply one event."""
        self.version += 1
        first = self.first_places.get(place[0])
        if first is None or place < first:  # places of one counter compare by (seq, sub, arrival)
            self.first_places[place[0]] = place
            self.moves += 1
        if event.ts is not None:
            times = self._times
            # Every delta passes here: the usual case needs no call.
            if len(times) == 1 and times[0][0] is None and not event.derived and event.ts >= times[0][1]:
                if event.ts > times[0][2]:
                    self._times = ((None, times[0][1], event.ts),)
            else:
                self._set_times(event, event.ts)
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

    def _set_times(self, event: Event, ts: float) -> None:
        # A retraction drops only derived deltas: they have times of their own.
        source = twin(event) if event.derived and builds_of(event) is not None else None
        for index, (of, least, greatest) in enumerate(self._times):
            if of == source:
                if not least <= ts <= greatest:
                    new = source, min(least, ts), max(greatest, ts)
                    self._times = (*self._times[:index], new, *self._times[index + 1 :])
                return
        self._times = (*self._times, (source, ts, ts))

    def times(self) -> tuple[float | None, float | None]:
        """Return the least and the greatest ``ts`` of the part's events; ``None`` without any."""
        least = min((times[1] for times in self._times), default=None)
        return least, max((times[2] for times in self._times), default=None)

    def common(self, message_id: str | None) -> dict[str, Any]:
        """Return the fields that every part has."""
        started_at, finished_at = self.times()
        return {
            "run_id": self.run.run_id,
            "message_id": message_id,
            "role": self.run.role_of(message_id),
            "started_at": started_at,
            "finished_at": finished_at,
        }

    def drop_derived(self, message_id: str | None) -> None:
        """Drop the text that derived deltas of the message built."""
        self.version += 1
        self._times = tuple(times for times in self._times if times[0] != (message_id,))
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

    def message(self) -> str | None:
        """Return the id of the part's message, whatever the order of arrival."""
        return self.message_id

    @property
    def call_id(self) -> str | None:
        """Return the id of the call in which the part is shown, if it is a request about one."""
        return None

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


_NONE: Final[Mapping[Any, Any]] = MappingProxyType({})
_NO_CITATIONS: Final = Citations()
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
        "_lines",
        "_messages",
        "_requests_by_call",
        "_sorted",
        "_started",
        "_starts",
        "answers",
        "arrival",
        "citations",
        "closed_at",
        "counters",
        "nodes",
        "parent_ended_at",
        "plan_calls",
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
        self._derived: dict[tuple[str | None, str], dict[PartBuilder, None]] = {}
        self._sorted = _UNSORTED
        self._messages = MessageLog()
        self._lines = 0  # shown lines without a number
        # Few runs have these: an empty one is shared, so that a run without them stays small.
        self._requests_by_call: Mapping[str, dict[PartBuilder, None]] = _NONE
        self.answers: Mapping[str, list[tuple[Place, Event]]] = _NONE  # set by ``AgentLog``
        self.citations = _NO_CITATIONS
        self.plan_calls: Mapping[str, str] = _NONE  # by the id of a call that wrote a plan, the plan's id

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
        return any(follows(start, place) for start in self._starts.values())

    @property
    def _has_pause(self) -> bool:
        return any(event.outcome == "interrupted" for _, event in self._finished.values())

    @property
    def usage(self) -> Usage | None:
        """Return the usage that the run's end reports, else the sum over its messages."""
        usages = [event.usage for _, event in self._finishes() if event.usage is not None]
        return usages[-1] if usages else total(self._messages.usages())

    @property
    def has_settled(self) -> bool:
        """Return whether the run is over and asks nobody any more: its open requests are cancelled."""
        return self.ended and not self.is_paused

    def role_of(self, message_id: str | None) -> Role:
        """Return the role of a message; the assistant's without a message."""
        return self._messages.role_of(message_id)

    def requests_of(self, tool_call_id: str) -> list[PartBuilder]:
        """Return the requests about a call, in order."""
        found = [one for one in self._requests_by_call.get(tool_call_id, ()) if one.call_id == tool_call_id]
        return sorted(found, key=lambda one: one.first())

    def set_plan_call(self, tool_call_id: str, plan_id: str) -> None:
        """Record that a call wrote a plan; of two plans, the call shows the same one in whatever order they come."""
        if not isinstance(self.plan_calls, dict):
            self.plan_calls = {}
        self.plan_calls[tool_call_id] = min(plan_id, self.plan_calls.get(tool_call_id, plan_id))

    def call(self, call_id: str | None) -> PartBuilder | None:
        """Return the call with this id, if the run has it."""
        call = self.nodes.get(("tool", None, call_id)) if call_id is not None else None
        return call if call is not None and not call.is_empty else None

    def messages(self) -> list[Message]:
        """Return the messages in the order of their first events."""
        return self._messages.read(self.run_id, self.ordered())

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
        builder = self._builder_of(event, place)
        if builder is None:
            return self._apply_to_run(event, place)
        before, call_id = builder.moves, builder.call_id if builder.kind == "input" else None
        builder.apply(event, place)
        if builder.moves != before:
            self.version += 1
        if self._compacted:
            self._changed[builder] = None
        if builder.kind == "input":
            return self._apply_request(event, builder, call_id)
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

    def _apply_request(self, event: Event, builder: PartBuilder, before: str | None) -> PartBuilder:
        """Index a request, of the call *before* so far; return the call that it is about, else the request."""
        former = self.call(before)
        if former is not None:
            former.version += 1
        if isinstance(event, InputRequested):
            self.version += 1  # after an early answer it stands among the parts only now
        if isinstance(event, InputRequested) and event.tool_call_id is not None:
            if not isinstance(self._requests_by_call, dict):
                self._requests_by_call = {}
            self._requests_by_call.setdefault(event.tool_call_id, {})[builder] = None
        return self._touched(builder)

    def touch_request(self, request_id: str) -> PartBuilder | None:
        """Record that a later run answered a request; return the part that shows it."""
        builder = self.nodes.get(("input", None, request_id))
        if builder is None:
            return None
        builder.version += 1
        return self._touched(builder)

    def _touched(self, request: PartBuilder) -> PartBuilder:
        call = self.call(request.call_id)
        if call is None:
            return request
        call.version += 1
        return call

    def _builder_of(self, event: Event, place: Place) -> PartBuilder | None:
        found = self._kind_of(event)
        if found is None:
            return None
        key, cls = found
        if isinstance(event, Custom):  # each line is a part of its own
            key = key[0], key[1], self._line_id(event, place)
        builder = self.nodes.get(key)
        if builder is None:
            builder = self.nodes[key] = cls(self, key)
            builder.message_id = event.message_id  # a call's key names no message, its whole arguments do
            if key[0] == "tool":
                self._callers.setdefault(key[2], {})[self] = None
        return builder

    def _line_id(self, event: Event, place: Place) -> str:
        if place[0] is not None:
            return f"{event.counter}:{event.seq}:{event.sub}"
        self._lines += 1
        return str(self._lines)

    def _apply_to_run(self, event: Event, place: Place) -> PartBuilder | None:
        """Apply an event about the run as a whole; return the part that shows it, if any."""
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
        elif isinstance(event, Citation):
            if self.citations is _NO_CITATIONS:
                self.citations = Citations()
            self.citations.apply(event, place)
            text = self.nodes.get(("text", event.message_id, event.part_id))
            if text is not None:
                text.version += 1
            return text
        else:
            self._messages.apply(event, place)
            if isinstance(event, MessageStarted) and role_of(event.role) == "user":
                self.version += 1  # the run's input is not shown beside the user's own words
        return None

    def _started_value(self, field: str) -> Any:
        """Return the field's first value, in order, over the run's RunStarted events."""
        values = [item for (_, name), item in self._started.items() if name == field]
        return in_order(values)[0][1] if values else None

    def _finishes(self) -> list[tuple[Place, RunFinished]]:
        """Return the retained RunFinished events with their places, in order."""
        finishes = {place: (place, event) for place, event in self._finished.values()}
        return in_order(finishes.values())
