"""Read Anthropic's constructed streams: raw events, the helper's twins, the provider's own tools."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import IDS, as_object, emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

NATIVES = recording("anthropic").natives
TURN1 = NATIVES[:25]


def block(index: int, *deltas: dict[str, Any], **body: Any) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": body},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def message(*natives: Any, stop: str = "end_turn") -> list[Any]:
    return [
        {"type": "message_start", "message": {"id": "m", "model": "claude", "usage": {"input_tokens": 3}}},
        *natives,
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]


def text_delta(text: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": text}


def twins(natives: list[Any]) -> list[Any]:
    """Return the events of ``messages.stream()`` for these raw events."""
    names = {
        "text_delta": ("text", "text"),
        "thinking_delta": ("thinking", "thinking"),
        "input_json_delta": ("input_json", "partial_json"),
    }
    out: list[Any] = []
    snapshots: dict[int, str] = {}
    for native in natives:
        out.append(native)
        delta = native.get("delta", {})
        if delta.get("type") in names:
            kind, name = names[delta["type"]]
            key = native["index"]
            snapshots[key] = snapshots.get(key, "") + delta[name]
            out.append({"type": kind, name: delta[name], "snapshot": snapshots[key]})
    return out


def test_objects_and_their_json_give_equal_events() -> None:
    objects = [as_object(native) for native in TURN1]
    assert {adapters.detect(native) for native in objects} == {"anthropic"}
    assert run("anthropic", objects) == run("anthropic", TURN1)


def test_the_helpers_twins_are_derived_and_change_nothing() -> None:
    with_twins = twins(list(TURN1))
    assert len(with_twins) > len(TURN1)
    assert {adapters.detect(native) for native in with_twins} == {"anthropic"}
    events = run("anthropic", with_twins)
    assert [event for event in events if not event.derived] == run("anthropic", TURN1)
    assert fold(events, numbered=True) == fold(run("anthropic", TURN1))


def test_twins_alone_still_show_the_text() -> None:
    alone = [native for native in twins(list(TURN1)) if native["type"] in ("text", "thinking")]
    assert [item["text"] for item in shown("anthropic", alone)] == [
        "The user wants two cities. I should call get_weather once per city.",
        "Let me check both cities.",
    ]


def test_a_repeated_whole_block_completes_missing_deltas() -> None:
    stop = {"type": "content_block_stop", "index": 0, "content_block": {"type": "text", "text": "Hello"}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}
    assert shown("anthropic", [delta, stop])[0]["text"] == "Hello"
    delta["delta"] = {"type": "text_delta", "text": "Hello"}
    assert emitted("anthropic", [delta, stop], "part_completed") == []


def test_each_message_is_one_model_call_with_its_usage() -> None:
    usages = emitted("anthropic", NATIVES, "message_finished")
    assert [
        (u["finish_reason"], u["usage"]["input_tokens"], u["usage"]["output_tokens"]) for u in usages
    ] == [
        ("tool_use", 140, 60),
        ("end_turn", 220, 20),
    ]
    assert usages[0]["usage"]["cached_input_tokens"] == 20
    assert {event.message_id for event in run("anthropic", NATIVES)} == {None, "msg_01", "msg_02"}


def test_a_tool_of_the_provider_starts_when_its_input_is_complete() -> None:
    hit = {"type": "web_search_result", "url": "https://x.test", "title": "X", "encrypted_content": "zz"}
    natives = message(
        *block(
            0,
            text_delta(""),
            text_delta('{"query":'),
            text_delta(' "x"}'),
            type="server_tool_use",
            id="s",
            name="web_search",
        ),
        *block(1, type="web_search_tool_result", tool_use_id="s", content=[hit]),
    )
    (tool,) = shown("anthropic", natives)
    assert (tool["name"], tool["args"], tool["status"]) == ("web_search", {"query": "x"}, "ok")
    assert tool["output"] == [{"type": "web_search_result", "url": "https://x.test", "title": "X"}]


@pytest.mark.parametrize(
    "fields",
    [
        {
            "type": "web_search_tool_result",
            "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
        },
        {"type": "mcp_tool_result", "is_error": True, "content": "unavailable"},
    ],
)
def test_a_failed_tool_of_the_provider_has_its_reason(fields: dict[str, Any]) -> None:
    natives = message(
        *block(0, type="mcp_tool_use", id="s", name="ask", input={"a": 1}),
        *block(1, tool_use_id="s", **fields),
    )
    (finished,) = emitted("anthropic", natives, "tool_finished")
    assert (finished["status"], finished["error"]) == ("error", "unavailable")


def test_tool_results_in_the_next_request_finish_their_calls() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    answer: dict[str, Any] = {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "call_paris",
                "content": [{"type": "text", "text": "18"}, image],
            },
            {"type": "tool_result", "tool_use_id": "call_atlantis", "content": "gone", "is_error": True},
        ],
    }
    items = {item.get("id", item.get("artifact_id")): item for item in shown("anthropic", [*TURN1, answer])}
    paris = [{"type": "text", "text": "18"}, {"$display": "image/png"}]
    assert (items["call_paris"]["output"], items["call_paris"]["status"]) == (paris, "ok")
    assert (items["call_atlantis"]["output"], items["call_atlantis"]["status"]) == ("gone", "error")
    (end, _) = emitted("anthropic", [answer], "tool_finished")
    assert end["display"] == {"image/png": "iVBORw0KGgo="}
    assert adapters.detect(answer["content"][0]) == "anthropic"


def test_a_whole_message_of_the_tool_runner_is_read_like_its_stream() -> None:
    whole = {
        "type": "message",
        "id": "m",
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }
    assert adapters.detect(whole) == "anthropic"
    thinking, text, tool = shown("anthropic", [whole])
    assert (thinking["text"], text["text"], tool["args"]) == ("hm", "Hi", {"a": 1})
    assert fold(run("anthropic", [whole]))["usage"] == {"input_tokens": 1, "output_tokens": 2}


@pytest.mark.parametrize("stop", ["max_tokens", "refusal", "model_context_window_exceeded"])
def test_a_message_that_was_cut_short_is_no_success(stop: str) -> None:
    end = run("anthropic", message(stop=stop))[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.code) == ("error", stop)


def test_an_error_event_outweighs_a_later_exception() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert adapters.detect(error) == "anthropic"
    end = run("anthropic", [error], ValueError("later"))[-1]
    assert end == RunFinished(**IDS, outcome="error", error="Overloaded", code="overloaded_error")


def test_a_stream_cut_in_a_message_keeps_the_messages_usage() -> None:
    (finished,) = emitted("anthropic", TURN1[:9], "message_finished")
    assert finished["usage"]["input_tokens"] == 140


def test_arguments_that_are_no_json_stay_text() -> None:
    natives = message(
        *block(0, text_delta('{"a": '), text_delta("oops"), type="tool_use", id="c", name="f", input={})
    )
    assert shown("anthropic", natives)[0]["args"] == '{"a": oops'


def test_encrypted_and_unknown_blocks_show_no_part() -> None:
    natives = message(
        *block(0, {"type": "signature_delta", "signature": "x"}, type="redacted_thinking", data="zz"),
        *block(1, {"type": "new_delta", "v": 1}, type="new_block", v=2),
        {"type": "ping"},
        {"type": "signature", "signature": "x"},
    )
    assert shown("anthropic", natives) == []
    assert [event["name"] for event in emitted("anthropic", natives, "custom")] == ["new_block", "new_delta"]


def test_a_content_block_without_a_snapshot_matches_no_adapter() -> None:
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect({"type": "text", "text": "a block, not an event"})
