"""Read the cases of Haystack that its recording does not have."""

from __future__ import annotations

from typing import Any

import pytest

import vibe_notebook as vibe
from tests.adapters.support import as_live, emitted, recording, shown
from vibe_notebook import adapters
from vibe_notebook.exceptions import AdapterError

ADAPTER = "haystack"


def chunk(content: str = "", **fields: Any) -> dict[str, Any]:
    return {"content": content, "meta": {}, "component_info": None, "index": 0, **fields}


def test_thinking_is_shown() -> None:
    natives = [chunk(reasoning={"reasoning_text": "Hm."}), chunk("Hi")]
    assert [(part["kind"], part["text"]) for part in shown(ADAPTER, natives)] == [
        ("thinking", "Hm."),
        ("text", "Hi"),
    ]


def test_each_finish_reason_ends_a_message_after_its_counts() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    natives = [chunk("One", finish_reason="stop"), chunk(meta={"model": "m", "usage": usage}), chunk("Two")]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["One", "Two"]
    first, second = emitted(ADAPTER, natives, "message_finished")
    assert first["usage"] == {"input_tokens": 3, "output_tokens": 2, "model": "m"}
    assert "usage" not in second


def test_a_result_without_an_id_is_a_call_of_its_own() -> None:
    native = chunk(tool_call_result={"result": "1", "origin": {"tool_name": "f"}, "error": False})
    assert [(part["name"], part["output"]) for part in shown(ADAPTER, [native, native])] == [("f", "1")] * 2


def test_the_handler_is_a_streaming_callback() -> None:
    hook = vibe.handler("haystack", registry=vibe.Registry(), display=False)
    with hook:
        for native in recording(ADAPTER).natives:
            hook(native)
    assert [call.state for call in hook.transcript.tools] == ["ok", "error"]


@pytest.mark.parametrize(
    "native", [{"content": "Hi", "meta": {}}, {"content": 1, "meta": {}, "component_info": 1}]
)
def test_natives_that_only_resemble_a_chunk_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)
