"""Read Jido's signals in any order, with and without the twins. All natives are constructed."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.support import IDS, emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished, RunStarted, is_skip

NATIVES = recording("jido").natives
WORKER = [native for native in NATIVES if native["type"] == "ai.react.worker.event"]
TWINS = [native for native in NATIVES if native["type"] != "ai.react.worker.event"]
WHOLE = fold(run("jido", WORKER), numbered=True)


def signal(kind: str, **data: Any) -> dict[str, Any]:
    return {"agent_id": "agent-1", "type": kind, "data": data}


def worker(kind: str, seq: int | None = 1, run_id: str = "run", **fields: Any) -> dict[str, Any]:
    ids = {name: fields.pop(name, None) for name in ("llm_call_id", "tool_call_id", "tool_name")}
    event = {"seq": seq, "run_id": run_id, "kind": kind, "data": fields, **ids}
    return signal("ai.react.worker.event", event=event)


@given(st.randoms(use_true_random=False))
def test_any_order_of_the_workers_events_gives_the_same_transcript(rolls: random.Random) -> None:
    natives = list(WORKER)
    rolls.shuffle(natives)
    result = fold(run("jido", [*natives, *rolls.sample(natives, 3)]), numbered=True)
    by_kind = sorted(map(str, WHOLE["items"]))
    assert sorted(map(str, result["items"])) == by_kind
    assert (result["run"], result["usage"]) == (WHOLE["run"], WHOLE["usage"])


def test_the_twins_change_nothing_whether_they_come_before_or_after() -> None:
    assert fold(run("jido", NATIVES), numbered=True) == WHOLE
    before = fold(run("jido", [*TWINS[:2], *NATIVES]), numbered=True)
    assert before["items"] == WHOLE["items"]


def test_an_agent_without_worker_events_is_shown_by_its_signals() -> None:
    result = fold(run("jido", TWINS), numbered=True)
    assert [item.get("text", item.get("output")) for item in result["items"]] == [
        item.get("text", item.get("output")) for item in WHOLE["items"]
    ]
    assert result["usage"] == WHOLE["usage"]
    assert {adapters.detect(native) for native in TWINS} == {"jido"}


def test_the_workers_numbers_are_one_counter_and_include_skips() -> None:
    events = run("jido", WORKER)
    assert {event.counter for event in events} == {""}
    assert {event.seq for event in events} == {None, *range(1, 19)}
    assert [event.seq for event in events if is_skip(event)] == [18]
    assert events[0] == RunStarted(**IDS, seq=1, input="Compare the weather in Paris and in Atlantis.")


def test_another_request_has_a_counter_of_its_own() -> None:
    events = run("jido", [worker("keepalive", 5, "one"), worker("keepalive", 1, "two")])
    assert [(event.counter, event.seq) for event in events if is_skip(event)] == [("", 5), ("two", 1)]


def test_the_numbers_of_twins_have_no_gap_between_two_model_calls() -> None:
    twins = [event for event in run("jido", TWINS) if event.derived]
    assert {event.counter for event in twins} == {"llm_1", "llm_2"}
    assert all(event.counter == event.message_id for event in twins)


@pytest.mark.parametrize(
    ("result", "status", "output", "error"),
    [
        (["ok", {"n": 1}, []], "ok", {"n": 1}, None),
        (["error", "gone", []], "error", "gone", "gone"),
        (
            ["error", {"type": "timeout", "message": "late"}, []],
            "error",
            {"type": "timeout", "message": "late"},
            "late",
        ),
        (["ok"], "ok", ["ok"], None),
        ({"n": 1}, "ok", {"n": 1}, None),
    ],
)
def test_a_result_is_a_tuple_or_the_value_itself(
    result: Any, status: str, output: Any, error: str | None
) -> None:
    native = worker("tool_completed", tool_call_id="c", tool_name="f", result=result)
    (finished,) = emitted("jido", [native], "tool_finished")
    assert (finished.get("status", "ok"), finished["output"], finished.get("error")) == (
        status,
        output,
        error,
    )


def test_the_end_of_the_request_is_the_end_of_the_run() -> None:
    def end(*natives: dict[str, Any]) -> Any:
        return run("jido", natives)[-1]

    assert end(worker("request_completed", result="done")) == RunFinished(**IDS, result="done")
    assert end(worker("request_failed", error={"message": "no"})).error == "no"
    assert end(worker("request_cancelled")).outcome == "cancelled"
    assert end(signal("ai.request.failed", error="no")).error == "no"


def test_argument_text_of_a_call_is_shown_as_it_is_written() -> None:
    params = [signal("ai.tool.params", call_id="c", tool_name="f", delta=delta) for delta in ('{"x":', "1}")]
    (tool,) = shown("jido", params)
    assert (tool["name"], tool["args"]) == ("f", {"x": 1})


def test_unknown_signals_become_custom_events_of_their_names() -> None:
    natives = [
        worker("output_validated", ok=True),
        worker("llm_delta", 2, chunk_type="content_part", part={}),
    ]
    natives.append(signal("ai.brand.new"))
    assert [event["name"] for event in emitted("jido", natives, "custom")] == [
        "output_validated",
        "content_part",
        "ai.brand.new",
    ]
