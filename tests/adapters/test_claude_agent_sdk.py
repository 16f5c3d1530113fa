"""Read the cases of claude-agent-sdk that its recordings do not have, and the CLI's own lines."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished, RunStarted

ADAPTER = "claude_agent_sdk"


def line(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "session_id": "s", "uuid": "u", **fields}


def assistant(*blocks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return line("assistant", message={"content": list(blocks), "model": "m", "id": "m1"}, **fields)


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def result(**fields: Any) -> dict[str, Any]:
    return line("result", **{"subtype": "success", "is_error": False, "num_turns": 1, **fields})


def end_of(*natives: Any) -> RunFinished:
    event = run(ADAPTER, natives)[-1]
    assert isinstance(event, RunFinished)
    return event


def test_the_clis_own_lines_are_read_too() -> None:
    natives = [
        line("system", subtype="init"),
        assistant(text("Hi"), {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}),
        line("user", message={"content": [{"type": "tool_result", "tool_use_id": "c1", "content": "ok"}]}),
        result(result="Hi"),
    ]
    assert {adapters.detect(native) for native in natives} == {ADAPTER}
    part, call = shown(ADAPTER, natives)
    assert (part["text"], call["args"], call["output"]) == ("Hi", {"a": 1}, "ok")


@pytest.mark.parametrize("name", ["claude_agent_sdk", "claude_agent_sdk_subagent"])
def test_each_message_is_one_message(name: str) -> None:
    kinds = [event.type for event in recording(name).events()]
    expected = {"claude_agent_sdk": 2, "claude_agent_sdk_subagent": 4 + 1}[name]  # the subagent's task
    assert (kinds.count("message_started"), kinds.count("message_finished")) == (expected, expected)


def test_a_subagent_has_its_name_and_ends_with_its_call() -> None:
    events = recording("claude_agent_sdk_subagent").events()
    (child,) = [e for e in events if isinstance(e, RunStarted) and e.run_id != "r"]
    assert (child.agent_name, child.parent_run_id, child.parent_tool_call_id) == ("researcher", "r", "call_1")
    kinds = [(e.type, e.run_id) for e in events]
    assert kinds.index(("run_finished", child.run_id)) < kinds.index(("run_finished", "r")) - 3


def test_a_subagents_subagent_is_inside_the_subagent() -> None:
    task = {"type": "tool_use", "id": "c2", "name": "Task", "input": {"description": "deeper"}}
    natives = [
        assistant({"type": "tool_use", "id": "c1", "name": "Task", "input": {}}),
        assistant(task, parent_tool_use_id="c1"),
        assistant(text("Down here."), parent_tool_use_id="c2"),
    ]
    starts = [e for e in run(ADAPTER, natives) if isinstance(e, RunStarted)]
    assert [(e.parent_run_id, e.agent_name) for e in starts[1:]] == [("r", "Task"), ("r/c1", "deeper")]


def test_a_message_without_a_stream_is_shown_among_streamed_ones() -> None:
    streamed = list(recording("claude_agent_sdk").natives[:-1])
    spoken = assistant(text("Sorry."), error="rate_limit")
    assert shown(ADAPTER, [*streamed, spoken])[-1]["text"] == "Sorry."
    end = end_of(*streamed, spoken)
    assert (end.outcome, end.error, end.code) == ("error", "Sorry.", "rate_limit")


def test_repeats_without_an_id_equal_the_streamed_text() -> None:
    natives = [
        {**native, "message_id": None} if "message_id" in native else native
        for native in recording("claude_agent_sdk").natives
    ]
    assert fold(run(ADAPTER, natives))["items"] == fold(recording("claude_agent_sdk").events())["items"]


def test_the_result_message_sets_result_and_cost() -> None:
    models: Any = {"claude-big": {}}
    end = end_of(result(result="x", structured_output={"n": 1}, total_cost_usd=0.5, modelUsage=models))
    assert (end.outcome, end.result) == ("success", {"n": 1})
    assert end.usage is not None
    assert (end.usage.cost, end.usage.model) == (0.5, "claude-big")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"subtype": "error_max_turns", "is_error": True}, ("error", "error_max_turns")),
        ({"is_error": True, "result": "API Error: 529"}, ("error", "API Error: 529")),
        ({"subtype": "error_during_execution", "errors": ["boom"]}, ("error", "boom")),
        ({"subtype": "error_during_execution", "terminal_reason": "aborted_tools"}, ("cancelled", None)),
    ],
)
def test_each_kind_of_end_is_an_outcome(fields: dict[str, Any], expected: tuple[str, Any]) -> None:
    end = end_of(result(**fields))
    assert (end.outcome, end.error) == expected


def test_a_tasks_description_is_progress_of_its_call() -> None:
    natives = [line("system", subtype="task_progress", tool_use_id="c1", description="Reading")]
    assert emitted(ADAPTER, natives, "tool_progress") == [{"tool_call_id": "c1", "message": "Reading"}]


def test_limits_and_unknown_messages_become_custom_events() -> None:
    natives = [
        line("rate_limit_event", rate_limit_info={"status": "rejected"}),
        line("rate_limit_event", rate_limit_info={"status": "allowed"}),
        line("system", subtype="compact_boundary", data={"type": "system"}),
        line("brand_new"),
    ]
    assert [e["name"] for e in emitted(ADAPTER, natives, "custom")] == [
        "rate_limit_event",
        "compact_boundary",
        "brand_new",
    ]


def test_a_tool_of_the_provider_starts_and_ends_in_the_message() -> None:
    blocks = [
        {"id": "c1", "name": "web_search", "input": {"query": "x"}},
        {"tool_use_id": "c1", "content": {"type": "web_search_result"}},
    ]
    native = {"content": blocks, "model": "m", "parent_tool_use_id": None, "message_id": "m1"}
    (call,) = shown(ADAPTER, [native])
    assert (call["name"], call["args"], call["status"]) == ("web_search", {"query": "x"}, "ok")
