"""Deliver events that arrive in any order: each of them once, and in order.

Between the sources and the reducer. Pure: no locks, no threads, and the caller passes the clock in. The
registry keeps one ``Sequencer`` for each agent. A *counter* orders the numbers of one key: run, counter name,
direct or derived. The sequencer gives each accepted event an *arrival* number. Events of a counter that came
out of order get, sorted, the arrival positions that their counter has had. So the final transcript is the
same for any permutation of a counter, whatever stands between its events, and whatever the hold or the bounds
did to the order of delivery.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..events import Event
from .counter import Counter, Place

__all__ = [
    "DELTA_KINDS",
    "Counter",
    "Counts",
    "Delivery",
    "Place",
    "Results",
    "Retraction",
    "RunOrder",
    "Sequencer",
    "Slot",
    "builds_of",
    "opens",
    "sub_of",
]

DELTA_KINDS: Final = {"text_delta": "text", "thinking_delta": "thinking", "tool_call_delta": "args"}
"""Deltas that a better source may repeat, with the text that they build."""
NESTED_FINISHES: Final = 32
"""Finishes that may release each other recursively; the sequencer releases a longer chain's rest afterwards."""
_FINISHES: Final = frozenset(("message_finished", "run_finished"))
_STEPLESS: Final = _FINISHES | {"run_started"}
"""Events that change more than their own part."""


class Delivery(NamedTuple):
    """Deliver an event whose turn it is; ``late``: the sequencer gave up its gap before it came."""

    event: Event
    place: Place
    late: bool


class Retraction(NamedTuple):
    """Retract the text that derived deltas of this key built: the first direct delta has come."""

    run_id: str
    message_id: str | None
    kind: str


Results = list[Delivery | Retraction]
Slot = list[tuple["Event", Place]]


@dataclass(slots=True)
class Counts:
    """Count the duplicates, gaps, late events and suppressed derived events of an agent."""

    duplicates: int = 0
    gaps: int = 0
    late: int = 0
    derived_suppressed: int = 0


class Sequencer:
    """Order one agent's events; return each possible ``Delivery``, and each ``Retraction``.

    ``hold`` and ``max_wait`` are seconds, ``max_held`` is events of one counter; ``clock`` returns
    monotonic seconds.
    """

    def __init__(
        self,
        *,
        hold: float = 0.05,
        max_held: int = 256,
        max_wait: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._hold = hold
        self._max_held = max_held
        self._max_wait = max_wait
        self._runs: dict[str, RunOrder] = {}
        self._waiting: dict[Counter, float] = {}  # counters that hold events, with their deadlines
        # (deadline, number, counter), the next one first; an entry that ``_waiting`` does not confirm is old.
        self._deadlines: list[tuple[float, int, Counter]] = []
        self._numbers = itertools.count()  # counters cannot be compared
        self._active: list[Counter] = []  # counters whose events are being delivered
        self._postponed: list[Counter] = []
        self._shifts = [0]
        self.earliest_deadline: float | None = None
        """Never later than ``deadline``, and cheap to read; ``None``: no event is held."""
        self.arrivals = 0
        self.counts = Counts()

    @property
    def held(self) -> int:
        """Return the count of events that wait for a missing one."""
        return sum(counter.holding for counter in self._waiting)

    @property
    def is_holding(self) -> bool:
        """Return whether an event waits for a missing one."""
        return bool(self._waiting)

    @property
    def new_deadline(self) -> float:
        """Return the deadline of an event that arrives now."""
        return self._clock() + self._max_wait

    @property
    def deadline(self) -> float | None:
        """Return the time, on the caller's clock, when ``tick`` has work; ``None``: no event is held."""
        return min((self._deadline_of(counter) for counter in self._waiting), default=None)

    def first_arrival(self, run_id: str) -> int:
        """Return the arrival of a run's first event, even if that event was not delivered."""
        run = self._runs.get(run_id)
        return run.arrival if run is not None else self.arrivals

    def run_of(self, message_id: str) -> str | None:
        """Return the newest run that has a message or a counter of that name."""
        for name, run in reversed(self._runs.items()):
            if (message_id, False) in run.counters or any(
                (message_id, builds) in run.direct or (message_id, builds) in run.derived
                for builds in DELTA_KINDS.values()
            ):
                return name
        return None

    def step(self, event: Event) -> Place | None:
        """Accept an event whose turn it is and that changes nothing else; return its place.

        This is the streaming path. ``None``: the sequencer changed nothing, so the caller must ``push`` the event.
        """
        kind = event.type
        run = self._runs.get(event.run_id)
        if run is None or event.derived or kind in _STEPLESS:
            return None
        builds = DELTA_KINDS.get(kind)
        if builds is not None and (event.message_id, builds) not in run.direct:
            return None
        arrival = self.arrivals
        seq = event.seq
        if seq is None:
            self.arrivals = arrival + 1
            return (None, 0, 0, arrival)
        counter = run.counters.get((event.counter, False))
        if counter is None or event.sub or not counter.accept_next(seq, arrival):
            return None
        self.arrivals = arrival + 1
        return (counter, seq, 0, arrival)

    def push(self, events: Sequence[Event]) -> Results:
        """Accept the events made from one native event; return the deliveries that are possible now."""
        out: Results = []
        slot: Slot = []
        owner: Counter | None = None
        for event in events:
            run = self._runs.get(event.run_id)
            if run is None:
                run = self._add_run(event.run_id)
            retraction = run.record_source(event)
            if retraction is not None:
                out.append(retraction)
            counter = self._accept(run, event)
            if counter is None and event.seq is not None:
                self.counts.duplicates += 1
                continue
            place: Place = (counter, event.seq or 0, event.sub if counter is not None else 0, self.arrivals)
            self.arrivals += 1
            if owner is not None and (counter is not owner or place[1] != slot[0][1][1]):
                self._accept_slot(owner, slot, out)
                slot = []
            owner = counter
            if counter is None:
                self._deliver(run, event, place, late=False, out=out)
            else:
                slot.append((event, place))
        if owner is not None:
            self._accept_slot(owner, slot, out)
        return self._release_postponed(out)

    def tick(self) -> Results:
        """Release the events whose deadline has passed."""
        now = self._clock()
        out: Results = []
        passed: dict[Counter, None] = {}
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, _, counter = heapq.heappop(self._deadlines)
            if self._waiting.get(counter) == deadline:
                if self._deadline_of(counter) <= now:
                    passed[counter] = None
                else:
                    self._set_deadline(counter)
        # By the arrival of their oldest event, whatever moved their deadlines.
        late = sorted(passed, key=_oldest_arrival)
        for counter in late:
            # A finish among the events released before may have released this counter too.
            if counter.held and counter.next is None:
                self._set_base(counter, min(counter.held), out)
            if counter.held and self._deadline_of(counter) <= now:
                self._release(counter, out)
        for counter in late:
            if counter in self._waiting:
                self._set_deadline(counter)
        self._release_postponed(out)
        self.earliest_deadline = self._deadlines[0][0] if self._deadlines else None
        return out

    def finish(self, run_id: str | None = None, message_id: str | None = None) -> Results:
        """Finish a message, a run, or (with neither) all runs: release their events in order."""
        out: Results = []
        runs: Iterable[RunOrder] = list(self._runs.values())
        if run_id is not None:
            runs = [self._runs.get(run_id) or self._add_run(run_id)]
        for run in runs:
            if message_id is not None:
                run.counter(message_id, message_id)
            self._close(run, message_id, out, whole=message_id is None)
        return self._release_postponed(out)

    def forget(self, run_id: str | None = None) -> None:
        """Drop the ordering state of a run, or of all runs: a repeat of its events counts as new."""
        for name in [run_id] if run_id is not None else list(self._runs):
            run = self._runs.pop(name, None)
            for counter in run.counters.values() if run else ():
                self._waiting.pop(counter, None)
        if not self._waiting:
            self._deadlines, self.earliest_deadline = [], None

    def _add_run(self, run_id: str) -> RunOrder:
        run = self._runs[run_id] = RunOrder(self.arrivals, self._shifts)
        return run

    def _accept(self, run: RunOrder, event: Event) -> Counter | None:
        """Return the counter that accepted the event; ``None`` for one without a number and for a duplicate."""
        if event.seq is None:
            return None
        counter = run.counter(event.counter, event.message_id, derived=event.derived)
        return counter if counter.accept(event.seq, event.sub, self.arrivals) else None

    def _accept_slot(self, counter: Counter, slot: Slot, out: Results) -> None:
        """Deliver a slot whose turn it is, else hold it."""
        seq = slot[0][1][1]
        if counter.closed or (counter.next is not None and seq <= counter.next):
            self._deliver_slot(counter, slot, out)
            self._drain(counter, out)
            return
        is_first = seq == 0 or self._hold <= 0 or any(opens(event) for event, _ in slot)
        now = self._clock()
        counter.hold(seq, slot, now)
        if counter.next is None and is_first:
            self._set_base(counter, seq, out)
        elif counter.holding > self._max_held:
            self._release(counter, out)
        # The deadline comes sooner where the base is now known and max_wait < hold.
        if counter.held and self._waiting.get(counter) != self._deadline_of(counter):
            deadline = self._set_deadline(counter)
            self.earliest_deadline = (
                deadline if self.earliest_deadline is None else min(self.earliest_deadline, deadline)
            )

    def _deadline_of(self, counter: Counter) -> float:
        oldest = next(iter(counter.held.values()))[0]
        return oldest + (self._hold if counter.next is None else self._max_wait)

    def _set_deadline(self, counter: Counter) -> float:
        deadline = self._waiting[counter] = self._deadline_of(counter)
        heapq.heappush(self._deadlines, (deadline, next(self._numbers), counter))
        return deadline

    def _set_base(self, counter: Counter, base: int, out: Results) -> None:
        """Set the counter's base: deliver lower numbers first, then those that follow without a gap."""
        for seq in sorted(seq for seq in counter.held if seq < base):
            self._deliver_slot(counter, counter.release(seq), out)
        counter.next = base if counter.next is None else max(base, counter.next)
        self._drain(counter, out)

    def _drain(self, counter: Counter, out: Results) -> None:
        """Deliver held slots as long as they follow without a gap."""
        while counter.next is not None and counter.next in counter.held:
            self._deliver_slot(counter, counter.release(counter.next), out)
        if counter.closed:
            self._release(counter, out)
        elif not counter.held:
            self._waiting.pop(counter, None)

    def _release(self, counter: Counter, out: Results) -> None:
        """Release all that the counter holds, and count the gaps."""
        self._waiting.pop(counter, None)
        for seq, slot in [(seq, counter.release(seq)) for seq in sorted(counter.held)]:
            if counter.next is not None and seq > counter.next:
                self.counts.gaps += 1
            self._deliver_slot(counter, slot, out)

    def _deliver_slot(self, counter: Counter, slot: Slot, out: Results) -> None:
        self._active.append(counter)
        for event, place in sorted(slot, key=sub_of) if len(slot) > 1 else slot:
            late = counter.deliver(place[1], place[2])
            self._deliver(self._runs[event.run_id], event, place, late=late, out=out)
        self._active.pop()

    def _deliver(self, run: RunOrder, event: Event, place: Place, *, late: bool, out: Results) -> None:
        """Deliver the event, after those that its finish releases, unless a direct twin was seen."""
        if event.type in _FINISHES:
            self._apply_finish(run, event, out)
        if event.derived and (event.message_id, builds_of(event)) in run.direct:
            self.counts.derived_suppressed += 1
            return
        if late:
            self.counts.late += 1
        out.append(Delivery(event, place, late))

    def _apply_finish(self, run: RunOrder, event: Event, out: Results) -> None:
        whole = event.type == "run_finished"
        name = event.counter or event.message_id
        if not whole and name:
            # A finish may be the counter's first event: later events must find the counter closed.
            run.counter(name, event.message_id)
        self._close(run, event.message_id, out, whole=whole, name=event.counter)

    def _close(
        self, run: RunOrder, message_id: str | None, out: Results, *, whole: bool, name: str = ""
    ) -> None:
        """Close the run's counters, or those of the message and of the counter *name*."""
        # A finish that is released on the way goes on with the same queue: what is left in it comes before it.
        closing = run.close(message_id, name, whole=whole)
        while closing:
            counter = closing.popleft()
            if not counter.held or counter in self._active:
                continue  # an active counter delivers the events after its own finish by itself
            if len(self._active) >= NESTED_FINISHES:
                self._postponed.append(counter)
            else:
                self._release(counter, out)
        run.drop_drained_queues()

    def _release_postponed(self, out: Results) -> Results:
        while self._postponed:
            self._release(self._postponed.pop(), out)
        if not self._waiting:
            self._deadlines, self.earliest_deadline = [], None
        return out


class RunOrder:
    """Hold a run's counters, and which of its texts have a direct source and which a derived one."""

    __slots__ = ("_by_message", "_closing", "_shifts", "arrival", "closed", "counters", "derived", "direct")

    def __init__(self, arrival: int, shifts: list[int]) -> None:
        self.arrival = arrival
        self.closed = False
        self.counters: dict[tuple[str, bool], Counter] = {}
        self.direct: set[tuple[str | None, str]] = set()
        self.derived: set[tuple[str | None, str]] | frozenset[tuple[str | None, str]] = frozenset()
        self._by_message: dict[str, list[Counter]] = {}  # open counters with a name
        self._closing: dict[tuple[bool, str], deque[Counter]] = {}
        self._shifts = shifts  # all counters of the agent share it

    def counter(self, name: str, message_id: str | None, *, derived: bool = False) -> Counter:
        """Return the counter of that name; make one if the run has none."""
        counter = self.counters.get((name, derived))
        if counter is None:
            counter = Counter(message_id, len(self.counters), self._shifts)
            counter.closed = self.closed
            self.counters[name, derived] = counter
            if name and message_id is not None:
                self._by_message.setdefault(message_id, []).append(counter)
        return counter

    def close(self, message_id: str | None, name: str, *, whole: bool) -> deque[Counter]:
        """Close all counters, or the message's and the one called *name*; return the queue of those, oldest first.

        A second close of the same run or message returns the same queue.
        """
        closing = self._closing.setdefault((whole, "" if whole else message_id or name), deque())
        found: Iterable[Counter]
        if whole:
            found = [] if self.closed else self.counters.values()
            self.closed = True
            self._by_message = {}
        else:
            named = [
                self.counters[key]
                for each in (message_id, name)
                if each
                for key in ((each, False), (each, True))
                if key in self.counters
            ]
            named += self._by_message.pop(message_id, ()) if message_id is not None else ()
            found = sorted(dict.fromkeys(named), key=_index)
        for counter in found:
            counter.closed = True
            closing.append(counter)
        return closing

    def drop_drained_queues(self) -> None:
        """Drop the queues of ``close`` that are empty: a retained run must stay small."""
        if self._closing:
            self._closing = {key: closing for key, closing in self._closing.items() if closing}

    def record_source(self, event: Event) -> Retraction | None:
        """Record which source the event's text has; return a retraction at the first direct delta."""
        builds = builds_of(event) if event.derived else DELTA_KINDS.get(event.type)
        key = (event.message_id, builds or "")
        if builds is None or key in self.direct:
            return None
        if event.derived:  # a whole text too: it would stand beside the direct source's deltas
            if isinstance(self.derived, frozenset):
                self.derived = set()  # most runs need none
            self.derived.add(key)
            return None
        self.direct.add(key)
        return Retraction(event.run_id, event.message_id, builds) if key in self.derived else None


def sub_of(item: tuple[Event, Place]) -> int:
    """Return the event's place among the events of one native."""
    return item[1][2]


def opens(event: Event) -> bool:
    """Return whether the event's number is the base of its counter."""
    return not event.derived and event.type == ("message_started" if event.counter else "run_started")


def builds_of(event: Event) -> str | None:
    """Return the text of a message that the event builds and that a better source may build too."""
    return event.kind if event.type == "part_completed" else DELTA_KINDS.get(event.type)


def _oldest_arrival(counter: Counter) -> int:
    """Return the arrival of the event that the counter has held longest."""
    return next(iter(counter.held.values()))[1][0][1][3]


def _index(counter: Counter) -> int:
    return counter.index
