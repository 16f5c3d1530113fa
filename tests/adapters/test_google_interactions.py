"""Read the cases of Gemini's Interactions that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished

ADAPTER = "google_interactions"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def start(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"event_type": "step.start", "index": index, "step": {"type": kind, **fields}}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"event_type": "step.delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int) -> dict[str, Any]:
    return {"event_type": "step.stop", "index": index}


def completed(status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"event_type": "interaction.completed", "interaction": {"id": "i", "status": status, **fields}}


def end_of(*natives: Any) -> RunFinished:
    event = run(ADAPTER, natives)[-1]
    assert isinstance(event, RunFinished)
    return event


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("completed", "success"),
        ("requires_action", "success"),
        ("idle", "success"),
        ("failed", "error"),
        ("incomplete", "error"),
        ("budget_exceeded", "error"),
        ("cancelled", "cancelled"),
    ],
)
def test_the_interactions_status_is_the_outcome(status: str, outcome: str) -> None:
    update = {"event_type": "interaction.status_update", "interaction_id": "i", "status": status}
    for native in (update, completed(status)):
        assert adapters.detect(native) == adapters.detect(as_live(native)) == ADAPTER
        assert end_of(start(0, "model_output"), delta(0, "text", text="Hi"), native).outcome == outcome


def test_a_step_that_starts_with_its_content_shows_the_content() -> None:
    natives = [
        start(0, "thought", summary=[{"type": "text", "text": "Hm."}]),
        start(1, "model_output", content=[{"type": "text", "text": "Hi"}]),
        delta(1, "text", text=" there"),
        start(2, "function_call", id="c", name="f", arguments={"x": 1}),
        stop(2),
    ]
    assert [part.get("text", part.get("args")) for part in shown(ADAPTER, natives)] == [
        "Hm.",
        "Hi there",
        {"x": 1},
    ]


def test_tools_of_the_service_show_their_calls_and_results() -> None:
    natives = [
        start(0, "google_search_call", id="s", arguments={"queries": ["rain"]}),
        stop(0),
        start(1, "google_search_result", call_id="s", result=[{"search_suggestions": "<b>"}]),
        stop(1),
        start(2, "mcp_server_tool_call", id="m", name="lookup", server_name="db", arguments={}),
        delta(2, "mcp_server_tool_call", name="lookup", server_name="db", arguments={"q": 1}),
        stop(2),
        start(3, "mcp_server_tool_result", call_id="m", result=[{"type": "text", "text": "one"}]),
        delta(3, "mcp_server_tool_result", result="no", is_error=True),
        stop(3),
    ]
    parts = shown(ADAPTER, natives)
    assert [(part["name"], part["status"]) for part in parts] == [
        ("google_search", "ok"),
        ("lookup", "error"),
    ]
    assert [part["args"] for part in parts] == [{"queries": ["rain"]}, {"q": 1}]
    assert parts[0]["output"] == [{"search_suggestions": "<b>"}]


def test_a_call_without_its_stop_starts_at_the_interactions_end() -> None:
    natives = [start(0, "url_context_call", id="u", arguments={"urls": ["a"]}), completed()]
    assert [one["tool_name"] for one in emitted(ADAPTER, natives, "tool_started")] == ["url_context"]


def test_sounds_in_pieces_are_one_file_and_images_are_files_of_their_own() -> None:
    natives = [
        start(0, "model_output"),
        delta(0, "audio", data="AAAA", mime_type="audio/l16"),
        delta(0, "audio", data="BBBB"),
        delta(0, "image", data=PNG, mime_type="image/png"),
        delta(0, "video", uri="https://a.example/x.mp4", mime_type="video/mp4"),
        stop(0),
    ]
    parts = shown(ADAPTER, natives)
    assert {(part["media_type"], part.get("data"), part.get("url")) for part in parts} == {
        ("audio/l16", "AAAABBBB", None),
        ("image/png", PNG, None),
        ("video/mp4", None, "https://a.example/x.mp4"),
    }


def test_the_place_of_a_source_is_counted_in_characters() -> None:
    cited = {"type": "url_citation", "url": "https://a.example", "start_index": 0, "end_index": 6}
    word = {"type": "word_info", "start_index": 0, "end_index": 2}
    natives = [
        start(0, "model_output"),
        delta(0, "text", text="18 °C."),
        delta(0, "text_annotation_delta", annotations=[word, cited]),
    ]
    (event,) = emitted(ADAPTER, natives, "citation")
    assert (event["start"], event["end"], event["url"]) == (0, 5, "https://a.example")


def test_a_whole_interaction_is_shown_with_what_the_user_asked() -> None:
    whole = {
        "id": "i",
        "object": "interaction",
        "status": "completed",
        "model": "gemini",
        "steps": [
            {"type": "user_input", "content": [{"type": "text", "text": "Weather?"}]},
            {"type": "thought", "summary": [{"type": "text", "text": "Hm."}]},
            {"type": "code_execution_call", "id": "c", "arguments": {"code": "1"}},
            {"type": "code_execution_result", "call_id": "c", "result": "1"},
            {"type": "model_output", "content": [{"type": "text", "text": "Sunny."}]},
        ],
        "usage": {"total_input_tokens": 3, "total_output_tokens": 4},
    }
    assert adapters.detect(whole) == ADAPTER
    parts = shown(ADAPTER, [whole])
    assert [part["kind"] for part in parts] == ["text", "thinking", "tool", "text"]
    assert (parts[0]["role"], parts[0]["text"], parts[2]["output"]) == ("user", "Weather?", "1")
    assert emitted(ADAPTER, [whole], "message_finished")[-1]["usage"]["output_tokens"] == 4


def test_kinds_that_a_newer_version_sends_are_kept_under_their_names() -> None:
    raw = {"event_type": "step.hologram", "index": 0}
    unknown = {"event_type": "UNKNOWN", "raw": raw, "is_unknown": True}
    assert adapters.detect(unknown) == ADAPTER
    natives = [start(0, "hologram"), delta(0, "hologram", x=1), unknown]
    assert [event["name"] for event in emitted(ADAPTER, natives, "custom")] == [
        "hologram",
        "hologram",
        "step.hologram",
    ]


def test_a_stream_that_begins_in_the_middle_of_a_step_shows_its_text() -> None:
    natives = [delta(3, "text", text="lo"), stop(3), completed()]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["lo"]
