"""One agent within a registry: its order, its log, and those who follow it.

Part of the registry, whose lock every method expects to be held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from .._ordering.sequencer import Delivery, Retraction, Sequencer
from .._reducer.agent_log import AgentLog
from .._reducer.part_builders import TextBuilder
from .._reducer.run import PartBuilder
from ..events import Custom, PartCompleted, is_skip
from ._callbacks import Outbox, Registration

if TYPE_CHECKING:
    from .._ordering.counter import Place
    from .._ordering.sequencer import Counts
    from ..events import Event
    from ._ring_buffer import RingBuffer, Tally

__all__ = ["Agent", "Known", "Shared", "Stats", "Watcher", "stats_of"]

_OF_RUNS: Final = frozenset(("run_started", "run_finished"))
"""Events of no part that change how parts look: a view then reads all of them anew."""


EARNED: Final = 500
"""Characters of whole texts that one event more pays for: each late piece with the whole would cost the square."""

PIECE: Final = 100
"""Characters that one piece counts for, as it has to be put in its place."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of one agent's events, in numbers of events (``gaps``: of gaps, ``evicted``: of runs)."""

    delivered: int = 0
    held: int = 0
    duplicates: int = 0
    gaps: int = 0
    late: int = 0
    derived_suppressed: int = 0
    dropped: int = 0
    evicted: int = 0


Known = tuple["Tally", "Counts", int, int]
"""What is counted of an agent: its tally, what its order counts, dropped, evicted."""


def stats_of(known: Known, ring: RingBuffer, *, held: int = 0) -> Stats:
    """What became of an agent's events."""
    tally, counts, dropped, evicted = known
    return Stats(
        delivered=ring.delivered(tally),
        held=held,
        duplicates=counts.duplicates,
        gaps=counts.gaps,
        late=counts.late,
        derived_suppressed=counts.derived_suppressed,
        dropped=dropped,
        evicted=evicted,
    )


class Watcher(Protocol):
    """A live display of an agent."""

    def touch(self, node: PartBuilder | None) -> None:
        """Something changed (``None``: of a run as a whole). Called under the lock: only take note."""

    def wake(self) -> None:
        """There is something to show. Called outside of the lock."""

    def report(self, text: str) -> None:
        """A failure in the background that the user should see."""


@dataclass(slots=True)
class Shared:
    """What all agents of a registry have in common."""

    ring: RingBuffer
    taps: tuple[Registration, ...] = ()


class Agent:
    """Takes what the sequencer lets go, reduces it, numbers it, and puts it out."""

    __slots__ = (
        "_shared",
        "dropped",
        "due",
        "evicted",
        "log",
        "outbox",
        "owed",
        "owed_due",
        "registrations",
        "sequencer",
        "tally",
        "watchers",
    )

    def __init__(self, agent_id: str, sequencer: Sequencer, shared: Shared) -> None:
        self.log = AgentLog(agent_id, sequencer)
        self.sequencer = sequencer
        self.tally = shared.ring.tally(agent_id)
        self.registrations: tuple[Registration, ...] = ()
        self.watchers: tuple[Watcher, ...] = ()
        self.outbox: Outbox | None = None  # there is one from the first callback on
        self.dropped = 0
        self.evicted = 0
        self.due: float | None = None
        """When the registry will look whether something was held long enough."""
        self.owed: dict[TextBuilder, bool] = {}
        """Texts that those who append deltas do not have as they are; whether second-hand."""
        self.owed_due: float | None = None
        """When they are told of them, if nothing tells them before."""
        self._shared = shared

    @property
    def soonest(self) -> float | None:
        """When something that it holds or owes may be due; deltas in a row are never held."""
        held, owed = self.sequencer.soonest, self.owed_due
        return held if owed is None else owed if held is None else min(held, owed)

    def report(self, text: str) -> None:
        """Show a failure in the agent's views."""
        for watcher in self.watchers:
            watcher.report(text)

    def stats(self) -> Stats:
        """What became of its events."""
        return stats_of(self.known, self._shared.ring, held=self.sequencer.held)

    @property
    def known(self) -> Known:
        """What is to be kept once it is gone."""
        return self.tally, self.sequencer.counts, self.dropped, self.evicted

    def go_on(self, before: Known) -> None:
        """Count on from what is known of it from before."""
        self.tally, self.sequencer.counts, self.dropped, self.evicted = before

    @property
    def is_idle(self) -> bool:
        """Whether nobody follows it and nothing of it is held."""
        waits = self.outbox is not None and self.outbox.waiting
        return not (self.registrations or self.watchers or waits or self.sequencer.held)

    def touch(self, node: PartBuilder | None) -> None:
        """Tell the views what changed."""
        for watcher in self.watchers:
            watcher.touch(node)

    def take(self, results: list[Delivery | Retraction]) -> list[str]:
        """Take all of it; return the runs that ended by it."""
        ended: list[str] = []
        for result in results:
            if isinstance(result, Delivery):
                event, place, late = result
                self.deliver(event, place, late=late)
                if event.type == "run_finished":
                    ended.append(event.run_id)
                continue
            for node in self.log.retract(result):
                self.touch(node)
                if isinstance(node, TextBuilder):
                    self._emit(self._whole(node, derived=True), None)
        return ended

    def deliver(self, event: Event, place: Place, *, late: bool = False) -> None:
        """Take one event whose turn it is."""
        if event.type == "custom" and is_skip(event):
            self._emit(event, event)
            return
        if self.owed and event.type == "run_finished":
            run = self.log.runs.get(event.run_id)
            if run is not None and not run.ended:
                self.tell(run_id=event.run_id)
        node = self.log.apply(event, place)
        if self.watchers and (node is not None or event.type in _OF_RUNS):
            self.touch(node)
        if isinstance(node, TextBuilder) and (late or node.text.epoch != node.told):
            # More than the end of the text changed: only the whole of it says so to who appends deltas.
            node.credit += EARNED
            if node.credit <= 0:
                self.owed[node] = event.derived
                if self.owed_due is None:
                    self.owed_due = self.sequencer.latest
                self._emit(_in_place_of(event), event)
                return
            self.owed.pop(node, None)
            whole = self._whole(node, derived=event.derived)
            is_same = isinstance(event, PartCompleted) and event.text == whole.text
            self._emit(event if is_same else whole, event)
        else:
            self._emit(event, event)

    def tell(self, *, run_id: str | None = None, now: float | None = None) -> None:
        """Put out the texts that are owed: all, one run's, or with *now* all if it is time."""
        if not self.owed or (now is not None and (self.owed_due is None or self.owed_due > now)):
            return
        for node, derived in list(self.owed.items()):
            if run_id in (None, node.run.run_id):
                del self.owed[node]
                if self.log.runs.get(node.run.run_id) is node.run:
                    self._emit(self._whole(node, derived=derived), None)
        if not self.owed:
            self.owed_due = None

    def _emit(self, event: Event, kept: Event | None) -> None:
        """Number it. *kept* is what a recording takes: a replay puts late events in their place by itself."""
        number = self._shared.ring.append(event, self.tally)
        if self.registrations or self._shared.taps:
            if self.outbox is None:
                self.outbox = Outbox(self.report)
            self.outbox.put(number, event, kept, self._shared.taps + self.registrations)

    def _whole(self, node: TextBuilder, *, derived: bool) -> PartCompleted:
        """The part as it is now."""
        text = node.text.read()
        node.told = node.text.epoch
        node.credit -= len(text) + PIECE * node.text.count
        return PartCompleted(
            agent_id=self.log.agent_id,
            run_id=node.run.run_id,
            message_id=node.message_id,
            derived=derived,
            part_id=node.name,
            kind="thinking" if node.kind == "thinking" else "text",
            text=text,
        )


def _in_place_of(event: Event) -> Custom:
    """A skip of the event's number: what it changed is told later, with the whole text."""
    is_numbered = event.seq is not None
    return Custom(
        agent_id=event.agent_id,
        run_id=event.run_id,
        message_id=event.message_id,
        name="skip",
        seq=event.seq if is_numbered else 0,
        sub=event.sub if is_numbered else 0,
        counter=event.counter if is_numbered else "owed",
        derived=event.derived,
    )
