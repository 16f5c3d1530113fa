"""Read Chat Completions: the real client over constructed bytes, its helper's twins, and the dialects."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest

from tests.adapters.support import IDS, emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished

NATIVES = recording("openai_chat").natives
TURN1 = [native for native in NATIVES if isinstance(native, dict) and native.get("id") == "chatcmpl-1"]
SSE = "".join(f"data: {json.dumps(native)}\n\n" for native in TURN1) + "data: [DONE]\n\n"
REQUEST: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "weather?"}]}


def client() -> openai.OpenAI:
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=SSE.encode()))
    return openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport))


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def call(index: int | None, args: str, call_id: str | None = None, name: str | None = None) -> dict[str, Any]:
    function = {"name": name, "arguments": args}
    return chunk(tool_calls=[{"index": index, "id": call_id, "function": function}])


def usage(prompt: int, completion: int) -> dict[str, Any]:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [], "usage": counts}


def test_the_real_clients_chunks_give_the_events_of_their_json() -> None:
    with client() as made:
        objects = list(made.chat.completions.create(stream=True, **REQUEST))
    assert {adapters.detect(native) for native in objects} == {"openai_chat"}
    assert run("openai_chat", objects) == run("openai_chat", TURN1)
    dumps = [native.model_dump(mode="json") for native in objects]
    assert run("openai_chat", dumps) == run("openai_chat", TURN1)


def test_the_stream_helpers_twins_change_nothing() -> None:
    with client() as made, made.chat.completions.stream(**REQUEST) as stream:
        objects = list(stream)
    assert {"chunk", "content.delta", "content.done"} < {native.type for native in objects}
    assert {adapters.detect(native) for native in objects} == {"openai_chat"}
    events = run("openai_chat", objects)
    assert any(event.derived for event in events)
    assert [event for event in events if not event.derived] == run("openai_chat", TURN1)
    assert fold(events, numbered=True) == fold(run("openai_chat", TURN1))


def test_twins_alone_still_show_the_text() -> None:
    natives: list[Any] = [{"type": "content.delta", "delta": "Hel", "snapshot": "Hel"}]
    assert shown("openai_chat", natives)[0]["text"] == "Hel"
    natives.append({"type": "content.done", "content": "Hello"})
    assert shown("openai_chat", natives)[0]["text"] == "Hello"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thinking_is_read_in_each_dialect(field: str) -> None:
    (part,) = shown("openai_chat", [chunk(**{field: "h"}), chunk(**{field: "m"})])
    assert part == {"kind": "thinking", "text": "hm"}


def test_thinking_in_two_dialects_at_once_is_shown_once() -> None:
    assert shown("openai_chat", [chunk(reasoning_content="hm", reasoning="hm")])[0]["text"] == "hm"


def test_thinking_inside_the_content_is_thinking() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Hi"},
    ]
    assert [part["kind"] for part in shown("openai_chat", [chunk(content=content)])] == ["thinking", "text"]


def test_arguments_of_parallel_calls_interleave() -> None:
    natives = [call(0, "", "a", "f"), call(1, "", "b", "g"), call(0, '{"x":'), call(1, "{}"), call(0, "1}")]
    assert [(part["id"], part["args"]) for part in shown("openai_chat", natives)] == [
        ("a", {"x": 1}),
        ("b", {}),
    ]


@pytest.mark.parametrize("index", [0, None])
def test_unnumbered_calls_of_a_server_are_identified_by_their_ids(index: int | None) -> None:
    natives = [call(index, '{"x":1}', "a", "f"), call(index, "{", "b", "g"), call(index, "}", "b")]
    assert [(part["id"], part["args"]) for part in shown("openai_chat", natives)] == [
        ("a", {"x": 1}),
        ("b", {}),
    ]


def test_a_call_without_an_id_is_still_one_call() -> None:
    (part,) = shown("openai_chat", [call(0, "{", None, "f"), call(0, "}")])
    assert (part["id"], part["name"], part["args"]) == ("c:0", "f", {})


def test_the_usage_comes_after_the_end_or_in_every_chunk() -> None:
    late = [chunk(content="Hi"), chunk("stop"), usage(3, 2)]
    every = [native | {"usage": usage(3, i)["usage"]} for i, native in enumerate(late[:2], 1)]
    for natives in (late, [*every, usage(3, 2)]):
        (finished,) = emitted("openai_chat", natives, "message_finished")
        assert finished["finish_reason"] == "stop"
        assert fold(run("openai_chat", natives))["usage"] == {"input_tokens": 3, "output_tokens": 2}


def test_without_usage_a_message_ends_when_its_tool_answers() -> None:
    answer = {"role": "tool", "tool_call_id": "a", "content": "18"}
    natives = [call(0, "{}", "a", "f"), chunk("tool_calls"), answer]
    assert adapters.detect(answer) == "openai_chat"
    kinds = [event.type for event in run("openai_chat", natives)]
    assert kinds[-3:] == ["message_finished", "tool_finished", "run_finished"]
    assert shown("openai_chat", natives)[0]["output"] == "18"


def test_a_server_may_give_each_chunk_another_id() -> None:
    natives = [chunk(content=letter) | {"id": letter} for letter in "abc"]
    assert [part["text"] for part in shown("openai_chat", natives)] == ["abc"]


def test_only_the_first_choice_is_shown() -> None:
    both = chunk(content="Hi")
    both["choices"].insert(0, {"index": 1, "delta": {"content": "Ho"}})
    assert [part["text"] for part in shown("openai_chat", [both])] == ["Hi"]


def test_a_chunk_that_only_filters_the_prompt_begins_no_message() -> None:
    first = {"id": "", "object": "chat.completion.chunk", "choices": [], "prompt_filter_results": []}
    assert adapters.detect(first) == "openai_chat"
    assert len(emitted("openai_chat", [first, chunk(content="Hi")], "message_started")) == 1


def test_a_completion_without_a_stream_is_shown_whole() -> None:
    calls = [{"id": "a", "function": {"name": "f", "arguments": '{"x": 1}'}}]
    body = {"role": "assistant", "content": "Hi", "tool_calls": calls}
    whole = {
        "id": "c",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": body, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    text, tool = shown("openai_chat", [whole])
    assert (text["text"], tool["args"]) == ("Hi", {"x": 1})


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_message_that_was_cut_short_is_no_success(reason: str) -> None:
    end = run("openai_chat", [chunk(reason)])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.code) == ("error", reason)


def test_an_error_in_the_middle_of_the_stream_is_the_runs_error() -> None:
    broken = chunk() | {"error": {"code": 502, "message": "Provider disconnected"}}
    end = run("openai_chat", [broken], ValueError("later"))[-1]
    assert end == RunFinished(**IDS, outcome="error", error="Provider disconnected", code="502")


def test_a_refusal_is_text() -> None:
    assert shown("openai_chat", [chunk(refusal="No.")])[0] == {"kind": "text", "text": "No."}


def test_a_message_that_was_cut_off_ends_where_the_next_begins() -> None:
    natives = [chunk(role="assistant", content="a"), chunk(role="assistant", content="b") | {"id": "d"}]
    assert [part["text"] for part in shown("openai_chat", natives)] == ["a", "b"]
