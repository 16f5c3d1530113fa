"""Read the parts of ``fullStream`` that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, run, shown
from vibe_notebook import adapters

ADAPTER = "vercel_ai_ui"


def call(**fields: Any) -> dict[str, Any]:
    return {"type": "tool-call", "toolCallId": "c1", "toolName": "f", **fields}


@pytest.mark.parametrize(
    "part",
    [
        call(input={}),
        {"type": "text-delta", "id": "0", "text": "x"},
        {"type": "tool-input-end", "id": "c1"},
        {"type": "source", "sourceType": "url", "url": "https://x"},
        {"type": "file", "file": {"mediaType": "image/png", "base64": "AAAA"}},
    ],
)
def test_a_part_of_full_stream_matches(part: dict[str, Any]) -> None:
    assert adapters.detect(part) == ADAPTER


def test_a_step_has_its_usage_and_finish_reason() -> None:
    counts = {"inputTokens": 3, "outputTokens": 2, "inputTokenDetails": {"cacheReadTokens": 1}}
    natives = [{"type": "start-step"}, {"type": "finish-step", "finishReason": "stop", "usage": counts}]
    assert emitted(ADAPTER, natives, "message_finished") == [
        {
            "finish_reason": "stop",
            "usage": {"input_tokens": 3, "output_tokens": 2, "cached_input_tokens": 1},
        }
    ]


def test_an_invalid_call_fails_without_running() -> None:
    (part,) = shown(ADAPTER, [call(input="{", invalid=True, error={"message": "no JSON"})])
    assert (part["status"], part["output"]) == ("error", "no JSON")


@pytest.mark.parametrize(
    ("error", "why"), [("no", "no"), ({"message": "no"}, "no"), ({}, "error"), ({"a": 1}, '{"a": 1}')]
)
def test_an_error_keeps_its_remaining_text(error: Any, why: str) -> None:
    (part,) = shown(ADAPTER, [{**call(error=error), "type": "tool-error"}])
    assert (part["status"], part["output"]) == ("error", why)
    assert run(ADAPTER, [{"type": "error", "error": error}])[-1].error == why  # type: ignore[union-attr]


def test_results_may_be_preliminary_and_have_their_older_names() -> None:
    result = {"type": "tool-result", "toolCallId": "c1"}
    natives = [call(args={"a": 1}), {**result, "output": 1, "preliminary": True}, {**result, "result": 2}]
    (part,) = shown(ADAPTER, natives)
    assert (part["args"], part["output"]) == ({"a": 1}, 2)
    assert [one["output"] for one in emitted(ADAPTER, natives, "tool_progress")] == [1]


def test_quiet_parts_show_nothing() -> None:
    quiet = [{"type": "ping"}, {"type": "raw", "rawValue": 1}, {"type": "tool-input-end", "id": "c1"}]
    assert [event.type for event in run(ADAPTER, quiet)] == ["run_started", "run_finished"]
