"""Read the cases of google-adk that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished

ADAPTER = "google_adk"


def event(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts)}
    return {"id": "e1", "invocation_id": "i", "author": "ada", "content": content, "actions": {}, **fields}


def call(name: str, call_id: str | None = None, **args: Any) -> dict[str, Any]:
    return {"function_call": {"id": call_id, "name": name, "args": args}}


def answer(name: str, response: Any, call_id: str | None = None) -> dict[str, Any]:
    return {"function_response": {"id": call_id, "name": name, "response": response}}


def camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            "".join(w.title() if i else w for i, w in enumerate(k.split("_"))): v
            if k in ("args", "response")
            else camel(v)
            for k, v in value.items()
        }
    return [camel(item) for item in value] if isinstance(value, list) else value


def end_of(*natives: Any) -> RunFinished:
    event = run(ADAPTER, natives)[-1]
    assert isinstance(event, RunFinished)
    return event


@pytest.mark.parametrize("name", ["google_adk", "google_adk_transfer"])
def test_field_names_in_camel_case_give_the_same_events(name: str) -> None:
    natives = [camel(native) for native in recording(name).natives]
    assert {adapters.detect(native) for native in natives} == {ADAPTER}
    assert fold(run(ADAPTER, natives)) == fold(recording(name).events())


def test_each_message_has_the_name_of_its_agent() -> None:
    started = emitted(ADAPTER, recording("google_adk_transfer").natives, "message_started")
    assert [e["agent_name"] for e in started] == ["front_desk", "expert"]


def test_agents_that_work_at_the_same_time_do_not_mix() -> None:
    def piece(text: str, author: str, **fields: Any) -> dict[str, Any]:
        return event({"text": text}, author=author, branch=author, id=author, **fields)

    natives = [
        piece("Hel", "a", partial=True),
        piece("By", "b", partial=True),
        piece("lo", "a", partial=True),
        piece("Bye", "b", partial=False),
        piece("Hello", "a", partial=False),
    ]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["Hello", "Bye"]


def test_a_whole_message_under_another_id_is_the_same_message() -> None:
    natives = [event({"text": "Hel"}, partial=True), event({"text": "Hello"}, id="e2")]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["Hello"]


def test_a_repeated_whole_message_adds_nothing() -> None:
    natives = [event({"text": "Hello"}), event({"text": "Hello"})]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["Hello"]


def test_calls_without_an_id_are_answered_in_their_order() -> None:
    natives = [
        event(call("f", x=1), call("f", x=2)),
        event(answer("f", {"n": 1}), answer("f", {"n": 2}), id="e2"),
    ]
    assert [(part["args"], part["output"]) for part in shown(ADAPTER, natives)] == [
        ({"x": 1}, {"n": 1}),
        ({"x": 2}, {"n": 2}),
    ]


@pytest.mark.parametrize(
    ("response", "error"),
    [
        ({"error": "gone"}, "gone"),
        ({"status": "error", "error_message": "gone"}, "gone"),
        ({"isError": True, "content": []}, '{"isError": true, "content": []}'),
        ({"status": "success"}, None),
        ({"error": None, "n": 1}, None),
    ],
)
def test_each_convention_for_failures_is_read(response: dict[str, Any], error: str | None) -> None:
    (finished,) = emitted(ADAPTER, [event(answer("f", response, "c1"))], "tool_finished")
    assert (finished.get("status", "ok") == "ok", finished.get("error")) == (error is None, error)


def test_a_call_that_waits_for_approval_pauses_the_run_until_its_answer() -> None:
    asked = call("adk_request_confirmation", "a1", originalFunctionCall={"id": "c1", "name": "f"})
    refused = answer("f", {"error": "This tool call requires confirmation"}, "c1")
    natives = [event(call("f", "c1")), event(asked, id="e2"), event(refused, id="e3")]
    assert [part["status"] for part in shown(ADAPTER, natives)] == ["awaiting_approval"]
    assert end_of(*natives).outcome == "interrupted"
    confirmed = event(answer("adk_request_confirmation", {"confirmed": True}, "a1"), author="user", id="e4")
    done = event(answer("f", {"n": 1}, "c1"), id="e5")
    assert [part["status"] for part in shown(ADAPTER, [*natives, confirmed, done])] == ["ok"]
    assert end_of(*natives, confirmed, done).outcome == "success"


def test_an_error_of_the_model_is_the_runs_error() -> None:
    end = end_of(event(error_code="MAX_TOKENS", error_message="Too long"))
    assert (end.outcome, end.error, end.code) == ("error", "Too long", "MAX_TOKENS")


def test_files_and_code_are_shown() -> None:
    natives = [
        event(
            {"inline_data": {"mime_type": "image/png", "data": "AA=="}},
            {"executable_code": {"code": "1 + 1", "language": "PYTHON"}},
            {"code_execution_result": {"outcome": "OUTCOME_OK", "output": "2"}},
        ),
        event(actions={"artifact_delta": {"plot.png": 1}}, id="e2"),
    ]
    image, code, saved = shown(ADAPTER, natives)
    assert (image["media_type"], image["data"]) == ("image/png", "AA==")
    assert (code["args"], code["output"], code["status"]) == ({"code": "1 + 1"}, "2", "ok")
    assert saved["name"] == "plot.png"


def test_unknown_parts_are_custom_events() -> None:
    natives = [event({"brand_new": 1}, {"text": None}, id="e2")]
    assert shown(ADAPTER, natives) == []
    assert [e["value"] for e in emitted(ADAPTER, natives, "custom")] == [{"brand_new": 1}]


def test_thinking_is_part_of_the_output() -> None:
    counts = {"prompt_token_count": 5, "candidates_token_count": 2, "thoughts_token_count": 3}
    (finished,) = emitted(ADAPTER, [event({"text": "Hi"}, usage_metadata=counts)], "message_finished")
    assert finished["usage"] == {"input_tokens": 5, "output_tokens": 5, "reasoning_tokens": 3}
