"""Read the cases of llama-index that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.adapters.llama_index import matches
from vibe_notebook.events import RunFinished

ADAPTER = "llama_index"


def stream(delta: str = "", calls: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "delta": delta,
        "response": "",
        "current_agent_name": "a",
        "tool_calls": [call(*one) for one in calls or ()],
        **fields,
    }


def call(tool_id: str, name: str = "f", **args: Any) -> dict[str, Any]:
    return {"tool_id": tool_id, "tool_name": name, "tool_kwargs": args}


def result(tool_id: str, output: Any, name: str = "f", **fields: Any) -> dict[str, Any]:
    return {**call(tool_id, name), "tool_output": {"raw_output": output, **fields}, "return_direct": False}


def turn() -> dict[str, Any]:
    return {"input": [], "current_agent_name": "a"}


def output(**fields: Any) -> dict[str, Any]:
    return {"response": {"role": "assistant", **fields}, "current_agent_name": "a", "tool_calls": []}


def test_each_turn_has_the_name_of_its_agent() -> None:
    events = recording("llama_index_handoff").events()
    assert [e.agent_name for e in events if e.type == "message_started" and e.role == "assistant"] == [
        "desk",
        "expert",
    ]


def test_a_call_whose_id_changes_with_each_snapshot_is_one_call() -> None:
    natives = [
        stream(calls=[("u1", "f"), ("v1", "g")]),
        stream(calls=[("u2", "f"), ("v2", "g")]),
        call("u3", "f"),  # no snapshot has this id
        stream(calls=[("u4", "f"), ("v4", "g")]),
        call("v4", "g"),
        result("v4", 2, "g"),
    ]
    parts = shown(ADAPTER, natives)
    assert [(part["id"], part["output"]) for part in parts] == [("u1", None), ("v1", 2), ("u3", None)]


def test_an_id_that_is_used_again_in_a_later_turn_is_another_call() -> None:
    natives = [
        call("f", n=1),
        result("f", 1),
        turn(),
        stream(calls=[("f", "f")]),
        call("f", n=2),
        result("f", 2),
    ]
    assert [part["output"] for part in shown(ADAPTER, natives)] == [1, 2]


def test_the_written_arguments_survive_a_cut_stream() -> None:
    natives = [stream(calls=[("c", "f")], tool_calls=[call("c", city="Par")])]
    (part,) = shown(ADAPTER, natives)
    assert (part["args"], part["status"]) == ({"city": "Par"}, "preparing")


def test_a_model_without_a_stream_is_shown_at_the_end_of_its_turn() -> None:
    blocks = [
        {"block_type": "thinking", "content": "hm"},
        {"block_type": "text", "text": "Hi "},
        {"block_type": "text", "text": "you"},
    ]
    used = {"prompt_tokens": 3, "completion_tokens": 2}
    natives = [turn(), output(blocks=blocks, additional_kwargs=used)]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["hm", "Hi you"]
    (ended,) = emitted(ADAPTER, natives, "message_finished")
    assert ended["usage"] == {"input_tokens": 3, "output_tokens": 2}


def test_a_structured_answer_is_the_result() -> None:
    natives = [stream("x"), {**output(), "structured_response": {"n": 1}}]
    finished = run(ADAPTER, natives)[-1]
    assert isinstance(finished, RunFinished)
    assert finished.result == {"n": 1}


@pytest.mark.parametrize(
    ("fields", "status", "shows"),
    [
        ({"raw_output": {"n": 1}}, "ok", {"n": 1}),
        ({"blocks": [{"block_type": "text", "text": "hi"}]}, "ok", "hi"),
        ({"content": "hi"}, "ok", "hi"),
        ({"raw_output": "no", "is_error": True}, "error", "no"),
    ],
)
def test_a_results_value_comes_before_its_text(fields: dict[str, Any], status: str, shows: Any) -> None:
    (part,) = shown(ADAPTER, [{**call("c"), "tool_output": fields}])
    assert (part["status"], part["output"]) == (status, shows)


@pytest.mark.parametrize(
    ("native", "error"),
    [
        ({"step_name": "s", "exception": {"exception_type": "a.B", "exception_message": "no"}}, "B: no"),
        ({"step_name": "s", "exception": LookupError("gone")}, "LookupError: gone"),
        ({"step_name": "s", "exception": "?"}, "error"),
        ({"timeout": 2.0, "active_steps": []}, "Timed out after 2 s."),
    ],
)
def test_a_failed_workflow_has_its_reason(native: dict[str, Any], error: str) -> None:
    finished = run(ADAPTER, [native])[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.outcome, finished.error) == ("error", error)


def test_a_servers_envelope_is_opened() -> None:
    name = "llama_index.core.agent.workflow.workflow_events.AgentStream"
    envelope = {"value": stream("hi"), "qualified_name": name, "type": "AgentStream"}
    assert adapters.detect(envelope) == ADAPTER
    assert [part["text"] for part in shown(ADAPTER, [envelope])] == ["hi"]
    own = {"value": {"n": 1}, "qualified_name": "workflows.events.Progress"}
    assert emitted(ADAPTER, [own], "custom") == [{"name": "Progress", "value": {"n": 1}}]


def test_only_the_sdks_own_fields_match() -> None:
    assert matches(call("c"))
    assert not any(
        matches(native) for native in ({}, {"delta": "x"}, {"tool_id": 1}, {**turn(), "type": "x"})
    )
