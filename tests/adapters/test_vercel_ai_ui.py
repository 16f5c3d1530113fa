"""Read the AI SDK's UI message stream. The natives outside of the recording are constructed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import IDS, emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

NATIVES = recording("vercel_ai_ui").natives
ERROR = {"type": "error", "errorText": "no"}


def tool(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"tool-{kind}", "toolCallId": "c", **fields}


def text(part_id: str, delta: str) -> dict[str, Any]:
    return {"type": "text-delta", "id": part_id, "delta": delta}


def ended(*natives: Any) -> Any:
    return run("vercel_ai_ui", natives)[-1]


def test_each_step_is_a_message_because_ids_repeat_between_steps() -> None:
    step = [{"type": "start-step"}, text("t0", "a"), {"type": "finish-step"}]
    natives = [{"type": "start", "messageId": "m"}, *step, *step]
    assert [part["text"] for part in shown("vercel_ai_ui", natives)] == ["a", "a"]
    assert {event.message_id for event in run("vercel_ai_ui", natives)} == {None, "m:0", "m:1"}


def test_a_stream_without_steps_is_one_message() -> None:
    assert [part["text"] for part in shown("vercel_ai_ui", [text("0", "a"), text("0", "b")])] == ["ab"]


def test_a_step_that_is_tried_again_starts_empty() -> None:
    natives = [{"type": "start-step"}, text("0", "bad"), {"type": "reset-step"}, text("0", "good")]
    assert [part["text"] for part in shown("vercel_ai_ui", natives)] == ["good"]


def test_only_the_current_step_is_tried_again() -> None:
    steps = [{"type": "start-step"}, text("0", "first"), {"type": "start-step"}, text("1", "bad")]
    natives = [*steps, {"type": "reset-step"}]
    assert [part["text"] for part in shown("vercel_ai_ui", natives)] == ["first"]
    assert len(emitted("vercel_ai_ui", natives, "part_completed")) == 1


def test_preliminary_outputs_replace_each_other_while_the_tool_runs() -> None:
    outputs = [event["output"] for event in emitted("vercel_ai_ui", NATIVES, "tool_progress")]
    assert outputs == [
        {"status": "loading", "city": "Paris"},
        {"city": "Paris", "temp_c": 18, "sky": "sunny ☀️"},
    ]


@pytest.mark.parametrize(
    ("native", "status", "error"),
    [
        (tool("output-error", errorText="no"), "error", "no"),
        (tool("input-error", toolName="f", input="{", errorText="no"), "error", "no"),
        (tool("output-denied"), "denied", None),
    ],
)
def test_a_failed_or_denied_tool_has_its_reason(
    native: dict[str, Any], status: str, error: str | None
) -> None:
    (finished,) = emitted("vercel_ai_ui", [native], "tool_finished")
    assert (finished["status"], finished.get("error")) == (status, error)


def test_a_call_that_waits_for_approval_pauses_the_run() -> None:
    request = tool("approval-request", approvalId="p")
    assert emitted("vercel_ai_ui", [request], "tool_progress")[0]["state"] == "awaiting_approval"
    assert ended(request).outcome == "interrupted"
    assert ended(request, tool("output-available", output=1)).outcome == "success"
    assert ended(request, tool("output-denied")).outcome == "success"
    answer = {"type": "tool-approval-response", "approvalId": "p"}
    assert ended(request, answer | {"approved": True}).outcome == "success"
    denied = emitted(
        "vercel_ai_ui", [request, answer | {"approved": False, "reason": "hands off"}], "tool_finished"
    )
    assert denied == [{"tool_call_id": "c", "status": "denied", "error": "hands off"}]


def test_a_python_servers_objects_in_snake_case_are_read() -> None:
    natives = [
        {"type": "tool-input-start", "tool_call_id": "c", "tool_name": "f"},
        {"type": "tool-input-delta", "tool_call_id": "c", "input_text_delta": "{}"},
    ]
    (part,) = shown("vercel_ai_ui", natives)
    assert (part["name"], part["args"]) == ("f", {})


def test_files_are_artifacts_and_sources_are_citations() -> None:
    natives = [
        {"type": "file", "url": "data:image/png;base64,AA==", "mediaType": "image/png"},
        {"type": "source-url", "sourceId": "s", "url": "https://x.test", "title": "X"},
    ]
    (file,) = emitted("vercel_ai_ui", natives, "artifact")
    (source,) = emitted("vercel_ai_ui", natives, "citation")
    assert (file["data"], file["media_type"]) == ("AA==", "image/png")
    assert source == {"citation_id": "0:0", "url": "https://x.test", "title": "X"}
    assert {adapters.detect(native) for native in natives} == {"vercel_ai_ui"}


def test_an_applications_own_data_keeps_its_name() -> None:
    native = {"type": "data-weather", "id": "w", "data": {"t": 18}}
    assert adapters.detect(native) == "vercel_ai_ui"
    assert [event["name"] for event in emitted("vercel_ai_ui", [native], "custom")] == ["data-weather"]


def test_an_error_outweighs_the_finish_after_it() -> None:
    assert adapters.detect(ERROR) == "vercel_ai_ui"
    end = ended(ERROR, {"type": "finish", "finishReason": "error"})
    assert end == RunFinished(**IDS, outcome="error", error="no")


def test_the_end_event_sets_outcome_and_usage() -> None:
    assert ended({"type": "abort"}).outcome == "cancelled"
    assert ended({"type": "finish", "finishReason": "length"}).code == "length"
    usage = ended(*NATIVES).usage
    assert (usage.cached_input_tokens, usage.reasoning_tokens) == (40, 60)


def test_the_servers_end_mark_shows_nothing() -> None:
    assert run("vercel_ai_ui", [*NATIVES, "[DONE]"]) == run("vercel_ai_ui", NATIVES)


@pytest.mark.parametrize("native", [{"type": "error"}, {"type": "file"}, {"type": "data-x"}])
def test_natives_that_only_resemble_an_event_do_not_match(native: dict[str, Any]) -> None:
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect(native)
