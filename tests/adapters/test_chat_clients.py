"""Read the chunks of SDKs that speak Chat Completions: huggingface_hub 2.4.0 and azure-ai-inference 1.0.0b9."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, shown
from vibe_notebook import adapters

HEADS: dict[str, dict[str, Any]] = {
    "huggingface_hub": {"id": "c", "created": 1, "model": "m", "system_fingerprint": "", "usage": None},
    "azure-ai-inference": {"id": "c", "created": 1, "model": "m"},
    "with the object": {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"},
}
CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
USED = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def stream(sdk: str) -> list[dict[str, Any]]:
    """Return the chunks of a message with text and a call, as the SDK parses them."""
    deltas = [{"role": "assistant", "content": "Hi"}, {"content": None, "tool_calls": [CALL]}]
    ends = [None, "tool_calls"]
    choices = [
        [{"index": 0, "delta": delta, "finish_reason": end}] for delta, end in zip(deltas, ends, strict=True)
    ]
    return [
        *({**HEADS[sdk], "choices": one} for one in choices),
        {**HEADS[sdk], "choices": [], "usage": USED},
    ]


@pytest.mark.parametrize("sdk", HEADS)
def test_chunks_with_choices_are_chat_completions_with_or_without_their_object(sdk: str) -> None:
    for natives in (stream(sdk), [as_live(native) for native in stream(sdk)]):
        assert {adapters.detect(native) for native in natives} == {"openai_chat"}
        words, call = shown("openai_chat", natives)
        assert (words["text"], call["name"], call["args"]) == ("Hi", "f", {"x": 1})
        (finished,) = emitted("openai_chat", natives, "message_finished")
        assert finished["usage"] == {"input_tokens": 3, "output_tokens": 2, "model": "m"}
