"""Read the steps of browser-use, constructed after its classes: a run needs a browser and a model."""

from __future__ import annotations

import asyncio
import types
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.adapters.support import as_live, emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "browser_use"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def step(
    number: int, *actions: dict[str, Any], result: list[Any] | None = None, **output: Any
) -> dict[str, Any]:
    made = {
        "thinking": None,
        "evaluation_previous_goal": "Fine.",
        "memory": "",
        "next_goal": f"Goal {number}",
    }
    native = {
        "model_output": {**made, "action": list(actions), **output},
        "state": {"url": "https://a.example", "title": "A", "screenshot": PNG},
        "metadata": {"step_number": number},
    }
    return native if result is None else {**native, "result": result}


CLICK = {"click": {"index": 3}, "done": None}
DONE = {"done": {"text": "It is 3.", "success": True}}


def test_a_step_is_a_message_with_its_actions_and_the_newest_screenshot() -> None:
    natives = [step(1, CLICK), step(2, DONE)]
    for each in (natives, list(map(as_live, natives))):
        assert {adapters.detect(native) for native in each} == {ADAPTER}
        parts = shown(ADAPTER, each)
        assert [part["kind"] for part in parts] == [
            *("thinking", "text", "tool", "artifact"),
            *("thinking", "text", "tool"),
        ]
        assert [(part["name"], part["args"]) for part in parts if part["kind"] == "tool"] == [
            ("click", {"index": 3}),
            ("done", {"text": "It is 3.", "success": True}),
        ]


def test_the_history_brings_the_results_of_steps_that_are_shown() -> None:
    results = [{"error": "gone", "extracted_content": None}]
    done = [{"is_done": True, "success": True, "extracted_content": "It is 3."}]
    natives = [step(1, CLICK), step(2, DONE), step(1, CLICK, result=results), step(2, DONE, result=done)]
    tools = [part for part in shown(ADAPTER, natives) if part["kind"] == "tool"]
    assert [(part["status"], part["output"]) for part in tools] == [("error", "gone"), ("ok", "It is 3.")]
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.result) == ("success", "It is 3.")


def test_an_agent_that_gives_up_ends_as_an_error() -> None:
    natives = [step(1, DONE, result=[{"is_done": True, "success": False, "extracted_content": "No."}])]
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == ("error", "No.")


def test_the_plan_of_a_step_is_a_plan() -> None:
    (plan,) = emitted(ADAPTER, [step(1, plan_update=["a", "b", "c"], current_plan_item=1)], "plan")
    assert [entry.get("status", "pending") for entry in plan["entries"]] == [
        "completed",
        "in_progress",
        "pending",
    ]


def test_the_handler_is_both_callbacks_of_an_agent() -> None:
    hook = vibe.handler("browser-use", registry=vibe.Registry(), display=False)
    first = step(1, CLICK, result=[{"extracted_content": "Clicked."}])
    with hook:
        hook(first["state"], first["model_output"], 1)
        hook(types.SimpleNamespace(history=[first]))
    (call,) = hook.transcript.tools
    assert (call.tool_name, call.state, call.output) == ("click", "ok", "Clicked.")


@pytest.mark.parametrize(
    "native",
    [{"model_output": {}, "state": {}}, {"model_output": None, "state": {"url": "x"}, "result": None}],
)
def test_natives_that_only_resemble_a_step_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)


def test_the_hook_at_the_end_of_a_step_brings_the_results_while_the_run_goes_on() -> None:
    hook = vibe.handler("browser-use", registry=vibe.Registry(), display=False)
    first = step(1, CLICK, result=[{"extracted_content": "Clicked."}])
    second = step(2, DONE, result=[{"is_done": True, "success": True, "extracted_content": "It is 3."}])
    agent = types.SimpleNamespace(history=types.SimpleNamespace(history=[first]))

    async def end_step() -> None:
        await hook(agent)

    with hook:
        hook(first["state"], first["model_output"], 1)
        assert [call.state for call in hook.transcript.tools] == ["running"]
        asyncio.run(end_step())
        assert [(call.state, call.output) for call in hook.transcript.tools] == [("ok", "Clicked.")]
        hook(second["state"], second["model_output"], 2)
        agent.history.history.append(second)
        asyncio.run(end_step())
        hook(types.SimpleNamespace(history=[first, second]))
    assert [(call.state, call.output) for call in hook.transcript.tools] == [
        ("ok", "Clicked."),
        ("ok", "It is 3."),
    ]
