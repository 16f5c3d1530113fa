"""Hold one agent of a registry: its sequencer, its log, its callbacks and its views.

The registry dispatches each event to the event's agent. The caller of every method here must hold the
registry's lock.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from .._ordering.sequencer import Delivery, Retraction, Sequencer
from .._reducer.agent_log import AgentLog
from .._reducer.part_builders import TextBuilder, ToolBuilder
from .._reducer.run import PartBuilder
from ..events import Custom, PartCompleted, ToolProgress, ToolStarted, is_skip
from ._callbacks import Outbox, Registration

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._ordering.counter import Place
    from .._ordering.sequencer import Counts
    from .._reducer.growing_text import GrowingText
    from ..events import Event, PartKind
    from ._ring_buffer import RingBuffer, Tally

__all__ = ["Agent", "Ends", "Hold", "Shared", "Stats", "Totals", "Watcher", "stats_of"]

_RUN_EVENTS: Final = frozenset(("run_started", "run_finished"))
_AROUND: Final = frozenset(("citation", "input_requested"))
"""Events that change what stands beside other parts."""
"""Events of no part that change the form of parts: a view then reads all parts again."""

EARNED_CREDIT: Final = 500
"""Characters of whole texts that each event earns: a whole text for each late delta would cost the square."""

FRAGMENT_COST: Final = 100
"""Characters that one fragment counts for: to place a fragment costs about as much."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Count one agent's events by their fate; ``gaps`` counts gaps, ``evicted`` counts runs.

    ``dropped`` counts the events that a slow reader missed, and those that came for an evicted run.
    """

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
        "_is_releasing",
        "_shared",
        "deadline",
        "dropped",
        "evicted",
        "holds",
        "log",
        "outbox",
        "overtakers",
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
        self.postponed_texts: dict[GrowingText, tuple[PartBuilder, bool]] = {}
        """Texts whose changed middle callbacks have not got yet, with the part and whether the event was derived."""
        self.postponed_deadline: float | None = None
        """The time by which the agent delivers the postponed texts."""
        self.overtakers: list[tuple[int, int]] = []
        """(arrival, id) of the events delivered while earlier arrivals waited, by arrival."""
        self._is_releasing = False  # the sequencer has released further events
        self._shared = shared

    @property
    def earliest_deadline(self) -> float | None:
        """Return a time no later than the deadlines of held events and postponed texts; ``None``: none exists."""
        held, postponed = self.sequencer.earliest_deadline, self.postponed_deadline
        return held if postponed is None else postponed if held is None else min(held, postponed)

    def renew(self) -> None:
        """Drop the views, the taps and the waiting calls of the parent, in the child of a fork."""
        self.watchers = ()
        self.registrations = tuple(each for each in self.registrations if "tap" not in each.callbacks)
        if self.outbox is not None:
            self.outbox.renew()

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
        self._is_releasing = len(results) > 1
        for result in results:
            if isinstance(result, Delivery):
                event, place, late = result
                self.deliver(event, place, late=late)
                if event.type in _RUN_EVENTS:
                    changed.append(event.run_id)
                continue
            for builder in self.log.retract(result):
                self.touch(builder)
                text = builder.text if isinstance(builder, TextBuilder) else None
                if isinstance(builder, ToolBuilder):
                    text = builder.args
                if text is not None:
                    self._emit(self._whole_text(builder, text, derived=True), None)
        self._is_releasing = False
        if self.overtakers and not self.sequencer.is_holding:
            self.overtakers = []
        return changed

    def deliver(self, event: Event, place: Place, *, late: bool = False) -> None:
        """Deliver one event whose turn it is."""
        if event.type == "custom" and is_skip(event):
            self._emit(event, event, place)
            return
        if self.postponed_texts and event.type == "run_finished":
            run = self.log.runs.get(event.run_id)
            if run is not None and not run.ended:
                self.deliver_postponed_texts(run_id=event.run_id)
        builder = self.log.apply(event, place)
        if self.watchers:
            if event.type in _AROUND or (event.type == "message_started" and event.role != "assistant"):
                self.touch(None)  # they change what stands beside parts
            elif builder is not None or event.type in _RUN_EVENTS:
                self.touch(builder)
        text = builder.text_of(event) if builder is not None else None
        if builder is None or not (late or (text is not None and text.epoch != text.delivered_epoch)):
            self._emit(event, event, place)
        elif text is None:
            self._emit(builder.newest_of(event), event, place)
        else:
            self._deliver_change(event, place, builder, text, late=late)

    def _deliver_change(
        self, event: Event, place: Place, builder: PartBuilder, text: GrowingText, *, late: bool
    ) -> None:
        """Deliver an event that changed more than the end of a text: a callback that appends needs the whole text."""
        whole = _whole_of(event)
        if not late and whole is not None and text.ends_with_whole(whole):
            text.delivered_epoch = text.epoch
            self.postponed_texts.pop(text, None)
            self._emit(event, event, place)
            return
        text.credit += EARNED_CREDIT
        rest = _rest_of(event)
        if text.credit <= 0:
            self.postponed_texts[text] = builder, event.derived
            if self.postponed_deadline is None:
                self.postponed_deadline = self.sequencer.new_deadline
            self._emit(_skip_of(event) if rest is None else rest, event, place)
            return
        self.postponed_texts.pop(text, None)
        made = self._whole_text(builder, text, derived=event.derived)
        if isinstance(event, PartCompleted) and isinstance(made, PartCompleted):
            is_same = event.text == made.text
        else:
            is_same = not late and whole is not None and text.value()[1] is whole
        if is_same:
            self._emit(event, event, place)
        elif rest is None:
            self._emit(made, event, place)
        else:
            self._emit(rest, event, place)
            self._emit(made, None)

    def deliver_postponed_texts(self, *, run_id: str | None = None, now: float | None = None) -> None:
        """Deliver the postponed texts: all, one run's, or with *now* all if their deadline has passed."""
        if not self.postponed_texts or (
            now is not None and (self.postponed_deadline is None or self.postponed_deadline > now)
        ):
            return
        for text, (builder, derived) in list(self.postponed_texts.items()):
            if run_id in (None, builder.run.run_id):
                del self.postponed_texts[text]
                if self.log.runs.get(builder.run.run_id) is builder.run:
                    self._emit(self._whole_text(builder, text, derived=derived), None)
        if not self.postponed_texts:
            self.postponed_deadline = None

    def _emit(self, event: Event, recorded: Event | None, place: Place | None = None) -> None:
        """Append the event to the ring, and enqueue it for callbacks.

        Taps get *recorded* instead: a replay places late events by itself.
        """
        number = self._shared.ring.append(event, self.tally)
        if self.registrations or self._shared.taps:
            if self.outbox is None:
                self.outbox = Outbox(self.report)
            before = None
            waits = self._is_releasing or self.overtakers or self.sequencer.is_holding
            if waits and recorded is not None and place is not None:
                before = self._overtaker(place[3], number)
            self.outbox.enqueue(number, event, recorded, self._shared.taps + self.registrations, before)

    def _overtaker(self, arrival: int, number: int) -> int | None:
        """Return the id of the next later arrival that was delivered before this one; ``None``: none was."""
        at = bisect_left(self.overtakers, (arrival,))
        before = self.overtakers[at][1] if at < len(self.overtakers) else None
        self.overtakers.insert(at, (arrival, number))
        return before

    def _whole_text(self, builder: PartBuilder, text: GrowingText, *, derived: bool) -> Event:
        """Return one of the part's texts, as it is now, as an event that replaces it."""
        whole = text.read()
        text.delivered_epoch = text.epoch
        text.credit -= len(whole) + FRAGMENT_COST * text.count
        base: dict[str, Any] = {
            "agent_id": self.log.agent_id,
            "run_id": builder.run.run_id,
            "message_id": builder.message_id,
            "derived": derived,
        }
        if isinstance(builder, ToolBuilder) and text is builder.output:
            is_value, value = text.value()
            return ToolProgress(
                **base, tool_call_id=builder.tool_call_id, output=value if is_value else whole
            )
        kind: PartKind = "args"
        if not isinstance(builder, ToolBuilder):
            kind = "thinking" if builder.kind == "thinking" else "text"
        return PartCompleted(**base, part_id=builder.name, kind=kind, text=whole)


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


def _whole_of(event: Event) -> Any:
    """Return the value by which a tool's event replaces a text; ``None``: the event appends."""
    if isinstance(event, ToolStarted):
        return event.args
    return event.output if isinstance(event, ToolProgress) else None


def _rest_of(event: Event) -> Event | None:
    """Return the event without its text; ``None``: the event carries nothing else."""
    if isinstance(event, ToolStarted):
        return event.model_copy(update={"args": None})
    if isinstance(event, ToolProgress) and any(
        value is not None for value in (event.progress, event.total, event.message, event.state)
    ):
        return event.model_copy(update={"delta": None, "output": None})
    return None


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
