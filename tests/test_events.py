"""Check the events' fields, their JSON form, and the refusal of wrong input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.events import (
    EVENT_CLASSES,
    Artifact,
    Custom,
    RunFinished,
    TextDelta,
    ToolFinished,
    ToolProgress,
    Usage,
    is_skip,
    parse_event,
    read_event,
    skip,
    to_json,
    with_id,
)
from vibe_notebook.exceptions import ProtocolError

BASE: dict[str, Any] = {"agent_id": "a", "run_id": "r"}
NEEDED = {
    "action": "accept",
    "artifact_id": "i",
    "citation_id": "c",
    "delta": "x",
    "name": "n",
    "request_id": "q",
    "text": "x",
    "tool_call_id": "t",
}
any_text = st.text(st.characters(codec=None), max_size=20)


def sample(cls: type[Any]) -> Any:
    fields = cls.model_fields
    return cls(**BASE, **{k: v for k, v in NEEDED.items() if k in fields and fields[k].is_required()})


def test_the_union_has_seventeen_events_with_a_snake_case_type_each() -> None:
    names = """run_started run_finished message_started text_delta thinking_delta part_completed
        message_finished tool_call_delta tool_started tool_progress tool_finished artifact plan citation
        input_requested input_answered custom"""
    assert sorted(sample(cls).type for cls in EVENT_CLASSES) == sorted(names.split())
    for cls in EVENT_CLASSES:
        assert type(parse_event(to_json(sample(cls)))) is cls


@pytest.mark.parametrize("cls", sorted(EVENT_CLASSES, key=str))
def test_every_event_reads_back_equal_from_its_json_and_is_frozen(cls: type[Any]) -> None:
    event = sample(cls).model_copy(
        update={"seq": 3, "sub": 1, "counter": "c", "id": 7, "ts": 1.5, "derived": True}
    )
    assert parse_event(to_json(event)) == event
    assert to_json(event).startswith(f'{{"type":"{event.type}",')
    with pytest.raises(ValueError, match="frozen"):
        event.seq = 4


def test_the_json_has_no_fields_at_their_defaults() -> None:
    assert json.loads(to_json(TextDelta(**BASE, delta="x"))) == {"type": "text_delta", **BASE, "delta": "x"}


def test_a_newer_peers_fields_survive_a_round_trip_and_a_new_id() -> None:
    event = parse_event({"type": "text_delta", **BASE, "delta": "x", "new": {"k": [1]}, "model_dump_json": 1})
    again = parse_event(to_json(with_id(event, 9)))
    assert again.model_extra == {"new": {"k": [1]}, "model_dump_json": 1}
    assert again.id == 9


def test_parse_event_accepts_a_model_a_dict_and_json() -> None:
    event = TextDelta(**BASE, delta="x")
    assert parse_event(event) is event
    for form in (
        event.model_dump(),
        to_json(event),
        to_json(event).encode(),
        bytearray(to_json(event).encode()),
    ):
        assert parse_event(form) == event


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"type": "text_delta", **BASE}, "delta"),
        ({"type": "text_delta", **BASE, "delta": 1}, "delta"),
        ({"type": "text_delta", "run_id": "r", "delta": "x"}, "agent_id"),
        ({"type": "run_finished", **BASE, "outcome": "maybe"}, "outcome"),
        ({"type": "run_finished", **BASE, "usage": {"input_tokens": "many"}}, "usage.input_tokens"),
        ({"type": "nope", **BASE}, "type"),
        (BASE, "type"),
        ({"type": "text_delta", **BASE, "delta": "x", "id": 1.5}, "id"),
    ],
)
def test_an_error_names_the_wrong_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_event(wrong)
    assert caught.value.field == field
    assert field.rpartition(".")[2] in str(caught.value)


@pytest.mark.parametrize(
    "wrong", ["", "{", "[1]", "null", b"\xff", "[" * 100_000, 3, None, {"type": "x" * 10**6}]
)
def test_an_input_that_is_no_event_raises_a_short_protocol_error(wrong: Any) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_event(wrong)
    assert len(str(caught.value)) < 500


def test_read_event_makes_an_unknown_type_a_custom_event_with_its_envelope() -> None:
    event = read_event(
        {"type": "hologram", **BASE, "seq": 4, "counter": "c", "id": 8, "ts": 2, "name": "n", "x": [1]}
    )
    assert event == Custom(
        **BASE, seq=4, counter="c", id=8, ts=2, name="hologram", value={"name": "n", "x": [1]}
    )
    assert read_event(to_json(event)) == event


def test_the_event_summarises_values_that_are_not_json() -> None:
    assert ToolFinished(**BASE, tool_call_id="t", output={1, 2}).output == "{1, 2}"
    assert Custom(**BASE, name="n", value={"a": (1, object)}).value == {"a": [1, "<class 'object'>"]}
    event = parse_event({"type": "custom", **BASE, "name": "n", "other": object})
    assert json.loads(to_json(event))["other"] == "<class 'object'>"


@given(any_text, any_text)
def test_every_text_survives_the_json_of_its_event(ident: str, text: str) -> None:
    event = TextDelta(agent_id=ident, run_id=ident, message_id=ident, counter=ident, id=ident, delta=text)
    assert parse_event(to_json(event)) == event
    event.model_dump_json().encode()


def test_half_a_surrogate_pair_becomes_a_replacement_character_and_a_whole_pair_its_character() -> None:
    assert TextDelta(**BASE, delta="\ud83d\ude00 \ud83d").delta == "😀 \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_lacks_become_none(number: float) -> None:
    event = ToolProgress(**BASE, tool_call_id="t", progress=number, total=number, ts=number)
    assert (event.progress, event.total, event.ts) == (None, None, None)
    assert Usage(cost=number).cost is None
    assert parse_event(to_json(event)) == event


def test_a_skip_is_a_numbered_custom_of_that_name() -> None:
    assert is_skip(skip("a", "r", 3))
    assert not is_skip(Custom(**BASE, name="skip"))
    assert not is_skip(TextDelta(**BASE, seq=1, delta="skip"))


def test_with_id_changes_only_a_copy() -> None:
    event = RunFinished(**BASE, seq=1)
    copy = with_id(event, 5)
    assert (event.id, copy.id) == (None, 5)
    assert copy.model_dump(exclude={"id"}) == event.model_dump(exclude={"id"})
    assert Artifact(**BASE, artifact_id="i", id=5) == with_id(Artifact(**BASE, artifact_id="i"), 5)
