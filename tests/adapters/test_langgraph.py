"""Read LangGraph's and LangChain's streams in each shape. Natives outside of the recording are constructed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.adapters.support import IDS, as_object, emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

NATIVES = recording("langgraph").natives
MODES = {mode: [data for name, data in NATIVES if name == mode] for mode in ("messages", "updates")}
WEATHER = {"name": "get_weather", "args": {"city": "Paris"}, "id": "c1", "type": "tool_call"}


def message_chunk(content: Any = "", message_id: str = "run-1", **fields: Any) -> dict[str, Any]:
    return {"type": "AIMessageChunk", "id": message_id, "content": content, "tool_call_chunks": [], **fields}


def call_chunk(
    args: str, index: int | None = 0, call_id: str | None = None, name: str | None = None
) -> dict[str, Any]:
    return message_chunk(tool_call_chunks=[{"name": name, "args": args, "id": call_id, "index": index}])


def ai(content: Any = "", message_id: str = "run-1", *calls: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "ai", "id": message_id, "content": content, "tool_calls": list(calls), **fields}


def answer(content: Any, call_id: str = "c1", status: str = "success") -> dict[str, Any]:
    return {
        "type": "tool",
        "name": "get_weather",
        "tool_call_id": call_id,
        "content": content,
        "status": status,
    }


def event(kind: str, run_id: str = "x", **data: Any) -> dict[str, Any]:
    named = {"name": "get_weather", "metadata": {}, "tags": [], "parent_ids": []}
    return {"event": kind, "run_id": run_id, "data": data, **named}


def parts(items: list[dict[str, Any]]) -> list[Any]:
    """Return the agent's parts."""
    return [
        (item["kind"], item.get("text", item.get("output"))) for item in items if item.get("role") != "user"
    ]


# The shapes.


def test_each_shape_of_the_recorded_messages_gives_the_same_events() -> None:
    single = [tuple(data) for data in MODES["messages"]]
    expected = run("langgraph", [("messages", data) for data in single])
    shapes: dict[str, list[Any]] = {
        "single": single,
        "namespaced": [((), "messages", data) for data in single],
        "namespaced single": [(("tools:1",), data) for data in single],
        "typed": [{"type": "messages", "ns": (), "data": data} for data in single],
        "json": [["messages", list(data)] for data in single],
        "objects": [(as_object(message), metadata) for message, metadata in single],
    }
    for shape, natives in shapes.items():
        assert run("langgraph", natives) == expected, shape
        assert {adapters.detect(native) for native in natives} == {"langgraph"}, shape


def test_updates_alone_give_the_same_transcript() -> None:
    full = fold(run("langgraph", NATIVES))
    typed = [{"type": "updates", "ns": [], "data": data} for data in MODES["updates"]]
    for natives in (MODES["updates"], typed):
        assert fold(run("langgraph", natives))["items"] == [
            item for item in full["items"] if item["kind"] != "custom"
        ]
    assert {adapters.detect(native) for native in (*MODES["updates"], *typed)} == {"langgraph"}


@pytest.mark.parametrize("native", [{"messages": []}, {"tool": "f", "progress": "x"}])
def test_ambiguous_natives_match_no_adapter(native: Any) -> None:
    with pytest.raises(AdapterError, match="Pass adapter="):
        adapters.detect(native)


def test_whole_states_show_only_the_answer_to_the_last_question() -> None:
    human = {"type": "human", "content": "?", "id": "h"}
    old = [human, ai("old", "run-0")]
    states = [
        {"messages": [*old, human | {"id": "h2"}]},
        {"messages": [*old, human | {"id": "h2"}, ai("new")]},
        {"messages": [*old, human | {"id": "h2"}, ai("new"), answer("18")]},
    ]
    assert parts(shown("langgraph", [("values", state) for state in states])) == [
        ("text", "new"),
        ("tool", "18"),
    ]
    assert run("langgraph", states) == run("langgraph", [("values", state) for state in states])


def test_a_models_own_stream_is_read_without_a_graph() -> None:
    natives = [message_chunk("Hel"), message_chunk("lo", chunk_position="last")]
    assert adapters.detect(natives[0]) == "langgraph"
    assert parts(shown("langgraph", natives)) == [("text", "Hello")]


HUMAN = {"type": "human", "content": "Hi", "additional_kwargs": {}}


@pytest.mark.parametrize(
    "native",
    [
        {"messages": [HUMAN]},
        {"messages": HUMAN, "step_count": 1},
        {"model": {"messages": [ai("Hello", additional_kwargs={})]}},
        {"a": None, "b": {"messages": as_object(ai("Hello", additional_kwargs={"refusal": None}))}},
    ],
)
def test_a_stream_without_a_mode_is_known_by_its_messages(native: Any) -> None:
    assert adapters.detect(native) == "langgraph"


@pytest.mark.parametrize(
    "native",
    [
        {"messages": [{"type": "ai", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": "Hello", "additional_kwargs": {}}]},
        {"messages": [HUMAN], "type": "brand_new"},
        {"messages": [HUMAN], "event": "brand_new"},
        {"node": {"count": 1}},
        {},
    ],
)
def test_an_ambiguous_state_asks_for_the_adapter(native: Any) -> None:
    with pytest.raises(AdapterError, match="adapter="):
        adapters.detect(native)


def test_a_stream_without_a_mode_is_known_when_its_first_message_comes() -> None:
    update = {"model": {"messages": [ai("Hello", additional_kwargs={})]}}
    assert adapters.detect({"plan": {"steps": 3}}, update) == "langgraph"
    assert parts(shown("langgraph", [{"plan": {"steps": 3}}, update])) == [("text", "Hello")]


# Repeats.


def test_the_repeats_of_the_recording_add_nothing() -> None:
    only = run("langgraph", [("messages", data) for data in MODES["messages"]])
    both = [event for event in run("langgraph", NATIVES) if event.type != "custom"]
    assert both == only


def test_a_whole_message_completes_missing_chunks() -> None:
    natives = [message_chunk("Hel"), ("updates", {"model": {"messages": [ai("Hello")]}})]
    assert parts(shown("langgraph", natives)) == [("text", "Hello")]


def test_an_id_that_changes_in_the_middle_of_a_message_starts_no_other() -> None:
    natives = [
        message_chunk("Hel", "lc_run--1"),
        message_chunk("lo", "resp_9", chunk_position="last"),
        ai("Hello", "resp_9"),
    ]
    assert parts(shown("langgraph", natives)) == [("text", "Hello")]
    assert len(emitted("langgraph", natives, "message_started")) == 1


@pytest.mark.parametrize("again", [ai("Hello", "other"), ai("", "other", WEATHER)])
def test_a_repeat_under_another_id_is_recognised_by_text_or_calls(again: dict[str, Any]) -> None:
    first = [message_chunk("Hello"), call_chunk('{"city": "Paris"}', 0, "c1", "get_weather")]
    natives = first[:1] if again["content"] else first
    assert fold(run("langgraph", [*natives, again]))["items"] == fold(run("langgraph", natives))["items"]


def test_messages_of_older_versions_end_where_the_next_begins() -> None:
    natives = [message_chunk("a", "run-1"), message_chunk("b", "run-2")]
    assert parts(shown("langgraph", natives)) == [("text", "a"), ("text", "b")]


def test_messages_of_parallel_nodes_do_not_mix() -> None:
    pieces = [
        (message_chunk(text, f"run-{node}"), {"langgraph_checkpoint_ns": node})
        for text, node in zip("abcd", itertools.cycle("xy"), strict=False)
    ]
    assert parts(shown("langgraph", pieces)) == [("text", "ac"), ("text", "bd")]


# Content.


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        (
            {"content": [{"type": "reasoning", "summary": [{"index": 0, "text": "hm"}], "index": 0}]},
            "thinking",
            "hm",
        ),
        ({"content": [{"type": "reasoning", "reasoning": "hm"}]}, "thinking", "hm"),
        ({"additional_kwargs": {"reasoning_content": "hm"}}, "thinking", "hm"),
        ({"content": ["Hi"]}, "text", "Hi"),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, "text", "No."),
    ],
)
def test_each_providers_content_is_read(fields: dict[str, Any], kind: str, text: str) -> None:
    assert parts(shown("langgraph", [message_chunk(**fields)])) == [(kind, text)]


def test_an_image_in_the_content_is_an_artifact_once() -> None:
    content = [{"type": "image", "base64": "AA==", "mime_type": "image/png", "id": "img"}]
    natives = [ai(content), ai(content)]
    assert [e["artifact_id"] for e in emitted("langgraph", natives, "artifact")] == ["run-1:img"]


def test_arguments_of_parallel_calls_interleave() -> None:
    natives = [
        call_chunk("", 0, "a", "f"),
        call_chunk("", 1, "b", "g"),
        call_chunk('{"x":', 0),
        call_chunk("{}", 1),
        call_chunk("1}", 0),
    ]
    assert [(part["id"], part["args"]) for part in shown("langgraph", natives)] == [
        ("a", {"x": 1}),
        ("b", {}),
    ]


def test_the_usages_of_chunks_add_up() -> None:
    first = {"input_tokens": 7, "output_tokens": 1, "input_token_details": {"cache_read": 2}}
    last = {"input_tokens": 0, "output_tokens": 4}
    natives = [
        message_chunk("Hi", usage_metadata=first),
        message_chunk(usage_metadata=last, chunk_position="last"),
    ]
    (finished,) = emitted("langgraph", natives, "message_finished")
    assert finished["usage"] == {"input_tokens": 7, "output_tokens": 5, "cached_input_tokens": 2}


# Tools.


def test_a_task_starts_its_call() -> None:
    context = {"__type": "tool_call_with_context", "tool_call": WEATHER, "state": {}}
    for task_input in (context, [WEATHER], WEATHER):
        task = {"type": "tasks", "ns": [], "data": {"id": "t", "name": "tools", "input": task_input}}
        assert emitted("langgraph", [task], "tool_started") == [
            {"tool_call_id": "c1", "tool_name": "get_weather", "args": {"city": "Paris"}}
        ]


def test_a_failed_tool_is_one_error() -> None:
    failed = answer("gone", status="error")
    natives = [("messages", (failed, {})), ("updates", {"tools": {"messages": [failed]}})]
    (finished,) = emitted("langgraph", natives, "tool_finished")
    assert (finished["status"], finished["error"]) == ("error", "gone")


def test_progress_without_a_call_is_a_custom_event() -> None:
    known = {"tool_call_id": "c1", "progress": 1, "total": 2, "message": "half"}
    natives = [("custom", known), ("custom", {"tool": "f", "progress": "looking"})]
    assert emitted("langgraph", natives, "tool_progress") == [
        {"tool_call_id": "c1", "progress": 1.0, "total": 2.0, "message": "half"}
    ]
    assert [e["value"]["tool"] for e in emitted("langgraph", natives, "custom")] == ["f"]


def test_an_interrupt_pauses_the_run_and_its_call() -> None:
    request = {"action_requests": [{"name": "get_weather", "args": {"city": "Paris"}}]}
    natives = [ai("", "run-1", WEATHER), ("updates", {"__interrupt__": ({"value": request, "id": "i"},)})]
    assert emitted("langgraph", natives, "tool_progress") == [
        {"tool_call_id": "c1", "state": "awaiting_approval"}
    ]
    end = run("langgraph", natives)[-1]
    assert isinstance(end, RunFinished)
    assert end.outcome == "interrupted"


# Messages that a node writes in short.

SHORT = [
    ("assistant", "Hi"),
    ["ai", "Hi"],
    {"role": "assistant", "content": "Hi"},
    {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
]


@pytest.mark.parametrize("message", SHORT)
@pytest.mark.parametrize("mode", ["messages", "updates", "values", "tasks", "bare"])
def test_a_message_in_short_is_shown(message: Any, mode: str) -> None:
    state = {"messages": [("user", "Who?"), message]}
    native: Any = {
        "messages": ("messages", (message, {"langgraph_node": "a"})),
        "updates": ("updates", {"a": state}),
        "values": ("values", state),
        "tasks": ("tasks", {"id": "t", "name": "a", "result": state}),
        "bare": {"a": state},
    }[mode]
    assert adapters.detect(native) == "langgraph"
    assert parts(shown("langgraph", [native])) == [("text", "Hi")]


def test_a_state_repeats_a_message_in_short_once() -> None:
    update = ("updates", {"a": {"messages": [("assistant", "Hi")]}})
    plain = ("values", {"messages": [("user", "Who?"), ("assistant", "Hi")]})
    reduced = ("values", {"messages": [ai("Hi", "m1")]})
    assert parts(shown("langgraph", [update, plain, plain])) == [("text", "Hi")]
    assert parts(shown("langgraph", [update, reduced, reduced])) == [("text", "Hi")]
    twice = ("values", {"messages": [("assistant", "Hi"), ("assistant", "Hi")]})
    assert parts(shown("langgraph", [update, twice, twice])) == [("text", "Hi"), ("text", "Hi")]


def test_calls_and_results_in_the_form_of_chat_completions_are_shown() -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    }
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "18"}
    (tool,) = shown(
        "langgraph", [("updates", {"a": {"messages": [asked]}}), ("updates", {"t": {"messages": result}})]
    )
    assert (tool["name"], tool["args"], tool["output"]) == ("get_weather", {"city": "Paris"}, "18")


def test_a_paused_graph_is_known_by_its_interrupt_alone() -> None:
    assert adapters.detect({"__interrupt__": [{"value": "Which city?", "id": "i"}]}) == "langgraph"


def test_the_mode_debug_is_read_without_its_name() -> None:
    task = {"type": "task_result", "step": 1, "timestamp": "", "payload": {"id": "t", "result": [ai("Hi")]}}
    assert adapters.detect(task) == "langgraph"
    assert parts(shown("langgraph", [task])) == [("text", "Hi")]


def test_two_strings_that_are_no_message_are_not_shown_as_one() -> None:
    natives = [("updates", {"a": ["assistant", "Hi"]}), ("updates", {"a": {"messages": ["assistant"]}})]
    assert shown("langgraph", natives) == []


# astream_events(version="v2").


def test_events_show_messages_tools_and_results() -> None:
    chunk = [
        event("on_chat_model_stream", "m", chunk=one)
        for one in (message_chunk("Hi"), call_chunk("", 0, "c1", "get_weather"))
    ]
    natives = [
        event("on_chain_start", "root", input={}),
        event("on_chat_model_start", "m"),
        *chunk,
        event("on_chat_model_stream", "m", chunk=call_chunk('{"city": "Paris"}')),
        event("on_chat_model_end", "m", output=ai("Hi", "run-1", WEATHER)),
        event("on_tool_start", "t", input={"city": "Paris"}),
        event("on_tool_end", "t", output=answer("18")),
        event("on_chain_end", "root", output={"messages": [ai("Hi", "run-1", WEATHER)]}),
    ]
    assert {adapters.detect(native) for native in natives} == {"langgraph"}
    text, tool = shown("langgraph", natives)
    assert (text["text"], tool["id"], tool["status"], tool["output"]) == ("Hi", "c1", "ok", "18")
    kinds = [e.type for e in run("langgraph", natives) if e.type.startswith(("message", "tool_s", "tool_f"))]
    assert kinds == ["message_started", "message_finished", "tool_started", "tool_finished"]


def test_equal_calls_start_one_after_the_other() -> None:
    twice = ai("", "run-1", WEATHER, WEATHER | {"id": "c2"})
    starts = [event("on_tool_start", run_id, input={"city": "Paris"}) for run_id in ("t1", "t2", "t3")]
    natives = [event("on_chat_model_end", "m", output=twice), *starts]
    assert [e["tool_call_id"] for e in emitted("langgraph", natives, "tool_started")] == ["c1", "c2"]


def test_a_tool_that_raises_is_an_error_of_its_call() -> None:
    natives = [
        event("on_chat_model_end", "m", output=ai("", "run-1", WEATHER)),
        event("on_tool_start", "t", input={"city": "Paris"}),
        event("on_tool_error", "t", error=LookupError("gone")),
    ]
    (finished,) = emitted("langgraph", natives, "tool_finished")
    assert (finished["tool_call_id"], finished["status"], finished["error"]) == ("c1", "error", "gone")


def test_a_custom_event_keeps_its_name() -> None:
    native = event("on_custom_event", data=1) | {"name": "mood", "data": {"is": "good"}}
    assert emitted("langgraph", [native], "custom") == [
        {"name": "mood", "value": {"is": "good"}, "shown": True}
    ]


def test_an_exception_is_the_runs_error() -> None:
    end = run("langgraph", [message_chunk("Hi")], ValueError("no"))[-1]
    assert end == RunFinished(**IDS, outcome="error", error="ValueError: no")
