"""Test that ``<think>…</think>`` at the beginning of a content becomes thinking, and stays text anywhere else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vibe_notebook.adapters._think_tags import ThinkTags, split_whole
from vibe_notebook.adapters.langgraph import LangGraphAdapter
from vibe_notebook.adapters.openai_chat import OpenAIChatAdapter
from vibe_notebook.adapters.text import TextAdapter
from vibe_notebook.registry import Registry

CONTENTS = {
    "<think>\nHm, 2.\n</think>\n\nIt is 2.": ("Hm, 2.", "It is 2."),
    "\n<think>a < b</th</think>c": ("a < b</th", "c"),
    "<think>\n\n</think>\n\nIt is 2.": ("", "It is 2."),
    "<think>cut off": ("cut off", ""),
    "<think>cut off</thi": ("cut off</thi", ""),
    "a <think>b</think> c": ("", "a <think>b</think> c"),
    "`<think>` is a tag": ("", "`<think>` is a tag"),
    "<thi": ("", "<thi"),
    "<think>a</think>b <think>c</think>": ("a", "b <think>c</think>"),
    "<thinking>a</thinking>": ("", "<thinking>a</thinking>"),
    "": ("", ""),
}


def chat(*contents: str, whole: str | None = None) -> Any:
    adapter = OpenAIChatAdapter(agent_id="a", run_id="r")
    natives: list[Any] = [
        {
            "object": "chat.completion.chunk",
            "id": "1",
            "choices": [{"index": 0, "delta": {"content": content}}],
        }
        for content in contents
    ]
    if whole is not None:
        message = {"role": "assistant", "content": whole}
        natives.append(
            {"object": "chat.completion", "id": "1", "choices": [{"index": 0, "message": message}]}
        )
    return told(adapter, natives)


def langgraph(*contents: str, whole: str | None = None) -> Any:
    adapter = LangGraphAdapter(agent_id="a", run_id="r")
    natives: list[Any] = [
        ({"type": "AIMessageChunk", "id": "m", "content": content}, {"langgraph_node": "n"})
        for content in contents
    ]
    if whole is not None:
        natives.append(({"type": "ai", "id": "m", "content": whole}, {"langgraph_node": "n"}))
    return told(adapter, natives)


def plain(*contents: str, whole: str | None = None) -> Any:
    del whole
    return told(TextAdapter(agent_id="a", run_id="r"), list(contents))


def told(adapter: Any, natives: list[Any]) -> Any:
    with Registry() as registry:
        for native in natives:
            registry.dispatch(adapter.feed(native))
        registry.dispatch(adapter.finish())
        return registry.transcript("a")


STREAMS = [chat, langgraph, plain]


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("content", CONTENTS)
def test_thinking_at_the_beginning_of_a_content_is_thinking_wherever_it_is_cut(
    stream: Any, content: str
) -> None:
    thinking, text = CONTENTS[content]
    cuts = [(content,), tuple(content), *((content[:n], content[n:]) for n in range(1, len(content)))]
    for pieces in cuts:
        made = stream(*pieces)
        assert (made.thinking, made.text) == (thinking, text)
        kinds = [part.kind for part in made.parts]
        assert kinds == [kind for kind, said in (("thinking", thinking), ("text", text)) if said]


@pytest.mark.parametrize("stream", [chat, langgraph])
@pytest.mark.parametrize("content", CONTENTS)
def test_a_whole_message_is_divided_as_its_deltas_are(stream: Any, content: str) -> None:
    for pieces in ((), (content,), (content[:9], content[9:]), ("<think>other</think>x",)):
        if content:
            made = stream(*pieces, whole=content)
            assert (made.thinking, made.text) == CONTENTS[content]


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "<", "/think>", "a", " ", "\n", "<thi", "nk>"]), max_size=9
    )
)
@example(["<think>", "a ", "</think>"])
def test_the_pieces_of_a_content_are_those_of_the_whole(pieces: list[str]) -> None:
    tags, found = ThinkTags(), {"thinking": "", "text": ""}
    for kind, piece in (*(each for delta in pieces for each in tags.feed(delta)), *tags.finish()):
        found[kind] += piece
    assert (found["thinking"], found["text"]) == split_whole("".join(pieces))
