"""Compare callbacks, taps, subscriptions and counts at every step with the contract's own model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.delivery_oracle import DeliveryOracle, Listener, Row, describe
from vibe_notebook.events import (
    Artifact,
    Custom,
    Event,
    MessageFinished,
    MessageStarted,
    PartCompleted,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from vibe_notebook.registry import Hold, Registration, Registry, Subscription
from vibe_notebook.testing import FakeClock

Op = tuple[Any, ...]

SLOTS = (
    "on_result",
    "on_thinking",
    "on_tool_preparing",
    "on_tool_started",
    "on_tool_finished",
    "on_event",
    "on_finished",
)
PARENTS = {"s": "r"}  # the run "s" is a subagent of "r"

# The events to dispatch. One counter and its twins write each part: if several counters wrote a part, an event of
# another part could move the texts between them, and no listener would get an event for that.
RUN_COUNT = (
    "started",
    "text",
    "thinking",
    "custom",
    "skip",
    "tool",
    "result",
    "pause",
    "end",
    "message_end",
    "args",
    "output",
)
MESSAGE_COUNT = (
    *(
        "opened",
        "text",
        "text",
        "other",
        "thinking",
        "whole",
        "args",
        "progress",
        "artifact",
        "tool 2",
        "args 2",
    ),
    *("output", "result"),
)
ENDS = ("skip", "message_end", "end")
TWINS = ("text", "thinking", "args", "whole")
FREE = (
    "text",
    "twin",
    "twin_whole",
    "thinking",
    "whole",
    "started",
    "result",
    "pause",
    "end",
    "message_end",
    "custom",
)


def make_event(what: str, base: dict[str, Any], name: str, text: str) -> Event:
    """Make an event of the counter called *name* ("u": of no counter)."""
    made = make_text(what, base, name, text)
    what, _, number = what.partition(" ")  # the second call has no twins
    call = {**base, "tool_call_id": f"call{number}-{name}"}
    match what:
        case "started":
            made = RunStarted(**base, parent_run_id=PARENTS.get(base["run_id"]), input=text)
        case "opened":
            made = MessageStarted(**base)
        case "args":
            made = ToolCallDelta(**call, delta=text)
        case "tool":
            made = ToolStarted(**call, args=text)
        case "progress":
            made = ToolProgress(**call, delta=text)
        case "output":
            made = ToolProgress(**call, output=text, message=text)
        case "result":
            made = ToolFinished(**call, output=text)
        case "artifact":
            made = Artifact(**base, artifact_id=name, name=text)
        case "end":
            made = RunFinished(**base, result=text)
        case "pause":
            made = RunFinished(**base, outcome="interrupted")
        case "message_end":
            made = MessageFinished(**base, finish_reason=text)
    return made or Custom(**base, name=what, value=text if what == "custom" else None)


def make_text(what: str, base: dict[str, Any], name: str, text: str) -> Event | None:
    """Make an event that builds text; ``None`` for another kind."""
    twin = {**base, "derived": base["derived"] or what.startswith("twin")}
    match what:
        case "text" | "twin":
            return TextDelta(**twin, part_id=f"{name}0", delta=text)
        case "other":
            return TextDelta(**base, part_id=f"{name}1", delta=text)
        case "thinking":
            return ThinkingDelta(**base, part_id=name, delta=text)
        case "whole" | "twin_whole":
            return PartCompleted(**twin, part_id=f"{name}{0 if twin['derived'] else 1}", text=f"[{text}]")
    return None


class Source:
    """Make one event for each number, and the same event for the same number again."""

    def __init__(self) -> None:
        self.events: dict[Any, Event] = {}
        self.generation = (
            0  # of the counters: ``unregister`` drops them, and new ones write parts of their own
        )

    def native(
        self, run: str, counter: str, seq: int, whats: tuple[int, ...], *, derived: bool
    ) -> list[Event]:
        """Make the events of one native event: one number, a ``sub`` each."""
        kinds = TWINS if derived else (*(MESSAGE_COUNT if counter else RUN_COUNT), *ENDS)
        made = []
        for sub, what in enumerate(whats):
            key = (run, counter, derived, seq, sub, self.generation)
            if key not in self.events:
                kind = kinds[what % len(kinds)]
                message = "m" if counter == "x" else counter or "c"
                if kind == "message_end" and not counter:
                    message = "m"  # the run's own counter finishes a message
                base = {"agent_id": "a", "run_id": run, "message_id": message, "derived": derived}
                base |= {"seq": seq, "sub": sub, "counter": counter}
                name = (counter or "c") + "'" * self.generation
                self.events[key] = make_event(kind, base, name, f"<{counter}{seq}.{sub}>")
            made.append(self.events[key])
        return made

    def free(self, agent: str, run: str, what: str) -> list[Event]:
        """Make an event without a number: its arrival is its order."""
        number = self.events[None, len(self.events)] = len(self.events)  # type: ignore[assignment]
        message = "m" if what == "message_end" else "u"
        base = {"agent_id": agent, "run_id": run, "message_id": message, "derived": False, "seq": None}
        return [make_event(what, base, "u", f"<u{number}>")]


class Both:
    """Call a registry and its oracle alike, and compare them."""

    def __init__(self, bounds: dict[str, int], reactions: dict[tuple[int, int], Op]) -> None:
        self.clock = FakeClock()
        self.registry = Registry(**bounds, clock=self.clock)
        self.oracle = DeliveryOracle(**bounds, react=self.react_in_oracle)
        self.reactions = reactions
        self.source = Source()
        self.calls: list[list[tuple[str, Row]]] = []
        self.registrations: list[Registration] = []
        self.listeners: list[Listener] = []
        self.subscriptions: list[Subscription] = []
        self.readers: list[Any] = []
        self.holds: list[Hold] = []
        self.modelled_holds: list[Any] = []
        self.prepared: dict[tuple[int, int], Op] = {}

    # One operation, on either side

    def real(self, op: Op) -> None:
        registry = self.registry
        match op:
            case ("dispatch", events):
                registry.dispatch(events[0] if len(events) == 1 else events)
            case ("finish", agent, run, message):
                registry.finish(agent, run, message)
            case ("wait", _) | ("tick",):
                registry.tick()
            case ("unregister", agent):
                registry.unregister(agent)
            case ("forget", agent, run):
                registry.forget(agent, run)
            case ("hold", agent, since):
                self.holds.append(registry.hold(agent, since))
            case ("release", index) if self.holds:
                self.holds[index % len(self.holds)].release()
            case ("register", agent, names):
                heard = self.new_calls()
                self.registrations.append(registry.register(agent, **{name: heard(name) for name in names}))
            case ("tap", agent):
                heard = self.new_calls()
                self.registrations.append(registry.tap(agent, heard("tap")))
            case ("close", index) if self.registrations:
                self.registrations[index % len(self.registrations)].close()
            case ("subscribe", agent, after):
                self.subscriptions.append(registry.subscribe(agent, after=after))
            case ("close_reader", index) if self.subscriptions:
                self.subscriptions[index % len(self.subscriptions)].close()

    def model(self, op: Op) -> None:
        oracle = self.oracle
        match op:
            case ("dispatch", events):
                oracle.dispatch(events)
            case ("finish", agent, run, message):
                oracle.finish(agent, run, message)
            case ("wait", _) | ("tick",):
                oracle.tick()
            case ("unregister", agent):
                oracle.unregister(agent)
            case ("forget", agent, run):
                oracle.forget(agent, run)
            case ("hold", agent, since):
                self.modelled_holds.append(oracle.hold_runs(agent, since))
            case ("release", index) if self.modelled_holds:
                oracle.release(self.modelled_holds[index % len(self.modelled_holds)])
            case ("register", agent, names):
                self.listeners.append(oracle.register(agent, names))
            case ("tap", agent):
                self.listeners.append(oracle.tap(agent))
            case ("close", index) if self.listeners:
                oracle.close_listener(self.listeners[index % len(self.listeners)])
            case ("subscribe", agent, after):
                self.readers.append(oracle.subscribe(agent, after))
            case ("close_reader", index) if self.readers:
                oracle.close_reader(self.readers[index % len(self.readers)])

    def new_calls(self) -> Callable[[str], Callable[[Any], None]]:
        """Make a registration's callbacks, by name."""
        calls: list[tuple[str, Row]] = []
        index = len(self.calls)
        self.calls.append(calls)

        def heard(name: str) -> Callable[[Any], None]:
            def call(event: Any) -> None:
                calls.append((name, (event.id, describe(event))))
                op = self.reaction(index, len(calls))
                if op is not None:
                    self.real(op)

            return call

        return heard

    def react_in_oracle(self, listener: Listener, number: int) -> None:
        op = self.reaction(self.listeners.index(listener), number)
        if op is not None:
            self.model(op)

    def reaction(self, index: int, number: int) -> Op | None:
        """Return the operation of a listener at its call of that number, the same for both sides."""
        op = self.reactions.get((index, number))
        if op is None or self.registry.closed:
            return None
        return self.prepared.setdefault((index, number), self.prepare(op))

    def prepare(self, op: Op) -> Op:
        match op:
            case ("native", run, counter, seq, whats, derived):
                return ("dispatch", self.source.native(run, counter, seq, whats, derived=derived))
            case ("free", agent, run, what):
                return ("dispatch", self.source.free(agent, run, what))
            case _:
                return op

    # Steps

    def step(self, op: Op) -> None:
        op = self.prepare(op)
        note(f"{op}")
        match op:
            case ("wait", seconds):
                self.clock.advance(seconds)
                self.oracle.now += seconds
            case ("forget", agent, None):
                known = self.oracle.agents.get(agent)
                if known is None or not known.listeners:
                    return  # the registry forgets an agent without a listener with all its counts
            case ("read" | "read_one", index) if self.readers:
                self.read(index % len(self.readers), one=op[0] == "read_one")
            case ("compare_texts",):
                self.compare_texts()
        self.real(op)
        self.model(op)
        self.source.generation += op[0] == "unregister"
        self.compare()

    def read(self, index: int, *, one: bool = False) -> None:
        oracle, reader = self.oracle, self.readers[index]
        expected = oracle.read_one(reader) if one else oracle.read(reader)
        assert read_now(self.registry, self.subscriptions[index], limit=1 if one else None) == expected

    def compare_texts(self) -> None:
        """Compare the texts of the transcript too; to read it must change nothing."""
        for agent in "ab":
            shown = {
                (part.run_id, part.message_id, part.kind, part.part_id): part.text
                for part in all_parts(self.registry.transcript(agent))
                if part.kind in ("text", "thinking")
            }
            assert shown == self.oracle.texts(agent)

    def compare(self) -> None:
        assert self.calls == [listener.calls for listener in self.listeners]
        for agent in "ab":
            assert dataclasses.asdict(self.registry.stats(agent)) == self.oracle.stats(agent)

    def end(self) -> None:
        self.compare_texts()
        self.registry.close()
        self.oracle.close()
        self.compare()
        for index, subscription in enumerate(self.subscriptions):
            rows = [(event.id, describe(event)) for event in subscription]
            assert rows == self.oracle.read(self.readers[index])
        self.compare()


def read_now(registry: Registry, subscription: Subscription, *, limit: int | None) -> list[Row]:
    """Return the rows that are ready: a public read would wait for the next one."""
    rows: list[Row] = []
    with registry.changed:
        while limit is None or len(rows) < limit:
            event = subscription._next_event()
            if event is None:
                break
            rows.append((event.id, describe(event)))
    return rows


def all_parts(transcript: Any) -> list[Any]:
    found = list(transcript.parts)
    for run in transcript.runs:
        found += run.parts
    return [*found, *(inner for part in found if part.kind == "tool" for inner in part.children)]


# Most events belong to one counter: otherwise too few examples would have events that follow each other.
runs = st.sampled_from("rrrrrrst")
natives = st.tuples(
    st.just("native"),
    runs,
    st.sampled_from(["m", "m", "m", "m", "m", "", "", "n", "x"]),
    st.sampled_from([0, 1, 2, 3, 0, 1, 2, 3, 4, 5, -2]),
    st.lists(st.integers(0, 15), min_size=1, max_size=3).map(tuple),
    st.sampled_from([False, False, False, True]),
)
free = st.tuples(st.just("free"), st.sampled_from("aab"), runs, st.sampled_from(FREE))
finish = st.tuples(
    st.just("finish"),
    st.sampled_from("aab"),
    st.sampled_from([None, "r", "s", "t"]),
    st.sampled_from([None, "m", "n"]),
)
register = st.tuples(
    st.just("register"),
    st.sampled_from("aab"),
    st.sets(st.sampled_from(SLOTS)).map(lambda s: tuple(sorted(s))),
)
closing = st.tuples(st.sampled_from(["close", "close_reader"]), st.integers(0, 5))
unregister = st.tuples(st.just("unregister"), st.sampled_from("ab"))
forget = st.tuples(st.just("forget"), st.sampled_from("ab"), st.sampled_from(["r", "s", "t"]))
tap = st.tuples(st.just("tap"), st.sampled_from(["a", "b", None]))
hold = st.tuples(st.just("hold"), st.sampled_from("aab"), st.none() | st.integers(0, 6))
release = st.tuples(st.just("release"), st.integers(0, 5))
subscribe = st.tuples(
    st.just("subscribe"), st.sampled_from(["a", "a", "b", None]), st.none() | st.integers(0, 12)
)
operations = st.one_of(
    natives, natives, natives, natives, natives, natives, free, free, free,
    st.tuples(st.just("wait"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(0, 3)),
    st.tuples(st.sampled_from(["read", "read_one"]), st.integers(0, 5)),
    st.tuples(st.sampled_from(["read", "read_one"]), st.integers(0, 5)),
    finish, register, closing, unregister, forget, tap, subscribe, hold, release,
    st.tuples(st.just("forget"), st.sampled_from("ab"), st.none()),
    st.just(("compare_texts",)),
)  # fmt: skip
reacting = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(1, 5)),
    st.one_of(
        natives, free, finish, register, closing, unregister, forget, tap, subscribe, st.just(("tick",))
    ),
    max_size=4,
)
bounds = st.fixed_dictionaries(
    {
        "hold": st.sampled_from([0, 2]),
        "max_held": st.integers(0, 3),
        "max_wait": st.sampled_from([0, 1, 3]),
        "keep_runs": st.integers(0, 3),
        "ring": st.sampled_from([1, 2, 3, 6, 100]),
    }
)


@settings(max_examples=max(150, settings().max_examples))
@given(
    bounds=bounds,
    steps=st.lists(operations, max_size=8) | st.lists(operations, min_size=20, max_size=50),
    reactions=reacting,
    heard=st.booleans(),
)
def test_every_step_delivers_and_counts_exactly_as_the_contract_says(
    bounds: dict[str, int], steps: list[Op], reactions: dict[tuple[int, int], Op], *, heard: bool
) -> None:
    both = Both(bounds, reactions)
    both.step(("subscribe", None, 0))
    if heard:
        both.step(("register", "a", SLOTS))
    for op in steps:
        both.step(op)
        both.read(0)
    both.end()


KINDS = st.sampled_from(
    [1, 1, 1, 2, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13, 13, 14]
)  # of a message's count: texts and its ends
scattered = st.lists(
    st.tuples(st.permutations(range(5)), st.lists(KINDS, min_size=5, max_size=5)), min_size=1, max_size=3
)
between = st.one_of(st.tuples(st.just("wait"), st.integers(1, 3)), finish, unregister)


@given(
    bounds=bounds,
    roomy=st.booleans(),
    counts=scattered,
    others=st.dictionaries(st.integers(0, 4), between, max_size=3),
)
def test_counts_that_arrive_in_any_order_with_their_ends_among_them_are_delivered_as_the_contract_says(
    bounds: dict[str, int],
    counts: list[tuple[list[int], list[int]]],
    others: dict[int, Op],
    *,
    roomy: bool,
) -> None:
    both = Both({**bounds, "ring": 100, "max_held": 10 if roomy else bounds["max_held"]}, {})
    for op in [("register", "a", SLOTS), ("tap", None), ("subscribe", "a", 0)]:
        both.step(op)
    natives = [
        [("native", "r", counter, seq, (whats[seq],), derived) for seq in order]
        for (counter, derived), (order, whats) in zip(
            [("m", False), ("m", True), ("n", False)], counts, strict=False
        )
    ]
    for number, ops in enumerate(zip(*natives, strict=True)):
        for op in ops:
            both.step(op)
        if number in others:
            both.step(others[number])
    both.step(("wait", 3))
    both.end()


delta = st.tuples(st.just("delta"), st.sampled_from("rrs"), st.integers(0, 6))
postponing = st.lists(
    st.one_of(
        delta,
        delta,
        st.tuples(st.sampled_from(["end", "pause", "start"]), st.sampled_from("rs"), st.just(0)),
        st.tuples(st.just("forget"), st.sampled_from("rrs"), st.just(0)),
        st.just(("wait", "", 0)),
    ),
    min_size=15,
    max_size=40,
)


@settings(max_examples=max(100, settings().max_examples))
@given(steps=postponing, keep_runs=st.integers(0, 2))
def test_whole_texts_that_are_postponed_arrive_by_their_deadline_and_never_for_a_run_that_is_gone(
    steps: list[tuple[str, str, int]], keep_runs: int
) -> None:
    clock = FakeClock()
    heard: dict[str, str] = {}
    shown: dict[str, str] = {}
    strays: list[str] = []

    def hear(event: Any) -> None:
        if is_waiting and event.run_id not in shown:
            strays.append(event.run_id)
        if event.type == "text_delta":
            heard[event.run_id] = heard.get(event.run_id, "") + event.delta
        elif event.type == "part_completed":
            heard[event.run_id] = event.text

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vibe_notebook._reducer.growing_text.CREDIT", 0)
        patch.setattr("vibe_notebook.registry._agent.EARNED_CREDIT", 0)
        registry = Registry(hold=0, max_held=0, max_wait=1, keep_runs=keep_runs, clock=clock)
        registry.register("a", on_event=hear)
        for what, run, seq in [*steps, ("wait", "", 0)]:
            base: dict[str, Any] = {"agent_id": "a", "run_id": run}
            is_waiting = what == "wait"
            match what:
                case "delta":
                    registry.dispatch(TextDelta(**base, seq=seq, delta=f"<{seq}>"))
                case "start":
                    registry.dispatch(RunStarted(**base))
                case "end" | "pause":
                    outcome = "success" if what == "end" else "interrupted"
                    registry.dispatch(RunFinished.model_validate({**base, "outcome": outcome}))
                case "forget":
                    registry.forget("a", run)
                case "wait":
                    clock.advance(1)
                    registry.tick()
            shown = {
                each.run_id: registry.transcript("a", each.run_id).text
                for each in registry.transcript("a").runs
            }
            heard = {name: text for name, text in heard.items() if name in shown}
            assert not strays
            if what == "wait":
                assert heard == {name: text for name, text in shown.items() if text}
        registry.close()
