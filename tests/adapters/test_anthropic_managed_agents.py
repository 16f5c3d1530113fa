"""Read the cases of Anthropic's Managed Agents that their recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished

ADAPTER = "anthropic_managed_agents"


def event(kind: str, event_id: str = "e1", **fields: Any) -> dict[str, Any]:
    return {"type": kind, "id": event_id, "processed_at": "2026-11-30T00:00:00Z", **fields}


def words(body: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": body}]


def piece(name: str, body: str) -> dict[str, Any]:
    delta = {"type": "content_delta", "content": {"type": "text", "text": body}}
    return {"type": "event_delta", "event_id": name, "delta": delta}


def idle(reason: str, **fields: Any) -> dict[str, Any]:
    return event("session.status_idle", reason, stop_reason={"type": reason}, **fields)


def end_of(*natives: Any) -> RunFinished:
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    return end


def test_a_list_of_events_and_the_stream_that_overlaps_show_each_event_once() -> None:
    natives = recording(ADAPTER).natives
    history = [native for native in natives if not native["type"].startswith("event_")]
    once = shown(ADAPTER, history)
    assert shown(ADAPTER, [*history[:7], *natives]) == shown(ADAPTER, [*history, *history]) == once
    assert once == shown(ADAPTER, natives)
    used = end_of(*history, *history).usage
    assert used is not None
    assert (used.input_tokens, used.output_tokens) == (240, 120)


def test_pieces_that_come_after_their_whole_or_not_at_all_change_nothing() -> None:
    whole = event("agent.message", content=words("Hello"))
    for natives in ([whole], [piece("e1", "Hel"), whole], [piece("e1", "Hxl"), whole, piece("e1", "lo")]):
        assert [part["text"] for part in shown(ADAPTER, natives)] == ["Hello"]


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("end_turn", "success"),
        ("requires_action", "interrupted"),
        ("retries_exhausted", "error"),
        ("budget_reached", "error"),
        ("refusal", "error"),
    ],
)
def test_the_reason_of_the_stop_is_the_outcome(reason: str, outcome: str) -> None:
    assert end_of(idle(reason)).outcome == outcome
    if reason == "requires_action":
        assert end_of(idle(reason), event("session.status_running")).outcome == "success"


def test_an_error_that_the_service_retries_is_a_line_and_no_outcome() -> None:
    error = {"type": "x", "message": "Busy.", "retry_status": {"type": "retrying"}}
    natives = [event("session.error", error=error)]
    (line,) = emitted(ADAPTER, natives, "custom")
    assert (line["value"], line["shown"]) == ("Busy. (the service tries again)", True)
    assert end_of(*natives).outcome == "success"


@pytest.mark.parametrize(("result", "action"), [("allow", "accept"), ("deny", "decline")])
def test_a_confirmation_answers_the_request_of_its_call(result: str, action: str) -> None:
    call = event("agent.mcp_tool_use", "c", name="drop", input={"table": "a"}, evaluated_permission="ask")
    answer = event("user.tool_confirmation", tool_use_id="c", result=result, deny_message="No.")
    natives = [call, answer]
    (asked,) = emitted(ADAPTER, natives, "input_requested")
    (answered,) = emitted(ADAPTER, natives, "input_answered")
    assert (asked["request_id"], asked["tool_call_id"]) == ("c", "c")
    assert (answered["request_id"], answered["action"]) == ("c", action)


def test_custom_tools_and_tools_of_mcp_get_their_results() -> None:
    natives = [
        event("agent.custom_tool_use", "c1", name="look", input={"q": 1}),
        event("agent.mcp_tool_use", "c2", name="find", input={}, mcp_server_name="db"),
        event("user.custom_tool_result", "r1", custom_tool_use_id="c1", content=words("one")),
        event("agent.mcp_tool_result", "r2", mcp_tool_use_id="c2", content=words("no"), is_error=True),
    ]
    assert [(part["name"], part["status"], part["output"]) for part in shown(ADAPTER, natives)] == [
        ("look", "ok", "one"),
        ("find", "error", "no"),
    ]


@pytest.mark.parametrize("error", [{"type": "x", "message": "No room."}, "No room."])
def test_a_failed_workflow_is_the_sessions_error(error: Any) -> None:
    end = end_of(event("workflow_run.error", error=error), idle("end_turn"))
    assert (end.outcome, end.error) == ("error", "No room.")


def test_outcomes_and_interrupts_are_lines() -> None:
    natives = [
        event("user.define_outcome", "o", description="It runs."),
        event("span.outcome_evaluation_end", "v", result="satisfied", explanation="It does."),
        event("user.interrupt", "i"),
        event("agent.thread_message_sent", "s", to_agent_name="writer", content=words("Write.")),
    ]
    assert [(line["name"], line.get("value")) for line in emitted(ADAPTER, natives, "custom")] == [
        ("user.define_outcome", "It runs."),
        ("span.outcome_evaluation_end", "satisfied: It does."),
        ("user.interrupt", None),
        ("agent.thread_message_sent", "writer: Write."),
    ]


def test_events_of_the_same_names_of_another_agent_are_not_taken() -> None:
    native = {"type": "user.message", "id": "e", "data": {"content": "Hi"}, "timestamp": "t"}
    assert adapters.detect(native) == "github_copilot"
