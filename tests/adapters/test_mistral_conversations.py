"""Read the cases of Mistral's conversations that their recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished

ADAPTER = "mistral_conversations"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"event": kind, "data": {"type": kind, **fields}}


def output(content: Any, index: int = 0, name: str = "m") -> dict[str, Any]:
    return event("message.output.delta", id=name, content=content, content_index=index)


def test_the_data_alone_gives_the_events_of_the_stream() -> None:
    natives = recording(ADAPTER).natives
    bare = [native.get("data", native) for native in natives]
    assert {adapters.detect(native) for native in bare if "type" in native} == {ADAPTER}
    assert run(ADAPTER, bare) == recording(ADAPTER).events()


def test_a_tool_of_mistral_shows_its_arguments_and_its_info() -> None:
    tool = {"id": "t", "name": "web_search"}
    natives = [
        event("tool.execution.started", arguments='{"query": "rain"}', **tool),
        event("tool.execution.done", **tool),
    ]
    (part,) = shown(ADAPTER, natives)
    assert (part["name"], part["args"], part["status"]) == ("web_search", {"query": "rain"}, "ok")


def test_an_error_ends_the_run_as_an_error() -> None:
    end = run(ADAPTER, [event("conversation.response.error", message="No more.", code=429)])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error, end.code) == ("error", "No more.", "429")


def test_a_reference_stands_behind_the_words_before_it() -> None:
    cited = {"type": "tool_reference", "title": "A", "url": "https://a.example"}
    (first, lone) = emitted(ADAPTER, [output("Open."), output(cited, 1), output(cited, 0, "n")], "citation")
    assert (first["citation_id"], first["start"], first["end"]) == ("0:0", 5, 5)
    assert "start" not in lone


def test_a_picture_in_the_output_is_a_file_and_a_newer_content_is_kept() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    natives = [output(image), output({"type": "hologram"}, 1)]
    assert [part["media_type"] for part in shown(ADAPTER, natives)] == ["image/png"]
    assert [one["name"] for one in emitted(ADAPTER, natives, "custom")] == ["hologram"]


def test_the_agent_that_took_over_names_its_message() -> None:
    natives = [
        event("agent.handoff.done", id="h", next_agent_id="a2", next_agent_name="writer"),
        event("message.output.delta", id="m", content="Hi", agent_id="a2"),
    ]
    (started,) = emitted(ADAPTER, natives, "message_started")
    assert started["agent_name"] == "writer"
    (line,) = emitted(ADAPTER, natives, "custom")
    assert (line["value"], line["shown"]) == ("? → writer", True)


@pytest.mark.parametrize("kind", ["function.call.delta", "function.result", "tool.execution.done"])
def test_an_event_without_the_id_of_its_call_is_kept(kind: str) -> None:
    (kept,) = emitted(ADAPTER, [{"type": kind, "name": "f"}], "custom")
    assert kept["name"] == kind


def test_an_event_of_a_newer_version_is_kept_under_its_name() -> None:
    raw = {"type": "conversation.hologram"}
    native = {"event": "conversation.hologram", "data": {"type": "UNKNOWN", "raw": raw, "is_unknown": True}}
    (kept,) = emitted(ADAPTER, [native], "custom")
    assert (kept["name"], kept["value"]) == ("conversation.hologram", raw)
