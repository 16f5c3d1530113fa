"""Any order in, each event once and in order out.

Between the sources and the reducer. Pure: no locks, no threads, and the clock is passed in.
One ``Sequencer`` per agent; a *track* is one count (run, counter, direct or derived). Each
accepted event gets an *arrival* number. Where sequenced events came out of order, they take,
sorted, the arrival positions that their track has had: that is what makes the final transcript
the same for any permutation of a track, whatever stands between its events, and whatever hold
or bounds did to the order of delivery.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from ..events import Event
from .counter import Counter, Place

if TYPE_CHECKING:
    from ..events import Event

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


# What the sequencer says, and what it keeps of each run and each agent.
#
# Part of ordering.

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
        self.tracks: dict[tuple[str, bool], Counter] = {}
        self.direct: set[tuple[str | None, str]] = set()
        self.derived: set[tuple[str | None, str]] | frozenset[tuple[str | None, str]] = frozenset()
        self._by_message: dict[str, list[Counter]] = {}  # tracks with a name that are not closed
        self._shifts = shifts  # what all the agent's tracks share

    def track(self, counter: str, message_id: str | None, *, derived: bool = False) -> Counter:
        """Return the track of a count, made if there is none."""
        track = self.tracks.get((counter, derived))
        if track is None:
            track = Counter(message_id, len(self.tracks), self._shifts)
            track.closed = self.closed
            self.tracks[counter, derived] = track
            if counter and message_id is not None:
                self._by_message.setdefault(message_id, []).append(track)
        return track

    def close(self, message_id: str | None, counter: str, *, whole: bool) -> list[Counter]:
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


def _index(track: Counter) -> int:
    return track.index


def opens(event: Event) -> bool:
    """Whether its number is the base of its count."""
    return not event.derived and event.type == ("message_started" if event.counter else "run_started")


def builds_of(event: Event) -> str | None:
    """What of a message it builds that a better source may build too."""
    return event.kind if event.type == "part_completed" else DELTA_KINDS.get(event.type)


_FINISHES: Final = frozenset(("message_finished", "run_finished"))
NESTED_FINISHES: Final = 32
"""Finishes that set each other free in one go; the rest of a longer chain follows after them."""


class Sequencer:
    """Orders one agent's events.

    ``hold`` and ``max_wait`` are seconds, ``max_held`` is events per count; ``clock`` returns
    monotonic seconds. What comes out are ``Delivery`` and ``Retraction``.
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
        self._waiting: dict[Counter, float] = {}  # when to look at it
        # (when to look at it, number, track), the next one first; others than ``_waiting`` says are old.
        self._dues: list[tuple[float, int, Counter]] = []
        self._numbers = itertools.count()  # tracks cannot be compared
        self._active: list[Counter] = []  # whose events are being delivered
        self._postponed: list[Counter] = []
        self._shifts = [0]
        self.soonest: float | None = None
        """Not later than ``deadline``, and free to read; ``None``: nothing is held."""
        self.arrivals = 0
        self.counts = Counts()

    @property
    def held(self) -> int:
        """How many events wait for one that is missing."""
        return sum(track.holding for track in self._waiting)

    @property
    def latest(self) -> float:
        """When what comes now has waited long enough."""
        return self._clock() + self._max_wait

    @property
    def deadline(self) -> float | None:
        """When ``tick`` has something to do, on the caller's clock; ``None``: nothing is held."""
        return min((self._due(track) for track in self._waiting), default=None)

    def began(self, run_id: str) -> int:
        """The arrival of a run's first event, whatever became of that event."""
        run = self._runs.get(run_id)
        return run.arrival if run is not None else self.arrivals

    def run_of(self, message_id: str) -> str | None:
        """The newest run that has a message or a count of that name."""
        for name, run in reversed(self._runs.items()):
            if (message_id, False) in run.tracks or any(
                (message_id, builds) in run.direct or (message_id, builds) in run.derived
                for builds in DELTA_KINDS.values()
            ):
                return name
        return None

    def step(self, event: Event) -> Place | None:
        """The streaming path: the place of an event whose turn it is and that changes nothing else.

        ``None``: nothing was done, ``push`` it.
        """
        kind = event.type
        run = self._runs.get(event.run_id)
        if run is None or event.derived or kind in _FINISHES:
            return None
        builds = DELTA_KINDS.get(kind)
        if builds is not None and (event.message_id, builds) not in run.direct:
            return None
        arrival = self.arrivals
        seq = event.seq
        if seq is None:
            self.arrivals = arrival + 1
            return (None, 0, 0, arrival)
        track = run.tracks.get((event.counter, False))
        if track is None or event.sub or not track.step(seq, arrival):
            return None
        self.arrivals = arrival + 1
        return (track, seq, 0, arrival)

    def push(self, events: Sequence[Event]) -> Results:
        """Take what was made from one native event; return what may be delivered now."""
        out: Results = []
        slot: Slot = []
        owner: Counter | None = None
        for event in events:
            run = self._runs.get(event.run_id)
            if run is None:
                run = self._run(event.run_id)
            retraction = run.note_twins(event)
            if retraction is not None:
                out.append(retraction)
            track = self._accept(run, event)
            if track is None and event.seq is not None:
                self.counts.duplicates += 1
                continue
            place: Place = (track, event.seq or 0, event.sub if track is not None else 0, self.arrivals)
            self.arrivals += 1
            if owner is not None and (track is not owner or place[1] != slot[0][1][1]):
                self._slot(owner, slot, out)
                slot = []
            owner = track
            if track is None:
                self._turn(run, event, place, late=False, out=out)
            else:
                slot.append((event, place))
        if owner is not None:
            self._slot(owner, slot, out)
        return self._settled(out)

    def tick(self) -> Results:
        """Release what has waited long enough."""
        now = self._clock()
        out: Results = []
        late: dict[Counter, None] = {}
        while self._dues and self._dues[0][0] <= now:
            due, _, track = heapq.heappop(self._dues)
            if self._waiting.get(track) == due:
                if self._due(track) <= now:
                    late[track] = None
                else:
                    self._wait(track)
        for track in late:
            # A finish among what was released before may have set it free.
            if track.held and track.next is None:
                self._found(track, min(track.held), out)
            if track.held and self._due(track) <= now:
                self._release(track, out)
        for track in late:
            if track in self._waiting:
                self._wait(track)
        self._settled(out)
        self.soonest = self._dues[0][0] if self._dues else None
        return out

    def finish(self, run_id: str | None = None, message_id: str | None = None) -> Results:
        """End a message, a run, or with neither all runs: flush what they hold, in order."""
        out: Results = []
        runs: Iterable[RunOrder] = list(self._runs.values())
        if run_id is not None:
            runs = [self._runs.get(run_id) or self._run(run_id)]
        for run in runs:
            if message_id is not None:
                run.track(message_id, message_id)
            self._close(run, message_id, out, whole=message_id is None)
        return self._settled(out)

    def forget(self, run_id: str | None = None) -> None:
        """Drop what is known of a run, or of all: a repeat of its events counts as new."""
        for name in [run_id] if run_id is not None else list(self._runs):
            run = self._runs.pop(name, None)
            for track in run.tracks.values() if run else ():
                self._waiting.pop(track, None)
        if not self._waiting:
            self._dues, self.soonest = [], None

    def _run(self, run_id: str) -> RunOrder:
        run = self._runs[run_id] = RunOrder(self.arrivals, self._shifts)
        return run

    def _wait(self, track: Counter) -> float:
        due = self._waiting[track] = self._due(track)
        heapq.heappush(self._dues, (due, next(self._numbers), track))
        return due

    def _accept(self, run: RunOrder, event: Event) -> Counter | None:
        """The track of a sequenced event; ``None`` for another, and for a duplicate."""
        if event.seq is None:
            return None
        track = run.track(event.counter, event.message_id, derived=event.derived)
        return track if track.see(event.seq, event.sub, self.arrivals) else None

    def _due(self, track: Counter) -> float:
        oldest = next(iter(track.held.values()))[0]
        return oldest + (self._hold if track.next is None else self._max_wait)

    def _slot(self, track: Counter, slot: Slot, out: Results) -> None:
        seq = slot[0][1][1]
        if track.closed or (track.next is not None and seq <= track.next):
            self._out(track, slot, out)
            self._drain(track, out)
            return
        is_first = seq == 0 or self._hold <= 0 or any(opens(event) for event, _ in slot)
        now = self._clock()
        track.keep(seq, slot, now)
        if track.next is None and is_first:
            self._found(track, seq, out)
        elif track.holding > self._max_held:
            self._release(track, out)
        # Sooner than before where a base is now known and max_wait < hold.
        if track.held and self._waiting.get(track) != self._due(track):
            due = self._wait(track)
            self.soonest = due if self.soonest is None else min(self.soonest, due)

    def _found(self, track: Counter, base: int, out: Results) -> None:
        """The base is known: what is below it goes first, then what follows without a gap."""
        for seq in sorted(seq for seq in track.held if seq < base):
            self._out(track, track.take(seq), out)
        track.next = base if track.next is None else max(base, track.next)
        self._drain(track, out)

    def _drain(self, track: Counter, out: Results) -> None:
        while track.next is not None and track.next in track.held:
            self._out(track, track.take(track.next), out)
        if track.closed:
            self._release(track, out)
        elif not track.held:
            self._waiting.pop(track, None)

    def _release(self, track: Counter, out: Results) -> None:
        self._waiting.pop(track, None)
        for seq, slot in [(seq, track.take(seq)) for seq in sorted(track.held)]:
            if track.next is not None and seq > track.next:
                self.counts.gaps += 1
            self._out(track, slot, out)

    def _out(self, track: Counter, slot: Slot, out: Results) -> None:
        self._active.append(track)
        for event, place in sorted(slot, key=sub_of) if len(slot) > 1 else slot:
            late = track.passed(place[1], place[2])
            self._turn(self._runs[event.run_id], event, place, late=late, out=out)
        self._active.pop()

    def _turn(self, run: RunOrder, event: Event, place: Place, *, late: bool, out: Results) -> None:
        """Deliver the event, after what its finish sets free and unless a direct twin was seen."""
        if event.type in _FINISHES:
            self._finished(run, event, out)
        if event.derived and (event.message_id, builds_of(event)) in run.direct:
            self.counts.derived_suppressed += 1
            return
        if late:
            self.counts.late += 1
        out.append(Delivery(event, place, late))

    def _finished(self, run: RunOrder, event: Event, out: Results) -> None:
        whole = event.type == "run_finished"
        counter = event.counter or event.message_id
        if not whole and counter:
            # It may be the first that is heard of the count: what comes later finds it closed.
            run.track(counter, event.message_id)
        self._close(run, event.message_id, out, whole=whole, counter=event.counter)

    def _close(
        self, run: RunOrder, message_id: str | None, out: Results, *, whole: bool, counter: str = ""
    ) -> None:
        """Close the run's counts, or the message's own."""
        for track in run.close(message_id, counter, whole=whole):
            if not track.held or track in self._active:
                continue  # a finish's own count goes on by itself with what is held after the finish
            if len(self._active) >= NESTED_FINISHES:
                self._postponed.append(track)
            else:
                self._release(track, out)

    def _settled(self, out: Results) -> Results:
        while self._postponed:
            self._release(self._postponed.pop(), out)
        if not self._waiting:
            self._dues, self.soonest = [], None
        return out
