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
