"""Any order in, each event once and in order out.

Between the sources and the reducer. Pure: no locks, no threads, and the clock is passed in.
One ``Sequencer`` per agent; a *track* is one count (run, counter, direct or derived). Each
accepted event gets an *arrival* number. Where sequenced events came out of order, they take,
sorted, the arrival positions that their track has had: that is what makes the final transcript
the same for any permutation of a track, whatever stands between its events, and whatever hold
or bounds did to the order of delivery.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from .events import Event

__all__ = ["DELTA_KINDS", "Delivery", "Place", "Retraction", "Sequencer", "Track"]

DELTA_KINDS: Final = {"text_delta": "text", "thinking_delta": "thinking", "tool_call_delta": "args"}
"""Deltas that a better source may repeat, and what they build."""

_FINISHES: Final = frozenset(("message_finished", "run_finished"))

Place = tuple["Track | None", int, int, int]
"""(track, seq, sub, arrival); an unsequenced event has no track."""


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


class Track:
    """One count: which numbers were seen, what is held, and which arrivals it has had."""

    __slots__ = (
        "arrivals", "closed", "count", "ends", "held", "last", "message_id", "next", "ranks", "shifts", "starts", "subs",
    )  # fmt: skip

    def __init__(self, message_id: str | None) -> None:
        self.message_id = message_id
        self.next: int | None = None  # None until a base is known
        self.last = (-1, 0)  # the greatest (seq, sub) delivered
        self.closed = False
        self.held: dict[int, tuple[float, list[tuple[Event, Place]]]] = {}
        self.shifts = 0  # arrivals out of order; 0: every position is its own arrival
        # Seen: closed intervals of seqs with sub 0, and the (seq, sub) with another sub.
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.subs: list[tuple[int, int]] = []
        # The k-th arrival of this track was arrivals[i] + k - ranks[i], i the last with ranks[i] <= k.
        self.count = 0
        self.ranks: list[int] = []
        self.arrivals: list[int] = []

    def see(self, seq: int, sub: int, arrival: int) -> bool:
        """Accept (seq, sub) as the event that arrived as number *arrival*; False: a duplicate."""
        ends = self.ends
        if sub == 0 and ends and seq == ends[-1] + 1 and not self._subs_after(seq):
            ends[-1] = seq
        elif not self._insert(seq, sub):
            return False
        rank = self.count
        self.count += 1
        if not self.ranks or arrival != self.arrivals[-1] + rank - self.ranks[-1]:
            self.ranks.append(rank)
            self.arrivals.append(arrival)
        return True

    def _subs_after(self, seq: int) -> bool:
        return bool(self.subs) and self.subs[-1] > (seq, 0)

    def _insert(self, seq: int, sub: int) -> bool:
        top = max((self.ends[-1], 0) if self.ends else (seq, sub), self.subs[-1] if self.subs else (seq, sub))
        if sub:
            at = bisect_left(self.subs, (seq, sub))
            if at < len(self.subs) and self.subs[at] == (seq, sub):
                return False
            self.subs.insert(at, (seq, sub))
        else:
            at = bisect_right(self.starts, seq)
            if at and seq <= self.ends[at - 1]:
                return False
            after = at < len(self.starts) and self.starts[at] == seq + 1
            if at and self.ends[at - 1] == seq - 1:
                self.ends[at - 1] = seq
                if after:
                    self.ends[at - 1] = self.ends.pop(at)
                    del self.starts[at]
            elif after:
                self.starts[at] = seq
            else:
                self.starts.insert(at, seq)
                self.ends.insert(at, seq)
        if (seq, sub) < top:
            self.shifts += 1
        return True

    def position(self, seq: int, sub: int, arrival: int) -> int:
        """Where among all arrivals the event stands once its track is sorted.

        Where its own arrival was not kept (merged text), pass -1.
        """
        if not self.shifts and arrival >= 0:
            return arrival
        rank = bisect_left(self.subs, (seq, sub)) if self.subs else 0
        at = bisect_left(self.starts, seq)
        if sub and at < len(self.starts) and self.starts[at] == seq:
            at += 1
        rank += sum(self.ends[i] - self.starts[i] + 1 for i in range(at))
        if at and self.ends[at - 1] >= seq:
            rank -= self.ends[at - 1] - seq + (0 if sub else 1)
        i = bisect_right(self.ranks, rank) - 1
        return self.arrivals[i] + rank - self.ranks[i]

    def has_hole(self, after: int, before: int) -> bool:
        """Whether a number strictly between the two was never seen."""
        if before - after <= 1:
            return False
        at = bisect_right(self.starts, after + 1) - 1
        return at < 0 or self.ends[at] < before - 1


class _Run:
    __slots__ = ("arrival", "closed", "derived", "direct", "tracks")

    def __init__(self, arrival: int) -> None:
        self.arrival = arrival
        self.closed = False
        self.tracks: dict[tuple[str, bool], Track] = {}
        self.direct: set[tuple[str | None, str]] = set()
        self.derived: set[tuple[str | None, str]] = set()


@dataclass(slots=True)
class Counts:
    """What became of an agent's events."""

    duplicates: int = 0
    gaps: int = 0
    late: int = 0
    derived_suppressed: int = 0


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
        self._runs: dict[str, _Run] = {}
        self._waiting: dict[Track, None] = {}
        self.arrivals = 0
        self.counts = Counts()

    @property
    def held(self) -> int:
        """How many events wait for one that is missing."""
        return sum(len(items) for track in self._waiting for _, items in track.held.values())

    @property
    def deadline(self) -> float | None:
        """When ``tick`` has something to do, on the caller's clock; ``None``: nothing is held."""
        if not self._waiting:
            return None
        return min(self._due(track) for track in self._waiting)

    def began(self, run_id: str) -> int:
        """The arrival of a run's first event, whatever became of that event."""
        run = self._runs.get(run_id)
        return run.arrival if run is not None else self.arrivals

    def push(self, events: Sequence[Event]) -> list[Delivery | Retraction]:
        """Take what was made from one native event; return what may be delivered now."""
        out: list[Delivery | Retraction] = []
        slot: list[tuple[Event, Place]] = []
        owner: Track | None = None
        for event in events:
            run = self._runs.get(event.run_id)
            if run is None:
                run = self._runs[event.run_id] = _Run(self.arrivals)
            kind = DELTA_KINDS.get(event.type)
            if kind is not None and (event.message_id, kind) not in run.direct:
                key = (event.message_id, kind)
                if event.derived:
                    run.derived.add(key)
                else:
                    run.direct.add(key)
                    if key in run.derived:
                        out.append(Retraction(event.run_id, event.message_id, kind))
            if event.seq is None:
                if slot:
                    self._slot(owner, slot, out)  # type: ignore[arg-type]
                    slot = []
                place: Place = (None, 0, 0, self.arrivals)
                self.arrivals += 1
                if event.type in _FINISHES:
                    self._finish(run, event.message_id if event.type == "message_finished" else None, out, event)
                self._deliver(run, event, place, late=False, out=out)
                continue
            track = run.tracks.get((event.counter, event.derived))
            if track is None:
                track = run.tracks[event.counter, event.derived] = Track(event.message_id)
                track.closed = run.closed
            if not track.see(event.seq, event.sub, self.arrivals):
                self.counts.duplicates += 1
                continue
            place = (track, event.seq, event.sub, self.arrivals)
            self.arrivals += 1
            if slot and (track is not owner or event.seq != slot[0][1][1]):
                self._slot(owner, slot, out)  # type: ignore[arg-type]
                slot = []
            owner = track
            slot.append((event, place))
        if slot:
            self._slot(owner, slot, out)  # type: ignore[arg-type]
        return out

    def tick(self) -> list[Delivery | Retraction]:
        """Release what has waited long enough."""
        now = self._clock()
        out: list[Delivery | Retraction] = []
        for track in [t for t in self._waiting if self._due(t) <= now]:
            if track.next is None:
                self._found(track, min(track.held), out)
            else:
                self._release(track, out)
        return out

    def finish(self, run_id: str | None = None, message_id: str | None = None) -> list[Delivery | Retraction]:
        """End a message, a run, or with neither all runs: flush what they hold, in order."""
        out: list[Delivery | Retraction] = []
        runs: Iterable[_Run] = list(self._runs.values())
        if run_id is not None:
            runs = [self._runs.setdefault(run_id, _Run(self.arrivals))]
        for run in runs:
            self._finish(run, message_id, out)
        return out

    def forget(self, run_id: str | None = None) -> None:
        """Drop what is known of a run, or of all: a repeat of its events counts as new."""
        for name in [run_id] if run_id is not None else list(self._runs):
            run = self._runs.pop(name, None)
            for track in run.tracks.values() if run else ():
                self._waiting.pop(track, None)

    def _due(self, track: Track) -> float:
        oldest = next(iter(track.held.values()))[0]
        return oldest + (self._hold if track.next is None else self._max_wait)

    def _slot(self, track: Track, slot: list[tuple[Event, Place]], out: list[Delivery | Retraction]) -> None:
        seq = slot[0][1][1]
        if track.next is None and not track.closed:
            base = seq == 0 or self._hold <= 0 or any(_opens(event) for event, _ in slot)
            self._keep(track, seq, slot)
            if base:
                self._found(track, seq, out)
            else:
                self._bound(track, out)
            return
        if track.next is None or seq == track.next or track.closed or seq < track.next:
            self._out(track, slot, out)
            self._drain(track, out)
            return
        self._keep(track, seq, slot)
        self._bound(track, out)

    def _bound(self, track: Track, out: list[Delivery | Retraction]) -> None:
        # Counting the events is only worth it once there could be too many of them.
        if len(track.held) >= self._max_held // 2 and sum(len(i) for _, i in track.held.values()) > self._max_held:
            self._release(track, out)

    def _keep(self, track: Track, seq: int, slot: list[tuple[Event, Place]]) -> None:
        if seq in track.held:
            track.held[seq][1].extend(slot)
        else:
            track.held[seq] = (self._clock(), slot)
        self._waiting[track] = None

    def _found(self, track: Track, base: int, out: list[Delivery | Retraction]) -> None:
        """The base is known: what is below it goes first, then what follows without a gap."""
        for seq in sorted(seq for seq in track.held if seq < base):
            self._out(track, track.held.pop(seq)[1], out)
        track.next = max(base, track.next or base)
        self._drain(track, out)

    def _drain(self, track: Track, out: list[Delivery | Retraction]) -> None:
        while track.held and track.next in track.held:
            self._out(track, track.held.pop(track.next)[1], out)
        if track.held and track.closed:
            self._release(track, out)
        elif not track.held:
            self._waiting.pop(track, None)

    def _release(self, track: Track, out: list[Delivery | Retraction]) -> None:
        held, track.held = track.held, {}
        self._waiting.pop(track, None)
        for seq in sorted(held):
            if track.next is not None and seq > track.next:
                self.counts.gaps += 1
            self._out(track, held[seq][1], out)

    def _out(self, track: Track, slot: list[tuple[Event, Place]], out: list[Delivery | Retraction]) -> None:
        for event, place in sorted(slot, key=_sub) if len(slot) > 1 else slot:
            at = (place[1], place[2])
            late = at < track.last
            if not late:
                track.last = at
                track.next = max(track.next or 0, at[0] + 1)
            run = self._runs[event.run_id]
            if event.type in _FINISHES:
                self._finish(run, event.message_id if event.type == "message_finished" else None, out, event)
            self._deliver(run, event, place, late=late, out=out)

    def _deliver(self, run: _Run, event: Event, place: Place, *, late: bool, out: list[Delivery | Retraction]) -> None:
        if event.derived and (event.message_id, _derived_kind(event)) in run.direct:
            self.counts.derived_suppressed += 1
            return
        if late:
            self.counts.late += 1
        out.append(Delivery(event, place, late))

    def _finish(
        self, run: _Run, message_id: str | None, out: list[Delivery | Retraction], event: Event | None = None
    ) -> None:
        """Close the run's counts, or the message's own; a sequenced finish comes before what follows it."""
        whole = event.type == "run_finished" if event is not None else message_id is None
        if whole:
            run.closed = True
        elif event is not None and event.counter:
            run.tracks.setdefault((event.counter, False), Track(message_id))
        elif message_id is not None:
            run.tracks.setdefault((message_id, False), Track(message_id))
        for (counter, _), track in list(run.tracks.items()):
            own = counter != "" and (
                counter == message_id
                or (message_id is not None and track.message_id == message_id)
                or (event is not None and counter == event.counter)
            )
            if not (whole or own):
                continue
            track.closed = True
            if event is not None and event.seq is not None and counter == event.counter:
                continue  # its own count: _out goes on with what is held after it
            self._release(track, out)


def _sub(item: tuple[Event, Place]) -> int:
    return item[1][2]


def _opens(event: Event) -> bool:
    if event.derived:
        return False
    return event.type == ("message_started" if event.counter else "run_started")


def _derived_kind(event: Event) -> str | None:
    return event.kind if event.type == "part_completed" else DELTA_KINDS.get(event.type)

