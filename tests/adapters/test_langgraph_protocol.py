"""Read langchain-protocol, ``astream_events(version="v3")``, and graphs inside tool calls."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.adapters.support import EXPECTED, check_items, emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished, RunStarted, is_skip
from vibe_notebook.registry import Registry

ADAPTER = "langgraph"
NAMESPACE = ["tools:t1"]


def native(method: str, data: Any, *namespace: str, seq: int | None = None, **params: Any) -> dict[str, Any]:
    fields = {"namespace": list(namespace), "timestamp": 1, "data": data, **params}
    return {"type": "event", "method": method, "params": fields, "seq": seq}


def message(kind: str, **fields: Any) -> dict[str, Any]:
    return native("messages", {"event": kind, **fields})


def block(kind: str, index: int, **content: Any) -> dict[str, Any]:
    name = "delta" if kind == "delta" else "content"
    return message(f"content-block-{kind}", index=index, **{name: content})


def tool(kind: str, **fields: Any) -> dict[str, Any]:
    return native("tools", {"event": f"tool-{kind}", "tool_call_id": "c1", **fields})


def test_the_protocol_is_known_by_its_first_event() -> None:
    assert adapters.detect(native("values", {"messages": []}, seq=1)) == ADAPTER


@pytest.mark.parametrize("name", ["langgraph_v3", "langgraph_v3_nested"])
def test_each_open_run_has_an_event_for_every_number(name: str) -> None:
    runs: dict[str, list[int]] = {}
    for event in recording(name).events():
        if event.seq is not None:
            runs.setdefault(event.run_id, []).append(event.seq)
    for numbers in runs.values():
        assert sorted(set(numbers)) == list(range(min(numbers), max(numbers) + 1))


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_the_events_ends_in_the_same_transcript(seed: int) -> None:
    events = [event for event in recording("langgraph_v3_nested").events() if event.seq is not None]
    rolls = random.Random(seed)
    shuffled = rolls.sample([*events, *rolls.choices(events, k=20)], len(events) + 20)
    with Registry(hold=0) as first, Registry(hold=0) as second:
        for registry, order in ((first, events), (second, shuffled)):
            for event in order:
                registry.dispatch(event)
            registry.finish("a")
        assert second.transcript("a").to_text() == first.transcript("a").to_text()
        assert "Oslo is sunny." in first.transcript("a").to_text()


def test_a_stream_sent_twice_shows_nothing_twice() -> None:
    natives = recording("langgraph_v3").natives
    result = fold(run(ADAPTER, [*natives[:20], *natives[5:20], *natives[20:]]), numbered=True)
    check_items(result["items"], EXPECTED["langgraph_v3"]["items"])


def test_a_watch_from_the_middle_waits_for_no_earlier_number() -> None:
    late = [{**one, "seq": one["seq"]} for one in recording("langgraph_v3").natives if one["seq"] > 9]
    started = run(ADAPTER, late)[0]
    assert isinstance(started, RunStarted)
    assert started.seq is None


def test_deltas_and_wholes_of_each_kind_of_block_are_read() -> None:
    natives = [
        message("message-start", id="m", role="ai"),
        block("start", 0, type="reasoning", reasoning="h"),
        block("delta", 0, type="reasoning-delta", reasoning="m"),
        block("finish", 0, type="reasoning", reasoning="hm"),
        block("start", 1, type="text", text="Hel"),
        block("delta", 1, type="text-delta", text="l"),
        block("finish", 1, type="text", text="Hello"),
        block("finish", 2, type="image", base64="AA==", mime_type="image/png"),
        block("start", 3, type="tool_call_chunk", id="c1", name="f", args='{"a"'),
        block("delta", 3, type="tool-call-delta", args=": 1}"),
        block("finish", 3, type="tool_call", id="c1", name="f", args={"a": 1}),
        message("message-finish", usage={"input_tokens": 3, "output_tokens": 4}),
    ]
    thinking, text, image, call = shown(ADAPTER, natives)
    assert (thinking["text"], text["text"], image["media_type"]) == ("hm", "Hello", "image/png")
    assert (call["id"], call["args"]) == ("c1", {"a": 1})
    assert len(emitted(ADAPTER, natives, "part_completed")) == 1
    assert fold(run(ADAPTER, natives))["usage"] == {"input_tokens": 3, "output_tokens": 4}


def test_the_users_messages_are_not_shown() -> None:
    natives = [message("message-start", id="m", role="human")]
    assert [event.type for event in run(ADAPTER, natives)] == ["run_started", "run_finished"]


def test_a_tool_shows_its_progress_until_its_failure() -> None:
    natives = [
        tool("started", tool_name="f", input={"a": 1}),
        tool("output-delta", delta="half"),
        tool("error", message="gone"),
    ]
    assert emitted(ADAPTER, natives, "tool_started")[0]["args"] == {"a": 1}
    assert emitted(ADAPTER, natives, "tool_progress")[0]["delta"] == "half"
    (finished,) = emitted(ADAPTER, natives, "tool_finished")
    assert (finished["status"], finished["error"]) == ("error", "gone")


def test_a_result_other_than_a_message_is_read() -> None:
    natives = [tool("finished", output={"rows": 2}), tool("finished", output={"rows": 2})]
    assert [e["output"] for e in emitted(ADAPTER, natives, "tool_finished")] == [{"rows": 2}]


def test_a_tool_of_the_provider_starts_and_ends_inside_of_the_message() -> None:
    natives = [
        message("message-start", id="m", role="ai"),
        block("finish", 0, type="server_tool_call", id="c1", name="web_search", args={"q": "x"}),
        block("finish", 1, type="server_tool_result", tool_call_id="c1", status="success", output=[1]),
    ]
    (part,) = shown(ADAPTER, natives)
    assert (part["name"], part["args"], part["status"], part["output"]) == (
        "web_search",
        {"q": "x"},
        "ok",
        [1],
    )


def test_a_repeated_interrupt_pauses_the_run_once() -> None:
    asked = {"id": "i1", "value": "sure?"}
    natives = [
        native("values", {"messages": []}, interrupts=[asked]),
        native("input.requested", {"interrupt_id": "i1", "payload": "sure?"}),
    ]
    assert [e["value"] for e in emitted(ADAPTER, natives, "custom")] == ["sure?"]
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    assert end.outcome == "interrupted"


@pytest.mark.parametrize(
    "failure",
    [
        message("error", message="overloaded", code="529"),
        native("lifecycle", {"event": "failed", "error": "overloaded"}),
    ],
)
def test_a_reported_failure_outweighs_a_later_exception(failure: dict[str, Any]) -> None:
    end = run(ADAPTER, [failure], RuntimeError("closed"))[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == ("error", "overloaded")


def test_custom_and_unknown_events_keep_their_names() -> None:
    natives = [
        native("custom", {"name": "mood", "payload": {"is": "good"}}),
        native("custom", {"tool_call_id": "c1", "progress": 1}),
        native("brand_new", {"x": 1}),
        native("checkpoints", {"x": 1}),
    ]
    assert [e["name"] for e in emitted(ADAPTER, natives, "custom")] == ["mood", "brand_new"]
    assert [e["tool_call_id"] for e in emitted(ADAPTER, natives, "tool_progress")] == ["c1"]


def test_an_event_without_content_is_a_skip() -> None:
    events = run(ADAPTER, [native("values", {}, seq=1), native("checkpoints", {}, seq=2)])
    assert [(e.seq, is_skip(e)) for e in events if e.seq is not None] == [(1, False), (2, True)]


# Subagents.


def ai(*call_ids: str) -> dict[str, Any]:
    calls = [{"name": "ask", "args": {}, "id": call_id, "type": "tool_call"} for call_id in call_ids]
    return {"type": "ai", "content": "", "id": "run-1", "tool_calls": calls}


def inner(text: str) -> tuple[Any, ...]:
    piece = {"type": "AIMessageChunk", "content": text, "id": "run-2", "chunk_position": "last"}
    return NAMESPACE, "messages", (piece, {"langgraph_checkpoint_ns": "tools:t1|model:m"})


def parent_of_inner(*natives: Any) -> list[Any]:
    events = run(ADAPTER, natives)
    return [e.parent_tool_call_id for e in events if isinstance(e, RunStarted) and e.run_id != "r"]


def test_a_subgraph_works_for_the_only_open_call() -> None:
    asked: Any = ([], "updates", {"model": {"messages": [ai("c1")]}})
    assert parent_of_inner(asked, inner("Hi")) == ["c1"]


def test_the_result_names_the_call_of_a_subgraph_among_two() -> None:
    asked: Any = ([], "updates", {"model": {"messages": [ai("c1", "c2")]}})
    answer = {"type": "tool", "content": "Hi", "tool_call_id": "c2"}
    result: Any = ([], "messages", (answer, {"langgraph_checkpoint_ns": "tools:t1"}))
    assert parent_of_inner(asked, inner("Hi"), result) == [None, "c2"]


def test_a_task_names_the_call_of_its_subgraph() -> None:
    asked: Any = ([], "updates", {"model": {"messages": [ai("c1", "c2")]}})
    task: Any = ([], "tasks", {"id": "t1", "name": "tools", "input": [ai("c2")["tool_calls"][0]]})
    assert parent_of_inner(asked, task, inner("Hi")) == ["c2"]


def test_a_subgraph_that_no_call_started_is_part_of_the_run() -> None:
    assert parent_of_inner(inner("Hi")) == []
    node = (["writer:w1"], *inner("Hi")[1:])
    asked: Any = ([], "updates", {"model": {"messages": [ai("c1")]}})
    assert parent_of_inner(asked, node) == []
    assert [part.get("text") for part in shown(ADAPTER, [node])] == ["Hi"]


def test_a_subagent_of_a_failed_tool_fails_with_it() -> None:
    natives = [
        {"event": "on_chat_model_end", "run_id": "m", "data": {"output": ai("c1")}},
        {"event": "on_tool_start", "run_id": "t", "name": "ask", "data": {"input": {}}},
        {
            "event": "on_chat_model_stream",
            "run_id": "n",
            "parent_ids": ["root", "t"],
            "data": {"chunk": inner("Hi")[2][0]},
        },
        {"event": "on_tool_error", "run_id": "t", "data": {"error": "gone"}},
    ]
    ends = [(e.outcome, e.error) for e in run(ADAPTER, natives) if isinstance(e, RunFinished)]
    assert ends == [("error", "gone"), ("success", None)]
