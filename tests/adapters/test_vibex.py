"""Read vibex's project stream, with its server's errors. Natives outside of the recording are constructed."""

from __future__ import annotations

import json
import types
from typing import Any

import pytest

from tests.adapters.support import emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.exceptions import AdapterError

NATIVES = recording("vibex").natives


def e(kind: str, **data: Any) -> dict[str, Any]:
    return {"id": "1795237338.05", "event": kind, "data": data}


def call(call_id: str, name: str) -> dict[str, Any]:
    return {"type": "tool-call", "toolCallId": call_id, "toolName": name, "args": {"a": 1}}


def result(call_id: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "tool-result", "toolCallId": call_id, "toolName": name, "result": "gone", **fields}


def whole(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return e("message_complete", message={"id": "m", "role": "assistant", "parts": list(parts), **fields})


def test_an_events_data_may_be_json_text_in_a_dict_or_an_sse_event() -> None:
    dicts = [native | {"data": json.dumps(native["data"])} for native in NATIVES]
    events = [types.SimpleNamespace(**native) for native in dicts]
    for natives in (dicts, events):
        assert run("vibex", natives) == run("vibex", NATIVES)
        assert {adapters.detect(native) for native in natives} == {"vibex"}


def test_results_that_the_server_mixes_up_are_not_shown() -> None:
    tools = [item for item in fold(run("vibex", NATIVES))["items"] if item["kind"] == "tool"]
    assert [(tool["args"]["city"], tool["output"]) for tool in tools] == [("Paris", None), ("Atlantis", None)]


def test_a_result_is_accepted_if_its_tool_was_called_once() -> None:
    parts = [call("a", "f"), call("b", "g"), result("a", "f"), result("b", "g", isError=True)]
    tools = shown("vibex", [whole(*parts)])
    assert [(tool["id"], tool["status"], tool["output"]) for tool in tools] == [
        ("a", "ok", "gone"),
        ("b", "error", "gone"),
    ]


def test_the_first_result_with_an_id_is_accepted_and_stays() -> None:
    start = e("tool_call_start", tool_call_id="a", tool_name="f", args={})
    done = e("tool_call_result", tool_call_id="a", tool_name="f", result={"n": 1}, is_error=False)
    (tool,) = shown("vibex", [start, done, whole(call("a", "f"), result("a", "f"))])
    assert (tool["status"], tool["output"]) == ("ok", {"n": 1})


def test_texts_of_a_whole_message_are_matched_in_their_order() -> None:
    deltas = [
        e("part_delta", message_id="m", part_index=i, delta=delta, type="text")
        for i, delta in ((0, "a"), (4, "b"))
    ]
    parts = [{"type": "text", "text": "a"}, call("c", "f"), {"type": "text", "text": "b!"}]
    assert [item["text"] for item in shown("vibex", [*deltas, whole(*parts)]) if "text" in item] == [
        "a",
        "b!",
    ]


def test_a_message_without_a_stream_is_shown_whole() -> None:
    assert [item["text"] for item in shown("vibex", [whole(content="Hi")])] == ["Hi"]
    legacy = e("complete_message", message_id="m", role="assistant", content="Hi")
    assert [item["text"] for item in shown("vibex", [legacy])] == ["Hi"]


@pytest.mark.parametrize(
    "native",
    [
        e("stream_chunk", message_id="m", chunk="Hi", is_final=True),
        e("message_chunk", step_id="m", agent_name="Ada", text="Hi", is_final=True),
    ],
)
def test_the_older_names_of_a_delta_are_read(native: dict[str, Any]) -> None:
    assert [item["text"] for item in shown("vibex", [native])] == ["Hi"]
    assert len(emitted("vibex", [native], "message_finished")) == 1


def test_the_users_text_is_not_shown_as_the_agents() -> None:
    assert [item.get("role") for item in shown("vibex", [whole(content="Hi", role="user")])] == ["user"]
    assert shown("vibex", [whole(content="Hi", role="tool")]) == []


def test_argument_text_waits_for_its_calls_start() -> None:
    deltas = [e("tool_call_delta", tool_call_id="a", args_delta=delta) for delta in ('{"x":', "1}")]
    assert shown("vibex", deltas) == []
    (tool,) = shown("vibex", [*deltas, e("tool_call_start", tool_call_id="a", tool_name="f", args={})])
    assert tool["args"] == {"x": 1}


def test_a_failed_project_or_an_error_part_is_the_runs_error() -> None:
    assert fold(run("vibex", [e("task_update", status="failed", result="no")]))["error"] == "no"
    assert fold(run("vibex", [e("project_update", status="cancelled")]))["run"] == "cancelled"
    part = e(
        "part_complete", message_id="m", part_index=0, part={"type": "error", "error": "no", "errorCode": "E"}
    )
    assert fold(run("vibex", [part]))["error"] == "no"
    assert fold(run("vibex", [e("agent_status", status="failed")]))["run"] == "success"


@pytest.mark.parametrize("native", [e("part_delta") | {"data": "{"}, e("unheard_of"), {"event": "message"}])
def test_natives_that_only_resemble_an_event_do_not_match(native: dict[str, Any]) -> None:
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect(native)
