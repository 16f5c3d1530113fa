"""Read the cases of LangGraph's server that the recordings of langgraph-sdk do not have."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.adapters.support import emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "langgraph"
HERE = ("langgraph_sdk", "langgraph_sdk_partial", "langgraph_sdk_error")


class StreamPart(NamedTuple):
    """Stand for the SDK's class."""

    event: str
    data: Any
    id: str | None = None


def chunk(content: str, **fields: Any) -> dict[str, Any]:
    return {"type": "AIMessageChunk", "id": "run--1", "content": content, **fields}


@pytest.mark.parametrize("name", HERE)
def test_named_tuples_pairs_and_the_objects_of_javascript_give_the_same_events(name: str) -> None:
    natives = recording(name).natives
    expected = recording(name).events()
    for form in (
        [StreamPart(*native) for native in natives],
        [(event, data) for event, data, _ in natives],
        [{"id": at, "event": event, "data": data} for event, data, at in natives],
    ):
        assert adapters.detect(*form[:8]) == ADAPTER
        assert run(ADAPTER, form) == expected


def test_a_text_that_does_not_continue_replaces_what_was_shown() -> None:
    natives = [StreamPart("messages/partial", [chunk(words)]) for words in ("Hel", "Hello", "Bye")]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["Bye"]
    assert [one["delta"] for one in emitted(ADAPTER, natives, "text_delta")] == ["Hel", "lo"]


def test_a_subgraph_at_a_tool_is_the_subagent_of_its_call() -> None:
    call = {"id": "c1", "name": "helper", "args": {}}
    inside = {"type": "ai", "id": "m2", "content": "Inside.", "tool_calls": []}
    natives = [
        StreamPart("updates", {"model": {"messages": [chunk("", type="ai", tool_calls=[call])]}}),
        StreamPart("messages/partial|tools:1", [chunk("In", id="m2")]),
        StreamPart("messages/complete|tools:1", [inside]),
        StreamPart("updates|tools:1", {"model": {"messages": [inside]}}),
    ]
    (tool,) = shown(ADAPTER, natives)
    assert [child["text"] for child in tool["children"]] == ["Inside."]
    typed = [
        {"type": event.split("|")[0], "ns": event.split("|")[1:], "data": data} for event, data, _ in natives
    ]
    assert run(ADAPTER, typed) == run(ADAPTER, natives)


@pytest.mark.parametrize("in_data", [True, False])
def test_an_interrupt_of_the_server_is_a_question(*, in_data: bool) -> None:
    asked = [{"value": "Which city?", "id": "i1"}]
    beside = {"type": "values", "ns": [], "data": {"messages": []}, "interrupts": asked}
    inside = StreamPart("values", {"messages": [], "__interrupt__": asked})
    natives = [inside if in_data else beside]
    (event,) = emitted(ADAPTER, natives, "input_requested")
    assert event["message"] == "Which city?"
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    assert end.outcome == "interrupted"


def test_events_of_a_graph_inside_the_servers_stream_are_read() -> None:
    inner = recording("langgraph_events").natives
    natives = [StreamPart("events", native) for native in inner]
    assert run(ADAPTER, natives) == run(ADAPTER, inner)


@pytest.mark.parametrize(
    "native",
    [
        {"event": "error", "data": {"message": "no"}},
        {"event": "custom", "data": {}},
        {"event": "metadata", "data": {}},
        ("error", "no", None),
        ("end", None, None),
        ["values", {}, 3],
        {"event": "messages/partial", "data": []},
    ],
)
def test_a_name_that_anybody_may_use_is_no_proof(native: Any) -> None:
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect(native)


def test_the_ends_and_the_servers_own_news_show_nothing() -> None:
    natives = [
        StreamPart("metadata", {"run_id": "r"}),
        StreamPart("messages/metadata", {"m": {}}),
        StreamPart("feedback", {}),
        StreamPart("end", None),
    ]
    assert [event.type for event in run(ADAPTER, natives)] == ["run_started", "run_finished"]
