"""Test that a call id which a model uses again names another call, with every adapter."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import pytest
from pydantic import BaseModel

from tests.adapters.support import RECORDINGS, recording
from vibe_notebook import adapters
from vibe_notebook.adapters import _call_ids
from vibe_notebook.adapters._call_ids import CallIds
from vibe_notebook.events import (
    Artifact,
    Event,
    RunStarted,
    ToolCallDelta,
    ToolFinished,
    ToolStarted,
)
from vibe_notebook.registry import Registry

IDS = frozenset(
    (
        "id",
        "message_id",
        "messageId",
        "parentMessageId",
        "response_id",
        "item_id",
        "uuid",
        "task_id",
        "call_id",
    )
) | {"event_id", "started_event_id", "parent_event_id"}
NUMBERS = frozenset(("seq", "sequence_number", "step", "langgraph_step"))
OTHER = {
    "agno_paused": "the run waits",
    "anthropic_managed_agents": "an event's own id is the call's id, and an event comes again in a list of events",
    "bedrock_invoke": "the bytes of its chunks are base64",
    "agui": "its arguments come in pieces that cut the city's name",
    "events": "events of the package itself have ids of their own",
    "openai_responses_server_tools": "an item's own id is the call's id",
    "vibex": "its recording has no results",
}
"""Recordings of which a second round is not the first one with another city, and why."""


def tools(adapter: str, natives: list[Any]) -> tuple[list[Event], list[tuple[Any, ...]]]:
    reader = adapters.get(adapter, agent_id="a", run_id="r")
    events = [event for native in natives for event in reader.feed(native)] + reader.finish()
    with Registry() as registry:
        for event in events:
            registry.dispatch(event)
        parts = registry.transcript("a").tools
    return events, [(part.tool_name, part.args, part.state, part.output, part.error) for part in parts]


def again(value: Any, calls: set[str], key: str = "") -> Any:
    """Return natives of a second round: other messages and another city, and the same call ids."""
    if isinstance(value, dict):
        return {name: again(one, calls, name) for name, one in value.items()}
    if isinstance(value, list):
        return [again(one, calls, key) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and key in NUMBERS:
        return value + 1000
    if not isinstance(value, str):
        return value
    return f"{value}-again" if key in IDS and value not in calls else value.replace("Paris", "Milan")


WITH_CALLS = [
    name
    for name in RECORDINGS
    if name not in OTHER
    and recording(name).adapter not in ("openai_agents_traces", "otel_spans")  # the same span again
    and any(event.type == "tool_finished" for event in recording(name).events())
]


@pytest.mark.parametrize("name", WITH_CALLS)
def test_a_second_round_with_the_same_call_ids_is_a_second_list_of_calls(name: str) -> None:
    each = recording(name)
    natives = json.loads(json.dumps(each.natives, default=BaseModel.model_dump))
    events, first = tools(each.adapter, list(each.natives))
    calls = {str(getattr(event, "tool_call_id", None)) for event in events}
    _, both = tools(each.adapter, [*natives, *again(natives, calls)])
    second = [tuple(json.loads(json.dumps(call).replace("Paris", "Milan"))) for call in first]
    assert both == [*first, *second]


def names(*events: Event) -> list[str]:
    ids = CallIds()
    return [getattr(ids.rename(event), "tool_call_id", "") for event in events]


ENVELOPE: dict[str, Any] = {"agent_id": "a", "run_id": "r", "tool_call_id": "c"}


def delta(text: str = "x", **fields: Any) -> ToolCallDelta:
    return ToolCallDelta(**ENVELOPE | {"delta": text, **fields})


def started(args: Any = None, **fields: Any) -> ToolStarted:
    return ToolStarted(**ENVELOPE | {"args": args, **fields})


def finished(**fields: Any) -> ToolFinished:
    return ToolFinished(**ENVELOPE | fields)


def test_a_call_in_a_later_message_is_another_one() -> None:
    assert names(delta(message_id="m1"), delta(message_id="m1"), delta(message_id="m2")) == ["c", "c", "c#2"]


def test_a_call_that_begins_after_the_result_is_another_one_also_with_the_same_arguments() -> None:
    made = names(started({"q": 1}), finished(), started({"q": 1}), finished(output=2), finished(output=3))
    assert made == ["c", "c", "c#2", "c#2", "c#2"]


def test_what_comes_to_a_call_after_its_result_without_beginning_another_stays() -> None:
    assert names(delta(), finished(), started(None), delta(""), finished()) == ["c"] * 5


def test_a_start_under_another_message_with_the_arguments_that_were_streamed_is_the_same_call() -> None:
    assert names(delta('{"q": 1}', message_id="m1"), started({"q": 1}, message_id="item")) == ["c", "c"]


def test_arguments_that_replace_the_streamed_ones_begin_no_call() -> None:
    assert names(delta('{"q', message_id="m1"), started({"q": 1}, message_id="m1")) == ["c", "c"]


def test_a_repeated_event_of_a_numbered_source_begins_no_call() -> None:
    first = [delta(seq=1), finished(seq=2)]
    assert names(*first, *first, delta(seq=0), delta(seq=3)) == ["c"] * 5 + ["c#2"]


def test_a_derived_twin_begins_no_call() -> None:
    assert names(delta(message_id="m1"), finished(), delta(message_id="m2", derived=True)) == ["c"] * 3


def test_results_go_to_the_newest_call_without_one_and_within_a_message_in_order() -> None:
    ids = CallIds()
    for one in (
        delta(message_id="m"),
        ToolCallDelta(**ENVELOPE | {"tool_call_id": "d", "message_id": "m", "delta": ""}),
    ):
        ids.rename(one)
    ids.share("r", "d", "c")
    answers = [ids.rename(finished(output=n)) for n in range(3)]
    assert [one.tool_call_id for one in answers] == ["c", "d", "c"]  # type: ignore[union-attr]


def test_the_answer_in_a_later_run_goes_to_the_call_that_waits() -> None:
    ids = CallIds()
    for one in (delta(message_id="m1"), finished(), delta(message_id="m2")):
        ids.rename(one)
    answer = ids.rename(finished(run_id="later"))
    assert answer.tool_call_id == "c#2"  # type: ignore[union-attr]


def test_files_and_subagents_belong_to_the_newest_call_too() -> None:
    ids = CallIds()
    for one in (delta(message_id="m1"), finished(), delta(message_id="m2")):
        ids.rename(one)
    file = ids.rename(Artifact(**ENVELOPE | {"artifact_id": "c:0"}))
    child = ids.rename(RunStarted(agent_id="a", run_id="s", parent_run_id="r", parent_tool_call_id="c"))
    assert (file.artifact_id, file.tool_call_id) == ("c#2:0", "c#2")  # type: ignore[union-attr]
    assert child.parent_tool_call_id == "c#2"  # type: ignore[union-attr]


def test_an_id_that_the_source_has_itself_is_not_given_to_another_call() -> None:
    own = ToolCallDelta(**ENVELOPE | {"tool_call_id": "c#2", "message_id": "m1", "delta": "x"})
    made = names(own, delta(message_id="m1"), delta(message_id="m2"))
    assert made == ["c#2", "c", "c#2'"]


def test_an_id_that_was_given_to_another_call_is_no_other_calls_id() -> None:
    own = ToolCallDelta(**ENVELOPE | {"tool_call_id": "c#2", "message_id": "m3", "delta": "x"})
    assert names(delta(message_id="m1"), delta(message_id="m2"), own) == ["c", "c#2", "c#2'"]


def test_ten_thousand_calls_of_one_id_need_no_search() -> None:
    ids = CallIds()
    counted: Counter[str] = Counter()

    def count(frame: Any, kind: str, argument: Any) -> None:
        del frame, argument
        counted[kind] += 1

    made: list[int] = []
    for size in (100, 1000):
        events = [
            event
            for n in range(size)
            for event in (delta(message_id=f"{size}:{n}"), started({"n": n}, message_id=f"{size}:{n}"))
        ]
        answers = [finished() for _ in range(size)]
        counted.clear()
        sys.setprofile(count)
        for event in (*events, *answers):
            ids.rename(event)
        sys.setprofile(None)
        made.append(counted.total() // size)
    assert made[1] <= made[0] * 1.1


def entries(value: Any, known: set[int]) -> int:
    """Return the count of elements in all containers that *value* holds."""
    if id(value) in known or isinstance(value, (str, bytes, int, float, type(None), type)):
        return 0
    known.add(id(value))
    if isinstance(value, dict):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = list(value)
    else:
        names = getattr(value, "__slots__", None) or getattr(value, "__dict__", {})
        return sum(entries(getattr(value, name), known) for name in names)
    return len(inner) + sum(entries(each, known) for each in inner)


@pytest.mark.parametrize("shape", ["one id", "many ids", "many runs", "one long call", "no results"])
def test_what_is_held_does_not_grow_with_the_stream(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_call_ids, "CALLS", 20)
    monkeypatch.setattr(_call_ids, "SEEN", 50)
    ids = CallIds()
    counts = []
    for number in range(1_200):
        fields: dict[str, Any] = {
            "tool_call_id": f"c{number}" if shape == "many ids" else "c",
            "run_id": f"r{number}" if shape == "many runs" else "r",
        }
        message = "m" if shape == "one long call" else f"m{number}"
        ids.rename(delta(message_id=message, counter=message, seq=number, **fields))
        ids.rename(started({"n": number}, message_id=message, counter=message, seq=number, sub=1, **fields))
        if shape not in ("one long call", "no results"):
            ids.rename(finished(message_id=message, **fields))
        counts.append(entries(ids, set()) if number % 20 == 0 else 0)
    assert max(counts[600:]) <= max(counts[:600]) + 700 * (shape == "one long call")


def test_a_call_that_was_forgotten_takes_no_other_calls_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_call_ids, "CALLS", 20)
    ids = CallIds()
    made = [
        ids.rename(each).tool_call_id  # type: ignore[union-attr]
        for number in range(100)
        for each in (delta(message_id=f"m{number}"), finished())
    ]
    assert made == [f"c#{n + 1}" if n else "c" for n in range(100) for _ in "ab"]
