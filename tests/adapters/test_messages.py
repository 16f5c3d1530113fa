"""Read conversations that are whole already: lists of messages in OpenAI's, Anthropic's and LangChain's form."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from openai.types.chat import ChatCompletionMessage

import vibe_notebook as vibe
from tests.adapters.support import emitted, fold, run
from tests.watching.streams import quiet
from vibe_notebook import adapters
from vibe_notebook.exceptions import AdapterError

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


CHUNK = {"object": "chat.completion.chunk", "id": "x", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}
OLLAMA = {"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": True}
ANSWERS = {
    "openai": {"role": "tool", "tool_call_id": "c", "content": "3"},
    "ollama": {"role": "tool", "tool_name": "add", "content": "3"},
}


@pytest.mark.parametrize(
    ("answer", "then", "name"),
    [
        ("openai", OPENAI[4], "messages"),
        ("ollama", OPENAI[4], "messages"),
        ("openai", CHUNK, "openai_chat"),
        ("ollama", OLLAMA, "ollama"),
    ],
)
def test_the_native_after_a_tools_message_names_the_adapter(answer: str, then: Any, name: str) -> None:
    first = ANSWERS[answer]
    assert adapters.detect(first, then) == adapters.detect(first, first, then) == name
    with pytest.raises(AdapterError):
        adapters.choose("auto", first, is_last=False)


def test_a_stream_of_tools_messages_alone_is_one_of_an_api() -> None:
    assert [adapters.detect(answer) for answer in ANSWERS.values()] == ["openai_chat", "ollama"]
    transcript = read([ANSWERS["openai"], OPENAI[4]])
    assert [part.kind for part in transcript.parts] == ["tool", "text"]


@pytest.mark.parametrize("name", ["openai_chat", "anthropic", "openai"])
def test_a_forced_adapter_of_an_api_shows_a_list_of_messages_whole(name: str) -> None:
    kinds = [part["kind"] for part in fold(run(adapters.choose(name, *OPENAI[2:]), OPENAI))["items"]]
    assert kinds == ["text", "text", "tool", "text", "text", "text"]


def test_a_message_that_a_loop_yields_after_its_chunks_is_not_shown_again() -> None:
    natives = [CHUNK, {"role": "assistant", "content": "Hi"}]
    assert [part["text"] for part in fold(run("openai_chat", natives))["items"]] == ["Hi"]
