"""Read the events of OpenHands, constructed after its classes: the SDK needs a newer Python than these tests."""

from __future__ import annotations

from typing import Any

import pytest

import vibe_notebook as vibe
from tests.adapters.support import as_live, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "openhands"


def event(kind: str, source: str = "agent", **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "id": "e", "timestamp": "t", "source": source, **fields}


def words(content: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": content}]


def action(call_id: str, thought: str = "", response: str = "r1") -> dict[str, Any]:
    return event(
        "ActionEvent",
        thought=words(thought) if thought else [],
        reasoning_content="Hm." if thought else None,
        tool_name="terminal",
        tool_call_id=call_id,
        tool_call={"id": call_id, "name": "terminal", "arguments": '{"command": "ls"}'},
        action={"kind": "TerminalAction", "command": "ls"},
        llm_response_id=response,
    )


NATIVES = [
    event("SystemPromptEvent", system_prompt=words("Be short.")),
    event("MessageEvent", "user", llm_message={"role": "user", "content": words("List")}),
    event("StreamingDeltaEvent", content=None, reasoning_content="Hm."),
    event("StreamingDeltaEvent", content="I look.", reasoning_content=None),
    action("c1", "I look."),
    action("c2"),
    event(
        "ObservationEvent",
        "environment",
        tool_name="terminal",
        tool_call_id="c2",
        observation={"content": words("a.txt"), "is_error": False},
        action_id="e",
    ),
    event("AgentErrorEvent", tool_name="terminal", tool_call_id="c1", error="no shell"),
    event("MessageEvent", llm_message={"role": "assistant", "content": words("One file.")}),
]


def test_a_conversation_is_shown_whole_and_nothing_twice() -> None:
    for natives in (NATIVES, list(map(as_live, NATIVES))):
        assert {adapters.detect(native) for native in natives} == {ADAPTER}
        user, thinking, text, first, second, answer = shown(ADAPTER, natives)
        assert (user["text"], user["role"]) == ("List", "user")
        assert (thinking["text"], text["text"], answer["text"]) == ("Hm.", "I look.", "One file.")
        assert (first["args"], first["status"], first["output"]) == ({"command": "ls"}, "error", "no shell")
        assert (second["id"], second["status"], second["output"]) == ("c2", "ok", "a.txt")


def test_actions_without_deltas_show_their_thought() -> None:
    assert [part["kind"] for part in shown(ADAPTER, [action("c1", "I look.")])] == [
        "thinking",
        "text",
        "tool",
    ]


@pytest.mark.parametrize(
    ("native", "outcome", "error"),
    [
        (event("ConversationErrorEvent", code="LLMError", detail="busy"), "error", "busy"),
        (event("PauseEvent", "user"), "interrupted", None),
    ],
)
def test_the_conversations_end_is_the_runs(native: Any, outcome: str, error: str | None) -> None:
    end = run(ADAPTER, [native])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == (outcome, error)


def test_the_handler_is_a_callback_of_a_conversation() -> None:
    hook = vibe.handler("openhands", registry=vibe.Registry(), display=False)
    with hook:
        for native in NATIVES:
            hook(native)
    assert [call.state for call in hook.transcript.tools] == ["error", "ok"]


@pytest.mark.parametrize("native", [{"kind": "MessageEvent"}, {"kind": "x", "id": "e", "source": "agent"}])
def test_natives_that_only_resemble_an_event_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)
