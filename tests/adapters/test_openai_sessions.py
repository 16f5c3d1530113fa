"""Read the cases of sessions of OpenAI's Agents API that their recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished

ADAPTER = "openai_sessions"


def turn(topic: str, number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "type": f"agent.session.turn.{topic}",
        "turn_id": f"t{number}",
        "session_id": "s",
        "event_id": "e",
        **fields,
    }


def item(kind: str, verb: str = "done", **fields: Any) -> dict[str, Any]:
    return turn(f"item.{verb}", item={"type": kind, "id": f"{kind}_1", "turn_id": "t1", **fields})


def state(topic: str, *actions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    session = {"id": "s", "status": topic, "required_actions": list(actions), **fields}
    return {"type": f"agent.session.{topic}", "event_id": "e", "session": session}


def end_of(*natives: Any) -> RunFinished:
    event = run(ADAPTER, natives)[-1]
    assert isinstance(event, RunFinished)
    return event


APPROVAL = {
    "type": "mcp_approval_request",
    "request_id": "q",
    "turn_id": "t1",
    "request": {
        "type": "mcp_tool_call",
        "message": "May I?",
        "name": "drop",
        "server_label": "db",
        "arguments": {"table": "a"},
    },
}


def test_an_approval_is_a_request_and_the_run_waits_for_it() -> None:
    waiting = state("requires_action", APPROVAL)
    (asked,) = emitted(ADAPTER, [waiting], "input_requested")
    assert (asked["kind"], asked["message"]) == ("approval", 'May I?\n\n`drop` {"table": "a"}')
    assert end_of(waiting).outcome == "interrupted"
    assert end_of(waiting, state("in_progress"), state("idle")).outcome == "success"


@pytest.mark.parametrize(
    ("native", "outcome", "error"),
    [
        (state("failed", error="The environment is gone."), "error", "The environment is gone."),
        (turn("cancelled", turn={"id": "t1"}), "cancelled", None),
        (turn("failed", turn={"id": "t1", "error": {"code": "x", "message": "No."}}), "error", "No."),
        (
            {
                "type": "error",
                "session_id": "s",
                "event_id": "e",
                "error": {"type": "server_error", "message": "Gone."},
            },
            "error",
            "Gone.",
        ),
    ],
)
def test_a_failure_or_a_cancellation_is_the_outcome(
    native: dict[str, Any], outcome: str, error: str | None
) -> None:
    assert adapters.detect(native) == ADAPTER
    end = end_of(native)
    assert (end.outcome, end.error) == (outcome, error)


def test_commands_searches_and_mcp_tools_show_their_arguments_and_results() -> None:
    natives = [
        item("command_execution", "added", command="ls", status="in_progress"),
        item("command_execution", command="ls", status="completed", exit_code=2, output="no such file"),
        item("web_search_call", action={"type": "search", "query": "rain"}, status="completed"),
        item("mcp_call", name="look", arguments={"q": 1}, output="found", error=None, status="completed"),
    ]
    parts = shown(ADAPTER, natives)
    assert [(part["name"], part["args"], part["status"]) for part in parts] == [
        ("command_execution", {"command": "ls"}, "error"),
        ("web_search", {"action": {"type": "search", "query": "rain"}}, "ok"),
        ("look", {"q": 1}, "ok"),
    ]
    assert (parts[0]["output"], parts[2]["output"]) == ("no such file", "found")


def test_a_failed_mcp_call_shows_its_error() -> None:
    (part,) = shown(ADAPTER, [item("mcp_call", name="look", arguments={}, error="gone", status="failed")])
    assert (part["status"], part["output"]) == ("error", "gone")


def test_items_without_deltas_show_their_text_and_a_repeat_adds_nothing() -> None:
    words = [{"type": "output_text", "text": "Hi"}]
    whole = item("message", role="assistant", content=words, status="completed")
    asked = item("message", "added", role="user", content=[{"type": "input_text", "text": "Hello?"}])
    asked["item"]["id"] = "user"
    parts = shown(ADAPTER, [asked, asked, whole, whole])
    assert [(part.get("role"), part["text"]) for part in parts] == [("user", "Hello?"), (None, "Hi")]


def test_a_subagents_turn_is_in_the_call_that_created_it() -> None:
    created = item("create_subagent_call", "added", agent_id="sub", status="in_progress", content=[])
    begun = turn("created", 2, turn={"id": "t2", "subagent_id": "sub"})
    delta = {"item_id": "m", "content_index": 0, "output_index": 0, "delta": "Inside."}
    natives = [created, begun, turn("output_text.delta", 2, **delta)]
    (part,) = shown(ADAPTER, natives)
    assert [child["text"] for child in part["children"]] == ["Inside."]


def test_newer_events_and_items_are_kept_and_states_of_the_environment_say_nothing() -> None:
    natives = [
        {"type": "agent.session.hologram", "event_id": "e"},
        item("hologram"),
        {"type": "agent.session.environment.suspended", "event_id": "e"},
    ]
    assert {adapters.detect(native) for native in natives} == {ADAPTER}
    assert [one["name"] for one in emitted(ADAPTER, natives, "custom")] == [
        "agent.session.hologram",
        "hologram",
    ]
