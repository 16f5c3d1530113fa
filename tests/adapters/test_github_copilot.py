"""Read the events of GitHub Copilot's SDK, constructed after its classes: a session needs its server."""

from __future__ import annotations

from typing import Any

import pytest

import vibe_notebook as vibe
from tests.adapters.support import as_live, run, shown
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
