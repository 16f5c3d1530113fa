"""Read the cases of agno that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.adapters.agno import matches
from vibe_notebook.events import RunFinished, RunStarted

ADAPTER = "agno"


def event(kind: str, run_id: str = "r1", **fields: Any) -> dict[str, Any]:
    return {"event": kind, "run_id": run_id, "agent_id": "a1", **fields}


def tool(kind: str, run_id: str = "r1", **fields: Any) -> dict[str, Any]:
    found = {name: fields.pop(name) for name in ("error", "images") if name in fields}
    return event(f"ToolCall{kind}", run_id, tool={"tool_name": "f", **fields}, **found)


def test_a_member_is_a_run_under_the_call_that_named_it() -> None:
    events = recording("agno_team").events()
    started = [e for e in events if isinstance(e, RunStarted)]
    assert [(e.agent_name, e.parent_tool_call_id) for e in started] == [
        ("Boss", None),
        ("Researcher", "call_1"),
        ("Poet", "call_2"),
    ]
    ends = [e for e in events if isinstance(e, RunFinished)]
    assert [e.run_id for e in ends] == [started[2].run_id, started[1].run_id, "r"]


def test_all_members_of_one_delegation_are_under_its_call() -> None:
    call = {"tool_call_id": "c1", "tool_name": "delegate_task_to_members", "tool_args": {"task": "x"}}
    natives = [
        {"event": "TeamRunStarted", "run_id": "t", "team_id": "boss", "team_name": "Boss"},
        {"event": "TeamToolCallStarted", "run_id": "t", "team_id": "boss", "tool": call},
        event("RunContent", "m1", content="one", parent_run_id="t"),
        event("RunContent", "m2", content="two", parent_run_id="t"),
    ]
    (part,) = shown(ADAPTER, natives)
    assert [child["text"] for child in part["children"]] == ["one", "two"]


def test_a_member_without_a_call_is_a_separate_run() -> None:
    natives = [event("RunStarted"), event("RunContent", "m1", content="hi", parent_run_id="r1")]
    child = next(e for e in run(ADAPTER, natives) if e.type == "run_started" and e.run_id != "r")
    assert (child.parent_run_id, child.parent_tool_call_id) == ("r", None)


def test_members_of_a_run_that_breaks_off_end_with_it() -> None:
    natives = recording("agno_team").natives[:12]
    ends = [e for e in run(ADAPTER, natives, OSError("gone")) if isinstance(e, RunFinished)]
    assert [(e.outcome, e.error) for e in ends] == [("error", "OSError: gone")] * 3


@pytest.mark.parametrize("kind", ["Completed", "Error"])
def test_a_failed_tool_is_shown_as_failed_by_each_of_its_events(kind: str) -> None:
    natives = [
        tool("Started", tool_call_id="c1"),
        tool(kind, tool_call_id="c1", tool_call_error=True, result="no"),
    ]
    (part,) = shown(ADAPTER, natives)
    assert (part["status"], part["output"]) == ("error", "no")


def test_an_error_without_a_result_is_the_output() -> None:
    natives = [tool("Error", tool_call_id="c1", error="no")]
    assert emitted(ADAPTER, natives, "tool_finished") == [
        {"tool_call_id": "c1", "tool_name": "f", "status": "error", "output": "no", "error": "no"}
    ]


def test_calls_without_ids_are_identified_by_their_tool() -> None:
    natives = [
        tool("Started"),
        tool("Started", tool_name="g"),
        tool("Completed", result="1"),
        tool("Completed", tool_name="g", result="2"),
        tool("Started"),
        tool("Completed", result="3"),
    ]
    parts = shown(ADAPTER, natives)
    assert [(part["name"], part["output"]) for part in parts] == [("f", "1"), ("g", "2"), ("f", "3")]


def test_without_requests_a_tool_ends_the_message() -> None:
    natives = [
        event("RunContent", content="a"),
        tool("Started", tool_call_id="c1"),
        event("RunContent", content="b"),
    ]
    assert [part.get("text") for part in shown(ADAPTER, natives)] == ["a", None, "b"]


def test_an_answer_without_a_stream_is_read_from_the_end_event() -> None:
    assert [part["text"] for part in shown(ADAPTER, [event("RunCompleted", content="hi")])] == ["hi"]
    (part,) = shown(ADAPTER, [event("RunContent", content={"n": 1}), event("RunCompleted", content={"n": 1})])
    assert part["text"] == '{"n": 1}'
    assert run(ADAPTER, [event("RunCompleted", content={"n": 1})])[-1].result == {"n": 1}  # type: ignore[union-attr]


def test_reasoning_steps_replace_each_other_and_equal_the_deltas() -> None:
    steps = [event("ReasoningStep", reasoning_content=text) for text in ("one", "one two")]
    assert [part["text"] for part in shown(ADAPTER, steps)] == ["one two"]
    deltas = [event("ReasoningContentDelta", reasoning_content=text) for text in ("one", " two")]
    assert [part["text"] for part in shown(ADAPTER, [*deltas, *steps])] == ["one two"]


def test_an_image_of_a_tool_is_an_artifact_of_its_call() -> None:
    done = tool("Completed", tool_call_id="c1", images=[{"url": "https://x/y.png"}, {"id": "nothing"}])
    assert emitted(ADAPTER, [done], "artifact") == [
        {
            "artifact_id": "c1:images:0",
            "media_type": "image/png",
            "url": "https://x/y.png",
            "tool_call_id": "c1",
        }
    ]


@pytest.mark.parametrize(
    ("native", "outcome", "error"),
    [
        (event("RunCancelled", reason="stop"), "cancelled", None),
        (event("RunError", content="no credit"), "error", "no credit"),
        (event("RunError", error_type="odd"), "error", "odd"),
        ({"event": "WorkflowError", "workflow_id": "w", "run_id": "r1", "error": "no"}, "error", "no"),
    ],
)
def test_the_end_event_sets_the_outcome(native: dict[str, Any], outcome: str, error: str | None) -> None:
    finished = run(ADAPTER, [native])[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.outcome, finished.error) == (outcome, error)


def test_only_agnos_own_events_match() -> None:
    assert adapters.detect(event("TeamRunContent", content="x")) == ADAPTER
    for native in ({"event": "RunStarted"}, {"event": "on_chain_start", "run_id": "r"}):
        assert not matches(native)
