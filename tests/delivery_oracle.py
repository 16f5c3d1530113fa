"""Deliver a registry's events by the letter of its contract, slowly: a second implementation to compare with.

Sentences in quotation marks are the contract's. This model shares no code with the package except the event
classes: it reduces every text again from all events, and every reader scans the whole log. A comment says
"Choice" where the contract leaves a choice open.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from vibe_notebook.events import PartCompleted, ToolProgress

Part = tuple[str, "str | None", str, str]
"""(run_id, message_id, kind, part_id): the contract's key of a part."""

Row = tuple["int | None", tuple[Any, ...]]
"""(id, description of the event), as ``describe`` makes them."""

CALLBACKS = {
    "text_delta": "on_result",
    "thinking_delta": "on_thinking",
    "tool_call_delta": "on_tool_preparing",
    "tool_started": "on_tool_started",
    "tool_finished": "on_tool_finished",
    "run_finished": "on_finished",
}
TWINNED = {"text_delta": "text", "thinking_delta": "thinking", "tool_call_delta": "args"}
PARTS = {"text_delta": "text", "thinking_delta": "thinking"}
SLOTS = {"text": "on_result", "thinking": "on_thinking", "args": "on_tool_preparing"}


def describe(event: Any) -> tuple[Any, ...]:
    """Reduce an event to the fields that a listener reads, without its id.

    A whole part that the registry made itself has no number: the result leaves out the numbers of all wholes.
    """
    if event.type == "custom" and event.name == "gap":
        return ("gap", event.agent_id, event.value["missed"])
    if event.type == "part_completed":
        part = (event.run_id, event.message_id, event.kind, event.part_id)
        return ("part_completed", event.agent_id, *part, event.derived, event.text)
    fields = event.model_dump(exclude={"id", "ts", "type"}, exclude_none=True)
    return (event.type, *sorted((name, repr(value)) for name, value in fields.items()))


def part_of(event: Any) -> Part | None:
    """Return the key of the text that an event changes: a part's, or a call's arguments or output."""
    match event.type:
        case "part_completed":
            return (event.run_id, event.message_id, event.kind, event.part_id)
        case "text_delta" | "thinking_delta":
            return (event.run_id, event.message_id, PARTS[event.type], event.part_id)
        case "tool_call_delta":
            return (event.run_id, None, "args", event.tool_call_id)
        case "tool_started" if event.args is not None:
            return (event.run_id, None, "args", event.tool_call_id)
        case "tool_progress" if event.delta is not None or event.output is not None:
            return (event.run_id, None, "output", event.tool_call_id)
    return None


def whole_of(event: Any) -> str | None:
    """Return the text by which an event replaces the text before it: "REPLACES"."""
    match event.type:
        case "part_completed":
            return str(event.text)
        case "tool_started":
            return None if event.args is None else str(event.args)
        case "tool_progress":
            return None if event.output is None else str(event.output)
    return None


def rest_of(event: Any) -> Any:
    """Return the event without its text, if it carries more than text."""
    match event.type:
        case "tool_started":
            return event.model_copy(update={"args": None})
        case "tool_progress" if (event.progress, event.total, event.message, event.state) != (None,) * 4:
            return event.model_copy(update={"delta": None, "output": None})
    return None


def is_skip(event: Any) -> bool:
    """Recognise "a numbered native that shows nothing"."""
    return event.type == "custom" and event.name == "skip" and event.seq is not None


@dataclass(eq=False)
class Count:
    """Hold one ordering key: "(agent_id, run_id, counter); direct and derived events never share one"."""

    message_id: str | None
    closed: bool = False
    base: int | None = None
    next: int | None = None
    last: tuple[int, int] | None = None
    seen: set[tuple[int, int]] = field(default_factory=set)
    held: dict[int, list[Arrived]] = field(default_factory=dict)
    since: dict[int, int] = field(default_factory=dict)

    @property
    def holding(self) -> int:
        return sum(map(len, self.held.values()))


@dataclass(eq=False)
class Arrived:
    """Hold an accepted event, and the count that its number belongs to."""

    event: Any
    count: Count | None

    @property
    def key(self) -> tuple[int, int]:
        return (self.event.seq, self.event.sub)


@dataclass
class Order:
    """Hold a run's ordering state; *arrival* is the number of its first event."""

    arrival: int
    counts: dict[tuple[str, bool], Count] = field(default_factory=dict)
    closed: bool = False
    direct: set[tuple[str | None, str]] = field(default_factory=set)
    derived: set[tuple[str | None, str]] = field(default_factory=set)


@dataclass(eq=False)
class Shown:
    """Hold a run of the transcript: its first arrival, its end by ``finish``, and its parent."""

    arrival: int
    closed: bool = False
    parent: str | None = None


@dataclass(eq=False)
class Listener:
    """Hold a registration or a tap, and its calls so far."""

    agent_id: str | None
    names: frozenset[str]
    open: bool = True
    calls: list[tuple[str, Row]] = field(default_factory=list)


@dataclass(eq=False)
class Reader:
    """Hold a subscription: its position in the log, and the rows read ahead for it."""

    agent_id: str | None
    at: int
    unknown: bool = False
    ended: bool = False
    closed: bool = False
    ready: deque[Row] = field(default_factory=deque)


@dataclass(eq=False)
class Hold:
    """Hold a live watch: the runs from an arrival number on are its own."""

    agent: Agent
    since: int


@dataclass(eq=False)
class End:
    """Hold a finished or paused request."""

    agent: Agent
    run_id: str
    paused: bool


@dataclass(eq=False)
class Agent:
    """Hold one agent: its order, the runs of its transcript, and its listeners."""

    agent_id: str
    orders: dict[str, Order] = field(default_factory=dict)
    waiting: list[Count] = field(default_factory=list)
    delivering: list[Count] = field(default_factory=list)
    arrivals: int = 0
    arrived: list[Arrived] = field(default_factory=list)
    delivered: list[Arrived] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    runs: dict[str, Shown] = field(default_factory=dict)
    heard: dict[Part, str] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    outbox: deque[tuple[int, Any, Any, list[Listener]]] = field(default_factory=deque)
    busy: bool = False
    changed: list[str] = field(default_factory=list)

    @property
    def held(self) -> int:
        return sum(count.holding for count in self.waiting)


class DeliveryOracle:
    """Deliver as the contract says; ``now`` is the clock: move it, then call ``tick``.

    The oracle calls *react* at each call of a listener; *react* may call any method: "calls … may call any method".
    """

    def __init__(
        self,
        *,
        hold: int,
        max_held: int,
        max_wait: int,
        keep_runs: int,
        ring: int,
        react: Callable[[Listener, int], None] = lambda _listener, _number: None,
    ) -> None:
        self.hold, self.max_held, self.max_wait = hold, max_held, max_wait
        self.keep_runs, self.ring = keep_runs, ring
        self.react = react
        self.now = 0
        self.agents: dict[str, Agent] = {}
        self.counts: dict[str, Counter[str]] = {}
        self.log: list[tuple[str, tuple[Any, ...]]] = []  # "each registry … overwrites" ids: 1, 2, 3 …
        self.ends: list[End] = []  # oldest first
        self.evicted: set[tuple[str, str]] = set()
        self.readers: list[Reader] = []
        self.taps: list[Listener] = []

    # The public methods

    def dispatch(self, events: list[Any]) -> None:
        """Dispatch "one event or the list made from one native: that is one slot"."""
        for agent_id in dict.fromkeys(event.agent_id for event in events):
            mine = self._without_late(agent_id, [event for event in events if event.agent_id == agent_id])
            if not mine:
                continue
            agent = self._agent(agent_id)
            self._push(agent, mine)
            self._count_ends(agent)
            self._call_back(agent)

    def _without_late(self, agent_id: str, events: list[Any]) -> list[Any]:
        """Drop and count the events of evicted runs; a start opens such a run again."""
        kept = []
        for event in events:
            if event.type == "run_started":
                self.evicted.discard((agent_id, event.run_id))
            if (agent_id, event.run_id) in self.evicted:
                self._counts(agent_id)["dropped"] += 1
            else:
                kept.append(event)
        return kept

    def finish(self, agent_id: str, run_id: str | None = None, message_id: str | None = None) -> None:
        """Finish "at once: a message's flushes its own counter, a run's flushes all"."""
        agent = self.agents.get(agent_id)
        if agent is None or (agent_id, run_id) in self.evicted:
            return
        self._flush(agent, run_id, message_id)
        self._count_ends(agent)
        if message_id is None:
            for name in [run_id] if run_id is not None else list(agent.runs):
                run = agent.runs.get(name)
                if run is not None and not self._end_of(agent, name)[0]:
                    run.closed = True
                    agent.changed.append(name)
                    self._count_ends(agent)
        self._call_back(agent)

    def tick(self) -> None:
        """Release the events whose wait is over."""
        late = [agent for agent in self.agents.values() if any(self._has_waited(c) for c in agent.waiting)]
        for agent in late:
            # Choice: the counts are released by the arrivals of their oldest held events.
            waited = [count for count in agent.waiting if self._has_waited(count)]
            for count in sorted(
                waited, key=lambda count: agent.arrived.index(next(iter(count.held.values()))[0])
            ):
                if count.held and count.next is None:
                    # Base: "otherwise the lowest that arrived within the hold" is the base.
                    self._set_base(agent, count, min(count.held))
                if count.held and self._has_waited(count):
                    self._release(agent, count)
            self._count_ends(agent)
        for agent in late:
            self._call_back(agent)

    def unregister(self, agent_id: str) -> None:
        """Drop an agent: "callbacks and ordering state go; an agent that is gone is no error"."""
        agent = self.agents.get(agent_id)
        if agent is not None:
            for listener in agent.listeners:
                listener.open = False
            agent.listeners = []
            self._flush(agent, None, None)
            self._count_ends(agent)
            agent.orders.clear()
        for reader in self.readers:
            if reader.agent_id == agent_id:
                self._end(reader)  # "ends on close, unregister or registry close"
        if agent is not None:
            self._call_back(agent)

    def forget(self, agent_id: str, run_id: str | None = None) -> None:
        """Drop the transcript and the duplicate detection of a run, or of an agent."""
        self.evicted = {key for key in self.evicted if key[0] != agent_id or run_id not in (None, key[1])}
        agent = self.agents.get(agent_id)
        if agent is None:
            return
        for name in [run_id] if run_id is not None else list(agent.runs):
            self._drop(agent, name)
        if run_id is None:
            for name in list(agent.orders):
                self._forget_order(agent, name)

    def close(self) -> None:
        """Flush all held events, and end every subscription."""
        agents = list(self.agents.values())
        for agent in agents:
            self._flush(agent, None, None)
            self._count_ends(agent)
        for reader in self.readers:
            self._end(reader)
        for agent in agents:
            self._call_back(agent)

    def register(self, agent_id: str, names: Iterable[str]) -> Listener:
        """Call back for one agent; "empty registrations are ignored"."""
        listener = Listener(agent_id, frozenset(names))
        if listener.names:
            agent = self._agent(agent_id)
            agent.listeners = [*agent.listeners, listener]
        return listener

    def tap(self, agent_id: str | None) -> Listener:
        """Call back for all recorded and sent events, skips included, of one agent or of all."""
        listener = Listener(agent_id, frozenset(["tap"]))
        if agent_id is None:
            self.taps = [*self.taps, listener]
        else:
            agent = self._agent(agent_id)
            agent.listeners = [*agent.listeners, listener]
        return listener

    def hold_runs(self, agent_id: str, since: int | None) -> Hold:
        """Keep the runs of a live watch: those from an arrival number on, ``None``: from now on."""
        agent = self._agent(agent_id)
        hold = Hold(agent, agent.arrivals if since is None else since)
        agent.holds.append(hold)
        return hold

    def release(self, hold: Hold) -> None:
        """End a live watch: its runs count again, by the order of their ends."""
        agent = hold.agent
        if hold not in agent.holds:
            return
        agent.holds = [other for other in agent.holds if other is not hold]
        for end in self.ends:
            if end.agent is agent and agent.runs[end.run_id].arrival >= hold.since:
                end.paused = self._end_of(agent, end.run_id)[1]
        self._evict()
        self._drop_idle(agent)

    def close_listener(self, listener: Listener) -> None:
        """Remove callbacks: "After the return the registry calls none of them any more". A tap gets the rest first."""
        agents = [a for a in self.agents.values() if listener.agent_id in (None, a.agent_id)]
        self.taps = [tap for tap in self.taps if tap is not listener]
        for agent in agents:
            agent.listeners = [other for other in agent.listeners if other is not listener]
            if "tap" in listener.names:
                for item in list(agent.outbox):
                    if listener in item[3]:
                        self._call_listeners(item, [listener])
        listener.open = False

    def subscribe(self, agent_id: str | None = None, after: int | None = None) -> Reader:
        """Read from now on, or replay "from a ring, what is older than it starts with a gap"."""
        last = len(self.log)
        at = last if after is None else max(after, 0)
        unknown = at > last  # an id of an earlier process
        if unknown:
            at = 0
        elif agent_id is not None and at:
            # Choice: of events that have left the ring, the count of one agent's before an id is unknown,
            # so a gap that begins there has no size.
            unknown = any(agent == agent_id for agent, _ in self.log[at : self._first - 1])
        reader = Reader(agent_id, at, unknown)
        self.readers.append(reader)
        return reader

    def read(self, reader: Reader) -> list[Row]:
        """Return all rows that the reader can get now without waiting."""
        rows: list[Row] = []
        while more := self.read_one(reader):
            rows += more
        return rows

    def read_one(self, reader: Reader) -> list[Row]:
        """Return the next event for the reader, if there is one."""
        if not reader.ready:
            self._read_ahead(reader)
        return [reader.ready.popleft()] if reader.ready else []

    def close_reader(self, reader: Reader) -> None:
        """End an iteration at once: "ends on close"."""
        reader.closed = True
        reader.ready.clear()

    def stats(self, agent_id: str) -> dict[str, int]:
        """Count "delivered, held, duplicates, gaps, late, derived suppressed, dropped, evicted"."""
        agent = self.agents.get(agent_id)
        counts = self._counts(agent_id)
        names = ("duplicates", "gaps", "late", "derived_suppressed", "dropped", "evicted")
        return {
            "delivered": sum(each == agent_id for each, _ in self.log),
            "held": agent.held if agent else 0,
            **{name: counts[name] for name in names},
        }

    def texts(self, agent_id: str) -> dict[Part, str]:
        """Return every text of the agent's transcript that is not empty."""
        agent = self.agents.get(agent_id)
        parts = {part_of(item.event) for item in agent.delivered} if agent else set()
        made = {part: self._text(agent, part) for part in parts if part is not None} if agent else {}
        made = {part: text for part, text in made.items() if part[2] in ("text", "thinking")}
        return {part: text for part, text in made.items() if text}

    # Order

    def _push(self, agent: Agent, events: list[Any]) -> None:
        order = None
        slot: list[Arrived] = []
        for event in events:
            order = self._order_of(agent, event.run_id)
            self._record_source(agent, order, event)
            count = self._count_of(order, event)
            if count is not None:
                if (event.seq, event.sub) in count.seen:
                    # A duplicate, "before or after delivery, … changes nothing".
                    self._counts(agent.agent_id)["duplicates"] += 1
                    continue
                count.seen.add((event.seq, event.sub))
            item = Arrived(event, count)
            agent.arrivals += 1
            agent.arrived.append(item)
            if slot and (slot[0].count is not count or slot[0].event.seq != event.seq):
                self._accept_slot(agent, slot)
                slot = []
            if count is None:
                self._deliver_one(agent, item, late=False)  # "``None`` = arrival is the order"
            else:
                slot.append(item)
        if slot:
            self._accept_slot(agent, slot)

    def _order_of(self, agent: Agent, run_id: str) -> Order:
        return agent.orders.setdefault(run_id, Order(agent.arrivals))

    def _count_of(self, order: Order, event: Any) -> Count | None:
        if event.seq is None:
            return None
        key = (event.counter, event.derived)
        if key not in order.counts:
            order.counts[key] = Count(event.message_id, closed=order.closed)
        return order.counts[key]

    def _accept_slot(self, agent: Agent, slot: list[Arrived]) -> None:
        event, count = slot[0].event, slot[0].count
        assert count is not None
        if count.closed or (count.next is not None and event.seq <= count.next):
            self._deliver_slot(agent, count, slot)  # "Events that come later still land."
            self._drain(agent, count)
            return
        count.held.setdefault(event.seq, []).extend(slot)
        count.since.setdefault(event.seq, self.now)
        if count not in agent.waiting:
            agent.waiting.append(count)
        if count.next is None and self._is_base(slot):
            self._set_base(agent, count, event.seq)
        elif count.holding > self.max_held:
            # "one that is early is held until … the bound (max_held) is reached": as many may be held.
            self._release(agent, count)

    def _is_base(self, slot: list[Arrived]) -> bool:
        # "Base: the seq of RunStarted for counter "", of MessageStarted for a named counter that it
        # opens; 0 is always a base." With a hold of 0 the first to arrive is the lowest within it.
        return (
            slot[0].event.seq == 0
            or self.hold == 0
            or any(
                not e.derived and e.type == ("message_started" if e.counter else "run_started")
                for e in (item.event for item in slot)
            )
        )

    def _set_base(self, agent: Agent, count: Count, base: int) -> None:
        # Events below the base were before it, so they go first.
        for seq in sorted(seq for seq in count.held if seq < base):
            self._deliver_slot(agent, count, self._release_slot(count, seq))
        count.next = base if count.next is None else max(base, count.next)
        self._drain(agent, count)

    def _drain(self, agent: Agent, count: Count) -> None:
        while count.next is not None and count.next in count.held:
            self._deliver_slot(agent, count, self._release_slot(count, count.next))
        if count.closed:
            self._release(agent, count)
        elif not count.held and count in agent.waiting:
            agent.waiting.remove(count)

    def _release(self, agent: Agent, count: Count) -> None:
        # "… then what is held is released and the gap counted."
        if count in agent.waiting:
            agent.waiting.remove(count)
        held = [self._release_slot(count, seq) for seq in sorted(count.held)]
        for slot in held:
            if count.next is not None and slot[0].event.seq > count.next:
                self._counts(agent.agent_id)["gaps"] += 1
            self._deliver_slot(agent, count, slot)

    def _release_slot(self, count: Count, seq: int) -> list[Arrived]:
        del count.since[seq]
        return count.held.pop(seq)

    def _has_waited(self, count: Count) -> bool:
        if not count.held:
            return False
        wait = self.hold if count.next is None else self.max_wait
        return count.since[next(iter(count.held))] + wait <= self.now

    def _deliver_slot(self, agent: Agent, count: Count, slot: list[Arrived]) -> None:
        agent.delivering.append(count)
        for item in sorted(slot, key=lambda item: item.key):
            late = count.last is not None and item.key < count.last
            if not late:
                count.last = item.key
                count.next = item.event.seq + 1 if count.next is None else max(count.next, item.event.seq + 1)
            self._deliver_one(agent, item, late=late)
        agent.delivering.pop()

    def _deliver_one(self, agent: Agent, item: Arrived, *, late: bool) -> None:
        event = item.event
        order = agent.orders[event.run_id]
        if event.type in ("message_finished", "run_finished"):
            # "A finish with a seq takes effect at its place in the order; one without … at once":
            # the events that it flushes come before it, so that no listener gets a delta after its end.
            whole = event.type == "run_finished"
            counter = event.counter or event.message_id
            if not whole and counter:
                order.counts.setdefault((counter, False), Count(event.message_id))
            self._close(agent, order, event.message_id, event.counter, whole=whole)
        kind = event.kind if event.type == "part_completed" else TWINNED.get(event.type)
        if event.derived and (event.message_id, kind) in order.direct:
            # Derived deltas are "dropped once a direct delta of that key was seen".
            self._counts(agent.agent_id)["derived_suppressed"] += 1
            return
        if late:
            self._counts(agent.agent_id)["late"] += 1
        self._deliver(agent, item, late=late)

    def _flush(self, agent: Agent, run_id: str | None, message_id: str | None) -> None:
        orders = list(agent.orders.values())
        if run_id is not None:
            orders = [self._order_of(agent, run_id)]
        for order in orders:
            if message_id is not None:
                order.counts.setdefault((message_id, False), Count(message_id))
            self._close(agent, order, message_id, "", whole=message_id is None)

    def _close(
        self, agent: Agent, order: Order, message_id: str | None, counter: str, *, whole: bool
    ) -> None:
        # Choice: a run's counts are flushed in the order of their first events.
        order.closed = order.closed or whole
        for (name, _), count in list(order.counts.items()):
            named = name in (message_id, counter)
            if whole or (name != "" and (named or (message_id and count.message_id == message_id))):
                count.closed = True
                if count.held and count not in agent.delivering:
                    self._release(agent, count)

    # Twins

    def _record_source(self, agent: Agent, order: Order, event: Any) -> None:
        kind = TWINNED.get(event.type)
        if event.derived and event.type == "part_completed":
            kind = event.kind
        if kind is None:
            return
        key = (event.message_id, kind)
        if event.derived:
            order.derived.add(key)
        elif key not in order.direct:
            order.direct.add(key)
            if key in order.derived:
                self._retract(agent, event.run_id, *key)

    def _retract(self, agent: Agent, run_id: str, message_id: str | None, kind: str) -> None:
        """Drop twins: "at the first direct one, every derived part of that key, shown or held, goes"."""
        gone: list[Arrived] = []
        for item in agent.delivered:
            event = item.event
            built = event.kind if event.type == "part_completed" else TWINNED.get(event.type)
            if event.derived and (event.run_id, event.message_id, built) == (run_id, message_id, kind):
                gone.append(item)
        agent.delivered = [item for item in agent.delivered if item not in gone]
        firsts: dict[Part | None, Any] = {}
        for item in gone:
            firsts.setdefault(part_of(item.event), item.event)
        for part, event in firsts.items():
            if part is not None:
                self._emit_whole(agent, part, event, derived=True, recorded=None)

    # Delivery

    def _deliver(self, agent: Agent, item: Arrived, *, late: bool) -> None:
        event = item.event
        if is_skip(event):
            # "… is recorded and sent, and reaches neither callbacks nor transcript."
            self._emit(agent, event, event)
            return
        run = agent.runs.setdefault(event.run_id, Shown(agent.orders[event.run_id].arrival))
        agent.delivered.append(item)
        if event.type == "run_started" and run.parent is None:
            run.parent = event.parent_run_id
        if event.type in ("run_started", "run_finished"):
            agent.changed.append(event.run_id)
        part = part_of(event)
        if part is None:
            self._emit(agent, self._newest(agent, event) if late else event, event)
            return
        now, whole = self._text(agent, part), whole_of(event)
        if whole is not None:
            is_exact = whole == now and (event.type == "part_completed" or not late)
        else:
            is_exact = not late and agent.heard.get(part, "") + event.delta == now
        if is_exact:
            agent.heard[part] = now
            self._emit(agent, event, event)
            return
        # "One that comes after its gap was released is placed right in the transcript, and
        # callbacks and subscribers get the whole part as PartCompleted." Choice: the whole of a call's
        # output is a ToolProgress that replaces it; what an event carries beside its text comes first.
        rest = rest_of(event)
        if rest is not None:
            self._emit(agent, rest, event)
        self._emit_whole(agent, part, event, derived=event.derived, recorded=event if rest is None else None)

    def _newest(self, agent: Agent, event: Any) -> Any:
        """Return the last event, in order, of those that replace each other."""
        for other in self._in_order(agent):
            if (other.type, other.run_id) == (event.type, event.run_id):
                if event.type == "tool_finished" and other.tool_call_id == event.tool_call_id:
                    event = other
                if event.type == "artifact" and other.artifact_id == event.artifact_id:
                    event = other
        return event

    def _emit_whole(self, agent: Agent, part: Part, event: Any, *, derived: bool, recorded: Any) -> None:
        text = agent.heard[part] = self._text(agent, part)
        run_id, _, kind, part_id = part
        base = {"agent_id": agent.agent_id, "run_id": run_id, "message_id": event.message_id}
        whole: Any
        if kind == "output":
            whole = ToolProgress(**base, derived=derived, tool_call_id=part_id, output=text)
        else:
            whole = PartCompleted(**base, derived=derived, part_id=part_id, kind=kind, text=text)
        self._emit(agent, whole, recorded)

    def _emit(self, agent: Agent, emitted: Any, recorded: Any) -> None:
        self.log.append((agent.agent_id, describe(emitted)))
        # "delivery order and resume point": one id for subscribers, callbacks and recordings.
        listeners = [*self.taps, *agent.listeners]
        if listeners:
            agent.outbox.append((len(self.log), emitted, recorded, listeners))

    def _text(self, agent: Agent, part: Part) -> str:
        """Reduce a part to its text."""
        text = ""
        for event in self._in_order(agent):
            if part_of(event) == part:
                # PartCompleted: "REPLACES what the deltas built".
                whole = whole_of(event)
                text = text + event.delta if whole is None else whole
        return text

    def _in_order(self, agent: Agent) -> Iterator[Any]:
        """Yield the transcript's events. "The transcript places by (seq, sub)": a count's events, sorted, take its arrivals."""
        counts: dict[Count, list[Arrived]] = {}
        for item in agent.arrived:
            if item.count is not None:
                counts.setdefault(item.count, []).append(item)
        queues = {count: iter(sorted(items, key=lambda i: i.key)) for count, items in counts.items()}
        for item in agent.arrived:
            placed = item if item.count is None else next(queues[item.count])
            if placed in agent.delivered:
                yield placed.event

    def _call_back(self, agent: Agent) -> None:
        """Call back in order: "calls are serial per agent", also where a callback dispatches."""
        if agent.busy:
            return
        agent.busy = True
        while agent.outbox:
            item = agent.outbox.popleft()
            # A recording is written before a callback sees the event, so that a callback that
            # closes the recording loses nothing of it.
            self._call_listeners(item, sorted(item[3], key=lambda listener: "tap" not in listener.names))
        agent.busy = False

    def _call_listeners(self, item: tuple[int, Any, Any, list[Listener]], listeners: list[Listener]) -> None:
        number, emitted, recorded, _ = item
        row = describe(emitted)
        for listener in listeners:
            if "tap" in listener.names and recorded is not None:
                self._call(listener, "tap", (number, describe(recorded)))
            for name in self._names(emitted):
                self._call(listener, name, (number, row))

    @staticmethod
    def _names(emitted: Any) -> list[str]:
        if is_skip(emitted):
            return []
        slot = SLOTS[emitted.kind] if emitted.type == "part_completed" else CALLBACKS.get(emitted.type, "")
        return [slot, "on_event"]

    def _call(self, listener: Listener, name: str, row: Row) -> None:
        if listener.open and name in listener.names:
            listener.calls.append((name, row))
            self.react(listener, len(listener.calls))

    # Readers

    @property
    def _first(self) -> int:
        return max(len(self.log) - self.ring, 0) + 1

    def _read_ahead(self, reader: Reader) -> None:
        if reader.ready or reader.closed or reader.ended:
            return
        self._read_rows(reader)

    def _read_rows(self, reader: Reader) -> None:
        mine = [
            number
            for number, (agent_id, _) in enumerate(self.log, 1)
            if reader.at < number and reader.agent_id in (None, agent_id)
        ]
        missed: int | None = sum(number < self._first for number in mine)
        if reader.unknown:
            missed, reader.unknown = None, False
        if missed != 0:
            reader.ready.append((None, ("gap", reader.agent_id or "", missed)))
        if missed and reader.agent_id is not None:
            self._counts(reader.agent_id)["dropped"] += missed
        reader.ready.extend((number, self.log[number - 1][1]) for number in mine if number >= self._first)
        reader.at = len(self.log)

    def _end(self, reader: Reader) -> None:
        """End a reader after "what was already there", which stays readable whatever comes later."""
        if not reader.ended and not reader.closed:
            self._read_rows(reader)
            reader.ended = True

    # Retention

    def _count_ends(self, agent: Agent) -> None:
        """Evict: "an open run, and a run of a live watch, is kept"; ``keep_runs`` counts the other ended ones."""
        changed, agent.changed = agent.changed, []
        for name in changed:
            run = agent.runs.get(name)
            if run is None:
                continue
            ended, paused = self._end_of(agent, name)
            if ended and run.parent in agent.runs:
                continue  # a subagent's run is retained with its parent's
            before = next((end for end in self.ends if (end.agent, end.run_id) == (agent, name)), None)
            if before is not None and ended and (before.paused == paused or self._is_held(before)):
                before.paused = paused  # a second end counts as none
                continue
            self.ends = [end for end in self.ends if end is not before]
            if ended:
                self.ends.append(End(agent, name, paused))
                self._evict()

    def _end_of(self, agent: Agent, run_id: str) -> tuple[bool, bool]:
        """Return whether a run has ended, and whether it is paused: "interrupted (… resumable)"."""
        last, resumed = "", False
        for event in self._in_order(agent):
            if event.run_id == run_id and event.type == "run_finished":
                last, resumed = event.outcome, False
            elif event.run_id == run_id and event.type == "run_started":
                resumed = last == "interrupted"
        closed = agent.runs[run_id].closed
        return closed or (bool(last) and not resumed), last == "interrupted" and not resumed

    @staticmethod
    def _is_held(end: End) -> bool:
        return any(end.agent.runs[end.run_id].arrival >= hold.since for hold in end.agent.holds)

    def _evict(self) -> None:
        # Choice: paused runs have a count of their own, so that ended ones do not take them before the answer.
        for paused in (False, True):
            while True:
                counted = [end for end in self.ends if end.paused == paused and not self._is_held(end)]
                if len(counted) <= self.keep_runs:
                    break
                oldest = counted[0]
                agent_id = oldest.agent.agent_id
                names = self._drop(oldest.agent, oldest.run_id)
                self._counts(agent_id)["evicted"] += len(names)
                self.evicted |= {(agent_id, name) for name in names}
                self._drop_idle(oldest.agent)

    def _drop_idle(self, agent: Agent) -> None:
        """Choice: the registry evicts an agent without a run, a listener, a watch or a held event; its counts stay."""
        if not (agent.runs or agent.listeners or agent.holds or agent.outbox or agent.held):
            self.agents.pop(agent.agent_id, None)

    def _drop(self, agent: Agent, run_id: str) -> list[str]:
        """Drop a run with its subagents; return the names of the dropped runs."""
        names = [run_id] if run_id in agent.runs else []
        for above in names:
            names += [name for name, run in agent.runs.items() if run.parent == above and name not in names]
        for name in names:
            del agent.runs[name]
        for name in {run_id, *names}:
            self._forget_order(agent, name)
            self.ends = [end for end in self.ends if (end.agent, end.run_id) != (agent, name)]
            agent.arrived = [item for item in agent.arrived if item.event.run_id != name]
            agent.delivered = [item for item in agent.delivered if item.event.run_id != name]
            agent.heard = {part: text for part, text in agent.heard.items() if part[0] != name}
        return names

    def _forget_order(self, agent: Agent, run_id: str) -> None:
        order = agent.orders.pop(run_id, Order(0))
        agent.waiting = [count for count in agent.waiting if count not in order.counts.values()]

    # Names

    def _agent(self, agent_id: str) -> Agent:
        return self.agents.setdefault(agent_id, Agent(agent_id))

    def _counts(self, agent_id: str) -> Counter[str]:
        return self.counts.setdefault(agent_id, Counter())
