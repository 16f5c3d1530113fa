"""Read the cases of Semantic Kernel that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "semantic_kernel"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def message(*contents: dict[str, Any], native_id: str | None = "m1", **fields: Any) -> dict[str, Any]:
    head = {"content_type": "message", "role": "assistant", "choice_index": 0, "metadata": {"id": native_id}}
    return {**head, "items": list(contents), **fields}


def text(words: str) -> dict[str, Any]:
    return {"content_type": "text", "text": words}


def call(arguments: Any, **fields: Any) -> dict[str, Any]:
    return {"content_type": "function_call", "index": 0, "arguments": arguments, **fields}


def test_pieces_of_a_call_are_joined_and_its_whole_is_not_repeated() -> None:
    named = {"id": "c1", "function_name": "f"}
    natives = [
        message(call('{"x"', **named)),
        message(call(": 1}")),
        message(call('{"x": 1}', **named), text("")),
    ]
    (part,) = shown(ADAPTER, natives)
    assert (part["id"], part["name"], part["args"]) == ("c1", "f", {"x": 1})
    assert (
        "".join(e["delta"] for e in emitted(ADAPTER, natives, "tool_call_delta") if "delta" in e)
        == '{"x": 1}'
    )


def test_lists_of_messages_and_items_of_agents_are_read() -> None:
    natives = [[message(text("One"))], {"message": message(text(", two")), "thread": object()}]
    assert {adapters.detect(native) for native in natives} == {ADAPTER}
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["One, two"]


def test_equal_deltas_are_two_and_a_text_that_comes_again_with_its_calls_is_one() -> None:
    natives = [message(text("ha")), message(text("ha")), message(text("haha"), call("{}", id="c1"))]
    assert [part["text"] for part in shown(ADAPTER, natives) if part["kind"] == "text"] == ["haha"]


def test_a_message_that_was_not_streamed_is_whole() -> None:
    whole = message(text("Hi"))
    del whole["choice_index"]
    assert [part["text"] for part in shown(ADAPTER, [whole])] == ["Hi"]


def test_another_agent_begins_a_message_with_a_line() -> None:
    natives = [message(text("One"), native_id=None, name="a"), message(text("Two"), native_id=None, name="b")]
    assert [part.get("text", part.get("value")) for part in shown(ADAPTER, natives)] == ["One", "b", "Two"]


def test_thinking_and_files_are_shown() -> None:
    image = {"content_type": "image", "data_uri": f"data:image/png;base64,{PNG}", "mime_type": "image/png"}
    natives = [message({"content_type": "streaming_reasoning", "text": "Hm."}), message(image)]
    thinking, shown_image = shown(ADAPTER, natives)
    assert (thinking["kind"], thinking["text"]) == ("thinking", "Hm.")
    assert shown_image["media_type"] == "image/png"


def test_the_last_chunk_has_the_reason_of_the_end() -> None:
    end = run(ADAPTER, [message(text("Hi")), message(finish_reason="length")])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.code) == ("error", "length")


@pytest.mark.parametrize(
    "native", [{"content_type": "message", "role": "assistant"}, {"message": {"role": "user"}}, [{}]]
)
def test_natives_that_only_resemble_a_message_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)
