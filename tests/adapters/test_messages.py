"""Read conversations that are whole already: lists of messages in OpenAI's, Anthropic's and LangChain's form."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from openai.types.chat import ChatCompletionMessage

import vibe_notebook as vibe
from tests.adapters.support import emitted
from tests.watching.streams import quiet

OPENAI: list[Any] = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "1 + 2?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c", "content": "3"},
    {"role": "assistant", "content": "It is 3."},
    {"role": "user", "content": [{"type": "text", "text": "Thanks"}]},
    {"role": "assistant", "content": "Bye"},
]
RESPONSES: list[Any] = [
    *OPENAI[:2],
    {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a": 1, "b": 2}'},
    {"type": "function_call_output", "call_id": "c", "output": "3"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is 3."}]},
    {"role": "user", "content": [{"type": "input_text", "text": "Thanks"}]},
    {"role": "assistant", "content": "Bye"},
]
ANTHROPIC: list[Any] = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "1 + 2?"},
    {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "c", "name": "add", "input": {"a": 1, "b": 2}}],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "3"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "It is 3."}]},
    {"role": "user", "content": "Thanks"},
    {"role": "assistant", "content": "Bye"},
]
CALL: Any = {"id": "c", "name": "add", "args": {"a": 1, "b": 2}}
LANGCHAIN: list[Any] = [
    SystemMessage("Be short."),
    HumanMessage("1 + 2?"),
    AIMessage("", tool_calls=[CALL]),
    ToolMessage("3", tool_call_id="c"),
    AIMessage("It is 3."),
    HumanMessage("Thanks"),
    AIMessage("Bye"),
]
MIXED: list[Any] = [
    *OPENAI[:2],
    *LANGCHAIN[2:4],
    ChatCompletionMessage(role="assistant", content="It is 3."),
    *OPENAI[5:],
]
LISTS = {
    "openai": OPENAI,
    "responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "langchain": LANGCHAIN,
    "mixed": MIXED,
}


def read(source: list[Any]) -> vibe.Transcript:
    watched = quiet(source)
    list(watched)
    made: vibe.Transcript = watched.transcript
    return made


def rows(transcript: vibe.Transcript) -> list[tuple[Any, ...]]:
    return [
        (part.tool_name, part.args, part.output, part.state)
        if part.kind == "tool"
        else (part.role, part.text)
        for part in transcript.parts
        if part.kind in ("text", "tool")
    ]


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("is_one_item", [False, True], ids=["items", "one item"])
def test_a_list_of_messages_is_the_conversation(form: str, *, is_one_item: bool) -> None:
    transcript = read([LISTS[form]] if is_one_item else LISTS[form])
    (call,) = transcript.tools
    assert (call.tool_name, call.args, call.state) == ("add", {"a": 1, "b": 2}, "ok")
    assert str(call.output) == "3"
    assert [row for row in rows(transcript) if len(row) == 2] == [
        ("system", "Be short."),
        ("user", "1 + 2?"),
        ("assistant", "It is 3."),
        ("user", "Thanks"),
        ("assistant", "Bye"),
    ]
    assert [type(part).__name__ for part in transcript.parts].index("ToolPart") == 2
    assert transcript.outcome == "success"


def test_a_list_that_grows_shows_each_message_once() -> None:
    grown = [OPENAI[:end] for end in range(1, len(OPENAI) + 1)]
    assert rows(read(grown)) == rows(read([OPENAI]))


def test_a_failed_result_is_an_error() -> None:
    block = {"type": "tool_result", "tool_use_id": "c", "content": "no", "is_error": True}
    (end,) = emitted("messages", [[{"role": "user", "content": [block]}]], "tool_finished")
    assert (end["status"], end["error"]) == ("error", "no")
