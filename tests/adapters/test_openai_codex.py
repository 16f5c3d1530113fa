"""Read the notifications of Codex's app server, constructed after its SDK's classes: a run needs its server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "openai_codex"
IDS = {"threadId": "t", "turnId": "u"}


def note(method: str, **params: Any) -> dict[str, Any]:
    return {"method": method, "params": {**IDS, **params}}


def item(kind: str, item_id: str, *, done: bool = True, **fields: Any) -> dict[str, Any]:
    return note(f"item/{'completed' if done else 'started'}", item={"type": kind, "id": item_id, **fields})


COMMAND = {"command": "ls", "cwd": "/tmp"}  # noqa: S108 - never run
NATIVES = [
    item("userMessage", "i0", content=[{"type": "text", "text": "List"}]),
    note("item/reasoning/textDelta", itemId="i1", delta="Hm.", contentIndex=0),
    item("reasoning", "i1", content=["Hm."], summary=[]),
    item("commandExecution", "i2", done=False, **COMMAND, status="inProgress"),
    note("item/commandExecution/outputDelta", itemId="i2", delta="a.txt"),
    item("commandExecution", "i2", **COMMAND, status="completed", aggregatedOutput="a.txt", exitCode=0),
    item("mcpToolCall", "i3", tool="f", arguments={"x": 1}, status="failed", error={"message": "no"}),
    note("item/agentMessage/delta", itemId="i4", delta="One "),
    note("item/agentMessage/delta", itemId="i4", delta="file."),
    item("agentMessage", "i4", text="One file."),
    note("thread/tokenUsage/updated", tokenUsage={"total": {"inputTokens": 3, "outputTokens": 2}}),
    note("turn/completed", turn={"id": "u", "status": "completed", "items": []}),
]


def test_a_turn_is_shown_whole_and_nothing_twice() -> None:
    for natives in (NATIVES, list(map(as_live, NATIVES))):
        assert {adapters.detect(native) for native in natives} == {ADAPTER}
        user, thinking, command, call, answer = shown(ADAPTER, natives)
        assert (user["text"], user["role"], thinking["text"]) == ("List", "user", "Hm.")
        assert (command["args"], command["status"], command["output"]) == (COMMAND, "ok", "a.txt")
        assert (call["name"], call["args"], call["status"], call["output"]) == ("f", {"x": 1}, "error", "no")
        assert answer["text"] == "One file."
        end = run(ADAPTER, natives)[-1]
        assert isinstance(end, RunFinished)
        assert end.usage is not None
        assert (end.outcome, end.usage.input_tokens) == ("success", 3)


def test_the_plan_of_a_turn_is_a_plan() -> None:
    steps = [{"step": "Look", "status": "completed"}, {"step": "Tell", "status": "inProgress"}]
    (plan,) = emitted(ADAPTER, [note("turn/plan/updated", plan=steps)], "plan")
    assert [(e["content"], e["status"]) for e in plan["entries"]] == [
        ("Look", "completed"),
        ("Tell", "in_progress"),
    ]


def test_a_turn_that_has_ended_is_not_interrupted() -> None:
    end = run(ADAPTER, [note("turn/started", turn={"id": "u"}), *NATIVES])[-1]
    assert isinstance(end, RunFinished)
    assert end.outcome == "success"


@pytest.mark.parametrize(
    ("native", "outcome", "error"),
    [
        (note("turn/completed", turn={"status": "interrupted"}), "cancelled", None),
        (note("turn/completed", turn={"status": "failed", "error": {"message": "busy"}}), "error", "busy"),
        (note("turn/completed", turn={"error": {"message": "busy"}}), "error", "busy"),
        (note("turn/completed", turn={"status": "other", "error": {"message": "busy"}}), "error", "busy"),
        (note("turn/completed", turn={"status": "completed"}, error="busy"), "error", "busy"),
        (note("turn/completed", turn={"status": "other"}), "error", "The turn ended: other."),
        (note("turn/started", turn={"id": "u"}), "interrupted", None),
        ({"id": 1, "error": {"code": -1, "message": "busy"}}, "error", "busy"),
        (note("error", error={"message": "busy"}, willRetry=False), "error", "busy"),
        (note("error", error={"message": "busy"}, willRetry=True), "success", None),
    ],
)
def test_the_turns_end_is_the_runs(native: Any, outcome: str, error: str | None) -> None:
    end = run(ADAPTER, [native])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == (outcome, error)


@pytest.mark.parametrize("native", [{"method": "item/started", "params": {}}, note("initialize")])
def test_other_messages_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)


STARTED = item("commandExecution", "i2", done=False, **COMMAND, status="inProgress")
ASKED = {
    **note("item/commandExecution/requestApproval", itemId="i2", command="ls", reason="To look."),
    "id": 7,
}
RESOLVED = {"method": "serverRequest/resolved", "params": {"threadId": "t", "requestId": 7}}


def ended(status: str) -> dict[str, Any]:
    return item("commandExecution", "i2", **COMMAND, status=status, aggregatedOutput="")


@pytest.mark.parametrize(
    ("rest", "action"),
    [
        ([RESOLVED, ended("completed")], "accept"),
        ([RESOLVED, ended("declined")], "decline"),
        ([ended("failed")], "accept"),
        ([{"id": 7, "result": {"decision": "decline"}}, RESOLVED, ended("declined")], "decline"),
        ([{"id": 7, "result": {"decision": "acceptForSession"}}, RESOLVED, ended("completed")], "accept"),
        ([{"id": 7, "result": {"decision": {"acceptWithExecpolicyAmendment": {}}}}], "accept"),
        ([{"id": 7, "result": {"decision": "cancel"}}], "cancel"),
        ([{"id": 7, "error": {"message": "gone"}}], "cancel"),
        ([note("turn/completed", turn={"id": "u", "status": "interrupted"})], "cancel"),
        ([], "cancel"),
    ],
)
def test_an_approval_is_a_request_of_its_command_and_its_answer(rest: list[Any], action: str) -> None:
    natives = [STARTED, ASKED, *rest]
    for each in (natives, list(map(as_live, natives))):
        asked, answered = emitted(ADAPTER, each, "input_requested", "input_answered")
        assert (asked["kind"], asked["tool_call_id"], asked["request_id"]) == ("approval", "i2", "7")
        assert asked["message"] == "To look.\n\n`ls`"
        assert (answered["request_id"], answered["action"]) == ("7", action)


def test_a_change_of_files_and_permissions_ask_too() -> None:
    change = {**note("item/fileChange/requestApproval", itemId="i9", reason="Write"), "id": 1}
    wider = {**note("item/permissions/requestApproval", itemId="i8", permissions={"network": True}), "id": 2}
    given = {"id": 2, "result": {"permissions": {"network": True}}}
    found = emitted(ADAPTER, [change, wider, given], "input_requested", "input_answered")
    assert [(one["request_id"], one.get("action")) for one in found] == [
        *(("1", None), ("2", None)),
        *(("2", "accept"), ("1", "cancel")),
    ]
    assert found[1]["message"] == '{"network": true}'


def test_questions_have_a_field_each_and_their_answers() -> None:
    questions = [
        {"id": "q1", "header": "Kind", "question": "Which?", "options": [{"label": "a"}, {"label": "b"}]}
    ]
    asked = {**note("item/tool/requestUserInput", itemId="i5", questions=questions), "id": 3}
    given = {"id": 3, "result": {"answers": {"q1": {"answers": ["b"]}}}}
    request, answer = emitted(ADAPTER, [asked, given], "input_requested", "input_answered")
    assert request["message"] == "Which?"
    assert request["answer_schema"]["properties"]["q1"] == {
        "type": "string",
        "title": "Kind",
        "examples": ["a", "b"],
    }
    assert (answer["action"], answer["value"]) == ("accept", {"q1": {"answers": ["b"]}})


def test_an_answer_that_the_stream_does_not_have_approves_nothing() -> None:
    asked = {**note("mcpServer/elicitation/request", mode="form", message="How many?"), "id": 7}
    _, answer = emitted(ADAPTER, [asked, RESOLVED], "input_requested", "input_answered")
    assert (answer["action"], answer["reason"]) == (
        "cancel",
        "Answered elsewhere; the stream does not say how.",
    )


def test_a_response_to_no_request_is_no_answer() -> None:
    assert emitted(ADAPTER, [{"id": 9, "result": {"decision": "accept"}}], "input_answered") == []
