"""Test streams as servers really send them: ids and numbers that repeat, wholes after deltas, errors inside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import run
from vibe_notebook import adapters
from vibe_notebook.registry import Registry
from vibe_notebook.transcript import Transcript


def transcript(adapter: str, natives: list[Any]) -> Transcript:
    with Registry(hold=0) as registry:
        for event in run(adapter, natives):
            registry.dispatch(event)
        return registry.transcript(registry.agents()[0])


def texts(adapter: str, natives: list[Any]) -> list[str]:
    parts = transcript(adapter, natives).parts
    return [part.text for part in parts if part.kind in ("text", "thinking") and part.role == "assistant"]


def calls(adapter: str, natives: list[Any]) -> list[tuple[Any, ...]]:
    return [(part.tool_name, part.args, part.output) for part in transcript(adapter, natives).tools]


def outcome(adapter: str, natives: list[Any]) -> tuple[Any, Any]:
    made = transcript(adapter, natives)
    return made.outcome, made.error


# Chat Completions.


def chunk(delta: dict[str, Any], reason: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **fields}


def piece(index: int, call_id: str | None, name: str | None, args: str) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", args)) if value is not None}
    call = {"index": index, "function": function, **({} if call_id is None else {"id": call_id})}
    return chunk({"tool_calls": [call]})


END = chunk({}, "tool_calls")


def result(call_id: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


@pytest.mark.parametrize(
    ("natives", "expected"),
    [
        (
            [piece(0, "", "f", '{"a":1}'), piece(0, "", "g", '{"b":1}'), piece(0, "", "g", '{"b":2}'), END],
            [("f", {"a": 1}, None), ("g", {"b": 1}, None), ("g", {"b": 2}, None)],
        ),
        (
            [
                piece(0, "x", "f", '{"a":1}'),
                piece(1, "x", "g", '{"b":1}'),
                END,
                result("x", "R1"),
                result("x", "R2"),
            ],
            [("f", {"a": 1}, "R1"), ("g", {"b": 1}, "R2")],
        ),
        (
            [piece(0, None, None, '{"a"'), piece(0, "x", "f", ":1}"), END, result("x", "R")],
            [("f", {"a": 1}, "R")],
        ),
        (
            [piece(0, None, "f", ""), piece(0, "x", None, '{"a":1}'), END, result("x", "R")],
            [("f", {"a": 1}, "R")],
        ),
        (
            [piece(0, "x", "f", '{"a"'), piece(0, "x", "f", ":1}"), END, result("x", "R")],
            [("f", {"a": 1}, "R")],
        ),
    ],
    ids=[
        "one place without ids",
        "one id for two",
        "arguments first",
        "the id last",
        "the name in each piece",
    ],
)
def test_the_calls_of_a_chat_are_told_apart(natives: list[Any], expected: list[Any]) -> None:
    assert calls("openai_chat", natives) == expected


@pytest.mark.parametrize("kind", ["", None])
def test_a_chunk_whose_object_is_empty_or_missing_is_read(kind: str | None) -> None:
    natives = [chunk({"content": "Hel"}), chunk({"content": "lo"}, "stop")]
    for native in natives:
        del native["object"]
        if kind is not None:
            native["object"] = kind
    assert adapters.detect(natives[0]) == "openai_chat"
    assert texts("openai_chat", natives) == ["Hello"]


def test_a_first_chunk_without_choices_is_recognised() -> None:
    first = {"choices": [], "object": "", "id": "", "prompt_filter_results": [{"prompt_index": 0}]}
    assert adapters.detect(first) == "openai_chat"


def test_the_older_api_of_completions_is_read() -> None:
    natives = [
        {
            "id": "c",
            "object": "text_completion",
            "choices": [{"index": 0, "text": word, "finish_reason": end}],
        }
        for word, end in (("Hel", None), ("lo", "stop"))
    ]
    assert adapters.detect(natives[0]) == "openai_chat"
    assert texts("openai_chat", natives) == ["Hello"]


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}


@pytest.mark.parametrize(
    ("content", "expected"), [("Hello", "Hello"), ("Hello world", "Hello world"), ("Bye", "Bye")]
)
def test_a_whole_completion_is_compared_with_its_deltas(content: str, expected: str) -> None:
    message = {"role": "assistant", "content": content, "tool_calls": [CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    whole = {"id": "c1", "object": "chat.completion", "model": "m", "choices": [choice]}
    natives = [chunk({"role": "assistant", "content": "Hello"}), piece(0, "a", "f", '{"x":1}'), END, whole]
    assert texts("openai_chat", natives) == [expected]
    assert calls("openai_chat", natives) == [("f", {"x": 1}, None)]


def test_a_completion_id_that_begins_anew_is_another_message() -> None:
    one = [chunk({"role": "assistant", "content": "Hello"}), chunk({}, "stop")]
    assert texts("openai_chat", [*one, *one]) == ["Hello", "Hello"]


# Anthropic.


def message(text: str, reason: str = "end_turn", name: str = "m") -> list[dict[str, Any]]:
    body = {"id": name, "role": "assistant", "content": [], "model": "m", "usage": {"input_tokens": 1}}
    return [
        {"type": "message_start", "message": body},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]


def test_a_message_id_that_begins_anew_is_another_message() -> None:
    assert texts("anthropic", [*message("Hello"), *message("Hello")]) == ["Hello", "Hello"]


@pytest.mark.parametrize("whole", ["Hello", "Hello world"])
def test_a_whole_message_is_compared_with_its_deltas(whole: str) -> None:
    body = {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    final = {**body, "content": [{"type": "text", "text": whole}], "usage": {"input_tokens": 1}}
    assert texts("anthropic", [*message("Hello"), final]) == [whole]


@pytest.mark.parametrize("deltas", [[], ['{"a"', ": 1}"]])
def test_an_input_that_comes_whole_at_its_start_is_shown_once(deltas: list[str]) -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    pieces = [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": one},
        }
        for one in deltas
    ]
    start = {"type": "content_block_start", "index": 0, "content_block": block}
    natives = [message("")[0], start, *pieces, {"type": "content_block_stop", "index": 0}, *message("")[4:]]
    assert calls("anthropic", natives) == [("f", {"a": 1}, None)]


# Responses.


def response(text: str, numbers: Any, name: str = "r1", item: str = "i1") -> list[dict[str, Any]]:
    body = {"id": name, "object": "response", "output": [], "model": "m"}
    shown = {"type": "message", "id": item, "role": "assistant", "content": []}
    done = {**shown, "content": [{"type": "output_text", "text": f"{text}!"}]}
    place = {"item_id": item, "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": body},
        {"type": "response.output_item.added", "output_index": 0, "item": shown},
        {"type": "response.output_text.delta", **place, "delta": text},
        {"type": "response.output_text.delta", **place, "delta": "!"},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": {**body, "status": "completed"}},
    ]
    given: list[dict[str, Any]] = [
        {} if number is None else {"sequence_number": number} for number in numbers
    ]
    return [{**event, **number} for event, number in zip(events, given, strict=True)]


@pytest.mark.parametrize("numbers", [[0] * 6, [0, 1, 0, 1, 0, 1], [None] * 6, range(6), range(5, 11)])
def test_numbers_that_do_not_grow_count_nothing(numbers: Any) -> None:
    assert texts("openai_responses", response("Hello", numbers)) == ["Hello!"]


ANSWER = {"type": "function_call_output", "call_id": "x", "output": "1"}


@pytest.mark.parametrize(
    "natives",
    [
        [*response("Hello", range(6)), ANSWER, *response("World", range(6))],
        [*response("Hello", [None] * 6), *response("World", [None] * 6)],
        [*response("Hello", range(6)), *response("World", range(6), name="r2")],
        [*response("Hello", range(6)), *response("World", range(6), name="r2", item="i2")],
    ],
    ids=["a response", "a response without numbers", "an item", "nothing"],
)
def test_a_response_or_item_id_that_begins_anew_is_another_one(natives: list[Any]) -> None:
    assert texts("openai_responses", natives) == ["Hello!", "World!"]


def test_a_response_that_comes_twice_is_shown_once() -> None:
    assert texts("openai_responses", response("Hello", range(6)) * 2) == ["Hello!"]


# The UI protocols.


def ui(*chunks: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "start", "messageId": "m"}, *chunks, {"type": "finish"}]


def part(kind: str, text: str) -> list[dict[str, Any]]:
    return [
        {"type": f"{kind}-start", "id": "0"},
        {"type": f"{kind}-delta", "id": "0", "delta": text},
        {"type": f"{kind}-end", "id": "0"},
    ]


TOOL = [
    {"type": "tool-input-available", "toolCallId": "c", "toolName": "f", "input": {"a": 1}},
    {"type": "tool-output-available", "toolCallId": "c", "output": 1},
]


@pytest.mark.parametrize("kind", ["text", "reasoning"])
def test_a_part_that_starts_again_after_its_end_is_another_part(kind: str) -> None:
    natives = ui(*part(kind, "Hello"), *TOOL, *part(kind, "World"))
    kinds = [part.kind for part in transcript("vercel_ai_ui", natives).parts]
    assert texts("vercel_ai_ui", natives) == ["Hello", "World"]
    assert kinds[1] == "tool"


def test_a_call_that_is_announced_twice_is_one_call_with_its_arguments_once() -> None:
    begun = [
        {"type": "tool-input-start", "toolCallId": "c", "toolName": "f"},
        {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": '{"a":1}'},
    ]
    assert calls("vercel_ai_ui", ui(*begun, *begun)) == [("f", {"a": 1}, None)]


def agui(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


RUN = agui("RUN_STARTED", threadId="t", runId="r")
OVER = agui("RUN_FINISHED", threadId="t", runId="r")
MESSAGES: list[dict[str, Any]] = [
    {"id": "u", "role": "user", "content": "hi"},
    {
        "id": "a1",
        "role": "assistant",
        "content": "Hello",
        "toolCalls": [{"id": "c1", "function": {"name": "f", "arguments": '{"a":1}'}}],
    },
    {"id": "t1", "role": "tool", "toolCallId": "c1", "content": "42"},
    {"id": "a2", "role": "assistant", "content": "done"},
]


def said(text: str, name: str = "a1") -> list[dict[str, Any]]:
    return [
        agui("TEXT_MESSAGE_START", messageId=name, role="assistant"),
        agui("TEXT_MESSAGE_CONTENT", messageId=name, delta=text),
        agui("TEXT_MESSAGE_END", messageId=name),
    ]


def test_a_message_that_starts_again_after_its_end_continues_in_another_part() -> None:
    call = [
        agui("TOOL_CALL_START", toolCallId="c", toolCallName="f", parentMessageId="m"),
        agui("TOOL_CALL_END", toolCallId="c"),
        agui("TOOL_CALL_RESULT", messageId="x", toolCallId="c", content="1"),
    ]
    assert texts("agui", [RUN, *said("Hello", "m"), *call, *said("World", "m"), OVER]) == ["Hello", "World"]


def test_a_call_of_agui_that_is_announced_twice_has_its_arguments_once() -> None:
    begun = [
        agui("TOOL_CALL_START", toolCallId="c", toolCallName="f", parentMessageId="m"),
        agui("TOOL_CALL_ARGS", toolCallId="c", delta='{"a":1}'),
    ]
    assert calls("agui", [RUN, *begun, *begun, OVER]) == [("f", {"a": 1}, None)]


def test_a_run_that_is_only_a_snapshot_shows_what_came_after_the_users_last_message() -> None:
    natives = [
        RUN,
        agui("MESSAGES_SNAPSHOT", messages=[{"id": "o", "role": "assistant", "content": "old"}, *MESSAGES]),
        OVER,
    ]
    assert texts("agui", natives) == ["Hello", "done"]
    assert calls("agui", natives) == [("f", {"a": 1}, "42")]


def test_a_snapshot_shows_the_messages_that_were_never_streamed_and_no_streamed_one_again() -> None:
    other_ids = [{**one, "id": f"{one['id']}-stored"} for one in MESSAGES[:2]]
    natives = [RUN, *said("Hello"), agui("MESSAGES_SNAPSHOT", messages=[*MESSAGES]), OVER]
    assert texts("agui", natives) == ["Hello", "done"]
    assert texts("agui", [RUN, *said("Hello"), agui("MESSAGES_SNAPSHOT", messages=other_ids), OVER]) == [
        "Hello"
    ]


# Ends.


@pytest.mark.parametrize(
    "reason",
    ["error", "abort", "insufficient_system_resource", "length", "content_filter", "ERROR", "server_error"],
)
def test_a_message_that_its_server_gave_up_or_cut_short_makes_the_run_an_error(reason: str) -> None:
    made, error = outcome("openai_chat", [chunk({"content": "Hal"}), chunk({}, reason)])
    assert made == "error"
    assert reason in error


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "eos", "", "some_new_reason"])
def test_any_other_reason_is_a_success(reason: str) -> None:
    assert outcome("openai_chat", [chunk({"content": "Hal"}), chunk({}, reason)]) == ("success", None)


def test_the_runs_last_message_counts() -> None:
    cut, whole = message("half", "max_tokens", "m1"), message("whole", name="m2")
    assert outcome("anthropic", [*cut, *whole])[0] == "success"
    assert outcome("anthropic", [*whole, *cut])[0] == "error"


def test_the_sdks_own_verdict_outweighs_the_last_message() -> None:
    envelope = {"uuid": "u", "session_id": "s", "parent_tool_use_id": None}
    lines = [{"type": "stream_event", "event": one, **envelope} for one in message("half", "max_tokens")]
    end = {"type": "result", "subtype": "success", "is_error": False, "result": "half", **envelope}
    assert outcome("claude_agent_sdk", [*lines, end])[0] == "success"
    assert outcome("claude_agent_sdk", lines)[0] == "error"


@pytest.mark.parametrize(
    "error", [{"message": "boom", "code": 500}, "boom", {"message": "boom", "type": "InternalServerError"}]
)
def test_an_error_in_the_place_of_a_chunk_ends_the_run_with_the_servers_words(error: Any) -> None:
    assert outcome("openai_chat", [chunk({"content": "Hal"}), {"error": error}]) == ("error", "boom")
    assert adapters.detect({"error": error}) == "openai_chat"


def langchain(text: str, reason: str, name: str) -> list[Any]:
    body = {"type": "AIMessageChunk", "id": name, "content": text, "tool_call_chunks": []}
    last = {**body, "content": "", "response_metadata": {"finish_reason": reason}, "chunk_position": "last"}
    return [(body, {"langgraph_node": "model"}), (last, {"langgraph_node": "model"})]


def test_a_cut_message_of_langchain_and_of_adk_makes_the_run_an_error() -> None:
    assert outcome("langgraph", langchain("half", "length", "l1"))[0] == "error"
    both = [*langchain("half", "length", "l1"), *langchain("whole", "stop", "l2")]
    assert outcome("langgraph", both)[0] == "success"
    body = {"invocationId": "i", "author": "a", "content": {"role": "model", "parts": [{"text": "half"}]}}
    assert outcome("google_adk", [{**body, "partial": False, "finishReason": "MAX_TOKENS"}])[0] == "error"


def test_two_calls_of_one_message_with_one_id_are_two_calls() -> None:
    start, *_, delta, stop = message("")
    blocks = []
    for index, name in enumerate("fg"):
        block = {"type": "tool_use", "id": "x", "name": name, "input": {}}
        piece = {"type": "input_json_delta", "partial_json": f'{{"n": {index}}}'}
        blocks += [
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_delta", "index": index, "delta": piece},
            {"type": "content_block_stop", "index": index},
        ]
    results = [{"type": "tool_result", "tool_use_id": "x", "content": f"R{index}"} for index in range(2)]
    natives = [start, *blocks, delta, stop, {"role": "user", "content": results}]
    assert calls("anthropic", natives) == [("f", {"n": 0}, "R0"), ("g", {"n": 1}, "R1")]


def test_two_calls_of_one_response_with_one_id_are_two_calls() -> None:
    body = {"id": "r1", "object": "response", "output": [], "model": "m"}
    items = [
        {"type": "function_call", "id": f"i{n}", "call_id": "x", "name": name, "arguments": f'{{"n": {n}}}'}
        for n, name in enumerate("fg")
    ]
    natives = [
        {"type": "response.created", "response": body},
        *(
            {"type": "response.output_item.added", "output_index": n, "item": {**one, "arguments": ""}}
            for n, one in enumerate(items)
        ),
        *(
            {"type": "response.output_item.done", "output_index": n, "item": one}
            for n, one in enumerate(items)
        ),
        {"type": "response.completed", "response": {**body, "status": "completed"}},
        *({"type": "function_call_output", "call_id": "x", "output": f"R{n}"} for n in range(2)),
    ]
    assert calls("openai_responses", natives) == [("f", {"n": 0}, "R0"), ("g", {"n": 1}, "R1")]


def test_a_call_that_is_announced_twice_loses_no_argument() -> None:
    def pieces(*deltas: str) -> list[dict[str, Any]]:
        begun = [{"type": "tool-input-start", "toolCallId": "c", "toolName": "f"}]
        return begun + [
            {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": delta} for delta in deltas
        ]

    def text_of(*deltas: str) -> str:
        return transcript("vercel_ai_ui", ui(*pieces('{"a"'), *pieces(*deltas))).tools[0].args_text

    assert text_of('{"', 'a": ', "1}") == '{"a": 1}'
    assert text_of('{"', 'b": 1}') == '{"a"{"b": 1}'
