"""Read the outputs of vLLM, constructed after its classes: an engine needs a model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "vllm"


def request(
    words: str, tokens: int, *, finished: bool = False, request_id: str = "1", **fields: Any
) -> dict[str, Any]:
    output = {"index": 0, "text": words, "token_ids": list(range(tokens)), "finish_reason": None, **fields}
    head = {"request_id": request_id, "prompt": "?", "prompt_token_ids": [1, 2, 3]}
    return {**head, "outputs": [output], "finished": finished}


def test_outputs_so_far_are_shown_once() -> None:
    natives = [
        request("One", 1),
        request("One, two", 3),
        request("One, two", 3),
        request("One, two.", 4, finished=True),
    ]
    for each in (natives, list(map(as_live, natives))):
        assert {adapters.detect(native) for native in each} == {ADAPTER}
        assert [part["text"] for part in shown(ADAPTER, each)] == ["One, two."]
    (end,) = emitted(ADAPTER, natives, "message_finished")
    assert end["usage"] == {"input_tokens": 3, "output_tokens": 4}


def test_pieces_are_joined() -> None:
    natives = [request("ha", 2), request("ha", 1), request(" ho", 1, finished=True)]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["haha ho"]


def piece(words: str, *ids: int, **fields: Any) -> dict[str, Any]:
    made = request(words, 0, **fields)
    made["outputs"][0]["token_ids"] = list(ids)
    return made


@pytest.mark.parametrize(
    ("natives", "shown_text", "tokens"),
    [
        # Deltas, each of which begins with all of the text before.
        ([piece("a", 5), piece("ab", 6), piece("abc", 7, finished=True)], "aababc", 3),
        ([piece("ha", 5), piece("haha", 5, 5), piece("!", 9, finished=True)], "hahaha!", 4),
        ([piece("ha", 5), piece("ha", 5), piece("ha", 5), piece("ha", 5, finished=True)], "hahahaha", 4),
        ([piece("ha", 5), piece("ha", 5, finished=True, finish_reason="stop")], "haha", 2),
        ([piece("", 1), piece("", 2), piece("x", 3, finished=True)], "x", 3),
        # Outputs so far.
        ([piece("a", 5), piece("ab", 5, 6, finished=True)], "ab", 2),
        ([piece("ha", 5), piece("haha", 5, 5), piece("hahaha", 5, 5, 5, finished=True)], "hahaha", 3),
        ([piece("a", 5), piece("a", 5, finished=True, finish_reason="abort")], "a", 1),
        ([piece("", 1), piece("x", 1, 2), piece("xy", 1, 2, 3), piece("xyz", 1, 2, 3, 4)], "xyz", 4),
    ],
)
def test_the_tokens_tell_pieces_from_outputs_so_far(natives: list[Any], shown_text: str, tokens: int) -> None:
    for each in (natives, list(map(as_live, natives))):
        assert "".join(part["text"] for part in shown(ADAPTER, each)) == shown_text
    (end,) = emitted(ADAPTER, natives, "message_finished")
    assert end["usage"]["output_tokens"] == tokens


def test_the_caller_may_say_which_kind_the_outputs_are() -> None:
    natives = [piece("ha", 5), piece("haha", 5, 5, finished=True)]
    for so_far, text in ((True, "haha"), (False, "hahaha"), (None, "haha")):
        adapter = adapters.get(ADAPTER, so_far=so_far)
        events = [event for native in natives for event in adapter.feed(native)] + adapter.finish()
        assert "".join(event.delta for event in events if event.type == "text_delta") == text


def test_outputs_without_tokens_are_told_by_their_texts() -> None:
    words = "It is a long sentence, and it goes on."
    so_far = [piece(words[:end]) for end in (10, 20, 30, len(words))]
    assert [part["text"] for part in shown(ADAPTER, so_far)] == [words]
    assert [part["text"] for part in shown(ADAPTER, [piece("a"), piece("b")])] == ["ab"]


def test_each_request_is_a_message_and_its_early_end_is_an_error() -> None:
    natives = [
        request("One", 1, finished=True, finish_reason="stop"),
        request("Two", 1, request_id="2", finish_reason="length", finished=True),
    ]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["One", "Two"]
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.code) == ("error", "length")


@pytest.mark.parametrize(
    "native", [{"request_id": "1", "outputs": []}, {**request("x", 1), "outputs": [{"text": "x"}]}]
)
def test_natives_that_only_resemble_an_output_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)
