"""Compare random streams, shuffled, doubled and cut short, with an oracle that shares no code with ours.

Each property runs 300 streams, or as many as the profile says that ``VIBE_HYPOTHESIS`` names (``make fuzz``).
"""

from __future__ import annotations

import os
import random
import threading
from collections import defaultdict
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle import delivered_prefix, fold, shown
from vibe_notebook.events import (
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
from vibe_notebook.registry import Registry
from vibe_notebook.transcript import Transcript

Slot = list[Any]

STREAMS = settings().max_examples if os.environ.get("VIBE_HYPOTHESIS") else 300
fuzz = settings(max_examples=STREAMS, deadline=None, suppress_health_check=list(HealthCheck), database=None)
seeds = st.integers(0, 2**48).map(random.Random)


class Clock:
    """Return a time that changes only when a test changes it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_event(r: random.Random, base: dict[str, Any], text: str, *, twins: bool) -> Event:
    direct = {**base, "derived": False}
    if twins and r.random() < 0.15:
        base = {**base, "derived": True}
    call = r.choice("xy") + base["run_id"]
    match r.randrange(10):
        case 0 | 1 | 2:
            return TextDelta(**base, part_id=r.choice("01"), delta=text)
        case 3:
            return ThinkingDelta(**base, delta=text)
        case 4:
            return ToolCallDelta(**base, tool_call_id=call, delta=text)
        case 5:
            return ToolStarted(**direct, tool_call_id=call, args=r.choice([None, text]))
        case 6:
            return ToolFinished(**direct, tool_call_id=call, status=r.choice(["ok", "error"]))
        case 7:
            return PartCompleted(**direct, part_id=r.choice("01"), kind="text", text=f"[{text}]")
        case 8:
            return ToolProgress(**direct, tool_call_id=call, delta=text)
        case _:
            if base["seq"] is not None:
                return Custom(**base, name="skip")
            return TextDelta(**base, delta=text)


def make_run(r: random.Random, agent: str, run: str, parent: str | None) -> list[Slot]:
    """Return one run's slots in the order of their source."""
    counts = {name: r.choice([0, 1, 5, 7]) for name in ["", *(f"m{i}" for i in range(r.randint(0, 2)))]}
    slots: list[Slot] = []
    opening = RunStarted(agent_id=agent, run_id=run)
    if parent:
        call = f"x{parent}" if r.random() < 0.8 else None
        opening = opening.model_copy(update={"parent_run_id": parent, "parent_tool_call_id": call})
    if parent or r.random() < 0.5:
        if r.random() < 0.5:
            opening = opening.model_copy(update={"seq": counts[""]})
            counts[""] += 1
        slots.append([opening])
    ends_at = r.randint(0, 14) if r.random() < 0.7 else -1
    for i in range(r.randint(1, 14)):
        counter = r.choice([*counts, None])
        message = counter or r.choice([None, "m0", "mx"])
        slot: Slot = []
        for sub in range(1 if counter is None else r.choice([1, 1, 1, 2, 3])):
            base: dict[str, Any] = {"agent_id": agent, "run_id": run, "message_id": message, "seq": None}
            if counter is not None:
                base |= {"seq": counts[counter], "sub": sub, "counter": counter}
            slot.append(make_event(r, base, f"<{run}.{i}.{sub}>", twins=True))
        if counter is not None:
            counts[counter] += 1
        slots.append(slot)
        numbered = r.choice([None, *counts]) if r.random() < 0.5 else None
        seq: dict[str, Any] = {} if numbered is None else {"seq": counts[numbered], "counter": numbered}
        if i == ends_at:
            slots.append([RunFinished(agent_id=agent, run_id=run, **seq)])
        elif r.random() < 0.1:
            slots.append(
                [MessageFinished(agent_id=agent, run_id=run, message_id=r.choice(["m0", "m1"]), **seq)]
            )
        elif r.random() < 0.05:
            slots.append([MessageStarted(agent_id=agent, run_id=run, message_id=numbered or "m0", **seq)])
        else:
            continue
        if numbered is not None:
            counts[numbered] += 1
    return slots


def make_stream(r: random.Random, *, agents: int = 1) -> list[Slot]:
    """Return some agents' runs, a few of them subagents, interleaved."""
    runs: list[list[Slot]] = []
    for agent in "abc"[:agents]:
        for i in range(r.randint(1, 3)):
            parent = f"r{r.randrange(i)}" if i and r.random() < 0.4 else None
            runs.append(make_run(r, agent, f"r{i}", parent))
    woven: list[Slot] = []
    while any(runs):
        woven.append(r.choice([run for run in runs if run]).pop(0))
    return woven


def count_of(slot: Slot) -> Any:
    event = slot[0]
    return None if event.seq is None else (event.agent_id, event.run_id, event.counter, event.derived)


def shuffled(r: random.Random, stream: list[Slot], *, flat: bool, doubled: bool = True) -> list[Slot]:
    """Shuffle each counter's slots among their places, and repeat some of them."""
    if flat:
        stream = [[event] for slot in stream for event in slot]
    counts = defaultdict(list)
    for i, slot in enumerate(stream):
        # A slot of direct and derived events belongs to two counters: it may only change places with a slot of
        # the same shape, so that both counters retain their arrivals.
        key = count_of(slot)
        if key is not None:
            shape = tuple((e.derived) for e in slot)
            counts[key, shape if not flat else None].append(i)
    moved = list(stream)
    for places in counts.values():
        others = r.sample(places, len(places))
        for here, there in zip(places, others, strict=True):
            moved[here] = stream[there]
    if not doubled:
        return moved
    result: list[Slot] = []
    seen: list[Slot] = []
    for slot in moved:
        result.append(slot)
        if slot[0].seq is not None:
            seen.append(slot)
        if seen and r.random() < 0.2:
            result.append(r.choice(seen))
    return result


def play(r: random.Random, slots: list[Slot], *, hold: float, max_held: int = 256) -> Registry:
    """Dispatch all slots while time passes now and then."""
    clock = Clock()
    registry = Registry(hold=hold, clock=clock, max_held=max_held, keep_runs=1000)
    for slot in slots:
        registry.dispatch(slot if len(slot) > 1 or r.random() < 0.5 else slot[0])
        if r.random() < 0.1:
            clock.now += r.choice([0.06, 2])
            registry.tick()
    for _ in range(3):
        clock.now += 5
        registry.tick()
    return registry


def everything(slots: list[Slot], agent: str = "a") -> list[Any]:
    return [event for slot in slots for event in slot if event.agent_id == agent]


def dispatch_all(registry: Registry, events: list[Any]) -> None:
    for event in events:
        registry.dispatch(event)


@fuzz
@given(seeds)
def test_the_transcript_equals_the_sorted_and_reduced_events(r: random.Random) -> None:
    slots = shuffled(r, make_stream(r), flat=r.random() < 0.5)
    registry = play(r, slots, hold=r.choice([0, 0.05]), max_held=r.choice([1, 3, 256]))
    assert shown(registry.transcript("a")) == fold(everything(slots))
    assert registry.stats("a").held == 0


@fuzz
@given(seeds)
def test_any_permutation_of_each_counter_ends_in_the_same_transcript(r: random.Random) -> None:
    stream = [[event] for slot in make_stream(r) for event in slot]
    ended = [
        play(r, shuffled(r, stream, flat=True, doubled=False), hold=hold, max_held=held).transcript("a")
        for hold, held in [(0, 256), (0.05, 256), (0, 1), (0.05, 3)]
    ]
    assert ended[1:] == ended[:-1]


@fuzz
@given(seeds)
def test_several_agents_in_one_registry_do_not_disturb_each_other(r: random.Random) -> None:
    slots = shuffled(r, make_stream(r, agents=3), flat=True)
    registry = play(r, slots, hold=0.05)
    for agent in registry.agents():
        assert shown(registry.transcript(agent)) == fold(everything(slots, agent))


@fuzz
@given(seeds)
def test_finish_at_any_place_changes_no_text_and_leaves_nothing_running(r: random.Random) -> None:
    slots = shuffled(r, make_stream(r), flat=True)
    registry = Registry(hold=0.05, clock=Clock(), keep_runs=1000)
    closed = set()
    for slot in slots:
        registry.dispatch(slot)
        if r.random() < 0.1:
            run, message = slot[0].run_id, slot[0].message_id
            registry.finish("a", run, message if r.random() < 0.5 else None)
            if r.random() < 0.3:
                registry.finish("a")
                closed |= {event.run_id for event in everything(slots[: slots.index(slot) + 1])}
    registry.finish("a")
    rows = [row[:-1] if row[0] == "tool" else row for row in shown(registry.transcript("a"))]
    assert rows == [row[:-1] if row[0] == "tool" else row for row in fold(everything(slots))]
    assert not [tool for tool in registry.transcript("a").tools if tool.state in ("preparing", "running")]


@fuzz
@given(seeds)
def test_every_step_delivers_to_callbacks_each_parts_text_up_to_its_first_gap(r: random.Random) -> None:
    counts = {"m0": r.choice([0, 4]), "m1": 0}
    opened = {name: base == 0 for name, base in counts.items()}
    numbered: list[Any] = []
    for name, base in counts.items():
        ends = base + r.randint(1, 12)
        for seq in range(base, ends):
            envelope: dict[str, Any] = {
                "agent_id": "a",
                "run_id": "r",
                "message_id": name,
                "counter": name,
                "seq": seq,
            }
            if seq == base and not opened[name]:
                numbered.append(MessageStarted(**envelope))
            elif name == "m0" and r.random() < 0.1:
                numbered.append(PartCompleted(**envelope, part_id="0", text=f"[{name}{seq}]"))
            elif r.random() < 0.3:
                numbered.append(Custom(**envelope, name="skip"))
            else:
                numbered.append(TextDelta(**envelope, part_id=r.choice("01"), delta=f"<{name}{seq}>"))
    twins = [
        TextDelta(
            agent_id="a", run_id="r", message_id="m1", part_id=r.choice("01"), delta="(twin)", derived=True
        )
        for _ in range(r.randint(0, 3))
    ]
    arriving = [*numbered, *twins, *r.choices(numbered, k=r.randint(0, 5))]
    r.shuffle(arriving)
    heard: dict[Any, str] = {}

    def hear(event: Any) -> None:
        key = (event.message_id, event.part_id)
        heard[key] = event.text if isinstance(event, PartCompleted) else heard.get(key, "") + event.delta

    registry = Registry(hold=0.05, max_held=10_000, max_wait=1e9, clock=Clock())
    registry.register("a", on_result=hear)
    for i, event in enumerate(arriving):
        registry.dispatch(event)
        want, missing = delivered_prefix(arriving[: i + 1])
        assert {key: text for key, text in heard.items() if text} == want
        assert registry.stats("a").held == missing


@fuzz
@given(seeds)
def test_callbacks_end_with_the_text_of_the_transcript_even_if_events_were_held_or_late(
    r: random.Random,
) -> None:
    stream = [s for s in make_stream(r) if not (s[0].type == "part_completed" and s[0].seq is None)]
    slots = shuffled(r, [[event] for slot in stream for event in slot], flat=True)
    parts: dict[Any, str] = defaultdict(str)
    clock = Clock()
    registry = Registry(hold=r.choice([0, 0.05]), clock=clock, max_held=r.choice([1, 256]), keep_runs=1000)

    def hear(event: Any) -> None:
        key = (event.run_id, event.message_id, event.part_id)
        if isinstance(event, PartCompleted):
            parts[key] = event.text
        else:
            parts[key] += event.delta

    registry.register("a", on_result=hear)
    one_count: dict[Any, set[Any]] = {}
    for slot in slots:
        for event in slot:
            if event.type in ("text_delta", "part_completed"):
                key = (event.run_id, event.message_id, event.part_id)
                one_count.setdefault(key, set()).add(count_of([event]))
        registry.dispatch(slot)
    clock.now += 5
    registry.tick()
    registry.tick()
    clock.now += 5
    registry.tick()
    rows = fold(everything(slots))
    for _, run, message, part, text in [row for row in rows if row[0] == "text"]:
        # If several counters write one part, only the transcript shows moves between them.
        if len(one_count[run, message, part]) == 1:
            assert parts[run, message, part] == text


@fuzz
@given(seeds)
def test_a_transcript_reads_back_equal_from_its_json(r: random.Random) -> None:
    transcript = play(r, shuffled(r, make_stream(r), flat=False), hold=0).transcript("a")
    assert Transcript.model_validate_json(transcript.model_dump_json()) == transcript


@settings(fuzz, max_examples=STREAMS if STREAMS >= 20_000 else 10)  # 8 threads each
@given(seeds)
def test_threads_that_dispatch_at_once_end_in_the_same_transcript(r: random.Random) -> None:
    counts = [f"m{i}" for i in range(4)]
    events = [
        TextDelta(agent_id="a", run_id="r", message_id=name, counter=name, seq=seq, delta=f"<{name}.{seq}>")
        for name in counts
        for seq in range(40)
    ]
    r.shuffle(events)
    with Registry(hold=60, max_wait=60) as registry:  # a slow machine must give up no gap
        heard: list[str] = []
        registry.register("a", on_result=lambda event: heard.append(event.delta))
        threads = [threading.Thread(target=dispatch_all, args=(registry, events[i::8])) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        texts = {part.message_id: part.text for part in registry.transcript("a").parts if part.kind == "text"}
        assert texts == {name: "".join(f"<{name}.{seq}>" for seq in range(40)) for name in counts}
        assert {name: "".join(d for d in heard if d.startswith(f"<{name}.")) for name in counts} == texts
