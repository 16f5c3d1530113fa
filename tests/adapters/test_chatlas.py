"""Read the cases of chatlas that its recording does not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.exceptions import AdapterError

ADAPTER = "chatlas"
REQUEST = {"content_type": "tool_request", "id": "c1", "name": "f", "arguments": {"x": 1}}


def result(value: Any = None, error: str | None = None) -> dict[str, Any]:
    return {"content_type": "tool_result", "value": value, "error": error, "request": REQUEST}


@pytest.mark.parametrize("name", ["chatlas", "text"])
def test_a_stream_that_begins_with_text_shows_its_calls_and_the_text_after_them(name: str) -> None:
    natives = ["Let me ", "see.", REQUEST, result(3), "\n\n", "It is ", "3."]
    assert adapters.detect(*natives) == "text"
    assert [part.get("text", part.get("output")) for part in shown(name, natives)] == [
        "Let me see.",
        3,
        "It is 3.",
    ]
    assert run(name, natives)[-1].outcome == "success"  # type: ignore[union-attr]


def test_the_text_adapter_shows_the_recording_as_its_own_adapter_does() -> None:
    natives = recording(ADAPTER).natives
    assert [part.get("text") for part in shown("text", natives)] == [
        part.get("text") for part in shown(ADAPTER, natives)
    ]


def test_a_failed_call_has_its_error() -> None:
    (part,) = shown(ADAPTER, [REQUEST, result(error="no")])
    assert (part["args"], part["status"], part["output"]) == ({"x": 1}, "error", "no")


def test_whole_thinking_and_images_are_shown() -> None:
    image = {"content_type": "image_remote", "url": "https://a.example/x.png"}
    thinking, shown_image = shown(ADAPTER, [{"content_type": "thinking", "thinking": "Hm."}, image])
    assert (thinking["kind"], shown_image["url"]) == ("thinking", "https://a.example/x.png")
    assert emitted(ADAPTER, [image], "custom") == []


@pytest.mark.parametrize(
    "native", [{"content_type": "tool_request"}, {"content_type": "message", "text": "Hi"}]
)
def test_natives_that_only_resemble_a_content_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)
