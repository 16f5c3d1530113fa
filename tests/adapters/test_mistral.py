"""Read the cases of Mistral that its recording does not have, and Chat Completions of other SDKs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "mistral"
URL = "https://a.example/x"


def event(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"data": {"id": "m", "model": "mistral", "choices": [choice]}}


def piece(arguments: Any, call_id: str = "null", name: str = "") -> dict[str, Any]:
    return {"id": call_id, "index": 0, "function": {"name": name, "arguments": arguments}}


def test_the_chunks_without_their_events_are_chat_completions() -> None:
    natives = [native["data"] for native in recording(ADAPTER).natives if "data" in native]
    assert {adapters.detect(native) for native in natives} == {"openai_chat"}


def test_pieces_of_a_call_without_an_id_belong_to_it() -> None:
    pieces = [piece('{"city": ', "c1", "f"), piece('"Paris"}')]
    natives = [event(tool_calls=[one]) for one in pieces]
    (part,) = shown(ADAPTER, natives)
    assert (part["id"], part["args"]) == ("c1", {"city": "Paris"})


def test_calls_that_have_no_id_at_all_are_calls_of_their_own() -> None:
    natives = [event(tool_calls=[piece({"x": 1}, name="f")]), event(tool_calls=[piece({"x": 2}, name="g")])]
    assert [(part["name"], part["args"]) for part in shown(ADAPTER, natives)] == [
        ("f", {"x": 1}),
        ("g", {"x": 2}),
    ]


def test_a_reference_names_the_source_in_a_tools_result() -> None:
    sources = {"0": {"url": URL, "title": "A", "snippets": [["It."]]}}
    cited = [{"type": "text", "text": "Open."}, {"type": "reference", "reference_ids": [0, "b"]}]
    natives = [
        {"role": "tool", "tool_call_id": "c1", "content": json.dumps(sources)},
        event(content="Now: "),
        event(content=cited),
    ]
    first, second = emitted(ADAPTER, natives, "citation")
    assert (first["url"], first["title"], first["start"], first["end"]) == (URL, "A", 10, 10)
    assert second["source"] == "b"


def test_a_message_that_ends_early_is_the_runs_error() -> None:
    end = run(ADAPTER, [event(content="Hi"), event("length", content="")])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.code) == ("error", "length")


@pytest.mark.parametrize(
    "native",
    [{"data": {"choices": "x"}}, {"data": {"choices": [{}]}}, {"data": {"delta": {"content": "Hi"}}}],
)
def test_natives_that_only_resemble_an_event_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)
