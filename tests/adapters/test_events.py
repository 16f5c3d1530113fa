"""Read our own events as a stream: unchanged, with an end for each open run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.adapters.support import IDS, run
from vibe_notebook import adapters
from vibe_notebook.events import Custom, Event, RunFinished, RunStarted, TextDelta, to_json

OTHER: dict[str, Any] = {"agent_id": "other", "run_id": "x"}
EXTRA: dict[str, Any] = {"hue": "red"}  # a field of a newer peer
EVENTS: list[Event] = [
    RunStarted(**OTHER, id=4, ts=1.5),
    TextDelta(**OTHER, delta="hi", seq=3, sub=1, counter="k", **EXTRA),
    RunFinished(**OTHER),
]


@pytest.mark.parametrize(
    "form", [lambda e: e, lambda e: e.model_dump(), to_json, lambda e: to_json(e).encode() + b"\n"]
)
def test_events_dicts_and_lines_pass_unchanged(form: Any) -> None:
    assert run("events", [form(event) for event in EVENTS]) == EVENTS


def test_every_run_left_open_is_ended_and_the_innermost_first() -> None:
    child: dict[str, Any] = {"agent_id": "other", "run_id": "y"}
    natives = [*EVENTS, RunStarted(**{**OTHER, "run_id": "z"}), RunStarted(**child, parent_run_id="z")]
    ended = run("events", natives, ValueError("cut"))[len(natives) :]
    assert ended == [
        RunFinished(agent_id="other", run_id=run_id, outcome="error", error="ValueError: cut")
        for run_id in ("y", "z")
    ]


def test_an_event_after_the_end_of_its_run_does_not_open_it_again() -> None:
    late = TextDelta(**OTHER, delta="late")
    assert run("events", [*EVENTS, late]) == [*EVENTS, late]


def test_empty_lines_show_nothing() -> None:
    assert adapters.get("events").feed("\n") == adapters.get("events").feed(b"") == []


@pytest.mark.parametrize("native", ["{oops", b"\xff{", "[1]", 3, {"type": "text_delta"}, {"no": "type"}])
def test_natives_other_than_events_are_shown_under_their_own_names(native: Any) -> None:
    started, custom, finished = run("events", [native])
    assert (started.type, finished.type) == ("run_started", "run_finished")
    assert custom.type == "custom"
    assert (custom.agent_id, custom.run_id) == ("a", "r")


def test_an_event_with_a_field_that_is_wrong_keeps_its_agent_and_run() -> None:
    broken = {"type": "text_delta", **OTHER, "delta": 3}
    custom, finished = run("events", [broken])
    assert (custom.agent_id, custom.run_id, custom.type) == ("other", "x", "custom")
    assert "'delta': 3" in custom.value  # type: ignore[union-attr]
    assert isinstance(finished, RunFinished)
    assert (finished.agent_id, finished.run_id, finished.outcome) == ("other", "x", "error")


def test_an_event_of_a_newer_peer_is_a_custom_event() -> None:
    line = json.dumps({"type": "brand_new", **OTHER, "seq": 2, "hue": "red"})
    custom = run("events", [line])[0]
    assert (custom.name, custom.value, custom.seq) == ("brand_new", {"hue": "red"}, 2)  # type: ignore[union-attr]


def test_an_empty_stream_is_one_run() -> None:
    assert run("events", []) == [RunStarted(**IDS), RunFinished(**IDS)]


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"type": "text_delta", "delta": 5}, "delta"),
        ({"type": "tool_started", "tool_call_id": None}, "tool_call_id"),
        ({"type": "run_finished", "outcome": "splendid"}, "outcome"),
        ({"type": "text_delta", "delta": "x", "ts": "x"}, "ts"),
    ],
)
@pytest.mark.parametrize("form", [dict, json.dumps])
def test_an_event_with_a_wrong_value_is_a_line_and_its_run_an_error(
    bad: dict[str, Any], field: str, form: Any
) -> None:
    ids = {"agent_id": "a", "run_id": "r1"}
    other = {"agent_id": "a", "run_id": "r2"}
    stream = [
        {"type": "run_started", **ids},
        {**ids, **bad},
        {"type": "text_delta", "delta": "whole", **ids},
        {"type": "run_finished", **ids},
        {"type": "run_started", **other},
        {"type": "run_finished", **other},
    ]
    events = run("events", [form(one) for one in stream])
    (line,) = [event for event in events if isinstance(event, Custom)]
    assert line.shown
    assert line.run_id == "r1"
    assert field in str(line.value)
    ends = [event for event in events if isinstance(event, RunFinished)]
    assert [(end.run_id, end.outcome) for end in ends] == [("r1", "error"), ("r2", "success")]
    assert field in (ends[0].error or "")


def test_a_run_that_lacks_an_event_and_its_end_is_an_error() -> None:
    ids = {"agent_id": "a", "run_id": "r1"}
    events = run("events", [{"type": "run_started", **ids}, {"type": "text_delta", "delta": 5, **ids}])
    assert [event.outcome for event in events if isinstance(event, RunFinished)] == ["error"]


def test_an_event_with_a_wrong_value_among_an_sdk_s_natives_is_a_line_and_an_error() -> None:
    bad = {"type": "text_delta", "delta": 5, "agent_id": "a", "run_id": "r"}
    events = run("text", ["Hello", bad])
    assert [event.shown for event in events if isinstance(event, Custom)] == [True]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].outcome == "error"
