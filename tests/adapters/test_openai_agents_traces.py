"""Check the reader of openai-agents' traces: any order, agents side by side, errors, what ``export()`` leaves out."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.adapters.support import fold, recording, run
from vibe_notebook import adapters

NAME = "openai_agents_traces"
TRACE = {"object": "trace", "id": "trace_1", "workflow_name": "Agent workflow"}


def span(number: int, above: int | None, kind: str, at: tuple[int, int], **data: Any) -> dict[str, Any]:
    """Return a span as ``export()`` gives it; *at* is its time in seconds."""
    return {
        "object": "trace.span",
        "id": f"span_{number}",
        "trace_id": "trace_1",
        "parent_id": None if above is None else f"span_{above}",
        "started_at": f"2026-11-30T10:00:{at[0]:02d}+00:00",
        "ended_at": f"2026-11-30T10:00:{at[1]:02d}+00:00",
        "span_data": {"type": kind, **data},
        "error": data.pop("error", None),
    }


def model(number: int, above: int, at: tuple[int, int], text: str) -> dict[str, Any]:
    return span(number, above, "generation", at, input=[], output=[{"role": "assistant", "content": text}])


@pytest.mark.parametrize("name", [NAME, f"{NAME}_handoff"])
@pytest.mark.parametrize("seed", range(5))
def test_a_trace_in_any_order_gives_the_recorded_transcript(name: str, seed: int) -> None:
    natives = list(recording(name).natives)
    expected = fold(run(NAME, natives))
    random.Random(seed).shuffle(natives)
    assert fold(run(NAME, natives)) == expected
    without = [native for native in natives if native["object"] != "trace"]
    assert fold(run(NAME, without)) == expected


def test_agents_one_after_the_other_are_one_run_and_side_by_side_two() -> None:
    after = [
        TRACE,
        model(3, 1, (1, 2), "a"),
        span(1, None, "agent", (1, 3), name="A"),
        model(4, 2, (4, 5), "b"),
        span(2, None, "agent", (4, 6), name="B"),
    ]
    result = fold(run(NAME, after))
    assert ([item["text"] for item in result["items"]], result["runs"]) == (["a", "b"], {})
    beside = [TRACE, *(after[1:3]), model(4, 2, (1, 2), "b"), span(2, None, "agent", (1, 6), name="B")]
    result = fold(run(NAME, beside))
    assert [item["text"] for item in result["items"]] == ["a"]
    assert result["runs"] == {"B": [{"kind": "text", "text": "b"}]}


def test_the_error_of_an_agent_is_the_runs_and_that_of_a_tool_the_calls() -> None:
    failure = {"message": "Error running tool", "data": {"tool_name": "look", "error": "boom"}}
    tool = {**span(2, 1, "function", (1, 2), name="look", input="{}", output=None), "error": failure}
    agent = span(1, None, "agent", (1, 3), name="A")
    events = run(NAME, [TRACE, tool, agent])
    (finished,) = (event for event in events if event.type == "tool_finished")
    assert (finished.status, finished.error) == ("error", "Error running tool: boom")
    assert fold(events)["run"] == "success"
    stopped = {**agent, "error": {"message": "Max turns exceeded", "data": {"max_turns": 1}}}
    result = fold(run(NAME, [TRACE, tool, stopped]))
    assert (result["run"], result["error"]) == ("error", "Max turns exceeded")


def test_a_response_without_its_messages_still_has_its_usage() -> None:
    usage = {"input_tokens": 3, "output_tokens": 4}
    response = span(2, 1, "response", (1, 2), response_id="r", usage=usage)
    result = fold(run(NAME, [TRACE, response, span(1, None, "agent", (1, 3), name="A")]))
    assert (result["items"], result["usage"]) == ([], usage)


def test_an_agent_that_has_only_begun_ends_as_cancelled() -> None:
    begun = {**span(1, None, "agent", (1, 1), name="A"), "ended_at": None}
    adapter = adapters.get(NAME, agent_id="a")
    assert adapter.feed(TRACE) == []
    assert [event.type for event in adapter.feed(begun)] == ["run_started"]
    (finished,) = adapter.finish()
    assert finished.type == "run_finished"
    assert finished.outcome == "cancelled"
