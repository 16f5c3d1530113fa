"""Check cut streams and natives with missing fields: the view shows the rest, and the run's end."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.support import IDS, RECORDINGS, Recording, recording
from vibe_notebook import adapters
from vibe_notebook.events import parse_event, to_json
from vibe_notebook.parts import ToolPart
from vibe_notebook.registry import Registry
from vibe_notebook.transcript import Transcript

SDKS = [name for name in RECORDINGS if name not in ("events", "text")]
OPEN = ("preparing", "running")
ENDS = {"success": None, "error": ValueError("bad day"), "cancelled": KeyboardInterrupt()}


def damaged(value: Any, rolls: random.Random, share: float) -> Any:
    """Return the value without a share of its fields, at any depth."""
    if isinstance(value, dict):
        remaining = ((name, item) for name, item in value.items() if rolls.random() >= share)
        return {name: damaged(item, rolls, share) for name, item in remaining}
    return [damaged(item, rolls, share) for item in value] if isinstance(value, list) else value


def calls(parts: Iterable[Any]) -> list[ToolPart]:
    """Return the tool calls, including those of subagents."""
    own = [part for part in parts if isinstance(part, ToolPart)]
    return own + [inner for call in own for inner in calls(call.children)]


def shown(whole: Recording, natives: Iterable[Any], exc: BaseException | None) -> Transcript:
    """Return a registry's transcript of the events, after a round trip through JSON."""
    adapter = adapters.get(whole.adapter, **IDS)
    with Registry(hold=0) as registry:
        for native in natives:
            slot = adapter.feed(native)
            again = [parse_event(to_json(event)) for event in slot]
            assert again == slot
            registry.dispatch(again)
        registry.dispatch(adapter.finish(exc))
        return registry.transcript("a")


def check_ended(transcript: Transcript) -> None:
    assert transcript.outcome is not None
    for run in transcript.runs:
        assert run.outcome is not None
        assert not [call for call in calls(run.parts) if call.state in OPEN]
    assert not [call for call in calls(transcript.parts) if call.state in OPEN]
    assert Transcript.model_validate_json(transcript.model_dump_json()) == transcript


@settings(max_examples=4 * settings().max_examples)
@given(
    name=st.sampled_from(SDKS),
    seed=st.integers(0, 1 << 32),
    share=st.sampled_from([0.02, 0.1, 0.4]),
    end=st.sampled_from(sorted(ENDS)),
)
def test_a_damaged_stream_is_shown_and_leaves_no_call_running(
    name: str, seed: int, share: float, end: str
) -> None:
    rolls, whole = random.Random(seed), recording(name)
    natives = [damaged(native, rolls, share) for native in whole.natives if rolls.random() >= share]
    cut = natives[: rolls.randint(0, len(natives))] if rolls.random() < 0.5 else natives
    check_ended(shown(whole, cut, ENDS[end]))


IN_ORDER = [name for name in SDKS if recording(name).adapter not in ("openai_agents_traces", "otel_spans")]
"""Without those whose natives are ended spans: a call comes before the agent that it belongs to."""


@pytest.mark.parametrize("name", IN_ORDER)
def test_a_stream_cut_anywhere_shows_all_earlier_parts(name: str) -> None:
    whole = recording(name)
    complete = shown(whole, whole.natives, whole.raised)
    size = -1
    for cut in range(0, len(whole.natives) + 1, max(1, len(whole.natives) // 8)):
        part = shown(whole, whole.natives[:cut], ValueError("cut"))
        check_ended(part)
        # Sources whose text has not come stand in an empty text.
        kinds = [one.kind for one in part.parts if one.kind != "text" or one.text]
        assert kinds == [one.kind for one in complete.parts][: len(kinds)]
        assert len(kinds) >= size
        size = len(kinds)
