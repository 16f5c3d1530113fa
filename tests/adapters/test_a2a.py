"""Read the cases of A2A that its recording does not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "a2a"


def message(words: str, role: str = "ROLE_AGENT", native_id: str = "m") -> dict[str, Any]:
    return {"messageId": native_id, "role": role, "parts": [{"text": words}]}


def status(state: str, words: str = "") -> dict[str, Any]:
    inner = {"state": state, **({"message": message(words)} if words else {})}
    return {"statusUpdate": {"taskId": "t", "contextId": "c", "status": inner}}


def artifact(*parts: dict[str, Any], append: bool = False) -> dict[str, Any]:
    inner = {"artifactId": "a", "parts": list(parts)}
    return {"artifactUpdate": {"taskId": "t", "artifact": inner, "append": append}}


def test_an_artifact_that_comes_anew_replaces_its_text() -> None:
    natives = [
        artifact({"text": "Helo"}),
        artifact({"text": "Hello"}),
        artifact({"text": " you"}, append=True),
    ]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["Hello you"]


def test_a_task_repeats_no_artifact() -> None:
    task = {
        "id": "t",
        "contextId": "c",
        "status": {"state": "TASK_STATE_COMPLETED"},
        "artifacts": [{"artifactId": "a", "parts": [{"text": "One"}]}],
    }
    assert [part["text"] for part in shown(ADAPTER, [{"task": task}])] == ["One"]
    assert [part["text"] for part in shown(ADAPTER, [artifact({"text": "One"}), {"task": task}])] == ["One"]


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("TASK_STATE_FAILED", "error"),
        ("rejected", "error"),
        ("TASK_STATE_CANCELED", "cancelled"),
        ("cancelled", "cancelled"),
        ("TASK_STATE_WORKING", "interrupted"),
        ("submitted", "interrupted"),
        ("TASK_STATE_INPUT_REQUIRED", "interrupted"),
        ("auth-required", "interrupted"),
        ("TASK_STATE_COMPLETED", "success"),
    ],
)
def test_the_last_state_is_the_runs_outcome(state: str, outcome: str) -> None:
    end = run(ADAPTER, [status(state, "Which city?")])[-1]
    assert isinstance(end, RunFinished)
    assert end.outcome == outcome
    assert end.error == ("Which city?" if outcome == "error" else None)


@pytest.mark.parametrize("error", [{"code": -32001, "message": "no such task"}, "no such task"])
def test_an_error_of_the_protocol_is_the_runs_error(error: Any) -> None:
    end = run(ADAPTER, [status("working"), {"jsonrpc": "2.0", "id": 1, "error": error}])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == ("error", "no such task")


def test_a_task_that_works_on_after_its_request_has_had_its_answer() -> None:
    asks = [status("input-required", "Which city?"), status("working")]
    again = [status("TASK_STATE_INPUT_REQUIRED"), status("TASK_STATE_WORKING"), status("completed")]
    asked = [one["request_id"] for one in emitted(ADAPTER, asks + again, "input_requested")]
    answered = emitted(ADAPTER, asks + again, "input_answered")
    assert len(set(asked)) == 2
    assert answered == [{"request_id": one, "action": "accept"} for one in asked]
    end = run(ADAPTER, asks + again)[-1]
    assert isinstance(end, RunFinished)
    assert end.outcome == "success"


def test_a_request_of_a_cancelled_task_is_cancelled() -> None:
    natives = [status("input-required", "Which city?"), status("cancelled")]
    assert [one["action"] for one in emitted(ADAPTER, natives, "input_answered")] == ["cancel"]


def test_a_task_that_needs_input_asks() -> None:
    (asked,) = emitted(ADAPTER, [status("input-required", "Which city?")], "input_requested")
    assert asked["message"] == "Which city?"


def test_version_0_3_is_read_alone_as_pairs_and_as_json_rpc() -> None:
    working = {
        "kind": "status-update",
        "taskId": "t",
        "contextId": "c",
        "final": False,
        "status": {"state": "working", "message": {**message("Hi", "agent"), "kind": "message"}},
    }
    file = {"kind": "file", "file": {"uri": "https://a.example/x.png", "mimeType": "image/png"}}
    made = {
        "kind": "artifact-update",
        "taskId": "t",
        "contextId": "c",
        "artifact": {"artifactId": "a", "parts": [{"kind": "text", "text": "One"}, file]},
    }
    task = {"kind": "task", "id": "t", "contextId": "c", "status": {"state": "working"}}
    wrapped = {"jsonrpc": "2.0", "id": 1, "result": made}
    for natives in (
        [working, made],
        [(task, working), (task, made)],
        [working, wrapped],
        [as_live(working), made],
    ):
        assert {adapters.detect(native) for native in natives} == {ADAPTER}
        hello, one, image = shown(ADAPTER, natives)
        assert (hello["text"], one["text"], image["url"]) == ("Hi", "One", "https://a.example/x.png")


def test_data_is_shown_as_json() -> None:
    assert [part["text"] for part in shown(ADAPTER, [artifact({"data": {"n": 1}})])] == [
        '```json\n{"n": 1}\n```'
    ]


def test_no_response_of_the_recording_is_unknown() -> None:
    assert emitted(ADAPTER, recording(ADAPTER).natives, "custom") == []


@pytest.mark.parametrize(
    "native",
    [
        {"message": {"role": "assistant", "content": "Hi"}},
        {"task": {"id": 1}},
        {"kind": "message", "parts": []},
        ({"kind": "task"}, None),
        {"jsonrpc": "2.0", "result": {"kind": "x"}},
    ],
)
def test_natives_that_only_resemble_a_response_are_not_detected(native: Any) -> None:
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect(native)
