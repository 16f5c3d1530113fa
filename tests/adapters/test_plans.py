"""Read plans: the todo tools of agents by their shape, and the protocols' own messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.adapters.support import emitted, run
from tests.adapters.test_langgraph import ai, call_chunk
from vibe_notebook.registry import Registry

TODOS = [{"content": "Look", "status": "completed"}, {"content": "Tell", "status": "in_progress"}]
STEPS = [("Look", "completed"), ("Tell", "in_progress")]


def plans(name: str, *natives: Any) -> list[tuple[list[tuple[str, str]], str | None]]:
    """Return the steps, with their states, and the call of each plan."""
    return [
        (
            [(step["text"], step.get("status", "pending")) for step in one.get("entries", ())],
            one.get("tool_call_id"),
        )
        for one in emitted(name, natives, "plan")
    ]


def call(name: str, args: Any) -> dict[str, Any]:
    """Return a report of a call, which the adapters of model APIs read."""
    return {"call_id": "c1", "name": name, "arguments": args}


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("TodoWrite", {"todos": TODOS}),
        ("write_todos", {"todos": TODOS}),
        (
            "manage_todo_list",
            {"items": [{"title": "Look", "state": "done"}, {"title": "Tell", "state": "active"}]},
        ),
        (
            "update_plan",
            {"plan": [{"step": "Look", "status": "completed"}, {"step": "Tell", "status": "in_progress"}]},
        ),
        (
            "mcp__x__task_list",
            {
                "entries": [
                    {"text": "Look", "status": "completed"},
                    {"description": "Tell", "status": "in-progress"},
                ]
            },
        ),
        ("set_plan", json.dumps({"steps": TODOS})),
    ],
)
def test_a_call_that_writes_a_plan_is_told_by_its_shape_and_its_name(name: str, args: Any) -> None:
    assert plans("openai_chat", call(name, args)) == [(STEPS, "c1")]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("search", {"items": TODOS}),
        ("plan_trip", {"steps": ["Lima", "Quito"]}),
        ("explain", {"plan": TODOS}),
        ("update_plan", {"plan": [*TODOS, {"content": "no state"}]}),
        ("update_plan", {"plan": "Look, then tell"}),
    ],
)
def test_another_call_is_no_plan(name: str, args: Any) -> None:
    assert plans("openai_chat", call(name, args)) == []


def test_a_step_that_is_only_done_or_not_has_a_state() -> None:
    args = {"todos": [{"text": "Look", "done": True}, {"text": "Tell", "done": False}]}
    assert plans("openai_chat", call("todo", args)) == [([("Look", "completed"), ("Tell", "pending")], "c1")]


def test_a_plan_that_is_written_in_pieces_comes_once_with_its_last_piece() -> None:
    whole = json.dumps({"todos": TODOS})

    def chunk(**delta: Any) -> dict[str, Any]:
        return {"object": "chat.completion.chunk", "id": "m", "choices": [{"index": 0, "delta": delta}]}

    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in (whole[:20], whole[20:])]
    pieces[0] |= {"id": "c1", "function": {"name": "write_todos", "arguments": whole[:20]}}
    natives = [*(chunk(tool_calls=[piece]) for piece in pieces), call("write_todos", whole)]
    assert plans("openai_chat", *natives[:1]) == []
    assert plans("openai_chat", *natives[:2]) == [(STEPS, "c1")]
    assert plans("openai_chat", *natives) == [(STEPS, "c1")]


def test_langgraph_reads_a_plan_in_chunks_and_in_whole_messages() -> None:
    args = {"todos": TODOS}
    whole = ai("", "run-1", {"name": "write_todos", "args": args, "id": "c1", "type": "tool_call"})
    chunks: list[Any] = [("messages", (call_chunk(json.dumps(args), 0, "c1", "write_todos"), {}))]
    assert plans("langgraph", ("updates", {"a": {"messages": [whole]}})) == [(STEPS, "c1")]
    assert plans("langgraph", *chunks, ("updates", {"a": {"messages": [whole]}})) == [(STEPS, "c1")]


def test_claudes_todos_replace_each_other_and_stand_for_their_calls() -> None:
    def written(call_id: str, *todos: Any) -> dict[str, Any]:
        block = {"id": call_id, "name": "TodoWrite", "input": {"todos": list(todos)}}
        return {"content": [block], "model": "claude", "parent_tool_use_id": None, "message_id": call_id}

    natives = [written("c1", *TODOS), written("c2", TODOS[0])]
    with Registry(hold=0) as registry:
        registry.dispatch(run("claude_agent_sdk", natives))
        parts = registry.transcript("a").parts
    (plan,) = [part for part in parts if part.kind == "plan"]
    assert [entry.text for entry in plan.entries] == ["Look"]
    assert [part.plan_id for part in parts if part.kind == "tool"] == ["plan", "plan"]


def test_acps_plans_replace_each_other() -> None:
    update = {"sessionUpdate": "plan", "entries": [{**TODOS[0], "priority": "high"}, TODOS[1]]}
    assert plans("acp", update, {**update, "entries": []}) == [(STEPS, None), ([], None)]
    assert emitted("acp", [update], "plan")[0]["entries"][0]["priority"] == "high"


@pytest.mark.parametrize(
    ("entries", "steps", "named"),
    [
        (
            [{"content": "S1"}, None, {}, "S2", {"content": 5}],
            [("S1", "pending"), ("S2", "pending")],
            'Steps of the plan without words: 2 (null), 3 ({}), 5 ({"content": 5}).',
        ),
        ([*TODOS, 7], STEPS, "Steps of the plan without words: 3 (7)."),
        ([{"status": "pending"}], None, 'Steps of the plan without words: 1 ({"status": "pending"}).'),
    ],
)
def test_an_entry_without_words_is_named_and_the_other_steps_are_shown(
    entries: list[Any], steps: list[tuple[str, str]] | None, named: str
) -> None:
    update = {"sessionUpdate": "plan", "entries": entries}
    assert plans("acp", update) == ([] if steps is None else [(steps, None)])
    assert [one["value"] for one in emitted("acp", [update], "custom")] == [named]


def test_an_activity_of_agui_names_the_steps_without_words() -> None:
    content = {"steps": [*TODOS, None]}
    activity = {"type": "ACTIVITY_SNAPSHOT", "messageId": "m", "activityType": "PLAN", "content": content}
    assert plans("agui", activity) == [(STEPS, None)]
    assert [one["value"] for one in emitted("agui", [activity], "custom")] == [
        "Steps of the plan without words: 3 (null)."
    ]


def test_codexs_plan_names_the_steps_without_words() -> None:
    plan = [{"step": "Look", "status": "completed"}, None]
    native = {"method": "turn/plan/updated", "params": {"threadId": "t", "plan": plan}}
    assert plans("openai_codex", native) == [([("Look", "completed")], None)]
    assert [one["value"] for one in emitted("openai_codex", [native], "custom")] == [
        "Steps of the plan without words: 2 (null)."
    ]


def test_a_call_whose_plan_has_an_entry_without_words_is_a_plan() -> None:
    args = {"todos": [TODOS[0], None, {}, {"content": 5}, TODOS[1]]}
    assert plans("openai_chat", call("write_todos", args)) == [(STEPS, "c1")]
    assert plans("openai_chat", call("write_todos", {"todos": [None, {}]})) == []


def test_a_list_of_steps_in_aguis_state_is_a_plan_that_deltas_change() -> None:
    snapshot = {"type": "STATE_SNAPSHOT", "snapshot": {"steps": TODOS, "city": "Lima"}}
    change = {"op": "replace", "path": "/steps/1/status", "value": "completed"}
    other = {"op": "replace", "path": "/city", "value": "Quito"}
    natives = [snapshot, *({"type": "STATE_DELTA", "delta": [one]} for one in (other, change))]
    assert plans("agui", *natives) == [(STEPS, None), ([("Look", "completed"), ("Tell", "completed")], None)]
    assert plans("agui", {"type": "STATE_SNAPSHOT", "snapshot": {"city": "Lima"}}) == []


def test_an_activity_of_agui_with_steps_is_a_plan() -> None:
    activity = {
        "type": "ACTIVITY_SNAPSHOT",
        "messageId": "m",
        "activityType": "PLAN",
        "content": {"steps": TODOS},
    }
    added = [{"op": "add", "path": "/steps/-", "value": {"content": "End", "status": "pending"}}]
    delta = {"type": "ACTIVITY_DELTA", "messageId": "m", "activityType": "PLAN", "patch": added}
    assert plans("agui", activity, delta) == [(STEPS, None), ([*STEPS, ("End", "pending")], None)]


@pytest.mark.parametrize(
    "patch",
    [None, "x", [{"op": "remove", "path": "/steps/99"}], [{"path": "/a/b/c"}], [{"op": "add", "path": ""}]],
)
def test_a_patch_that_does_not_fit_breaks_nothing(patch: Any) -> None:
    natives = [
        {"type": "STATE_SNAPSHOT", "snapshot": {"steps": TODOS}},
        {"type": "STATE_DELTA", "delta": patch},
    ]
    assert plans("agui", *natives) == [(STEPS, None)]


def test_each_task_that_claude_writes_by_a_call_of_its_own_is_a_step_of_one_plan() -> None:
    def written(call_id: str, name: str, **args: Any) -> dict[str, Any]:
        block = {"id": call_id, "name": name, "input": args}
        return {"content": [block], "model": "claude", "parent_tool_use_id": None, "message_id": call_id}

    def answered(call_id: str, content: str, *, is_error: bool | None = None) -> dict[str, Any]:
        block = {"tool_use_id": call_id, "content": content, "is_error": is_error}
        return {"content": [block], "uuid": call_id, "parent_tool_use_id": None, "tool_use_result": None}

    natives = [
        written("c1", "TaskCreate", subject="Look", description="…", activeForm="Looking"),
        answered("c1", "Task #7 created successfully: Look"),
        written("c2", "TaskCreate", subject="Tell", description="…"),
        answered("c2", "no room", is_error=True),
        written("c3", "TaskUpdate", taskId="7", status="completed"),
        written("c4", "TaskUpdate", taskId="8", status="completed"),
        written("c5", "TaskUpdate", taskId="7", subject="Look twice", status="deleted"),
    ]
    assert plans("claude_agent_sdk", *natives) == [
        ([("Look", "pending")], "c1"),
        ([("Look", "pending"), ("Tell", "pending")], "c2"),
        ([("Look", "pending")], "c2"),
        ([("Look", "completed")], "c3"),
        ([("Look twice", "cancelled")], "c5"),
    ]


def test_a_checklist_in_markdown_is_a_plan_and_other_markdown_is_none() -> None:
    checklist = "- [x] Look\n\n- [ ] Tell\n* [>] Sing\n1. [-] Sleep"
    steps = [("Look", "completed"), ("Tell", "pending"), ("Sing", "in_progress"), ("Sleep", "cancelled")]
    assert plans("openai_chat", call("update_todo", {"todos": checklist})) == [(steps, "c1")]
    assert plans("openai_chat", call("update_todo", {"todos": f"{checklist}\nThen rest."})) == []
