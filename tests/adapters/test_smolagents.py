"""Read the cases of smolagents that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, recording, run, shown
from vibe_notebook.adapters.smolagents import matches
from vibe_notebook.events import RunFinished

ADAPTER = "smolagents"


def delta(content: str | None = None, *calls: dict[str, Any]) -> dict[str, Any]:
    return {"content": content, "tool_calls": list(calls) or None, "token_usage": None}


def call(call_id: str | None, name: str = "f", **args: Any) -> dict[str, Any]:
    return {"name": name, "arguments": args, "id": call_id}


def done(called: dict[str, Any], output: Any) -> dict[str, Any]:
    fields = {"output": output, "is_final_answer": False, "observation": str(output), "tool_call": called}
    return {"id": called["id"], **fields}


def step(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"step_number": number, "timing": {}, **fields}


def test_each_step_is_a_message_with_its_usage() -> None:
    ended = emitted(ADAPTER, recording("smolagents").natives, "message_finished")
    assert [one["usage"] for one in ended] == [{"input_tokens": 120, "output_tokens": 60}] * 4


def test_the_answer_is_the_runs_result() -> None:
    finished = recording("smolagents").events()[-1]
    assert isinstance(finished, RunFinished)
    assert finished.result == "Paris is 18 °C"


def test_a_step_without_a_stream_shows_the_models_output() -> None:
    called = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    natives = [step(model_output=[{"type": "text", "text": "Hi"}], tool_calls=[called], error=None)]
    text, tool = shown(ADAPTER, natives)
    assert (text["text"], tool["id"], tool["args"]) == ("Hi", "c1", {"a": 1})


def test_a_step_with_streamed_calls_shows_no_text_of_its_own() -> None:
    written = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}
    natives = [delta(None, written), step(model_output="Tool call c1: calling 'f'")]
    assert [part["kind"] for part in shown(ADAPTER, natives)] == ["tool"]


def test_a_repeated_step_is_shown_once() -> None:
    twice = step(model_output="Hi")
    assert [part["text"] for part in shown(ADAPTER, [twice, twice])] == ["Hi"]


def test_calls_without_ids_are_identified_by_their_place() -> None:
    written = {"index": 0, "id": None, "function": {"name": "f", "arguments": '{"a": '}}
    natives = [
        delta(None, written),
        delta(None, {"index": 1, "function": {"name": "g", "arguments": ""}}),
        delta(None, {"index": 0, "function": {"arguments": "1}"}}),
        call(None, "f", a=1),
        call(None, "g"),
        done(call(None, "g"), 2),
        done(call(None, "f"), 1),
    ]
    parts = shown(ADAPTER, natives)
    assert [(part["name"], part["args"], part["output"]) for part in parts] == [
        ("f", {"a": 1}, 1),
        ("g", {}, 2),
    ]


@pytest.mark.parametrize(
    ("why", "states"),
    [
        ("Error executing f with arguments {'n': 2}: no", ["running", "error"]),
        ("nobody knows which", ["error", "error"]),
    ],
)
def test_the_steps_error_belongs_to_the_call_that_it_names(why: str, states: list[str]) -> None:
    natives = [call("c1", n=1), call("c2", n=2), step(error={"type": "X", "message": why})]
    assert [part["status"] for part in shown(ADAPTER, natives)] == states


def test_a_failed_step_without_a_call_is_shown() -> None:
    natives = [delta("no call"), step(error={"type": "AgentParsingError", "message": "no code"})]
    assert emitted(ADAPTER, natives, "custom") == [{"name": "step_failed", "value": "no code"}]


def test_code_without_logs_has_its_value_as_output() -> None:
    code = {"name": "python_interpreter", "arguments": "1 + 1", "id": "c1"}
    (part,) = shown(ADAPTER, [code, {"output": 2, "is_final_answer": False}])
    assert (part["args"], part["status"], part["output"]) == ("1 + 1", "ok", 2)


def test_a_streamed_plan_is_not_repeated() -> None:
    plan = {"plan": "the whole", "timing": {}, "model_output_message": {}}
    assert [part["text"] for part in shown(ADAPTER, [delta("the "), plan])] == ["the "]
    assert [part["text"] for part in shown(ADAPTER, [plan])] == ["the whole"]


def test_a_stream_that_raises_ends_with_that_error() -> None:
    finished = run(ADAPTER, [delta("x")], LookupError("gone"))[-1]
    assert isinstance(finished, RunFinished)
    assert finished.error == "LookupError: gone"


def test_only_the_sdks_own_fields_match() -> None:
    assert matches(delta("x"))
    assert matches(call("c"))
    others = ({"output": 1}, {"content": "x"}, {**delta("x"), "role": "assistant"}, {"name": "f", "id": "c"})
    assert not any(matches(native) for native in others)
