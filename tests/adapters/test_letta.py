"""Read Letta's stream: its steps, its tokens, its approvals and its end."""

from __future__ import annotations

import types
from typing import Any

import pytest

from tests.adapters.support import emitted, run
from tests.watching.streams import quiet
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished


def letta(kind: str, name: str = "m1", **fields: Any) -> dict[str, Any]:
    return {"id": name, "date": "2026-11-30T00:00:00Z", "message_type": kind, **fields}


def call(name: str | None, arguments: str, call_id: str | None = "c", kind: str = "tool_call_message") -> Any:
    return letta(kind, tool_call={"name": name, "arguments": arguments, "tool_call_id": call_id})


RETURN = letta("tool_return_message", "m2", tool_return="3", status="success", tool_call_id="c")
ANSWER = [letta("assistant_message", "m3", content=[{"type": "text", "text": "It is "}])]
ANSWER.append(letta("assistant_message", "m3", content="3."))
STOP = {"message_type": "stop_reason", "stop_reason": "end_turn"}
USAGE = {"message_type": "usage_statistics", "prompt_tokens": 5, "completion_tokens": 7, "step_count": 2}
STREAM = [
    letta("reasoning_message", reasoning="I add."),
    call("add", '{"a": 1'),
    call(None, ', "b": 2}', None),
    letta("ping", "p"),
    RETURN,
    *ANSWER,
    STOP,
    USAGE,
]


def live(native: Any) -> Any:
    """Return the native as an object, as the SDK yields it."""
    if isinstance(native, list):
        return [live(one) for one in native]
    if not isinstance(native, dict):
        return native
    return types.SimpleNamespace(**{name: live(value) for name, value in native.items()})


@pytest.mark.parametrize("is_live", [False, True], ids=["json", "objects"])
def test_the_answer_and_the_call_are_shown(*, is_live: bool) -> None:
    watched = quiet([live(native) for native in STREAM] if is_live else STREAM)
    list(watched)
    transcript = watched.transcript
    assert [part.kind for part in transcript.parts] == ["thinking", "tool", "text"]
    (tool,) = transcript.tools
    assert (tool.tool_name, tool.args, tool.state) == ("add", {"a": 1, "b": 2}, "ok")
    assert str(tool.output) == "3"
    assert (transcript.text, transcript.outcome) == ("It is 3.", "success")
    assert transcript.runs[0].usage is not None
    assert (transcript.runs[0].usage.input_tokens, transcript.runs[0].usage.output_tokens) == (5, 7)


def test_every_native_is_lettas_and_no_other_sdks() -> None:
    for native in STREAM:
        assert adapters.detect(native) == "letta"
        assert adapters.detect(live(native)) == "letta"


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("end_turn", "success"),
        ("tool_rule", "success"),
        ("requires_approval", "interrupted"),
        ("cancelled", "cancelled"),
        ("max_steps", "error"),
        ("llm_api_error", "error"),
    ],
)
def test_the_stop_reason_is_the_outcome(reason: str, outcome: str) -> None:
    end = run("letta", [*ANSWER, {**STOP, "stop_reason": reason}, USAGE])[-1]
    assert isinstance(end, RunFinished)
    assert end.outcome == outcome


def test_an_error_message_ends_the_run_as_an_error() -> None:
    native = letta("error_message", error_type="llm_error", message="The model is gone", run_id="r")
    end = run("letta", [native, {**STOP, "stop_reason": "error"}])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error, end.code) == ("error", "The model is gone", "llm_error")


def test_a_call_that_waits_for_an_approval_is_shown_as_waiting() -> None:
    natives = [
        call("rm", "{}", kind="approval_request_message"),
        {**STOP, "stop_reason": "requires_approval"},
    ]
    assert emitted("letta", natives, "tool_progress") == [{"tool_call_id": "c", "state": "awaiting_approval"}]


def test_a_failed_tool_is_an_error() -> None:
    several = [{"tool_call_id": "c", "status": "error", "tool_return": "no"}]
    natives = [call("add", "{}"), {**RETURN, "tool_returns": several}]
    (end,) = emitted("letta", natives, "tool_finished")
    assert (end["status"], end["error"]) == ("error", "no")


def test_a_whole_response_is_read_as_its_stream() -> None:
    response = {"messages": STREAM[:-2], "stop_reason": STOP, "usage": USAGE}
    assert adapters.detect(response) == "letta"
    assert run("letta", [response]) == run("letta", STREAM)


def test_a_call_in_two_messages_does_not_start_before_its_arguments_are_whole() -> None:
    natives = [call("add", '{"a": 1'), call(None, "}", None), RETURN]
    (start,) = emitted("letta", natives, "tool_started")
    assert (start["tool_name"], start["args"]) == ("add", {"a": 1})
