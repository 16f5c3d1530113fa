"""Read the events of GitHub Copilot's SDK, constructed after its classes: a session needs its server."""

from __future__ import annotations

from typing import Any

import pytest

import vibe_notebook as vibe
from tests.adapters.support import as_live, emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "github_copilot"


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "id": f"e-{kind}", "timestamp": "t", "parentId": None, "data": data}


NATIVES = [
    event("user.message", content="List"),
    event("assistant.reasoning_delta", reasoningId="r", deltaContent="Hm."),
    event("assistant.reasoning", reasoningId="r", content="Hm."),
    event("assistant.message_delta", messageId="m", deltaContent="I "),
    event("assistant.message_delta", messageId="m", deltaContent="look."),
    event("assistant.message", messageId="m", content="I look."),
    event("tool.execution_start", toolCallId="c1", toolName="task", arguments={"x": 1}),
    event("assistant.message", messageId="n", content="Inner.", parentToolCallId="c1"),
    event("tool.execution_complete", toolCallId="c1", success=True, result={"content": "a.txt"}),
    event("tool.execution_start", toolCallId="c2", toolName="shell", arguments={}),
    event("tool.execution_complete", toolCallId="c2", success=False, error={"message": "no"}),
    event("assistant.usage", model="gpt", inputTokens=3, outputTokens=2),
    event("assistant.usage", model="gpt", inputTokens=4, outputTokens=1),
]


def test_a_session_is_shown_whole_and_nothing_twice() -> None:
    for natives in (NATIVES, list(map(as_live, NATIVES))):
        assert {adapters.detect(native) for native in natives} == {ADAPTER}
        user, thinking, words, task, shell = shown(ADAPTER, natives)
        assert (user["text"], thinking["text"], words["text"]) == ("List", "Hm.", "I look.")
        assert (task["args"], task["status"], task["output"]) == ({"x": 1}, "ok", "a.txt")
        assert [part["text"] for part in task["children"]] == ["Inner."]
        assert (shell["status"], shell["output"]) == ("error", "no")
        end = run(ADAPTER, natives)[-1]
        assert isinstance(end, RunFinished)
        assert end.usage is not None
        assert (end.usage.input_tokens, end.usage.output_tokens) == (7, 3)


def test_an_error_of_the_session_is_the_runs() -> None:
    end = run(ADAPTER, [event("session.error", errorType="quota", message="busy")])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error, end.code) == ("error", "busy", "quota")


def asks(kind: str = "shell", **asked: Any) -> dict[str, Any]:
    permission = {"kind": kind, "toolCallId": "c2", "intention": "Clean up", **asked}
    return event("permission.requested", requestId="p1", permissionRequest=permission)


def completed(kind: str, **result: Any) -> dict[str, Any]:
    return event("permission.completed", requestId="p1", toolCallId="c2", result={"kind": kind, **result})


CALL = event("tool.execution_start", toolCallId="c2", toolName="shell", arguments={})


@pytest.mark.parametrize(
    ("answer", "action", "why"),
    [
        (completed("approved"), "accept", None),
        (completed("approved-for-session", approval={}), "accept", None),
        (completed("denied-interactively-by-user", feedback="Not now."), "decline", "Not now."),
        (completed("denied-by-rules", rules=[]), "decline", "denied by rules"),
        (completed("cancelled"), "cancel", "cancelled"),
    ],
)
def test_a_permission_is_a_request_of_its_call_and_its_answer(
    answer: dict[str, Any], action: str, why: str | None
) -> None:
    natives = [CALL, asks(fullCommandText="rm -r build"), answer]
    for each in (natives, list(map(as_live, natives))):
        asked, answered = emitted(ADAPTER, each, "input_requested", "input_answered")
        assert (asked["kind"], asked["tool_call_id"]) == ("approval", "c2")
        assert asked["message"] == "Clean up\n\n`rm -r build`"
        assert (answered["request_id"], answered["action"], answered.get("reason")) == ("p1", action, why)


@pytest.mark.parametrize(
    ("kind", "asked", "words"),
    [
        ("write", {"fileName": "a.py"}, "`a.py`"),
        ("url", {"url": "https://a.example"}, "`https://a.example`"),
        ("mcp", {"toolTitle": "Search", "toolName": "search"}, "`Search`"),
        ("extension-management", {}, "extension-management"),
    ],
)
def test_the_thing_asked_for_is_named(kind: str, asked: dict[str, Any], words: str) -> None:
    (found,) = emitted(ADAPTER, [CALL, asks(kind, **asked)], "input_requested")
    assert found["message"].endswith(words)


def test_a_permission_that_a_hook_has_given_waits_for_nobody() -> None:
    native = asks(fullCommandText="ls")
    native["data"]["resolvedByHook"] = True
    assert emitted(ADAPTER, [CALL, native, completed("approved")], "input_requested", "input_answered") == []


def test_a_question_has_its_choices_and_its_answer() -> None:
    asked = event(
        "user_input.requested", requestId="q", question="Which?", choices=["a", "b"], allowFreeform=False
    )
    answered = event("user_input.completed", requestId="q", answer="b")
    for each in ([asked, answered], [as_live(asked), as_live(answered)]):
        request, answer = emitted(ADAPTER, each, "input_requested", "input_answered")
        assert request["message"] == "Which?"
        assert request["answer_schema"]["properties"]["answer"]["enum"] == ["a", "b"]
        assert (answer["action"], answer["value"]) == ("accept", {"answer": "b"})


def test_an_elicitation_is_a_question_with_its_own_form() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    asked = event("elicitation.requested", requestId="e", message="How many?", requestedSchema=schema)
    answered = event("elicitation.completed", requestId="e", action="accept", content={"n": 3})
    request, answer = emitted(ADAPTER, [asked, answered], "input_requested", "input_answered")
    assert request["answer_schema"] == schema
    assert (answer["action"], answer["value"]) == ("accept", {"n": 3})


def test_an_answer_to_no_request_answers_nothing() -> None:
    assert emitted(ADAPTER, [completed("approved")], "input_answered") == []


def test_the_handler_is_a_listener_of_a_session() -> None:
    hook = vibe.handler("github_copilot", registry=vibe.Registry(), display=False)
    with hook:
        for native in NATIVES:
            hook(native)
    assert [call.state for call in hook.transcript.tools][-1] == "error"


@pytest.mark.parametrize(
    "native", [{"type": "user.message", "data": {}}, {**event("x"), "type": "other.kind"}]
)
def test_natives_that_only_resemble_an_event_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)
