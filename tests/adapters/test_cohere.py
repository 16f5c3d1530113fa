"""Read the cases of Cohere that its recording does not have."""

from __future__ import annotations

from typing import Any

from tests.adapters.support import as_live, emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished

ADAPTER = "cohere"


def event(kind: str, index: int = 0, **message: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": message}}


def end_with(finish: str, **fields: Any) -> dict[str, Any]:
    return {"type": "message-end", "delta": {"finish_reason": finish, **fields}}


def test_thinking_and_text_are_contents_of_their_own() -> None:
    natives = [
        event("content-start", 0, content={"type": "thinking", "thinking": "H"}),
        event("content-delta", 0, content={"thinking": "m."}),
        event("content-delta", 1, content={"text": "Hi"}),
    ]
    assert [(part["kind"], part["text"]) for part in shown(ADAPTER, natives)] == [
        ("thinking", "Hm."),
        ("text", "Hi"),
    ]


def test_the_plan_of_the_calls_is_thinking() -> None:
    assert shown(ADAPTER, recording(ADAPTER).natives)[0]["kind"] == "thinking"


def test_counts_are_whole_numbers_and_the_billed_ones_stand_in() -> None:
    natives = [end_with("COMPLETE", usage={"billed_units": {"input_tokens": 3.0, "output_tokens": 2.0}})]
    (finished,) = emitted(ADAPTER, natives, "message_finished")
    assert finished["usage"] == {"input_tokens": 3, "output_tokens": 2}


def test_an_error_in_the_last_event_is_the_runs_error() -> None:
    end = run(ADAPTER, [end_with("ERROR", error="gone")])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error, end.code) == ("error", "gone", "ERROR")


def test_a_message_that_ends_early_is_the_runs_error() -> None:
    end = run(ADAPTER, [end_with("MAX_TOKENS")])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.code) == ("error", "MAX_TOKENS")


def test_a_tools_message_is_the_result_of_its_call() -> None:
    start = {"id": "c1", "function": {"name": "f", "arguments": "{}"}}
    natives = [
        event("tool-call-start", tool_calls=start),
        {"role": "tool", "tool_call_id": "c1", "content": "18"},
    ]
    (part,) = shown(ADAPTER, natives)
    assert (part["name"], part["status"], part["output"]) == ("f", "ok", "18")


def test_events_of_the_sdk_and_their_json_are_detected() -> None:
    native = event("content-delta", content={"text": "Hi"})
    assert adapters.detect(native) == adapters.detect(as_live(native)) == ADAPTER
