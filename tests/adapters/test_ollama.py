"""Read the cases of Ollama that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "ollama"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def chunk(content: str = "", *calls: dict[str, Any], done: bool = False, **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "tool_calls": list(calls)}
    return {"model": "m", "created_at": "t", "message": message, "done": done, **fields}


def call(name: str, **fields: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": {"x": 1}}, **fields}


def answer(name: str, content: str, **fields: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_name": name, "content": content, **fields}


def test_results_reach_the_calls_of_their_tool_in_their_order() -> None:
    natives = [
        chunk("", call("f"), call("g"), call("f")),
        answer("g", "2"),
        answer("f", "1"),
        answer("f", "3"),
    ]
    assert [(part["name"], part["output"]) for part in shown(ADAPTER, natives)] == [
        ("f", "1"),
        ("g", "2"),
        ("f", "3"),
    ]


def test_results_reach_calls_by_their_id_where_the_server_sends_one() -> None:
    natives = [
        chunk("", call("f", id="c1"), call("f", id="c2"), done=True),
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
        answer("f", "1"),
    ]
    assert [(part["id"], part["output"]) for part in shown(ADAPTER, natives)] == [("c1", "1"), ("c2", "2")]


def test_a_result_without_a_call_is_a_custom_event() -> None:
    assert [e["name"] for e in emitted(ADAPTER, [answer("f", "1")], "custom")] == ["f"]


def test_each_done_ends_a_message() -> None:
    natives = [chunk("One", done=True), chunk("Tw"), chunk("o", done=True)]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["One", "Two"]


def test_generate_gives_text_thinking_and_images() -> None:
    head = {"model": "m", "created_at": "t", "done": False}
    natives = [
        {**head, "thinking": "Hm.", "response": ""},
        {**head, "response": "Hi"},
        {**head, "image": PNG, "done": True},
    ]
    assert {adapters.detect(native) for native in natives} == {ADAPTER}
    thinking, words, image = shown(ADAPTER, natives)
    assert (thinking["text"], words["text"]) == ("Hm.", "Hi")
    assert (image["media_type"], image["data"]) == ("image/png", PNG)


def test_think_tags_in_the_text_are_thinking() -> None:
    natives = [chunk("<thi"), chunk("nk>Hm.</think>"), chunk("Hi", done=True)]
    assert [(part["kind"], part["text"]) for part in shown(ADAPTER, natives)] == [
        ("thinking", "Hm."),
        ("text", "Hi"),
    ]


def test_a_message_that_ends_early_is_the_runs_error() -> None:
    end = run(ADAPTER, [chunk("Hi", done=True, done_reason="length")])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.code) == ("error", "length")


def test_an_error_in_the_place_of_a_chunk_is_the_runs_error() -> None:
    end = run(ADAPTER, [chunk("Hi"), {"error": "stopped"}])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == ("error", "stopped")


def test_the_last_chunk_has_the_counts() -> None:
    natives = [chunk("Hi"), chunk(done=True, prompt_eval_count=3, eval_count=2)]
    (finished,) = emitted(ADAPTER, natives, "message_finished")
    assert finished["usage"] == {"input_tokens": 3, "output_tokens": 2, "model": "m"}


@pytest.mark.parametrize(
    "native",
    [
        {"model": "m", "done": True},
        {"model": "m", "response": "Hi"},
        {"message": {"role": "assistant", "content": "Hi"}, "done": "yes", "model": "m"},
    ],
)
def test_natives_that_only_resemble_a_response_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)
