"""Read the cases of openai-agents that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import IDS, emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished, RunStarted

ADAPTER = "openai_agents"


def raw(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "raw_response_event", "data": {"type": f"response.{kind}", **fields}}


def item(name: str, raw_item: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "run_item_stream_event", "name": name, "item": {"raw_item": raw_item, **fields}}


def message(text: str, item_id: str = "1") -> dict[str, Any]:
    return {"type": "message", "id": item_id, "content": [{"type": "output_text", "text": text}]}


def function(call_id: str, arguments: str = "{}", **fields: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": arguments, **fields}


def output(call_id: str, value: Any, **fields: Any) -> dict[str, Any]:
    sent = {"type": "function_call_output", "call_id": call_id, "output": str(value)}
    return item("tool_output", sent, output=value, **fields)


def test_the_run_and_each_message_have_the_agents_name() -> None:
    events = recording("openai_agents_handoff").events()
    assert isinstance(events[0], RunStarted)
    assert events[0].agent_name == "front desk"
    assert [e.agent_name for e in events if e.type == "message_started"] == ["front desk", "weather expert"]
    (handed,) = [e for e in events if e.type == "custom" and e.name == "agent_updated"]
    assert handed.value == {"from": "front desk", "to": "weather expert"}


def test_a_nested_agents_run_has_name_parent_and_end() -> None:
    events = recording("openai_agents_subagent").events()
    (child,) = [e for e in events if isinstance(e, RunStarted) and e.run_id != "r"]
    assert (child.agent_name, child.parent_run_id, child.parent_tool_call_id) == ("researcher", "r", "call_1")
    ends = [e.run_id for e in events if isinstance(e, RunFinished)]
    assert ends == [child.run_id, "r"]


def test_a_nested_agent_that_is_cut_off_ends_with_its_parent() -> None:
    natives = recording("openai_agents_subagent").natives[:20]
    ends = [e for e in run(ADAPTER, natives, ValueError("no")) if isinstance(e, RunFinished)]
    assert [(e.outcome, e.error) for e in ends] == [("error", "ValueError: no")] * 2


def test_a_model_without_a_stream_is_shown_at_its_end() -> None:
    answers = [
        raw("completed", response={"id": "x", "output": [message("Hi"), function("c1", id="1")]}),
        output("c1", 3),
        raw("completed", response={"id": "x", "output": [message("Bye")]}),
    ]
    assert [part.get("text", part.get("output")) for part in shown(ADAPTER, answers)] == ["Hi", 3, "Bye"]


def test_items_alone_show_the_same_as_the_raw_events() -> None:
    thought = {"type": "summary_text", "text": "hm"}
    natives = [
        item("reasoning_item_created", {"type": "reasoning", "id": "r1", "summary": [thought]}),
        item("message_output_created", message("Hi", "m1")),
        item("tool_called", function("c1", '{"a": 1}')),
        output("c1", "ok"),
    ]
    assert adapters.detect(natives[0]) == ADAPTER
    parts = shown(ADAPTER, natives)
    assert [(part["kind"], part.get("args")) for part in parts][1:] == [("text", None), ("tool", {"a": 1})]


def test_the_sdks_own_texts_mark_failed_and_denied_calls() -> None:
    failed = "An error occurred while running the tool. Please try again. Error: gone"
    natives = [output("c1", failed), output("c2", "Tool execution was not approved."), output("c3", "fine")]
    states = [(e.get("status", "ok"), e.get("error")) for e in emitted(ADAPTER, natives, "tool_finished")]
    assert states == [("error", failed), ("denied", "Tool execution was not approved."), ("ok", None)]


def test_an_image_that_a_tool_returns_is_the_calls_display() -> None:
    image = {"type": "image", "image_url": "data:image/png;base64,iVBORw0KGgo="}
    (end,) = emitted(ADAPTER, [output("c1", image)], "tool_finished")
    assert (end["output"], end["display"]) == ({"$display": "image/png"}, {"image/png": "iVBORw0KGgo="})


def test_a_result_without_a_call_and_an_unknown_item_are_emitted() -> None:
    natives = [output("c9", 1), item("brand_new", {"type": "x"}), item("tool_output", {"type": "y"})]
    assert [e["tool_call_id"] for e in emitted(ADAPTER, natives, "tool_finished")] == ["c9"]
    assert "brand_new" in [e["name"] for e in emitted(ADAPTER, natives, "custom")]


def test_a_failed_response_outweighs_a_later_exception() -> None:
    failed = raw("failed", response={"id": "x", "error": {"code": "server_error", "message": "overloaded"}})
    end = run(ADAPTER, [raw("created", response={"id": "x"}), failed], RuntimeError("behaviour"))[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error, end.code) == ("error", "overloaded", "server_error")


@pytest.mark.parametrize(
    "native", [{"event": {"type": "raw_response_event"}}, {"tool_call": {}, "event": {}}]
)
def test_natives_that_resemble_a_nested_event_do_not_match(native: Any) -> None:
    with pytest.raises(Exception, match="Pass adapter="):
        adapters.detect(native)


def test_a_nested_event_without_its_call_is_a_run_inside_the_run() -> None:
    native = {"event": raw("created", response={"id": "x"}), "agent": {"name": "Ada"}, "tool_call": None}
    started = run(ADAPTER, [native])[1]
    assert started == RunStarted(**{**IDS, "run_id": "r/Ada", "agent_name": "Ada", "parent_run_id": "r"})


def test_a_call_that_needs_approval_waits_for_it_and_interrupts_the_run() -> None:
    asked = {"type": "tool_approval_item", "raw_item": function("c1", '{"x": 1}')}
    adapter = adapters.get(ADAPTER, **IDS)
    adapter.feed(item("tool_called", function("c1", '{"x": 1}')))
    events = adapter.exhausted({"interruptions": [asked]})
    assert [(event.type, getattr(event, "state", None)) for event in events] == [
        ("tool_progress", "awaiting_approval")
    ]
    (end,) = adapter.finish()
    assert isinstance(end, RunFinished)
    assert end.outcome == "interrupted"


@pytest.mark.parametrize("source", [object(), {"interruptions": 3}, {"interruptions": [{}, None, 3]}, None])
def test_a_source_without_approvals_ends_with_success(source: Any) -> None:
    adapter = adapters.get(ADAPTER, **IDS)
    adapter.exhausted(source)
    end = adapter.finish()[-1]
    assert isinstance(end, RunFinished)
    assert end.outcome == "success"
