"""Cut every recording behind each of its natives: no run ends as a success within a call's arguments."""

from __future__ import annotations

import json

import pytest

from tests.adapters.support import RECORDINGS, recording, run
from vibe_notebook import adapters
from vibe_notebook.adapters._written_calls import CUT
from vibe_notebook.events import Event, RunFinished, ToolCallDelta, ToolFinished, ToolStarted


def incomplete(events: list[Event]) -> set[tuple[str, str]]:
    """Return the runs with a call that has neither begun nor ended, and whose arguments are no whole value."""
    texts: dict[tuple[str, str], str] = {}
    for event in events:
        if isinstance(event, ToolCallDelta) and not event.derived:
            key = event.run_id, event.tool_call_id
            texts[key] = texts.get(key, "") + event.delta
    for event in events:
        if isinstance(event, ToolStarted | ToolFinished):
            texts.pop((event.run_id, event.tool_call_id), None)
    found = set()
    for (run_id, call_id), text in texts.items():
        try:
            json.loads(text)
        except ValueError:
            found.add((run_id, call_id))
    return found


@pytest.mark.parametrize("name", RECORDINGS)
def test_no_stream_that_stops_within_a_call_s_arguments_is_a_success(name: str) -> None:
    natives = recording(name).natives
    adapter = recording(name).adapter
    step = max(1, len(natives) // 150)  # a long recording at some places
    wrong = []
    for end in range(0, len(natives) + 1, step):
        fed = adapters.get(adapter, agent_id="a", run_id="r")
        before = [event for native in natives[:end] for event in fed.feed(native)]
        events = before + fed.finish()
        last = events[-1]
        assert isinstance(last, RunFinished)
        if incomplete(before) and last.outcome == "success":
            wrong.append(end)
    assert wrong == []


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_whole_recording_ends_as_it_was_recorded(name: str) -> None:
    found = recording(name)
    ends = [
        event for event in run(found.adapter, found.natives, found.raised) if isinstance(event, RunFinished)
    ]
    assert [end.run_id for end in ends if end.error == CUT] == []
