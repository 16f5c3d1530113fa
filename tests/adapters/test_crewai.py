"""Read the cases of CrewAI that its recordings do not have."""

from __future__ import annotations

import itertools
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.adapters.support import emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "crewai"
numbers = itertools.count()


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an event of the bus."""
    head = {"type": kind, "event_id": f"e{next(numbers)}", "source_fingerprint": None, "emission_sequence": 1}
    return {**head, **fields}


def chunk(content: str, **fields: Any) -> dict[str, Any]:
    """Return a chunk of a crew's stream."""
    head = {"chunk_type": "text", "task_index": 0, "task_id": "t", "agent_role": "A", "agent_id": "a"}
    return {**head, "content": content, "tool_call": None, **fields}


def call(content: str, arguments: str, index: int = 0) -> dict[str, Any]:
    tool_call = {"tool_id": f"c{index}", "tool_name": "f", "arguments": arguments, "index": index}
    return chunk(content, chunk_type="tool_call", tool_call=tool_call)


def frame(native: dict[str, Any]) -> dict[str, Any]:
    """Return the frame of an event, as a streaming flow yields it."""
    head = {"id": native["event_id"], "seq": 1, "channel": "llm", "namespace": ["llm"], "previous_id": None}
    data = {name: value for name, value in native.items() if name not in ("type", "event_id")}
    return {**head, "type": native["type"], "data": data}


@pytest.mark.parametrize("pieces", [('{"x"', '{"x": 1}'), ('{"x"', ": 1}")])
def test_arguments_are_read_whether_they_are_the_text_so_far_or_a_delta(pieces: tuple[str, str]) -> None:
    natives = [call("", ""), call('{"x"', pieces[0]), call(": 1}", pieces[1])]
    (part,) = shown(ADAPTER, natives)
    assert (part["id"], part["name"], part["args"]) == ("c0", "f", {"x": 1})


def test_frames_give_what_their_events_give() -> None:
    natives = recording(ADAPTER).natives
    assert run(ADAPTER, map(frame, natives)) == run(ADAPTER, natives)
    assert {adapters.detect(frame(native)) for native in natives} == {ADAPTER}


def test_text_after_calls_and_another_tasks_text_are_messages_of_their_own() -> None:
    natives = [chunk("One"), call("{}", "{}"), chunk("Two"), chunk("Three", task_index=1, agent_role="B")]
    texts = [part["text"] for part in shown(ADAPTER, natives) if part["kind"] == "text"]
    assert texts == ["One", "Two", "Three"]
    assert [line["value"] for line in emitted(ADAPTER, natives, "custom")] == ["B"]


def test_a_tool_of_a_model_without_calls_has_the_id_of_its_start() -> None:
    started = event("tool_usage_started", tool_name="f", tool_args={"x": 1})
    ended = event(
        "tool_usage_finished",
        tool_name="f",
        tool_args={"x": 1},
        output="1",
        started_event_id=started["event_id"],
    )
    (part,) = shown(ADAPTER, [started, ended])
    assert (part["id"], part["status"], part["output"]) == (started["event_id"], "ok", "1")


def test_equal_calls_get_their_results_in_their_order_and_others_by_their_arguments() -> None:
    def tool(kind: str, x: int, **fields: Any) -> dict[str, Any]:
        return event(f"tool_usage_{kind}", tool_name="f", tool_args={"x": x}, **fields)

    calls = [call(f'{{"x": {x}}}', f'{{"x": {x}}}', index) for index, x in enumerate((1, 2, 1))]
    started = [tool("started", 2), tool("started", 1), tool("started", 1)]
    ended = [tool("finished", 1, output="first"), tool("finished", 2, output="two"), tool("finished", 1)]
    outputs = {part["id"]: part["output"] for part in shown(ADAPTER, [*calls, *started, *ended])}
    assert outputs == {"c0": "first", "c1": "two", "c2": None}


def test_a_result_before_its_start_is_the_calls_result() -> None:
    ended = event("tool_usage_finished", tool_name="f", tool_args={}, output="1")
    started = event("tool_usage_started", tool_name="f", tool_args={})
    (part, *_) = shown(ADAPTER, [call("{}", "{}"), ended, started])
    assert (part["id"], part["status"], part["output"]) == ("c0", "ok", "1")


def test_a_tool_that_reports_its_failure_has_failed() -> None:
    failure = {"message": "no such city", "reason": "exception"}
    native = event("tool_usage_finished", tool_name="f", tool_args={}, output="Error", failure=failure)
    (part,) = shown(ADAPTER, [native])
    assert (part["status"], part["output"]) == ("error", "Error")
    assert emitted(ADAPTER, [native], "tool_finished")[0]["error"] == "no such city"


def test_a_failed_model_call_is_the_runs_error_unless_another_succeeds() -> None:
    failed = event("llm_call_failed", call_id="1", error="busy")
    end = run(ADAPTER, [failed])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == ("error", "busy")
    done = event("llm_call_completed", call_id="2", response="Hi", finish_reason="stop")
    assert run(ADAPTER, [failed, done])[-1].outcome == "success"  # type: ignore[union-attr]


FAILURES = {
    "agent_execution_error": "agent_execution_completed",
    "lite_agent_execution_error": "lite_agent_execution_completed",
    "task_failed": "task_completed",
    "method_execution_failed": "flow_finished",
}


@pytest.mark.parametrize(("failure", "mended"), FAILURES.items())
def test_a_failure_of_a_part_is_the_runs_error_unless_it_is_mended(failure: str, mended: str) -> None:
    natives = [event("llm_stream_chunk", call_id="1", chunk="Hi"), event(failure, error="no key")]
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == ("error", "no key")
    assert run(ADAPTER, [event(failure)])[-1].error == failure  # type: ignore[union-attr]
    for last in (mended, "crew_kickoff_completed"):
        assert run(ADAPTER, [*natives, event(last)])[-1].outcome == "success"  # type: ignore[union-attr]


def test_a_failed_crew_is_the_runs_error() -> None:
    end = run(ADAPTER, [event("crew_kickoff_failed", error="no key")])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == ("error", "no key")


def test_a_whole_answer_of_a_model_that_does_not_stream_is_shown() -> None:
    asked = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    calls = event("llm_call_completed", call_id="1", response=[asked], call_type="tool_call")
    whole = event("llm_call_completed", call_id="2", response="Hi")
    part, words = shown(ADAPTER, [calls, whole])
    assert (part["id"], part["args"], words["text"]) == ("c1", {"x": 1}, "Hi")


def test_calls_that_are_numbered_anew_in_each_message_are_calls_of_their_own() -> None:
    def round_of(message: str, x: int) -> list[dict[str, Any]]:
        asked = {"id": "c1", "index": 0, "function": {"name": "f", "arguments": f'{{"x": {x}}}'}}
        tool = {"tool_name": "f", "tool_args": {"x": x}}
        return [
            event("llm_stream_chunk", call_id=message, chunk=f'{{"x": {x}}}', tool_call=asked),
            event("llm_call_completed", call_id=message, response=[asked]),
            event("tool_usage_started", **tool),
            event("tool_usage_finished", **tool, output=str(x)),
        ]

    parts = shown(ADAPTER, [*round_of("m1", 1), *round_of("m2", 2)])
    assert [(part["args"], part["output"]) for part in parts] == [({"x": 1}, "1"), ({"x": 2}, "2")]


def test_an_unknown_event_shows_no_agent_of_the_crew() -> None:
    native = event("memory_query_started", query="cats", agent=object())
    (custom,) = emitted(ADAPTER, [native], "custom")
    assert (custom["name"], custom["value"]["query"], "agent" in custom["value"]) == (
        "memory_query_started",
        "cats",
        False,
    )


class Sinks(types.ModuleType):
    """Stand for the SDK's module of sinks."""

    def __init__(self) -> None:
        super().__init__("crewai.events.stream_context")
        self.sinks: list[Callable[[Any, Any], None]] = []

    def add_stream_sink(self, sink: Callable[[Any, Any], None]) -> int:
        self.sinks.append(sink)
        return len(self.sinks) - 1

    def reset_stream_sinks(self, token: int) -> None:
        del self.sinks[token:]


@pytest.fixture
def sinks(monkeypatch: pytest.MonkeyPatch) -> Sinks:
    module = Sinks()
    for name in ("crewai", "crewai.events"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_the_block_of_a_handler_shows_the_events_of_the_bus(sinks: Sinks) -> None:
    with vibe.handler("crewai", registry=vibe.Registry(), display=False) as hook:
        (sink,) = sinks.sinks
        for native in recording(ADAPTER).natives:
            sink(None, native)
    assert sinks.sinks == []
    assert [part.kind for part in hook.transcript.parts] == ["text", "text", "tool", "tool", "text"]
    assert hook.transcript.outcome == "success"
    sink(
        None, event("llm_call_failed", call_id="1", error="late")
    )  # a thread of the crew that outlives the block
    assert hook.transcript.outcome == "success"


def test_a_handler_is_a_listener_of_the_bus() -> None:
    hook = vibe.handler("crewai", registry=vibe.Registry(), display=False)
    for native in recording(ADAPTER).natives:
        hook(object(), native)
    hook.close()
    assert [call.state for call in hook.transcript.tools] == ["ok", "error"]


def test_the_block_without_the_sdk_is_an_error_that_names_the_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "crewai", None)
    with pytest.raises(AdapterError, match=r"crewai 1\.15\.2"), vibe.handler("crewai", display=False):
        pass
