"""Check the registry as its callers see it: order, callbacks, threads, retention and statistics."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from vibe_notebook._ordering.sequencer import Sequencer
from vibe_notebook._reducer.growing_text import CREDIT
from vibe_notebook._thread_pool import ThreadPool
from vibe_notebook.events import (
    Custom,
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
    skip,
)
from vibe_notebook.exceptions import ClosedError, ProtocolError
from vibe_notebook.registry import Registry, Stats, _deadlines, get_registry
from vibe_notebook.registry._agent import Agent, Shared
from vibe_notebook.registry._deadlines import RETRY_PAUSE, Alarm, Deadlines
from vibe_notebook.registry._ring_buffer import RingBuffer


class Clock:
    """Return a time that changes only when a test changes it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> Registry:
    return Registry(clock=clock)


def text(delta: str, seq: int | None = None, **more: Any) -> TextDelta:
    return TextDelta(**{"agent_id": "a", "run_id": "r", "message_id": "m", **more}, seq=seq, delta=delta)


def heard(registry: Registry, agent_id: str = "a") -> list[Any]:
    events: list[Any] = []
    registry.register(agent_id, on_event=events.append)
    return events


def words(events: list[Any]) -> list[str]:
    return [event.delta if event.type.endswith("delta") else event.text for event in events]


class View:
    """Record the calls of a registry to a live display."""

    def __init__(self) -> None:
        self.touches = 0
        self.wakes = 0
        self.reports: list[str] = []

    def touch(self, builder: Any) -> None:
        self.touches += 1
        del builder

    def wake(self) -> None:
        self.wakes += 1

    def report(self, text: str) -> None:
        self.reports.append(text)


# The input of dispatch


def test_dispatch_accepts_an_event_a_dict_json_and_the_list_of_one_native(registry: Registry) -> None:
    registry.dispatch(text("1"))
    registry.dispatch({"type": "text_delta", "agent_id": "a", "run_id": "r", "message_id": "m", "delta": "2"})
    registry.dispatch('{"type":"text_delta","agent_id":"a","run_id":"r","message_id":"m","delta":"3"}')
    registry.dispatch([text("4"), text("5")])
    registry.dispatch(event for event in (text("6"),))
    registry.dispatch([])
    assert registry.transcript("a").text == "123456"


@pytest.mark.parametrize(
    "wrong", [None, 1, object(), {"type": "nope"}, "no json", [text("x"), {"type": "text_delta"}]]
)
def test_an_invalid_event_is_refused_with_its_whole_list(registry: Registry, wrong: Any) -> None:
    with pytest.raises(ProtocolError):
        registry.dispatch(wrong)
    assert registry.transcript("a").text == ""


def test_one_list_may_hold_events_of_several_agents(registry: Registry) -> None:
    registry.dispatch([text("1"), text("2", agent_id="b"), text("3")])
    assert registry.transcript("a").text == "13"
    assert registry.transcript("b").text == "2"


# Order, bases, bounds


def test_the_lowest_number_within_the_hold_is_the_base(registry: Registry, clock: Clock) -> None:
    events = heard(registry)
    for seq in (2, 1, 3):
        registry.dispatch(text(str(seq), seq))
    assert events == []
    clock.now = 0.05
    registry.tick()
    assert words(events) == ["1", "2", "3"]


def test_zero_is_a_base_immediately(registry: Registry) -> None:
    events = heard(registry)
    registry.dispatch(text("1", 1))
    registry.dispatch(text("0", 0))
    assert words(events) == ["0", "1"]


def test_run_started_is_the_base_of_the_runs_own_counter(registry: Registry) -> None:
    events = heard(registry)
    registry.dispatch(text("8", 8))
    registry.dispatch(RunStarted(agent_id="a", run_id="r", seq=7))
    assert [event.type for event in events] == ["run_started", "text_delta"]


def test_what_is_below_the_base_was_before_it_and_goes_first(registry: Registry) -> None:
    events = heard(registry)
    for seq in (5, 3, 8, 4):
        registry.dispatch(text(str(seq), seq))
    registry.dispatch(RunStarted(agent_id="a", run_id="r", seq=7))
    assert [event.seq for event in events] == [3, 4, 5, 7, 8]
    assert registry.stats("a").gaps == 0


def test_message_started_is_the_base_of_the_named_counter_that_it_opens(registry: Registry) -> None:
    events = heard(registry)
    registry.dispatch(text("8", 8, counter="m"))
    registry.dispatch(MessageStarted(agent_id="a", run_id="r", message_id="m", seq=7, counter="m"))
    assert [event.type for event in events] == ["message_started", "text_delta"]


def test_message_started_is_no_base_of_the_runs_own_counter(registry: Registry) -> None:
    events = heard(registry)
    registry.dispatch(MessageStarted(agent_id="a", run_id="r", message_id="m", seq=7))
    assert events == []


def test_an_early_event_waits_for_the_missing_one(registry: Registry) -> None:
    events = heard(registry)
    for seq in (0, 2, 3):
        registry.dispatch(text(str(seq), seq))
    assert words(events) == ["0"]
    assert registry.stats("a").held == 2
    registry.dispatch(text("1", 1))
    assert words(events) == ["0", "1", "2", "3"]
    assert registry.stats("a").held == 0


def test_events_beyond_max_wait_are_released_and_the_gap_is_counted(registry: Registry, clock: Clock) -> None:
    events = heard(registry)
    for seq in (0, 2, 3, 6):
        registry.dispatch(text(str(seq), seq))
    clock.now = 1.0
    registry.tick()
    assert words(events) == ["0", "2", "3", "6"]
    assert registry.stats("a").gaps == 2


def test_one_tick_releases_all_events_beyond_their_deadline(registry: Registry, clock: Clock) -> None:
    events = heard(registry)
    for seq in (1, 3):
        registry.dispatch(text(str(seq), seq))
    clock.now = 1.0  # longer than the hold for a base, and than the wait for a missing event
    registry.tick()
    assert words(events) == ["1", "3"]
    assert registry.stats("a").gaps == 1


def test_a_later_part_of_a_held_native_does_not_lengthen_its_wait(registry: Registry, clock: Clock) -> None:
    events = heard(registry)
    registry.dispatch(text("0", 0))
    registry.dispatch(text("2", 2))
    clock.now = 0.9
    registry.dispatch(text("2b", 2, sub=1))
    clock.now = 1.0
    registry.tick()
    assert words(events) == ["0", "2", "2b"]


def test_with_a_clock_of_the_callers_own_only_tick_releases_events(registry: Registry, clock: Clock) -> None:
    events = heard(registry)
    registry.dispatch(text("1", 1))
    clock.now = 1.0
    registry.dispatch(text("3", 3))
    assert events == []
    registry.tick()
    assert words(events) == ["1"]


def test_once_the_base_is_known_an_early_event_waits_no_longer_than_max_wait(clock: Clock) -> None:
    registry = Registry(hold=2, max_wait=0.5, clock=clock)
    events = heard(registry)
    for seq in (2, 0):
        registry.dispatch(text(str(seq), seq))
    clock.now = 0.5
    registry.tick()
    assert words(events) == ["0", "2"]


@pytest.mark.parametrize("held", [0, 1, 3])
def test_a_counter_holds_max_held_events_and_no_more(held: int) -> None:
    registry = Registry(max_held=held, clock=Clock())
    events = heard(registry)
    registry.dispatch(text("0", 0))
    for i in range(held):
        registry.dispatch(text(".", 2 + i))
        assert (registry.stats("a").held, registry.stats("a").gaps) == (i + 1, 0)
    registry.dispatch(text("!", 2 + held))
    assert (registry.stats("a").held, registry.stats("a").gaps) == (0, 1)
    assert len(events) == held + 2


def test_one_tick_releases_the_events_of_two_agents_with_ascending_ids(
    registry: Registry, clock: Clock
) -> None:
    sent: list[Any] = []
    registry.tap(None, sent.append)
    for agent in "ba":
        registry.dispatch(text("2", 2, agent_id=agent))
        registry.dispatch(text("1", 1, agent_id=agent))
    clock.now = 0.05
    registry.tick()
    assert [event.id for event in sent] == [1, 2, 3, 4]
    assert {agent: [e.seq for e in sent if e.agent_id == agent] for agent in "ab"} == {
        "a": [1, 2],
        "b": [1, 2],
    }


@pytest.mark.parametrize("size", [1, 10])
def test_max_held_counts_events_even_if_a_native_makes_many(size: int) -> None:
    registry = Registry(max_held=20, clock=Clock())
    registry.dispatch(text("0", 0))
    for seq in range(2, 60):
        registry.dispatch([text(".", seq, sub=sub) for sub in range(size)])
        assert registry.stats("a").held <= 20
    assert registry.stats("a").gaps >= 1


def test_a_late_event_after_its_gap_was_released_is_delivered_as_the_whole_part(
    registry: Registry, clock: Clock
) -> None:
    events = heard(registry)
    with registry.subscribe("a") as subscription:
        for seq in (0, 2):
            registry.dispatch(text(str(seq), seq))
        clock.now = 1.0
        registry.tick()
        registry.dispatch(text("1", 1))
        registry.dispatch(text("3", 3))
        assert registry.transcript("a").text == "0123"
        assert words(events) == ["0", "2", "012", "3"]
        assert isinstance(events[2], PartCompleted)
        assert words([next(subscription) for _ in range(4)]) == ["0", "2", "012", "3"]
    assert registry.stats("a").late == 1


def test_a_text_that_changes_in_its_middle_is_delivered_as_the_whole_part(registry: Registry) -> None:
    events = heard(registry)
    registry.dispatch(text("b", 1, counter="x"))
    registry.dispatch(text("-"))
    registry.dispatch(text("a", 0, counter="x"))
    assert registry.transcript("a").text == "a-b"
    assert words(events) == ["-", "a-", "b"]


@pytest.mark.parametrize("derived", [False, True])
def test_a_reader_gets_a_skip_for_a_late_event_whose_whole_text_must_wait(*, derived: bool) -> None:
    registry = Registry(hold=0, max_held=0, clock=Clock())
    more: dict[str, Any] = {"counter": "c", "derived": derived}
    subscription = registry.subscribe("a")
    much = "x" * (CREDIT + 1000)
    registry.dispatch(text(much, 0, **more))
    for seq, sub in [(4, 0), (3, 0), (2, 7)]:
        registry.dispatch(text(str(seq), seq, sub=sub, **more))
    *_, whole, skipped = [next(subscription) for _ in range(4)]
    assert whole.type == "part_completed"
    fields: dict[str, Any] = {
        "type": "custom",
        "name": "skip",
        "agent_id": "a",
        "run_id": "r",
        "message_id": "m",
    }
    fields |= {"seq": 2, "sub": 7, **more}
    assert skipped.model_dump(include=set(fields)) == fields
    registry.finish("a")
    assert words([next(subscription)]) == [much + "234"]


def test_an_event_without_a_number_whose_whole_text_must_wait_is_a_skip_in_a_counter_of_its_own(
    registry: Registry,
) -> None:
    subscription = registry.subscribe("a")
    for letter in "abc":
        registry.dispatch(PartCompleted(agent_id="a", run_id="r", text=letter * CREDIT, sub=3))
    events = [next(subscription) for _ in range(3)]
    assert [event.type for event in events] == ["part_completed", "part_completed", "custom"]
    assert events[2].name == "skip"  # type: ignore[union-attr]
    assert (events[2].seq, events[2].sub, events[2].counter) == (0, 0, "owed")


def test_a_duplicate_changes_nothing_before_delivery_and_after(registry: Registry) -> None:
    events = heard(registry)
    for seq in (0, 2, 2, 1, 1, 2, 0):
        registry.dispatch(text(str(seq), seq))
    assert words(events) == ["0", "1", "2"]
    assert registry.stats("a").duplicates == 4


def test_events_of_one_native_differ_in_sub_and_are_delivered_in_its_order(registry: Registry) -> None:
    events = heard(registry)
    registry.dispatch([text("b", 0, sub=1), text("a", 0, sub=0), text("a", 0, sub=0)])
    assert words(events) == ["a", "b"]
    assert registry.stats("a").duplicates == 1


def test_counters_do_not_wait_for_each_other(registry: Registry) -> None:
    events = heard(registry)
    registry.dispatch(text("1", 1, counter="x"))
    registry.dispatch(text("0", 0, counter="y"))
    registry.dispatch(text("z", 0, run_id="s"))
    assert words(events) == ["0", "z"]


def test_a_skip_advances_the_order_is_sent_and_reaches_neither_callbacks_nor_transcript(
    registry: Registry,
) -> None:
    events = heard(registry)
    sent: list[Any] = []
    registry.tap("a", sent.append)
    subscription = registry.subscribe("a")
    for event in (text("0", 0), text("2", 2), skip("a", "r", 1)):
        registry.dispatch(event)
    assert words(events) == ["0", "2"]
    assert [event.seq for event in sent] == [0, 1, 2]
    assert [next(subscription).seq for _ in range(3)] == [0, 1, 2]
    assert len(registry.transcript("a").parts) == 1


def test_negative_numbers_are_ordered_too(clock: Clock) -> None:
    registry = Registry(clock=clock)
    events = heard(registry)
    for seq in (-3, -5, -4):
        registry.dispatch(text(str(seq), seq))
    clock.now = 1
    registry.tick()
    assert words(events) == ["-5", "-4", "-3"]
    assert registry.stats("a").late == 0


# Finishes


def test_a_finish_without_a_number_flushes_its_message_immediately(registry: Registry) -> None:
    events = heard(registry)
    registry.dispatch(text("2", 2, counter="m"))
    registry.dispatch(text("1", 1, counter="m"))
    registry.dispatch(text("9", 9, counter="n", message_id="n"))
    registry.dispatch(MessageFinished(agent_id="a", run_id="r", message_id="m"))
    assert [event.type for event in events] == ["text_delta", "text_delta", "message_finished"]
    assert registry.stats("a").held == 1


def test_a_finish_with_a_number_takes_effect_at_its_place(registry: Registry) -> None:
    events = heard(registry)
    registry.dispatch(text("0", 0, counter="m"))
    registry.dispatch(MessageFinished(agent_id="a", run_id="r", message_id="m", counter="m", seq=2))
    assert [event.type for event in events] == ["text_delta"]
    registry.dispatch(text("1", 1, counter="m"))
    assert [event.type for event in events] == ["text_delta", "text_delta", "message_finished"]


def test_no_delta_of_its_own_counter_overtakes_a_finish(registry: Registry) -> None:
    events = heard(registry)
    for seq in (1, 4):
        registry.dispatch(text(str(seq), seq, counter="m"))
    registry.dispatch(MessageFinished(agent_id="a", run_id="r", message_id="m", counter="m", seq=2))
    registry.dispatch(text("0", 0, counter="m"))
    assert [event.seq for event in events] == [0, 1, 2, 4]


def test_run_finished_flushes_every_counter_and_is_delivered_last(registry: Registry) -> None:
    events = heard(registry)
    registry.dispatch(text("1", 1, counter="m"))
    registry.dispatch(text("5", 5, derived=True, message_id="n"))
    registry.dispatch(RunFinished(agent_id="a", run_id="r", seq=0))
    assert [event.type for event in events] == ["text_delta", "text_delta", "run_finished"]


def test_a_numbered_finish_also_flushes_the_derived_counter_of_its_name(registry: Registry) -> None:
    registry.dispatch(ThinkingDelta(agent_id="a", run_id="r", message_id="m", seq=5, delta="t", derived=True))
    registry.dispatch(RunFinished(agent_id="a", run_id="r", seq=0))
    assert registry.transcript("a").thinking == "t"


def test_finish_flushes_a_message_a_run_or_all(registry: Registry) -> None:
    for run in ("r", "s"):
        for message in ("m", "n"):
            registry.dispatch(text(run + message, 3, run_id=run, message_id=message, counter=message))
    registry.finish("a", "r", "m")
    assert registry.stats("a").held == 3
    registry.finish("a", "r")
    assert registry.stats("a").held == 2
    registry.finish("a")
    assert registry.stats("a").held == 0
    assert registry.finish("nobody") is None  # type: ignore[func-returns-value]


def test_events_after_a_finish_still_land_and_a_late_duplicate_is_still_detected(registry: Registry) -> None:
    registry.dispatch(text("1", 1, counter="m"))
    registry.dispatch(RunFinished(agent_id="a", run_id="r"))
    registry.dispatch(text("0", 0, counter="m"))
    registry.dispatch(text("1", 1, counter="m"))
    registry.dispatch(text("2", 2, counter="new"))
    assert registry.transcript("a").text == "012"
    assert registry.stats("a").duplicates == 1


@pytest.mark.parametrize("whole", [True, False])
def test_after_finish_nothing_of_its_counts_is_held_any_more(registry: Registry, *, whole: bool) -> None:
    events = heard(registry)
    registry.dispatch(text("0", 0, counter="m"))
    registry.finish("a", "r", None if whole else "m")
    for seq in (5, 3):
        registry.dispatch(text(str(seq), seq, counter="m"))
    assert words(events) == ["0", "5", "035"]
    assert (registry.stats("a").held, registry.stats("a").late) == (0, 1)


def test_after_run_finished_no_tool_of_the_run_or_its_subagents_is_left_preparing_or_running(
    registry: Registry,
) -> None:
    registry.dispatch(ToolStarted(agent_id="a", run_id="r", tool_call_id="t"))
    registry.dispatch(RunStarted(agent_id="a", run_id="s", parent_run_id="r", parent_tool_call_id="t"))
    registry.dispatch(ToolCallDelta(agent_id="a", run_id="s", tool_call_id="u", delta="{"))
    registry.dispatch(RunFinished(agent_id="a", run_id="r"))
    (tool,) = registry.transcript("a").tools
    assert tool.state == "unfinished"
    assert tool.children[0].state == "unfinished"  # type: ignore[union-attr]


def test_a_chain_of_finishes_that_release_each_other_does_not_overflow_the_stack(registry: Registry) -> None:
    n = 600
    for i in range(n):
        registry.dispatch(
            MessageFinished(agent_id="a", run_id="r", message_id=f"c{i + 1}", counter=f"c{i}", seq=2)
        )
    registry.finish("a", "r", "c0")
    assert registry.stats("a").held == 0


# Derived


def test_derived_deltas_are_dropped_after_a_direct_one(registry: Registry) -> None:
    registry.dispatch(text("d"))
    registry.dispatch(text("x", derived=True))
    assert registry.transcript("a").text == "d"
    assert registry.stats("a").derived_suppressed == 1


def test_the_first_direct_delta_retracts_every_derived_part_of_that_key_shown_or_held(
    registry: Registry,
) -> None:
    events = heard(registry)
    registry.dispatch(text("one", derived=True))
    registry.dispatch(text("two", derived=True, part_id="1"))
    registry.dispatch(text("held", 4, derived=True))
    registry.dispatch(ThinkingDelta(agent_id="a", run_id="r", message_id="m", delta="hm", derived=True))
    registry.dispatch(text("D"))
    registry.finish("a")
    assert registry.transcript("a").text == "D"
    assert registry.transcript("a").thinking == "hm"
    final: dict[str, str] = {}
    for event in events:
        if event.type == "part_completed":
            final[event.part_id] = event.text
    assert final == {"0": "", "1": ""}


def test_the_first_direct_delta_retracts_a_derived_whole_text_too(registry: Registry) -> None:
    events = heard(registry)
    base: dict[str, Any] = {"agent_id": "a", "run_id": "r", "message_id": "m"}
    registry.dispatch(PartCompleted(**base, text="twin", derived=True))
    registry.dispatch(text("D"))
    assert registry.transcript("a").text == "D"
    assert words(events) == ["twin", "", "D"]


def test_that_derived_text_goes_reaches_callbacks_and_readers_and_no_recording(registry: Registry) -> None:
    events, sent = heard(registry), list[Any]()
    registry.tap("a", sent.append)
    subscription = registry.subscribe("a")
    registry.dispatch(text("twin", derived=True))
    registry.dispatch(text("D"))
    assert words(events) == words([next(subscription) for _ in range(3)]) == ["twin", "", "D"]
    # A replay drops the twin by itself; the numbers stay those of delivery.
    assert [(event.id, event.delta) for event in sent] == [(1, "twin"), (3, "D")]


def test_direct_arguments_retract_derived_ones(registry: Registry) -> None:
    for derived in (True, False):
        registry.dispatch(
            ToolCallDelta(agent_id="a", run_id="r", tool_call_id="t", delta='{"a":1}', derived=derived)
        )
    assert registry.transcript("a").tools[0].args == {"a": 1}


# Callbacks


def test_each_callback_gets_its_kind_of_event_and_on_event_gets_all(registry: Registry) -> None:
    calls: list[str] = []
    registry.register(
        "a",
        on_result=lambda e: calls.append(f"result {e.type}"),
        on_thinking=lambda e: calls.append(f"thinking {e.type}"),
        on_tool_preparing=lambda e: calls.append(f"preparing {e.type}"),
        on_tool_started=lambda e: calls.append(f"started {e.type}"),
        on_tool_finished=lambda e: calls.append(f"finished {e.type}"),
        on_event=lambda _: calls.append("event"),
        on_finished=lambda e: calls.append(f"run {e.type}"),
    )
    base: dict[str, Any] = {"agent_id": "a", "run_id": "r"}
    registry.dispatch(TextDelta(**base, delta="x"))
    registry.dispatch(ThinkingDelta(**base, delta="x"))
    registry.dispatch(PartCompleted(**base, kind="thinking", text="y"))
    registry.dispatch(ToolCallDelta(**base, tool_call_id="t", delta="x"))
    registry.dispatch(ToolStarted(**base, tool_call_id="t"))
    registry.dispatch(ToolFinished(**base, tool_call_id="t"))
    registry.dispatch(Custom(**base, name="n"))
    registry.dispatch(RunFinished(**base))
    assert calls == [
        "result text_delta", "event",
        "thinking thinking_delta", "event",
        "thinking part_completed", "event",
        "preparing tool_call_delta", "event",
        "started tool_started", "event",
        "finished tool_finished", "event",
        "event",
        "run run_finished", "event",
    ]  # fmt: skip


def test_events_carry_the_registrys_own_ids_in_delivery_order(registry: Registry) -> None:
    events = heard(registry)
    for seq in (1, 0, 2):
        registry.dispatch(text("x", seq, id="theirs"))
    assert [event.id for event in events] == [1, 2, 3]


def test_a_reader_and_a_callback_added_in_mid_stream_get_every_later_event(registry: Registry) -> None:
    heard: list[str] = []
    for seq in range(10):
        registry.dispatch(text(str(seq), seq))
    reader = registry.subscribe("a")
    for seq in range(10, 20):
        registry.dispatch(text(str(seq), seq))
    registry.register("a", on_result=lambda event: heard.append(event.delta))
    for seq in range(20, 30):
        registry.dispatch(text(str(seq), seq))
    registry.close()
    assert heard == [str(seq) for seq in range(20, 30)]
    assert [event.id for event in reader] == list(range(11, 31))


@pytest.mark.parametrize("is_numbered", [True, False])
def test_a_text_of_thousands_of_deltas_is_whole_at_every_read(
    registry: Registry, *, is_numbered: bool
) -> None:
    whole = ""
    for seq in range(3000):
        registry.dispatch(text(f"{seq} ", seq if is_numbered else None))
        whole += f"{seq} "
        if seq % 700 == 0:
            assert registry.transcript("a").text == whole
    assert registry.transcript("a").text == whole


def test_an_empty_registration_is_ignored(registry: Registry) -> None:
    registry.register("a").close()
    assert registry.agents() == []


def test_several_registrations_are_called_and_a_closed_one_is_not(registry: Registry) -> None:
    first: list[Any] = []
    second: list[Any] = []
    with registry.register("a", on_result=first.append):
        registry.register("a", on_result=second.append)
        registry.dispatch(text("1"))
    registry.dispatch(text("2"))
    assert words(first) == ["1"]
    assert words(second) == ["1", "2"]


@pytest.mark.parametrize("names", [("on_result", "on_event"), ("on_event",)])
def test_a_registration_that_closes_itself_in_a_callback_is_called_no_more(
    registry: Registry, names: tuple[str, ...]
) -> None:
    calls: list[str] = []

    def once(event: Any) -> None:
        calls.append(event.delta)
        registration.close()

    registration = registry.register("a", **dict.fromkeys(names, once))
    events = heard(registry)
    registry.dispatch([text("1"), text("2"), text("3")])
    assert calls == ["1"]
    assert words(events) == ["1", "2", "3"]


def test_a_closed_registration_keeps_no_agent(clock: Clock) -> None:
    registry = Registry(keep_runs=0, clock=clock)
    for registration in (registry.register("a", on_event=print), registry.tap("a", print)):
        registration.close()
    registry.dispatch(RunFinished(agent_id="a", run_id="r"))
    assert registry.agents() == []


def test_to_close_one_of_two_taps_leaves_the_other(registry: Registry) -> None:
    first, second = list[Any](), list[Any]()
    with registry.tap(None, first.append):
        registry.tap(None, second.append)
        registry.dispatch(text("1"))
    registry.dispatch(text("2"))
    assert words(first) == ["1"]
    assert words(second) == ["1", "2"]


@pytest.mark.parametrize("agent_id", ["a", None])
def test_a_tap_that_a_callback_closes_gets_the_events_that_wait_for_it_once_and_does_not_wait(
    registry: Registry, agent_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    waits: list[Any] = []
    monkeypatch.setattr(registry.changed, "wait_for", lambda *given, **more: waits.append((given, more)))
    registry.register("a", on_event=lambda event: tap.close() if event.delta == "1" else None)
    tap = registry.tap(agent_id, sent.append)
    registry.register("a", on_event=lambda _: None)
    registry.dispatch([text("1"), text("2"), text("3")])
    registry.dispatch(text("4"))
    assert words(sent) == ["1", "2", "3"]
    tap.close()  # now no thread drains
    assert waits == []


def closing_waits(registry: Registry, monkeypatch: pytest.MonkeyPatch, *, leaves_first: bool) -> list[Any]:
    """Close a tap while another thread is in a callback; return what the closer waited for."""
    entered, leave = threading.Event(), threading.Event()
    left: list[bool] = []
    waits: list[Any] = []
    real = registry.changed.wait_for

    def wait_for(predicate: Any, timeout: float | None = None) -> bool:
        before = bool(predicate())
        if leaves_first:
            leave.set()
        done = bool(real(predicate, timeout))
        waits.append((before, done))
        return done

    def slow(_: Any) -> None:
        entered.set()
        left.append(leave.wait(1))

    monkeypatch.setattr(registry.changed, "wait_for", wait_for)
    tap = registry.tap("a", lambda _: None)
    registry.register("a", on_event=slow)
    thread = threading.Thread(target=registry.dispatch, args=(text("1"),))
    thread.start()
    assert entered.wait(5)
    tap.close()
    leave.set()
    thread.join(5)
    assert left == [True]
    return waits


def test_to_close_a_tap_waits_for_the_thread_that_is_in_a_callback(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibe_notebook.registry._callbacks.FLUSH_TIMEOUT", 2.0)
    assert closing_waits(registry, monkeypatch, leaves_first=True) == [(False, True)]


def test_to_close_a_tap_does_not_wait_forever_for_a_callback_that_waits_for_the_closer(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibe_notebook.registry._callbacks.FLUSH_TIMEOUT", 0.01)
    assert closing_waits(registry, monkeypatch, leaves_first=False) == [(False, False)]


def test_a_callback_that_raises_is_reported_once_and_never_stops_the_stream(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    view = View()

    def fail(event: Any) -> None:
        raise ValueError(event.delta)

    registry.attach("a", view)
    registry.register("a", on_result=fail)
    events = heard(registry)
    for i in range(3):
        registry.dispatch(text(str(i)))
    assert words(events) == ["0", "1", "2"]
    assert len(caplog.records) == 1
    assert view.reports == ["The callback on_result raised ValueError('0')"]


def test_a_callback_that_raises_a_base_exception_raises_it_and_loses_nothing_after(
    registry: Registry,
) -> None:
    events: list[Any] = []

    def interrupt(event: Any) -> None:
        events.append(event)
        if event.delta == "1":
            raise KeyboardInterrupt

    registry.register("a", on_result=interrupt)
    registry.dispatch(text("0"))
    with pytest.raises(KeyboardInterrupt):
        registry.dispatch([text("1"), text("2")])
    registry.dispatch(text("3"))
    assert words(events) == ["0", "1", "2", "3"]


def test_a_callback_may_call_any_method(registry: Registry) -> None:
    texts: list[str] = []
    later: list[Any] = []

    def answer(event: Any) -> None:
        texts.append(event.delta)
        if event.delta == "ask":
            registry.dispatch(text("answer"))
            texts.append(registry.transcript("a").text)
            registry.register("a", on_result=later.append)
            registry.stats("a")
            registry.finish("a", "r", "m")
            registry.subscribe("a").close()
        elif event.delta == "stop":
            registry.unregister("a")
            registry.dispatch(text("unheard"))
            registry.close()

    registry.register("a", on_result=answer)
    registry.dispatch(text("ask"))
    registry.dispatch(text("stop"))
    assert texts == ["ask", "askanswer", "answer", "stop"]
    assert words(later) == ["stop"] or words(later) == []
    assert registry.closed


def test_calls_are_serial_and_in_order_from_eight_threads_and_never_under_the_lock(
    registry: Registry,
) -> None:
    inside = threading.Lock()
    events: list[Any] = []
    overlaps: list[Any] = []

    def call(event: Any) -> None:
        if not inside.acquire(blocking=False):
            overlaps.append(event)
            return
        # Another thread gets the registry's lock while this one is in the callback.
        other = threading.Thread(target=registry.agents)
        if len(events) % 100 == 0:
            other.start()
            other.join(5)
            assert not other.is_alive()
        events.append(event)
        inside.release()

    registry.register("a", on_event=call)
    start = threading.Barrier(8)

    def work(name: str) -> None:
        start.wait()
        for i in range(200):
            registry.dispatch(text(f"{name}.{i} ", message_id=name))

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    registry.dispatch(text("last"))
    assert overlaps == []
    assert [event.id for event in events] == list(range(1, 1602))
    for i in range(8):
        assert [e.delta for e in events if e.message_id == str(i)] == [f"{i}.{k} " for k in range(200)]


# Unregister, forget, retention


def test_unregister_drops_callbacks_and_ordering_state_and_retains_the_transcript(registry: Registry) -> None:
    events = heard(registry)
    subscription = registry.subscribe("a")
    registry.dispatch(text("0", 0))
    registry.dispatch(text("2", 2))
    registry.unregister("a")
    registry.unregister("nobody")
    registry.dispatch(text("9", 9))
    assert words(events) == ["0"]
    assert words(list(subscription)) == ["0", "2"]
    assert registry.transcript("a").text == "02"
    registry.dispatch(text("8", 0))
    registry.finish("a")
    assert registry.transcript("a").text == "0289"


def test_unregister_ends_the_subscription_of_an_agent_without_events(registry: Registry) -> None:
    subscription = registry.subscribe("nobody")
    registry.unregister("nobody")
    assert list(subscription) == []


def test_unregister_while_another_thread_drains_drops_the_calls_not_made_yet(registry: Registry) -> None:
    entered, leave = threading.Event(), threading.Event()
    events: list[Any] = []

    def call(event: Any) -> None:
        events.append(event)
        entered.set()
        leave.wait(5)

    registry.register("a", on_result=call)
    thread = threading.Thread(target=registry.dispatch, args=([text("1"), text("2")],))
    thread.start()
    assert entered.wait(5)
    registry.dispatch(text("3"))
    registry.unregister("a")
    leave.set()
    thread.join()
    assert words(events) == ["1"]


def test_the_oldest_finished_runs_are_evicted_with_their_subagents_and_counted(clock: Clock) -> None:
    registry = Registry(keep_runs=2, clock=clock)
    for i in range(4):
        base: dict[str, Any] = {"agent_id": "a", "run_id": f"r{i}"}
        registry.dispatch(ToolStarted(**base, tool_call_id=f"t{i}"))
        # One subagent names its parent's run, the other only the call.
        registry.dispatch(RunStarted(agent_id="a", run_id=f"s{i}", parent_run_id=f"r{i}"))
        registry.dispatch(RunStarted(agent_id="a", run_id=f"u{i}", parent_tool_call_id=f"t{i}"))
        registry.dispatch(RunFinished(agent_id="a", run_id=f"u{i}"))
        registry.dispatch(RunFinished(**base))
    assert [run.run_id for run in registry.transcript("a").runs] == ["r2", "s2", "u2", "r3", "s3", "u3"]
    assert registry.stats("a").evicted == 6


def test_a_subagent_of_an_unknown_parent_is_evicted_in_its_turn(clock: Clock) -> None:
    registry = Registry(keep_runs=1, clock=clock)
    for i in range(3):
        registry.dispatch(RunStarted(agent_id="a", run_id=f"r{i}", parent_run_id="gone"))
        registry.dispatch(RunFinished(agent_id="a", run_id=f"r{i}"))
    assert [run.run_id for run in registry.transcript("a").runs] == ["r2"]


def test_an_open_run_is_never_evicted(clock: Clock) -> None:
    registry = Registry(keep_runs=0, clock=clock)
    registry.dispatch(text("open"))
    registry.dispatch(RunFinished(agent_id="a", run_id="s"))
    assert [run.run_id for run in registry.transcript("a").runs] == ["r"]
    assert registry.open_run("a") == "r"


def test_a_late_piece_of_a_call_reaches_callbacks_as_the_whole_of_what_it_changed() -> None:
    registry = Registry(hold=0, max_held=0)
    call: dict[str, Any] = {"agent_id": "a", "run_id": "r", "message_id": "m", "tool_call_id": "c"}
    preparing: list[Any] = []
    registry.register("a", on_tool_preparing=preparing.append)
    events = heard(registry)
    reader = registry.subscribe("a")
    registry.dispatch(ToolCallDelta(**call, seq=0, delta='{"q":'))
    registry.dispatch(ToolCallDelta(**call, seq=2, delta="}"))
    registry.dispatch(ToolCallDelta(**call, seq=1, delta=" 1"))
    registry.dispatch(ToolProgress(**call, seq=4, delta="line 2"))
    registry.dispatch(ToolProgress(**call, seq=3, delta="line 1, ", message="halfway"))
    registry.dispatch(ToolFinished(**call, seq=6, output="new"))
    registry.dispatch(ToolFinished(**call, seq=5, output="old"))
    registry.dispatch(ToolStarted(**call, seq=-1, tool_name="search", args={"q": 0}))
    registry.close()
    late = [events[i] for i in (2, 4, 5, 7, 8, 9)]
    assert [event.type for event in late] == [
        "part_completed", "tool_progress", "tool_progress", "tool_finished", "tool_started", "part_completed"
    ]  # fmt: skip
    assert (late[0].kind, late[0].part_id, late[0].text) == ("args", "c", '{"q": 1}')
    assert (late[1].message, late[1].delta, late[2].output) == ("halfway", None, "line 1, line 2")
    assert late[3].output == "new"
    assert (late[4].tool_name, late[4].args) == ("search", None)
    assert late[5].text == registry.transcript("a").tools[0].args_text == '{"q": 0}{"q": 1}'
    assert [event.type for event in preparing] == ["tool_call_delta"] * 2 + ["part_completed"] * 2
    assert list(reader) == events


def test_a_whole_argument_text_replaces_what_its_deltas_built() -> None:
    registry = Registry()
    call: dict[str, Any] = {"agent_id": "a", "run_id": "r", "message_id": "m"}
    registry.dispatch(ToolCallDelta(**call, tool_call_id="c", tool_name="t", delta="x", derived=True))
    registry.dispatch(PartCompleted(**call, part_id="c", kind="args", text='{"q": 1}', derived=True))
    (tool,) = registry.transcript("a").tools
    assert (tool.tool_name, tool.args, tool.args_text, tool.state) == ("t", {"q": 1}, '{"q": 1}', "preparing")
    events = heard(registry)
    registry.dispatch(ToolCallDelta(**call, tool_call_id="c", delta="[2]"))
    assert [tool.args for tool in registry.transcript("a").tools] == [[2]]
    assert [event.type for event in events] == ["part_completed", "tool_call_delta"]
    assert (events[0].kind, events[0].text) == ("args", "")


def test_the_open_run_is_the_newest_request_without_an_end(registry: Registry) -> None:
    assert registry.open_run("nobody") is None
    for run_id in "rqs":
        parent = "q" if run_id == "s" else None
        registry.dispatch(RunStarted(agent_id="a", run_id=run_id, parent_run_id=parent))
    assert registry.open_run("a") == "q"
    registry.dispatch(RunFinished(agent_id="a", run_id="q"))
    assert registry.open_run("a") == "r"
    registry.dispatch(RunFinished(agent_id="a", run_id="r"))
    assert registry.open_run("a") is None


def paused(registry: Registry, run_id: str, agent_id: str = "a") -> None:
    base: dict[str, Any] = {"agent_id": agent_id, "run_id": run_id}
    registry.dispatch(RunStarted(**base))
    registry.dispatch(TextDelta(**base, delta="before, "))
    registry.dispatch(ToolProgress(**base, tool_call_id="t", state="running"))
    registry.dispatch(RunFinished(**base, outcome="interrupted"))


def end_others(registry: Registry, count: int) -> None:
    for number in range(count):
        base: dict[str, Any] = {"agent_id": "other", "run_id": str(number)}
        registry.dispatch([RunStarted(**base), RunFinished(**base)])


def test_a_run_that_goes_on_after_its_pause_is_open_until_its_next_end(clock: Clock) -> None:
    registry = Registry(keep_runs=2, clock=clock)
    paused(registry, "r")
    assert (registry.open_run("a"), registry.transcript("a").outcome) == (None, "interrupted")
    assert registry.transcript("a").tools[0].state == "unfinished"
    registry.dispatch(RunStarted(agent_id="a", run_id="r"))
    assert (registry.open_run("a"), registry.transcript("a").outcome) == ("r", None)
    assert registry.transcript("a").tools[0].state == "running"
    for number in range(3):
        paused(registry, str(number), "more")
    end_others(registry, 3)
    registry.dispatch(text("after"))
    registry.dispatch(RunFinished(agent_id="a", run_id="r"))
    assert registry.transcript("a").text == "before, after"
    assert (registry.transcript("a").outcome, registry.stats("a").evicted) == ("success", 0)
    end_others(registry, 3)
    assert registry.stats("a").evicted == 1


def test_a_paused_run_outlasts_finished_ones_and_as_many_paused_ones_as_finished_ones_are_kept(
    clock: Clock,
) -> None:
    registry = Registry(keep_runs=2, clock=clock)
    paused(registry, "r")
    end_others(registry, 5)
    assert registry.transcript("a").text == "before, "
    assert len(registry.transcript("other").runs) == 2
    for number in range(5):
        paused(registry, str(number))
    assert [run.run_id for run in registry.transcript("a").runs] == ["3", "4"]
    registry.dispatch(RunFinished(agent_id="a", run_id="3"))  # an answer that ended it
    assert [run.run_id for run in registry.transcript("other").runs] == ["4"]


def test_the_runs_of_a_hold_are_kept_until_its_release_and_then_evicted_by_their_ends(clock: Clock) -> None:
    registry = Registry(keep_runs=2, clock=clock)
    registry.dispatch(RunFinished(agent_id="a", run_id="earlier"))
    hold = registry.hold("a")
    for number in range(4):
        registry.dispatch(RunFinished(agent_id="a", run_id=str(number)))
    end_others(registry, 2)
    assert [run.run_id for run in registry.transcript("a").runs] == ["0", "1", "2", "3"]
    assert len(registry.transcript("other").runs) == 2
    hold.release()
    assert registry.transcript("a").runs == ()  # they ended before the others
    assert registry.stats("a").evicted == 5
    hold.release()
    assert registry.agents() == ["other"]


def test_a_hold_on_all_of_an_agent_takes_its_finished_and_paused_runs_out_of_the_count(clock: Clock) -> None:
    registry = Registry(keep_runs=1, clock=clock)
    paused(registry, "r")
    registry.dispatch(RunFinished(agent_id="a", run_id="s"))
    first, second = registry.hold("a", 0), registry.hold("a", 0)
    end_others(registry, 3)
    paused(registry, "t", "other")
    first.release()
    assert [run.run_id for run in registry.transcript("a").runs] == ["r", "s"]
    registry.forget("a", "s")
    second.release()
    assert registry.transcript("a").runs == ()
    assert [run.run_id for run in registry.transcript("other").runs] == ["2", "t"]


def test_a_hold_keeps_an_agent_without_a_run_and_its_release_ends_it(clock: Clock) -> None:
    registry = Registry(keep_runs=0, clock=clock)
    registry.dispatch(RunFinished(agent_id="a", run_id="r"))
    hold = registry.hold("a")
    assert hold.since == 0
    registry.dispatch(RunFinished(agent_id="a", run_id="s"))
    registry.forget("a")
    assert registry.agents() == ["a"]
    assert registry.hold("a").since == 1
    registry.dispatch(RunFinished(agent_id="a", run_id="t"))
    assert [run.run_id for run in registry.transcript("a").runs] == ["t"]
    registry.forget("a", "t")
    hold.release()
    assert registry.agents() == ["a"]


def call_tool(registry: Registry, run_id: str) -> None:
    registry.dispatch(ToolStarted(agent_id="a", run_id=run_id, tool_call_id="t"))


def run_ids(registry: Registry) -> list[str]:
    return [run.run_id for run in registry.transcript("a").runs]


def test_a_forgotten_subagent_is_not_forgotten_again_with_its_parent(registry: Registry) -> None:
    registry.dispatch(RunStarted(agent_id="a", run_id="r"))
    registry.dispatch(RunStarted(agent_id="a", run_id="s", parent_run_id="r"))
    registry.forget("a", "s")
    registry.dispatch(RunStarted(agent_id="a", run_id="s"))  # a new request with that id
    registry.forget("a", "r")
    assert run_ids(registry) == ["s"]


def test_a_subagent_of_a_forgotten_runs_call_is_evicted_in_its_turn(clock: Clock) -> None:
    registry = Registry(keep_runs=1, clock=clock)
    call_tool(registry, "r")
    registry.forget("a", "r")
    for run_id in "su":
        registry.dispatch(RunStarted(agent_id="a", run_id=run_id, parent_tool_call_id="t"))
        registry.dispatch(RunFinished(agent_id="a", run_id=run_id))
    assert run_ids(registry) == ["u"]


def test_a_run_that_claims_a_call_of_its_own_as_its_parent_is_evicted_in_its_turn(clock: Clock) -> None:
    registry = Registry(keep_runs=0, clock=clock)
    call_tool(registry, "r")
    registry.dispatch(RunStarted(agent_id="a", run_id="r", parent_tool_call_id="t"))
    registry.dispatch(RunFinished(agent_id="a", run_id="r"))
    assert registry.agents() == []


@pytest.mark.parametrize(("order", "parent"), [("rqs", "q"), ("rsq", "r"), ("sr", "r"), ("srq", "r")])
def test_a_subagent_that_claims_only_a_call_goes_with_the_newest_earlier_caller_else_with_the_oldest(
    registry: Registry, order: str, parent: str
) -> None:
    for run_id in order:
        if run_id == "s":
            registry.dispatch(RunStarted(agent_id="a", run_id="s", parent_tool_call_id="t"))
        else:
            call_tool(registry, run_id)
    registry.forget("a", parent)
    assert run_ids(registry) == [run_id for run_id in order if run_id not in (parent, "s")]


def test_after_one_of_two_callers_is_forgotten_a_subagent_belongs_to_the_other(registry: Registry) -> None:
    for run_id in "rq":
        call_tool(registry, run_id)
    registry.forget("a", "q")
    registry.dispatch(RunStarted(agent_id="a", run_id="s", parent_tool_call_id="t"))
    registry.forget("a", "r")
    assert run_ids(registry) == []


def test_forget_drops_a_run_and_its_duplicate_detection(registry: Registry) -> None:
    registry.dispatch(text("0", 0))
    registry.dispatch(text("s", run_id="s"))
    registry.forget("a", "r")
    assert registry.transcript("a").text == "s"
    registry.dispatch(text("0", 0))
    assert registry.transcript("a").text == "s0"
    registry.forget("a")
    registry.forget("nobody")
    assert registry.agents() == []
    assert registry.transcript("a").parts == ()


def test_an_evicted_agent_continues_its_statistics_until_it_is_forgotten(clock: Clock) -> None:
    registry = Registry(keep_runs=0, clock=clock)
    end = RunFinished(agent_id="a", run_id="r")
    registry.dispatch(end)
    registry.dispatch(end)
    assert registry.agents() == []
    registry.forget("a", "r")
    assert registry.stats("a") == Stats(delivered=1, evicted=1, dropped=1)
    registry.dispatch(text("x"))
    assert registry.stats("a") == Stats(delivered=2, evicted=1, dropped=1)
    registry.dispatch(end)
    registry.forget("a")
    assert registry.stats("a") == Stats()


@pytest.mark.parametrize("as_list", [False, True])
def test_late_events_of_evicted_runs_are_dropped_and_open_no_run(clock: Clock, *, as_list: bool) -> None:
    registry = Registry(keep_runs=5, clock=clock)
    events = heard(registry)
    ids = [f"r{i}" for i in range(300)]
    for run_id in ids:
        base: dict[str, Any] = {"agent_id": "a", "run_id": run_id}
        registry.dispatch([RunStarted(**base), ToolStarted(**base, tool_call_id="c")])
        registry.dispatch([RunStarted(agent_id="a", run_id=f"s{run_id}", parent_run_id=run_id)])
        registry.dispatch(RunFinished(**base))
    before = len(events)
    for run_id in ids[:295]:
        late: list[Any] = [
            ToolFinished(agent_id="a", run_id=run_id, tool_call_id="c", output=1),
            text("late", run_id=f"s{run_id}", seq=7),
        ]
        if as_list:
            registry.dispatch(late)
        else:
            for event in late:
                registry.dispatch(event)
        registry.finish("a", run_id)
    assert registry.open_run("a") is None
    assert [run.run_id for run in registry.transcript("a").runs if run.parent_run_id is None] == ids[295:]
    assert (len(events), registry.stats("a").evicted, registry.stats("a").dropped) == (before, 590, 590)


def test_late_events_of_an_evicted_agent_are_dropped_and_make_no_agent(clock: Clock) -> None:
    registry = Registry(keep_runs=1, clock=clock)
    for i in range(4):
        registry.dispatch(text("x", agent_id=f"a{i}"))
        registry.dispatch(RunFinished(agent_id=f"a{i}", run_id="r"))
    for i in range(3):
        registry.dispatch(text("late", agent_id=f"a{i}"))
    assert registry.agents() == ["a3"]
    assert [registry.stats(f"a{i}").dropped for i in range(4)] == [1, 1, 1, 0]


def test_a_start_opens_an_evicted_run_again(clock: Clock) -> None:
    registry = Registry(keep_runs=0, clock=clock)
    registry.dispatch([text("old"), RunFinished(agent_id="a", run_id="r")])
    registry.dispatch([text("late"), RunStarted(agent_id="a", run_id="r"), text("new")])
    registry.dispatch(text("er"))
    assert (registry.open_run("a"), registry.transcript("a").text) == ("r", "newer")
    assert registry.stats("a").dropped == 1


@pytest.mark.parametrize("whole", [False, True])
def test_any_event_opens_a_forgotten_run_again_even_if_the_run_was_evicted(
    clock: Clock, *, whole: bool
) -> None:
    registry = Registry(keep_runs=0, clock=clock)
    registry.dispatch(RunFinished(agent_id="a", run_id="r"))
    registry.forget("a", None if whole else "r")
    registry.dispatch(text("again"))
    assert (registry.transcript("a").text, registry.stats("a").dropped) == ("again", 0)


def test_the_registry_retains_the_ids_of_the_last_evicted_runs_only(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibe_notebook.registry._retention.PAST_RUNS", 2)
    registry = Registry(keep_runs=0, clock=clock)
    for i in range(4):
        registry.dispatch(RunFinished(agent_id="a", run_id=f"r{i}"))
    for i in range(4):
        registry.dispatch(text("late", run_id=f"r{i}"))
    assert [run.run_id for run in registry.transcript("a").runs] == ["r0", "r1"]


def test_the_statistics_of_the_last_evicted_agents_are_kept(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibe_notebook.registry._registry.PAST_AGENTS", 2)
    registry = Registry(keep_runs=0, clock=clock)
    for agent_id in "abc":
        registry.dispatch(RunFinished(agent_id=agent_id, run_id="r"))
    assert [registry.stats(agent_id).delivered for agent_id in "abc"] == [0, 1, 1]


def test_a_run_that_is_forgotten_in_mid_stream_starts_again() -> None:
    with Registry(hold=0) as registry:
        for seq in range(10):
            registry.dispatch(text(str(seq), seq))
        registry.forget("a", "r")
        for seq in range(5, 12):
            registry.dispatch(text(str(seq), seq))
        assert registry.transcript("a").text == "567891011"


@pytest.mark.parametrize("evicted", [True, False])
def test_a_run_that_goes_takes_no_other_runs_order_with_it(clock: Clock, *, evicted: bool) -> None:
    registry = Registry(keep_runs=0, clock=clock)
    events = heard(registry)
    for seq in (0, 2):
        registry.dispatch(text(str(seq), seq))
    if evicted:
        registry.dispatch(RunFinished(agent_id="a", run_id="s"))
    else:
        registry.dispatch(text("s", run_id="s"))
        registry.forget("a", "s")
    registry.dispatch(text("0", 0))
    registry.dispatch(text("1", 1))
    assert [event.seq for event in events if event.run_id == "r"] == [0, 1, 2]
    assert registry.stats("a").duplicates == 1


def test_a_second_end_does_not_make_a_run_the_newest(clock: Clock) -> None:
    registry = Registry(keep_runs=2, clock=clock)
    for name in ("r", "s", "r", "t"):
        registry.dispatch(RunFinished(agent_id="a", run_id=name))
    assert [run.run_id for run in registry.transcript("a").runs] == ["s", "t"]


def test_a_new_run_with_a_forgotten_id_is_retained_as_long_as_any_other(clock: Clock) -> None:
    registry = Registry(keep_runs=2, clock=clock)
    for name in ("r", "s"):
        registry.dispatch(RunFinished(agent_id="a", run_id=name))
    registry.forget("a", "r")
    for name in ("r", "t"):
        registry.dispatch(RunFinished(agent_id="a", run_id=name))
    assert [run.run_id for run in registry.transcript("a").runs] == ["r", "t"]


# Reading and life


def test_transcript_is_of_all_runs_or_of_one_and_empty_for_an_unknown_agent(registry: Registry) -> None:
    registry.dispatch(text("1"))
    registry.dispatch(text("2", run_id="s"))
    assert registry.transcript("a").text == "12"
    assert registry.transcript("a", "s").text == "2"
    assert registry.transcript("a", "none").text == ""
    assert registry.transcript("b").agent_id == "b"
    assert registry.stats("b") == Stats()


def test_arrivals_counts_accepted_events_also_held_ones(registry: Registry) -> None:
    assert registry.arrivals("a") == 0
    for seq in (0, 2, 2):
        registry.dispatch(text(str(seq), seq))
    assert registry.arrivals("a") == 2


def test_a_view_is_touched_and_woken_until_it_is_detached(registry: Registry) -> None:
    first, second = View(), View()
    registry.detach("a", first)  # of an unknown agent: no error
    for view in (first, second):
        registry.attach("a", view)
    registry.dispatch(text("1"))
    registry.detach("a", first)
    registry.dispatch(text("2"))
    assert (first.touches, first.wakes) == (1, 1)
    assert (second.touches, second.wakes) == (2, 2)


def test_run_of_is_the_newest_run_with_that_message_or_counter(registry: Registry) -> None:
    assert registry.run_of("a", "m") is None
    registry.dispatch(text("1", run_id="r"))
    registry.dispatch(text("2", run_id="s", message_id="twin", derived=True))
    registry.dispatch(text("3", 0, run_id="q", message_id="n", counter="c"))
    registry.dispatch(ThinkingDelta(agent_id="a", run_id="t", message_id="thought", delta="4"))
    registry.dispatch(text("5", 0, run_id="u", message_id="n", counter="d", derived=True))
    found = {name: registry.run_of("a", name) for name in ("m", "twin", "c", "thought", "n", "d", "x")}
    assert found == {"m": "r", "twin": "s", "c": "q", "thought": "t", "n": "u", "d": None, "x": None}
    registry.dispatch(text("6", run_id="v"))
    assert registry.run_of("a", "m") == "v"


def test_agents_lists_agents_with_events_or_callbacks(registry: Registry) -> None:
    registry.register("b", on_event=print)
    registry.dispatch(text("1"))
    assert registry.agents() == ["b", "a"]


def test_close_flushes_ends_subscriptions_and_refuses_later_calls(registry: Registry) -> None:
    events = heard(registry)
    subscription = registry.subscribe()
    registry.dispatch(text("5", 5))
    with registry:
        pass
    registry.close()
    assert words(events) == ["5"]
    assert words(list(subscription)) == ["5"]
    for call in (
        lambda: registry.dispatch(text("x")),
        registry.subscribe,
        lambda: registry.register("a", on_event=print),
    ):
        with pytest.raises(ClosedError):
            call()


def test_close_wakes_a_subscription_although_no_agent_has_an_event() -> None:
    registry = Registry()
    subscription = registry.subscribe()
    done: list[list[Any]] = []
    thread = threading.Thread(target=lambda: done.append(list(subscription)))
    thread.start()
    registry.close()
    thread.join(5)
    assert done == [[]]


def test_a_closed_default_registry_is_replaced() -> None:
    get_registry().close()
    first = get_registry()
    assert not first.closed
    assert get_registry() is first
    first.close()
    assert get_registry() is not first


# The alarm


Alarms = Callable[[], list[threading.Thread]]


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> Alarms:
    """Give this test a pool of its own, of three threads: registries of other tests may hold events for a minute."""
    name = f"vibe-alarm-{next(_names)}"
    monkeypatch.setattr(_deadlines, "POOL", ThreadPool(name, limit=3))
    return lambda: [thread for thread in threading.enumerate() if thread.name == name]


_names = itertools.count()


def test_held_events_are_released_at_their_deadline_without_another_dispatch_and_the_thread_ends(
    alarms: Alarms,
) -> None:
    with Registry(hold=0.05, max_wait=0.1) as registry:
        released = threading.Event()
        registry.register("a", on_result=lambda event: released.set() if event.delta == "3" else None)
        began = time.monotonic()
        registry.dispatch(text("1", 1))
        registry.dispatch(text("3", 3))
        assert released.wait(5)
        assert time.monotonic() - began >= 0.05
        for thread in alarms():
            thread.join(5)
        assert not alarms()


def test_an_alarm_rings_at_the_earlier_of_two_deadlines_that_its_ring_sets() -> None:
    rings: list[int] = []
    rung_again = threading.Event()

    def ring() -> float | None:
        rings.append(1)
        if len(rings) > 1:
            rung_again.set()
            return None
        alarm.set(time.monotonic())
        return time.monotonic() + 3600

    alarm = Alarm(ring)
    alarm.set(time.monotonic())
    assert rung_again.wait(2)
    alarm.cancel()


def test_an_alarm_rings_at_its_deadline_and_not_before() -> None:
    rings: list[bool] = []
    rung = threading.Event()
    deadline = time.monotonic() + 0.05

    def ring() -> None:
        rings.append(time.monotonic() >= deadline)
        rung.set()

    Alarm(ring).set(deadline)
    assert rung.wait(5)
    assert rings == [True]


def test_an_alarm_keeps_the_earlier_deadline() -> None:
    rung = threading.Event()
    alarm = Alarm(rung.set)
    soon = time.monotonic() + 0.05
    alarm.set(soon + 3600)
    alarm.set(soon)
    alarm.set(soon + 1800)
    assert alarm.deadline == soon
    assert rung.wait(5)
    assert alarm.deadline is None


def test_an_agents_later_deadline_replaces_no_earlier_one() -> None:
    deadlines = Deadlines()
    agent = Agent("a", Sequencer(), Shared(RingBuffer(1)))
    for deadline in (5.0, 2.0, 2.0, 9.0):
        deadlines.add(agent, deadline)
    assert (agent.deadline, deadlines.earliest) == (2.0, 2.0)
    assert deadlines.pop_passed(2.0) == [agent]
    assert agent.deadline is None
    assert deadlines.pop_passed(4.9) == []
    assert deadlines.pop_passed(9.0) == [agent]  # the outdated entry of the first add
    assert deadlines.earliest is None


def test_a_held_event_with_a_later_deadline_does_not_set_the_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines: list[float] = []
    with Registry(hold=60, max_wait=30) as registry:
        assert registry._alarm is not None
        monkeypatch.setattr(registry._alarm, "set", deadlines.append)
        registry._alarm.deadline = time.monotonic() + 30.0
        registry.dispatch(text("first", 5))
        assert deadlines == []
        registry.dispatch([text("base", 0, agent_id="b"), text("held", 2, agent_id="b")])
        assert len(deadlines) == 0
        registry._alarm.deadline = time.monotonic() + 61.0
        registry.dispatch(text("held", 5, agent_id="c"))
        assert len(deadlines) == 1


def test_an_alarm_starts_a_daemon_thread_again_after_the_last_one_has_ended() -> None:
    rung: queue.Queue[threading.Thread] = queue.Queue()
    alarm = Alarm(lambda: rung.put(threading.current_thread()))
    for _ in range(2):
        alarm.set(time.monotonic())
        thread = rung.get(timeout=5)
        assert thread.daemon
        thread.join(5)  # ends at once, unless the alarm of another test keeps the thread


def test_an_alarm_that_fails_tries_again_after_pauses_that_double_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    works = False

    def ring() -> None:
        if not works:
            raise MemoryError

    alarm = Alarm(ring)
    first, longest = RETRY_PAUSE
    pauses = [alarm._ring_or_log() for _ in range(12)]
    assert pauses[:3] == [1000.0 + first, 1000.0 + 2 * first, 1000.0 + 4 * first]
    assert pauses[-1] == 1000.0 + longest
    works = True
    assert alarm._ring_or_log() is None
    works = False
    assert alarm._ring_or_log() == pauses[0]
    assert len(caplog.records) == 13
    assert "could not be released" in caplog.text


@pytest.mark.parametrize("fault", [ValueError("broken"), MemoryError(), SystemExit(1)], ids=repr)
def test_held_events_are_released_although_the_alarm_failed_once(
    fault: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, alarms: Alarms
) -> None:
    with Registry(hold=0.01) as registry:
        released = threading.Event()
        faults, real = [fault], registry.tick

        def tick() -> None:
            if faults:
                raise faults.pop()
            real()

        monkeypatch.setattr(registry, "tick", tick)
        registry.register("a", on_result=lambda event: released.set() if event.delta == "3" else None)
        registry.dispatch(text("1", 1))
        registry.dispatch(text("3", 3))
        assert released.wait(5)
        for thread in alarms():
            thread.join(5)
        assert not alarms()
    assert type(fault).__name__ in caplog.text


def test_a_deadline_beyond_the_timeout_limit_of_a_lock_ends_no_alarm(
    caplog: pytest.LogCaptureFixture, alarms: Alarms
) -> None:
    with Registry(hold=1e300, max_wait=1e300) as registry:
        registry.dispatch(text("1", 1))
        registry.dispatch(text("3", 3))
        alarm = alarms()
        alarm[0].join(0.1)
        assert alarms() == alarm
    alarm[0].join(5)
    assert not alarms()
    assert caplog.text == ""


def test_hundreds_of_registries_that_hold_events_share_a_few_threads(alarms: Alarms) -> None:
    released, may_go_on = threading.Semaphore(0), threading.Event()

    def call(event: Any) -> None:
        if event.delta == "3":
            released.release()
            assert may_go_on.wait(10)

    registries = [Registry(hold=0.01, max_wait=0.01) for _ in range(200)]
    for registry in registries:
        registry.register("a", on_result=call)
        registry.dispatch(text("1", 1))
        registry.dispatch(text("3", 3))
    assert all(released.acquire(timeout=10) for _ in range(3))
    assert len(alarms()) == 3
    may_go_on.set()
    assert all(released.acquire(timeout=10) for _ in range(197))
    for registry in registries:
        registry.close()
    for thread in alarms():
        thread.join(5)
    assert not alarms()


def test_the_alarm_continues_after_a_callback_has_ended_its_thread(alarms: Alarms) -> None:
    with Registry(hold=0.2) as registry:  # longer than a dispatch takes: the alarm must deliver
        done = threading.Event()

        def call(event: Any) -> None:
            if event.agent_id == "a":
                raise SystemExit
            done.set()

        registry.register("a", on_result=call)
        registry.register("b", on_result=call)
        registry.dispatch(text("1", 1))
        registry.dispatch(text("1", 1, agent_id="b"))
        assert done.wait(5)
        for thread in alarms():
            thread.join(5)


def test_without_threads_the_next_dispatch_releases_events_beyond_their_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cannot(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", cannot)
    with Registry(hold=0, max_wait=0) as registry:
        events = heard(registry)
        registry.dispatch(text("0", 0))
        registry.dispatch(text("2", 2))
        registry.dispatch(text("4", 4))
        assert words(events) == ["0", "2", "4"]


@pytest.mark.parametrize("option", ["hold", "max_held", "max_wait", "keep_runs"])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_a_bound_that_makes_no_sense_is_refused(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=option):
        Registry(**{option: value})


async def _awaited(event: Any) -> None:
    del event


@pytest.mark.parametrize("callback", [5, "print", _awaited])
def test_a_callback_that_cannot_be_called_is_refused(callback: Any) -> None:
    registry = Registry()
    with pytest.raises(TypeError, match="on_result"):
        registry.register("a", on_result=callback)
    assert registry.agents() == []
