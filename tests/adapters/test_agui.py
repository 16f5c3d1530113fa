"""Read AG-UI's events, and the outcomes that it hides. Natives outside of the recording are constructed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.adapters.support import IDS, as_object, emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished, RunStarted

NATIVES = recording("agui").natives


def e(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


def snake(native: dict[str, Any]) -> dict[str, Any]:
    return {
        re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name): value for name, value in native.items()
    }


def ended(*natives: dict[str, Any]) -> Any:
    return run("agui", natives)[-1]


def test_pythons_objects_and_the_wires_json_give_equal_events() -> None:
    objects = [as_object(snake(native)) for native in NATIVES]
    assert {adapters.detect(native) for native in [*objects, *NATIVES]} == {"agui"}
    assert run("agui", objects) == run("agui", NATIVES)


def test_the_servers_event_starts_the_run() -> None:
    (started, *_) = run("agui", [e("RUN_STARTED", runId="x", input={"messages": []})])
    assert started == RunStarted(**IDS, input={"messages": []})


def test_a_result_with_a_hidden_failure_is_an_error() -> None:
    tools = {item["id"]: item for item in fold(run("agui", NATIVES))["items"] if item["kind"] == "tool"}
    assert (tools["call_atlantis"]["status"], tools["call_paris"]["status"]) == ("error", "ok")


@pytest.mark.parametrize(
    "value", ["EqQBCg==", "{", "[]", json.dumps({"pydantic_ai": {"outcome": "success"}})]
)
def test_a_really_encrypted_value_changes_nothing(value: str) -> None:
    result = e("TOOL_CALL_RESULT", messageId="m", toolCallId="c", content="18")
    hidden = e("REASONING_ENCRYPTED_VALUE", subtype="message", entityId="m", encryptedValue=value)
    assert run("agui", [result, hidden]) == run("agui", [result])


def test_a_snapshot_corrects_known_parts_and_shows_no_history() -> None:
    natives = [
        e("TEXT_MESSAGE_START", messageId="m", role="assistant"),
        e("TEXT_MESSAGE_CONTENT", messageId="m", delta="Hel"),
        e("TOOL_CALL_START", toolCallId="c", toolCallName="f"),
        e("TOOL_CALL_RESULT", messageId="r", toolCallId="c", content="gone"),
        e(
            "MESSAGES_SNAPSHOT",
            messages=[
                {"id": "old", "role": "assistant", "content": "before"},
                {"id": "m", "role": "assistant", "content": "Hello"},
                {"id": "r", "role": "tool", "toolCallId": "c", "content": "gone", "error": "LookupError"},
            ],
        ),
    ]
    text, tool = shown("agui", natives)
    assert (text["text"], tool["status"], tool["output"]) == ("Hello", "error", "gone")


def test_the_first_chunk_starts_its_message_or_call() -> None:
    natives = [
        e("TEXT_MESSAGE_CHUNK", messageId="m", role="assistant", delta="Hel"),
        e("TEXT_MESSAGE_CHUNK", delta="lo"),
        e("TOOL_CALL_CHUNK", toolCallId="c", toolCallName="f", delta="{"),
        e("TOOL_CALL_CHUNK", delta="}"),
        e("REASONING_MESSAGE_CHUNK", messageId="r", delta="h"),
        e("REASONING_MESSAGE_CHUNK", delta="m"),
    ]
    text, tool, thinking = shown("agui", natives)
    assert (text["text"], tool["args"], thinking["text"]) == ("Hello", {}, "hm")
    assert len(emitted("agui", natives, "message_started")) == 1


def test_thinking_of_the_older_protocol_is_read() -> None:
    start, end = e("THINKING_TEXT_MESSAGE_START"), e("THINKING_TEXT_MESSAGE_END")
    natives = [start, e("THINKING_TEXT_MESSAGE_CONTENT", delta="a"), end, start]
    natives.append(e("THINKING_TEXT_MESSAGE_CONTENT", delta="b"))
    assert [(part["kind"], part["text"]) for part in shown("agui", natives)] == [
        ("thinking", "a"),
        ("thinking", "b"),
    ]


def test_the_users_text_is_not_shown_as_the_agents() -> None:
    natives = [
        e("TEXT_MESSAGE_START", messageId="u", role="user"),
        e("TEXT_MESSAGE_CONTENT", messageId="u", delta="Hi"),
    ]
    assert [item.get("role") for item in shown("agui", natives)] == ["user"]


def test_a_subagent_is_a_run_under_its_call() -> None:
    natives = [
        e("RUN_STARTED"),
        e("SUBAGENT_STARTED", subagentRunId="s", parentToolCallId="c", agentName="Ada"),
        e("TEXT_MESSAGE_CHUNK", messageId="m", delta="Hi", subagentRunId="s"),
        e("SUBAGENT_FINISHED", subagentRunId="s"),
    ]
    events = run("agui", natives)
    inner = [event for event in events if event.run_id == "r/s"]
    assert [event.type for event in inner] == [
        "run_started",
        "message_started",
        "text_delta",
        "message_finished",
        "run_finished",
    ]
    assert isinstance(inner[0], RunStarted)
    assert (inner[0].agent_name, inner[0].parent_run_id, inner[0].parent_tool_call_id) == ("Ada", "r", "c")
    assert events[-1] == RunFinished(**IDS)


def test_a_subagent_ends_after_a_failure_and_after_a_cut_stream() -> None:
    start = e("SUBAGENT_STARTED", subagentRunId="s")
    failed = run("agui", [e("RUN_STARTED"), start, e("SUBAGENT_ERROR", subagentRunId="s", message="no")])
    cut = run("agui", [e("RUN_STARTED"), start], ValueError("gone"))
    for events, error in ((failed, "no"), (cut, "ValueError: gone")):
        (end,) = [event for event in events if event.run_id == "r/s" and isinstance(event, RunFinished)]
        assert (end.outcome, end.error) == ("error", error)


def test_the_end_event_sets_outcome_result_and_usage() -> None:
    usage = [{"inputTokens": 3, "outputTokens": 2, "model": "m"}, {"inputTokens": 1}]
    end = ended(e("RUN_FINISHED", outcome={"type": "success"}, result={"a": 1}, usage=usage))
    assert (end.outcome, end.result, end.usage.input_tokens, end.usage.output_tokens) == (
        "success",
        {"a": 1},
        4,
        2,
    )
    assert ended(e("RUN_FINISHED", outcome={"type": "cancelled"})).outcome == "cancelled"
    assert ended(e("RUN_FINISHED", outcome={"type": "interrupt", "interrupts": []})).outcome == "interrupted"
    error = ended(e("RUN_ERROR", message="no", code="E"), e("RUN_FINISHED"))
    assert (error.outcome, error.error, error.code) == ("error", "no", "E")


def test_state_steps_and_progress_become_custom_events_of_their_names() -> None:
    natives = [
        e("STATE_DELTA", delta=[]),
        e("STEP_STARTED", stepName="s"),
        e("CUSTOM", name="progress", value={"done": 1}),
    ]
    names = [(event["name"], event["value"]) for event in emitted("agui", natives, "custom")]
    assert [name for name, _ in names] == ["STATE_DELTA", "STEP_STARTED", "progress"]
    assert names[2][1] == {"done": 1}
