"""Read the cases of DSPy that its recording does not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "dspy"


def piece(chunk: str, field: str = "answer", *, last: bool = False, of: str = "self") -> dict[str, Any]:
    return {"predict_name": of, "signature_field_name": field, "chunk": chunk, "is_last_chunk": last}


def prediction(**fields: Any) -> dict[str, Any]:
    return {"_store": fields, "_lm_usage": None}


class StatusMessage:
    """Stand for the SDK's class."""

    def __init__(self, message: str) -> None:
        self.message = message


StatusMessage.__module__ = "dspy.streaming.messages"


def test_a_status_message_is_known_by_its_class_and_is_a_line() -> None:
    native = StatusMessage("Calling tool f...")
    assert adapters.detect(native) == ADAPTER
    assert [(e["name"], e["value"], e["shown"]) for e in emitted(ADAPTER, [native], "custom")] == [
        ("status", "Calling tool f...", True)
    ]
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect({"message": "Calling tool f..."})


def test_a_predictor_that_runs_again_begins_another_message() -> None:
    natives = [piece("One", last=True), piece("Two", last=True), piece("Three", of="other", last=True)]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["One", "Two", "Three"]


def test_fields_without_a_piece_are_shown_at_the_end_with_their_names() -> None:
    natives = [piece("Paris.", last=True), prediction(answer="Paris.", score=3, reasoning="Hm.")]
    assert [(part["kind"], part["text"]) for part in shown(ADAPTER, natives)] == [
        ("text", "Paris."),
        ("text", "**score**: 3"),
        ("thinking", "Hm."),
    ]


def test_a_lone_field_is_shown_without_its_name_and_is_the_result() -> None:
    natives = [prediction(answer="Paris.", trajectory={"thought_0": "Hm."})]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["Paris."]
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    assert end.result["answer"] == "Paris."


def test_chunks_of_a_program_without_listeners_are_text() -> None:
    chunk = {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "Paris."}}]}
    assert [part["text"] for part in shown(ADAPTER, [chunk, prediction(answer="Paris.")])] == ["Paris."]
