"""Check the contract of all adapters over all recordings and over hostile JSON."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.support import (
    FILES,
    IDS,
    RECORDINGS,
    SAMPLES,
    Recording,
    as_live,
    check_items,
    check_parts,
    fold,
    recording,
    run,
)
from vibe_notebook import adapters
from vibe_notebook.adapters._base import is_event
from vibe_notebook.events import (
    Event,
    RunFinished,
    RunStarted,
    TextDelta,
    ToolFinished,
    is_skip,
    parse_event,
    to_json,
)
from vibe_notebook.exceptions import AdapterError
from vibe_notebook.registry import Registry

NAMES = adapters.names()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
PARTS = ("data", "delta", "item", "message", "part", "tool", "tool_call", "update")
"""The fields that hold an object of the SDK."""
TELLING = ("event", "event_kind", "event_type", "object", "type")
"""The fields whose value identifies an SDK."""
FIELDS = sorted(
    {
        key
        for name in RECORDINGS
        for native in recording(name).natives
        if isinstance(native, dict)
        for key in native
        if key not in TELLING  # a native has only one of these
    }
    | {
        "item",
        "call_id",
        "data",
        "choices",
        "messages",
        "run_id",
        "toolCallId",
        "tool_calls",
        "tool_use_id",
        "content_block",
        "delta",
        "index",
        "message",
        "snapshot",
        "arguments",
        "tool_call_id",
        "part_kind",
        "content",
        "args",
        "agent_id",
        "name",
    }
)
KINDS = sorted(
    {
        native[key]
        for name in RECORDINGS
        for native in recording(name).natives
        if isinstance(native, dict)
        for key in TELLING
        if isinstance(native.get(key), str)
    }
    | {"error", "custom", "deferred_tool_requests", "response.failed", "response.incomplete", "text_delta"}
    | {"response.web_search_call.searching", "response.mcp_call_arguments.done", "function_call_output"}
    | {"TOOL_CALL_CHUNK", "MESSAGES_SNAPSHOT", "SUBAGENT_STARTED", "tool-approval-request", "reset-step"}
    | {"on_tool_start", "on_chat_model_end", "complete_message", "tool_call_result", "ai.tool.params"}
    | {"content_block_start", "tool_result", "message", "input_json", "thinking"}
    | {"response.image_generation_call.partial_image", "response.shell_call_output_content.delta"}
)
TIMED = ("openai_agents_traces", "otel_spans")
"""The adapters whose natives tell when they were: a span has a beginning and an end."""
HOSTILE = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6).flatmap(
    lambda native: st.sampled_from((*TELLING, "")).flatmap(
        lambda key: st.sampled_from(KINDS).map(lambda kind: {**native, key: kind} if key else native)
    )
)


@pytest.fixture(params=RECORDINGS)
def each(request: pytest.FixtureRequest) -> Recording:
    return recording(request.param)


def mutated(value: Any, rolls: random.Random, junk: list[Any]) -> Any:
    """Return a native with some of its fields, at any depth, removed or replaced."""
    if isinstance(value, dict):
        out = {}
        for key, item in value.items():
            roll = rolls.random()
            if roll > 0.05:
                out[key] = mutated(item, rolls, junk) if roll > 0.12 else rolls.choice(junk)
        return out
    return [mutated(item, rolls, junk) for item in value] if isinstance(value, list) else value


def newer_form(native: Any) -> Any:
    """Return a native of a future version, with one more field in the native and in its parts."""
    if not isinstance(native, dict) or is_event(native):
        return native
    inner = {
        name: {**item, "brand_new": 1}
        for name, item in native.items()
        if name in PARTS and isinstance(item, dict)
    }
    return {**native, **inner, "brand_new": 1}


def check_ends_once(events: list[Event]) -> None:
    assert isinstance(events[-1], RunFinished)
    ours = [event for event in events if (event.agent_id, event.run_id) == ("a", "r")]
    assert sum(isinstance(event, RunFinished) for event in ours) == 1
    for event in events:
        assert parse_event(to_json(event)) == event


def test_the_recording_gives_the_expected_transcript(each: Recording) -> None:
    result = fold(each.events(), numbered=True)
    check_items(result["items"], each.expected["items"])
    assert result["runs"] == each.expected.get("runs", {})
    assert [result["run"]] == each.expected["run"]
    assert result["error"] == each.expected.get("error")
    if each.expected["usage"] is not None:
        assert result["usage"] == {k: v for k, v in each.expected["usage"].items() if k != "note"}


@pytest.mark.parametrize("hold", [0.0, 0.05])
def test_the_registry_gives_the_expected_transcript(each: Recording, hold: float) -> None:
    adapter = adapters.get(each.adapter, **IDS)
    with Registry(hold=hold) as registry:
        for native in each.natives:
            if slot := adapter.feed(native):
                registry.dispatch(slot)
        registry.dispatch(adapter.finish(each.raised))
        transcript = registry.transcript("a")
    check_parts(transcript.parts, each.expected["items"])
    assert [transcript.outcome] == each.expected["run"]


def test_every_event_survives_its_json_form(each: Recording) -> None:
    for event in each.events():
        assert parse_event(to_json(event)) == event


def test_the_same_natives_give_the_same_events(each: Recording) -> None:
    assert each.events() == each.events()


def test_the_run_starts_first_and_ends_last_and_once(each: Recording) -> None:
    kinds = [event.type for event in each.events()]
    assert (kinds[0], kinds[-1]) == ("run_started", "run_finished")
    runs = {event.run_id: event for event in reversed(each.events())}  # subagents included
    assert {event.type for event in runs.values()} == {"run_started"}
    assert (kinds.count("run_started") >= len(runs), kinds.count("run_finished")) == (True, len(runs))


def test_adapters_leave_time_and_delivery_order_to_others(each: Recording) -> None:
    assert all(event.id is None for event in each.events())
    assert each.adapter in TIMED or all(event.ts is None for event in each.events())


def test_the_events_of_one_native_are_one_slot(each: Recording) -> None:
    adapter = adapters.get(each.adapter, **IDS)
    for native in each.natives:
        numbered = [event for event in adapter.feed(native) if event.seq is not None]
        assert len({(event.counter, event.seq) for event in numbered}) <= 1
        for run_id in {event.run_id for event in numbered}:
            subs = [event.sub for event in numbered if event.run_id == run_id]
            assert subs == sorted(set(subs))


def test_numbers_have_no_gaps_and_other_events_have_no_numbers(each: Recording) -> None:
    seqs: dict[tuple[str, str, bool], set[int]] = {}
    for event in each.events():
        if event.seq is None:
            assert (event.sub, event.counter) == (0, "")
        else:
            seqs.setdefault((event.run_id, event.counter, event.derived), set()).add(event.seq)
    for numbers in seqs.values():
        assert sorted(numbers) == list(range(min(numbers), max(numbers) + 1))
    numbered = ("seq", "sequence_number")
    sources = [native for native in each.natives if isinstance(native, dict)]
    is_numbered = any(name in native for native in sources for name in numbered)
    assert bool(seqs) == (is_numbered or each.adapter == "jido")


@given(st.data())
def test_a_stream_cut_anywhere_ends_with_its_run_finished(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(RECORDINGS))
    whole = recording(name)
    events = run(whole.adapter, whole.natives[: data.draw(st.integers(0, len(whole.natives)))])
    check_ends_once(events)
    assert isinstance(events[0], RunStarted)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("exc", "outcome", "error"),
    [
        (None, "success", None),
        (ValueError("bad day"), "error", "ValueError: bad day"),
        (ValueError(), "error", "ValueError"),
        (ExceptionGroup("unhandled", [LookupError("gone")]), "error", "LookupError: gone"),
        (asyncio.CancelledError(), "cancelled", None),
        (KeyboardInterrupt(), "cancelled", None),
        (GeneratorExit(), "cancelled", None),
    ],
)
def test_the_exception_that_ends_the_stream_sets_the_outcome(
    name: str, exc: BaseException | None, outcome: str, error: str | None
) -> None:
    started, finished = run(name, [], exc)
    assert started == RunStarted(**IDS)
    assert finished == RunFinished(**{**IDS, "outcome": outcome, "error": error})


@pytest.mark.parametrize("name", NAMES)
def test_a_second_finish_returns_nothing(name: str) -> None:
    adapter = adapters.get(name, **IDS)
    assert len(adapter.finish()) == 2
    assert adapter.finish() == []
    assert adapter.finish(ValueError()) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_error_without_a_readable_message_is_still_an_error(name: str) -> None:
    class Broken(Exception):  # noqa: N818 - the error shows this name
        def __str__(self) -> str:
            raise RuntimeError

    finished = run(name, [], Broken())[-1]
    assert isinstance(finished, RunFinished)
    assert finished.outcome == "error"
    assert finished.error is not None
    assert finished.error.startswith("Broken: ")
    lone = run(name, [], ValueError("\ud800"))[-1]
    assert parse_event(to_json(lone)) == lone


@pytest.mark.parametrize("name", NAMES)
def test_our_own_events_pass_through_any_stream_unchanged(name: str) -> None:
    newer: dict[str, Any] = {"hue": "red"}
    foreign = TextDelta(agent_id="other", run_id="x", seq=7, ts=1.0, delta="hi", **newer)
    own = ToolFinished(**IDS, tool_call_id="c", output=1)
    adapter = adapters.get(name, **IDS)
    assert adapter.feed(foreign) == [foreign]
    assert adapter.feed(own)[-1] is own
    assert adapter.feed(json.loads(to_json(foreign))) == [foreign]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_ended_by_the_stream_ends_once(name: str) -> None:
    adapter = adapters.get(name, **IDS)
    adapter.feed(RunStarted(**IDS))
    adapter.feed(RunFinished(**IDS))
    assert adapter.finish() == []


@pytest.mark.parametrize("name", NAMES)
def test_events_have_the_given_ids(name: str) -> None:
    adapter = adapters.get(name, agent_name="Ada", parent_run_id="p", parent_tool_call_id="c")
    (started, finished) = adapter.finish()
    assert started.agent_id == "agent"
    assert started.run_id == finished.run_id != adapters.get(name).finish()[0].run_id
    assert isinstance(started, RunStarted)
    assert (started.agent_name, started.parent_run_id, started.parent_tool_call_id) == ("Ada", "p", "c")


def test_detect_names_each_native_and_never_two(each: Recording) -> None:
    adapter = each.adapter
    named = set()
    for native in each.natives:
        # The strings in chatlas's stream are text, whose adapter gives the rest of the stream to chatlas's.
        own = "text" if adapter == "chatlas" and isinstance(native, str) else adapter
        expected = "events" if isinstance(native, ToolFinished) else own
        try:
            name = adapters.detect(native)
        except AdapterError as error:
            assert "no adapter knows it" in str(error)  # noqa: PT017 - no adapter is allowed, two are not
            continue
        assert name == expected
        named.add(name)
    assert adapter in named
    assert adapters.detect(each.natives[0]) == adapter


def test_the_first_natives_name_their_adapter(each: Recording) -> None:
    for count in (*range(1, 9), len(each.natives)):
        assert adapters.detect(*each.natives[:count]) == each.adapter


def test_no_other_adapter_is_detected_from_any_point_of_a_stream(each: Recording) -> None:
    expected = {each.adapter, *(["events"] if any(isinstance(n, ToolFinished) for n in each.natives) else [])}
    expected |= {"text"} if each.adapter == "chatlas" else set()
    for first in range(len(each.natives)):
        for count in range(1, 9):
            try:
                assert adapters.detect(*each.natives[first : first + count]) in expected
            except AdapterError as error:
                assert "no adapter knows it" in str(error)  # noqa: PT017 - no adapter is allowed, two are not


def test_the_contract_covers_every_recording() -> None:
    assert {FILES.get(name, name) for name in RECORDINGS} >= {path.stem for path in SAMPLES.glob("*.jsonl")}


def test_unknown_fields_change_nothing(each: Recording) -> None:
    newer = [newer_form(native) for native in each.natives]
    events = [
        event for event in run(each.adapter, newer, each.raised) if event.type != "custom" or is_skip(event)
    ]
    assert events == [event for event in each.events() if event.type != "custom" or is_skip(event)]


def test_objects_give_the_same_events_as_their_json(each: Recording) -> None:
    objects = [as_live(native) for native in each.natives]
    if each.adapter not in ("langgraph", "strands"):  # their natives are dicts and tuples
        assert run(each.adapter, objects, each.raised) == each.events()
    for native in objects:
        try:
            expected = (each.adapter, "events", *(["text"] if isinstance(native, str) else []))
            assert adapters.detect(native) in expected
        except AdapterError as error:
            assert "no adapter knows it" in str(error)  # noqa: PT017 - no adapter is allowed, another is not


@given(st.sampled_from(NAMES), st.lists(JSON | HOSTILE, max_size=6))
def test_no_json_at_all_makes_an_adapter_raise(name: str, natives: list[Any]) -> None:
    check_ends_once(run(name, natives))


@pytest.mark.parametrize("name", [name for name in RECORDINGS if name not in ("events", "text")])
@settings(max_examples=max(20, settings().max_examples // 5))  # each adapter has several recordings
@given(seed=st.integers(0, 1 << 32), junk=st.lists(JSON, min_size=1, max_size=6))
def test_fields_that_are_missing_or_of_another_type_never_raise(
    name: str, seed: int, junk: list[Any]
) -> None:
    rolls = random.Random(seed)
    whole = recording(name)
    check_ends_once(run(whole.adapter, [mutated(native, rolls, junk) for native in whole.natives]))


@given(HOSTILE | JSON)
def test_no_json_at_all_is_read_by_two_adapters(native: Any) -> None:
    try:
        assert adapters.detect(native) in NAMES
    except AdapterError as error:
        assert "more than one" not in str(error)  # noqa: PT017 - no adapter is allowed, two are not


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_native_becomes_a_custom_event_of_its_name(name: str) -> None:
    native = {"type": "brand_new", "event_kind": "brand_new", "value": 1, "agent_id": "a", "run_id": "r"}
    events = [event for event in run(name, [native]) if event.type == "custom" and not is_skip(event)]
    assert [event.name for event in events] == ["brand_new"]


@pytest.mark.parametrize("name", NAMES)
def test_an_object_whose_fields_raise_does_not_raise(name: str) -> None:
    class Hostile:
        def __getattr__(self, field: str) -> Any:
            raise RuntimeError(field)

    check_ends_once(run(name, [Hostile(), object(), None, 3, b"\xff", "text", ["x"], Hostile]))
