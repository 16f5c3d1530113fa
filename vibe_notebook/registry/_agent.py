"""Hold one agent of a registry: its sequencer, its log, its callbacks and its views.

The registry dispatches each event to the event's agent. The caller of every method here must hold the
registry's lock.
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
    from collections.abc import Callable

    from .._ordering.counter import Place
    from .._ordering.sequencer import Counts
    from ..events import Event
    from ._ring_buffer import RingBuffer, Tally

__all__ = ["Agent", "Ends", "Hold", "Shared", "Stats", "Totals", "Watcher", "stats_of"]

_RUN_EVENTS: Final = frozenset(("run_started", "run_finished"))
"""Events of no part that change the form of parts: a view then reads all parts again."""

EARNED_CREDIT: Final = 500
"""Characters of whole texts that each event earns: a whole text for each late delta would cost the square."""

FRAGMENT_COST: Final = 100
"""Characters that one fragment counts for: to place a fragment costs about as much."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Count one agent's events by their fate; ``gaps`` counts gaps, ``evicted`` counts runs."""

    delivered: int = 0
    held: int = 0
    duplicates: int = 0
    gaps: int = 0
    late: int = 0
    derived_suppressed: int = 0
    dropped: int = 0
    evicted: int = 0


Totals = tuple["Tally", "Counts", int, int]
"""An agent's totals: its tally, the sequencer's counts, dropped events, evicted runs."""


def stats_of(totals: Totals, ring: RingBuffer, *, held: int = 0) -> Stats:
    """Return an agent's statistics from its totals and the ring."""
    tally, counts, dropped, evicted = totals
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
    """Describe a live display of an agent."""

    def touch(self, builder: PartBuilder | None) -> None:
        """Record a changed part, or for ``None`` a changed run.

        The caller holds the registry's lock: the view must render nothing here.
        """

    def wake(self) -> None:
        """Draw the news soon. The caller does not hold the lock."""

    def report(self, text: str) -> None:
        """Show the user a failure in the background."""


@dataclass(slots=True)
class Shared:
    """Hold the ring and the taps that all agents of a registry share."""

    ring: RingBuffer
    taps: tuple[Registration, ...] = ()


class Agent:
    """Reduce, number and deliver the events that one agent's sequencer releases."""

    __slots__ = (
        "_shared",
        "deadline",
        "dropped",
        "evicted",
        "holds",
        "log",
        "outbox",
        "postponed_deadline",
        "postponed_texts",
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
        self.holds: tuple[Hold, ...] = ()
        self.outbox: Outbox | None = None  # made for the first callback
        self.dropped = 0
        self.evicted = 0
        self.deadline: float | None = None
        """The time at which the registry releases held events whose wait is over."""
        self.postponed_texts: dict[TextBuilder, bool] = {}
        """Texts whose changed middle callbacks have not got yet, each with whether its event was derived."""
        self.postponed_deadline: float | None = None
        """The time by which the agent delivers the postponed texts."""
        self._shared = shared

    @property
    def earliest_deadline(self) -> float | None:
        """Return a time no later than the deadlines of held events and postponed texts; ``None``: none exists."""
        held, postponed = self.sequencer.earliest_deadline, self.postponed_deadline
        return held if postponed is None else postponed if held is None else min(held, postponed)

    def report(self, text: str) -> None:
        """Show a failure in the agent's views."""
        for watcher in self.watchers:
            watcher.report(text)

    def stats(self) -> Stats:
        """Return the agent's statistics."""
        return stats_of(self.totals, self._shared.ring, held=self.sequencer.held)

    @property
    def totals(self) -> Totals:
        """Return the totals that the registry retains after it evicts the agent."""
        return self.tally, self.sequencer.counts, self.dropped, self.evicted

    def restore(self, before: Totals) -> None:
        """Continue the counts from the totals of an earlier agent of this id."""
        self.tally, self.sequencer.counts, self.dropped, self.evicted = before

    @property
    def is_idle(self) -> bool:
        """Return whether the agent has no callback, no view and no live watch, and holds no event."""
        waits = self.outbox is not None and self.outbox.waiting
        return not (self.registrations or self.watchers or self.holds or waits or self.sequencer.held)

    def touch(self, builder: PartBuilder | None) -> None:
        """Record a changed part in every view."""
        for watcher in self.watchers:
            watcher.touch(builder)

    def apply(self, results: list[Delivery | Retraction]) -> list[str]:
        """Apply the sequencer's results; return the ids of the runs that started or ended."""
        changed: list[str] = []
        for result in results:
            if isinstance(result, Delivery):
                event, place, late = result
                self.deliver(event, place, late=late)
                if event.type in _RUN_EVENTS:
                    changed.append(event.run_id)
                continue
            for builder in self.log.retract(result):
                self.touch(builder)
                if isinstance(builder, TextBuilder):
                    self._emit(self._whole_text(builder, derived=True), None)
        return changed

    def deliver(self, event: Event, place: Place, *, late: bool = False) -> None:
        """Deliver one event whose turn it is."""
        if event.type == "custom" and is_skip(event):
            self._emit(event, event)
            return
        if self.postponed_texts and event.type == "run_finished":
            run = self.log.runs.get(event.run_id)
            if run is not None and not run.ended:
                self.deliver_postponed_texts(run_id=event.run_id)
        builder = self.log.apply(event, place)
        if self.watchers and (builder is not None or event.type in _RUN_EVENTS):
            self.touch(builder)
        if isinstance(builder, TextBuilder) and (late or builder.text.epoch != builder.delivered_epoch):
            # More than the end of the text changed: a callback that appends deltas needs the whole text.
            builder.credit += EARNED_CREDIT
            if builder.credit <= 0:
                self.postponed_texts[builder] = event.derived
                if self.postponed_deadline is None:
                    self.postponed_deadline = self.sequencer.new_deadline
                self._emit(_skip_of(event), event)
                return
            self.postponed_texts.pop(builder, None)
            whole = self._whole_text(builder, derived=event.derived)
            is_same = isinstance(event, PartCompleted) and event.text == whole.text
            self._emit(event if is_same else whole, event)
        else:
            self._emit(event, event)

    def deliver_postponed_texts(self, *, run_id: str | None = None, now: float | None = None) -> None:
        """Deliver the postponed texts: all, one run's, or with *now* all if their deadline has passed."""
        if not self.postponed_texts or (
            now is not None and (self.postponed_deadline is None or self.postponed_deadline > now)
        ):
            return
        for builder, derived in list(self.postponed_texts.items()):
            if run_id in (None, builder.run.run_id):
                del self.postponed_texts[builder]
                if self.log.runs.get(builder.run.run_id) is builder.run:
                    self._emit(self._whole_text(builder, derived=derived), None)
        if not self.postponed_texts:
            self.postponed_deadline = None

    def _emit(self, event: Event, recorded: Event | None) -> None:
        """Append the event to the ring, and enqueue it for callbacks.

        Taps get *recorded* instead: a replay places late events by itself.
        """
        number = self._shared.ring.append(event, self.tally)
        if self.registrations or self._shared.taps:
            if self.outbox is None:
                self.outbox = Outbox(self.report)
            self.outbox.enqueue(number, event, recorded, self._shared.taps + self.registrations)

    def _whole_text(self, builder: TextBuilder, *, derived: bool) -> PartCompleted:
        """Return the part's present text as an event."""
        text = builder.text.read()
        builder.delivered_epoch = builder.text.epoch
        builder.credit -= len(text) + FRAGMENT_COST * builder.text.count
        return PartCompleted(
            agent_id=self.log.agent_id,
            run_id=builder.run.run_id,
            message_id=builder.message_id,
            derived=derived,
            part_id=builder.name,
            kind="thinking" if builder.kind == "thinking" else "text",
            text=text,
        )


Ends = dict[tuple["Agent", str], int]
"""Finished requests, each with the number of its end; oldest first."""


class Hold:
    """Keep an agent's runs from arrival number ``since`` on until ``release``: a live watch shows them."""

    def __init__(self, agent: Agent, since: int, release: Callable[[Hold], None]) -> None:
        self.agent = agent
        self.since = since
        self.ends: Ends = {}
        self._release = release

    def release(self) -> None:
        """Let the registry evict the runs in their turn. Idempotent."""
        self._release(self)


def _skip_of(event: Event) -> Custom:
    """Return a skip of the event's number: the whole text delivers the event's change later."""
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
