"""Read the cases of Microsoft's agent-framework that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "agent_framework"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def update(*contents: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "agent_response_update", "role": "assistant", "contents": list(contents), **fields}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "origin": "FRAMEWORK", **fields}


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def call(**fields: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": "c1", "name": "f", **fields}


def test_an_update_without_a_type_is_known_by_its_fields() -> None:
    fields = {"contents": [text("Hi")], "role": "assistant", "author_name": None, "response_id": "r"}
    native = as_live({**fields, "message_id": "m"})
    assert adapters.detect(native) == ADAPTER
    assert [part["text"] for part in shown(ADAPTER, [native])] == ["Hi"]


@pytest.mark.parametrize("native", [{"type": "started"}, {"type": "output", "origin": "x"}, {"contents": []}])
def test_natives_that_only_resemble_an_event_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)


def test_agents_that_work_at_once_have_a_message_each() -> None:
    def said(place: str, words: str) -> dict[str, Any]:
        return event("output", executor_id=place, data=update(text(words), author_name=place))

    natives = [said("a", "One, "), said("b", "uno, "), said("a", "two."), said("b", "due.")]
    texts = [part["text"] for part in shown(ADAPTER, natives) if part["kind"] == "text"]
    assert texts == ["One, two.", "uno, due."]


def test_a_new_id_and_text_after_results_begin_a_message() -> None:
    result = {"type": "function_result", "call_id": "c1", "result": "1"}
    natives = [
        update(text("One"), message_id="m1"),
        update(text("Two"), message_id="m2"),
        update(call(arguments={"x": 1}), result, message_id="m2"),
        update(text("Three"), message_id="m2"),
    ]
    one, two, tool, three = shown(ADAPTER, natives)
    assert (one["text"], two["text"], three["text"]) == ("One", "Two", "Three")
    assert (tool["args"], tool["output"], tool["status"]) == ({"x": 1}, "1", "ok")


def test_pieces_without_an_id_belong_to_the_newest_call() -> None:
    natives = [update(call(arguments='{"x"')), update(call(call_id="", name="", arguments=": 1}"))]
    assert [(part["id"], part["args"]) for part in shown(ADAPTER, natives)] == [("c1", {"x": 1})]


def test_a_text_that_is_replaced_is_shown_once() -> None:
    natives = [update(text("Helo")), update(text("Hello", merge_mode="replace"))]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["Hello"]


@pytest.mark.parametrize(("mode", "total"), [("append", 5), ("replace", 3), (None, 5)])
def test_usage_adds_up_unless_it_is_the_sum_so_far(mode: str | None, total: int) -> None:
    def used(count: int) -> dict[str, Any]:
        return update({"type": "usage", "usage_details": {"input_token_count": count}, "merge_mode": mode})

    end = run(ADAPTER, [update(text("Hi")), used(2), used(3)])[-1]
    assert isinstance(end, RunFinished)
    assert end.usage is not None
    assert end.usage.input_tokens == total


def test_a_request_for_approval_waits_at_its_call() -> None:
    natives = [
        update({"type": "function_approval_request", "id": "q", "function_call": call(arguments="{}")})
    ]
    assert emitted(ADAPTER, natives, "tool_progress") == [
        {"tool_call_id": "c1", "state": "awaiting_approval"}
    ]
    assert run(ADAPTER, natives)[-1].outcome == "interrupted"  # type: ignore[union-attr]


def test_a_workflows_request_is_an_open_question() -> None:
    natives = [event("request_info", request_id="q1", data="Which city?", executor_id="a")]
    assert emitted(ADAPTER, natives, "input_requested") == [{"request_id": "q1", "message": "Which city?"}]
    assert run(ADAPTER, natives)[-1].outcome == "interrupted"  # type: ignore[union-attr]


def test_a_failed_workflow_is_the_runs_error_and_names_its_executor() -> None:
    details = {"error_type": "ValueError", "message": "no key"}
    natives = [
        event("executor_failed", executor_id="a", details=details),
        event("failed", details=details),
    ]
    assert [(e["name"], e["value"]) for e in emitted(ADAPTER, natives, "custom")] == [
        ("executor_failed", "a: no key")
    ]
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error, end.code) == ("error", "no key", "ValueError")


def test_whole_responses_are_shown_unless_they_were_streamed() -> None:
    def message(native_id: str, *contents: dict[str, Any]) -> dict[str, Any]:
        return {"role": "assistant", "message_id": native_id, "contents": list(contents)}

    response = {
        "type": "agent_response",
        "messages": [message("m1", text("One")), message("m2", call(arguments="{}"), text("Two"))],
        "usage_details": {"input_token_count": 2, "output_token_count": 1},
    }
    natives = [update(text("One"), message_id="m1"), response]
    assert [part.get("text", part.get("id")) for part in shown(ADAPTER, natives)] == ["One", "c1", "Two"]
    assert [part.get("text", part.get("id")) for part in shown(ADAPTER, [response])] == ["One", "c1", "Two"]


def test_a_workflows_own_output_is_its_result_and_text_is_shown() -> None:
    natives = [
        event("output", executor_id="a", data="Done."),
        event("output", executor_id="b", data={"n": 1}),
    ]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["Done."]
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    assert end.result == {"n": 1}


def test_files_sources_and_tools_of_the_provider_are_shown() -> None:
    cited = {"type": "citation", "url": "https://a.example/x", "title": "A"}
    region = {"type": "text_span", "start_index": 0, "end_index": 4}
    natives = [
        update(text("Open.", annotations=[{**cited, "annotated_regions": [region]}])),
        update({"type": "data", "uri": f"data:image/png;base64,{PNG}", "media_type": "image/png"}),
        update({"type": "mcp_server_tool_call", "call_id": "s1", "tool_name": "look", "arguments": {"x": 1}}),
        update(
            {"type": "mcp_server_tool_result", "call_id": "s1", "output": [{"type": "text", "text": "1"}]}
        ),
    ]
    words, image, tool = shown(ADAPTER, natives)
    assert (words["text"], image["media_type"], image["data"]) == ("Open.", "image/png", PNG)
    assert (tool["name"], tool["args"], tool["status"]) == ("look", {"x": 1}, "ok")
    (source,) = emitted(ADAPTER, natives, "citation")
    assert (source["url"], source.get("start", 0), source["end"]) == ("https://a.example/x", 0, 4)


def test_an_error_content_is_the_runs_error() -> None:
    end = run(ADAPTER, [update({"type": "error", "message": "busy", "error_code": "429"})])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error, end.code) == ("error", "busy", "429")


def test_no_event_of_a_recorded_workflow_is_unknown() -> None:
    natives = recording("agent_framework_workflow").natives
    assert [e["value"] for e in emitted(ADAPTER, natives, "custom")] == ["packer"]
