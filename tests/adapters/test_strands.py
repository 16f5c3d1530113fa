"""Read the cases of strands that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished, RunStarted
from vibe_notebook.exceptions import AdapterError

ADAPTER = "strands"
CALL = {"toolUseId": "c1", "name": "f", "input": {"a": 1}}


def raw(name: str, **body: Any) -> dict[str, Any]:
    return {"event": {name: body}}


def delta(index: int | None, **body: Any) -> dict[str, Any]:
    place = {} if index is None else {"contentBlockIndex": index}
    return raw("contentBlockDelta", delta=body, **place)


def message(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"message": {"role": role, "content": list(blocks)}}


def answer(status: str, *content: dict[str, Any]) -> dict[str, Any]:
    result = {"toolUseId": "c1", "status": status, "content": list(content)}
    return message("user", {"toolResult": result})


def streamed(data: Any) -> dict[str, Any]:
    return {"type": "tool_stream", "tool_stream_event": {"tool_use": CALL, "data": data}}


def end_of(*natives: Any) -> RunFinished:
    event = run(ADAPTER, natives)[-1]
    assert isinstance(event, RunFinished)
    return event


@pytest.mark.parametrize("name", ["strands", "strands_subagent"])
def test_without_the_models_own_events_their_repeats_give_the_same_parts(name: str) -> None:
    def is_repeat(native: dict[str, Any]) -> bool:
        nested = native.get("tool_stream_event")
        return "event" not in native and not (nested and "event" in nested["data"])

    natives = [native for native in recording(name).natives if is_repeat(native)]
    assert fold(run(ADAPTER, natives)) == fold(recording(name).events())


def test_whole_messages_alone_give_the_same_parts() -> None:
    natives = [n for n in recording("strands").natives if {"message", "result"} & n.keys()]
    result = fold(run(ADAPTER, natives))
    assert result == fold(recording("strands").events())


def test_arguments_of_parallel_calls_stay_with_their_calls() -> None:
    starts = [
        raw("contentBlockStart", start={"toolUse": {"toolUseId": c, "name": "f"}}, contentBlockIndex=i)
        for i, c in enumerate("ab")
    ]
    pieces = [
        delta(0, toolUse={"input": '{"x"'}),
        delta(1, toolUse={"input": "{}"}),
        delta(0, toolUse={"input": ": 1}"}),
    ]
    assert [(part["id"], part["args"]) for part in shown(ADAPTER, [*starts, *pieces])] == [
        ("a", {"x": 1}),
        ("b", {}),
    ]


def test_a_tool_shows_its_progress() -> None:
    natives = [streamed("half"), streamed({"progress": 1, "total": 2}), streamed({"rows": 3})]
    assert emitted(ADAPTER, natives, "tool_progress") == [
        {"tool_call_id": "c1", "message": "half"},
        {"tool_call_id": "c1", "progress": 1.0, "total": 2.0},
        {"tool_call_id": "c1", "output": {"rows": 3}},
    ]


def test_a_subagent_is_inside_its_call_and_ends_with_the_call() -> None:
    events = recording("strands_subagent").events()
    (child,) = [e for e in events if isinstance(e, RunStarted) and e.run_id != "r"]
    assert (child.agent_name, child.parent_run_id, child.parent_tool_call_id) == ("researcher", "r", "call_1")


def test_results_of_each_form_are_read() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n\x1a\n"}}}
    natives = [answer("success", {"json": {"n": 1}}, image)]
    (end,) = emitted(ADAPTER, natives, "tool_finished")
    assert end["output"] == [{"n": 1}, {"$display": "image/png"}]
    assert end["display"] == {"image/png": "iVBORw0KGgo="}


@pytest.mark.parametrize(
    ("natives", "state"),
    [
        ([answer("error", {"text": "gone"})], "error"),
        ([{"tool_cancel_event": {"tool_use": CALL, "message": "no"}}], "cancelled"),
        (
            [
                {"tool_cancel_event": {"tool_use": CALL, "message": "no"}},
                answer("error", {"text": "no"}),
            ],
            "cancelled",
        ),
        ([{"tool_interrupt_event": {"tool_use": CALL, "interrupts": []}}], "awaiting_approval"),
    ],
)
def test_each_way_a_call_ends_is_a_state(natives: list[Any], state: str) -> None:
    asked = message("assistant", {"toolUse": CALL})
    assert [part["status"] for part in shown(ADAPTER, [asked, *natives])] == [state]


@pytest.mark.parametrize(
    ("native", "outcome"),
    [
        ({"result": {"stop_reason": "end_turn"}}, "success"),
        ({"result": {"stop_reason": "interrupt"}}, "interrupted"),
        ({"result": {"stop_reason": "cancelled"}}, "cancelled"),
        ({"result": {"stop_reason": "max_tokens"}}, "error"),
        ({"force_stop": True, "force_stop_reason": "boom"}, "error"),
    ],
)
def test_each_kind_of_end_is_an_outcome(native: dict[str, Any], outcome: str) -> None:
    assert end_of(native).outcome == outcome


def test_a_redacted_answer_is_replaced() -> None:
    natives = [
        delta(None, text="secret"),
        raw("redactContent", redactAssistantContentMessage="[redacted]"),
    ]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["[redacted]"]


def test_input_from_a_cache_counts_as_input() -> None:
    usage = {"inputTokens": 10, "outputTokens": 2, "cacheReadInputTokens": 30}
    (finished,) = emitted(ADAPTER, [raw("metadata", usage=usage)], "message_finished")
    assert finished["usage"] == {"input_tokens": 40, "output_tokens": 2, "cached_input_tokens": 30}


def test_the_first_events_of_a_stream_name_the_adapter() -> None:
    for native in ({"init_event_loop": True, "agent": object()}, raw("messageStart", role="assistant")):
        assert adapters.detect(native) == ADAPTER
    for other in ({"start": True}, {"data": "x"}, {"event": {"type": "message_start"}}):
        with pytest.raises(AdapterError):
            adapters.detect(other)


def test_unknown_events_become_custom_events() -> None:
    natives = [raw("brandNew", x=1), {"event_loop_throttled_delay": 4}, {"start": True}]
    assert [e["name"] for e in emitted(ADAPTER, natives, "custom")] == [
        "brandNew",
        "event_loop_throttled_delay",
    ]
