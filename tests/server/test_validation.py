"""Tests of the validation: a request is accepted unchanged, or refused with its wrong event and field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.events import to_json
from vibe_notebook.server._errors import Refused
from vibe_notebook.server._validation import AGENT_EVENT, check_id, check_key, check_project, parse_items
from vibe_notebook.testing import scripted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=100).filter(
    lambda name: name not in ("gap", AGENT_EVENT)
)


def items(body: object, limit: int = 100) -> list[tuple[str, Any]]:
    return parse_items(json.dumps(body).encode(), limit)


def parsed(body: bytes) -> list[tuple[str, Any]] | Refused:
    try:
        return parse_items(body, 100)
    except Refused as error:
        return error


def refused(body: object) -> Refused:
    result = parsed(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert isinstance(result, Refused)
    return result


@given(st.lists(st.tuples(NAMES, JSON), min_size=1, max_size=5))
def test_all_three_forms_of_a_request_give_the_same_items(
    given_items: list[tuple[str, Any]],
) -> None:
    rows = [{"event_type": name, "data": data} for name, data in given_items]
    wire_rows = [{"event": name, "data": data} for name, data in given_items]
    assert items(rows) == items(wire_rows) == items({"events": rows}) == given_items
    assert items(rows[0]) == given_items[:1]


@given(JSON | st.lists(st.fixed_dictionaries({}, optional={"event": JSON, "data": JSON, "agent_id": JSON})))
def test_any_other_json_is_refused_without_an_unexpected_error(body: object) -> None:
    result = parsed(json.dumps(body).encode())
    if isinstance(result, Refused):
        assert result.status in (400, 413, 422)
        assert json.loads(bytes(result.response().body))["error"]
    else:
        assert all(isinstance(name, str) and name for name, _ in result)


@given(st.binary(max_size=40))
def test_bytes_that_are_not_json_are_refused(body: bytes) -> None:
    result = parsed(body)
    assert not isinstance(result, Refused) or result.status in (400, 422)


def test_an_agents_event_is_stored_as_agent_event_without_the_senders_id() -> None:
    events = scripted("Hello", tools=[("search", {"q": 1}, {"hits": 2})])
    rows = [{**json.loads(to_json(event)), "id": number} for number, event in enumerate(events)]
    result = items(rows)
    assert {name for name, _ in result} == {AGENT_EVENT}
    assert [data for _, data in result] == [json.loads(to_json(event)) for event in events]


@pytest.mark.parametrize(
    ("body", "item", "field"),
    [
        ([{"event_type": "note", "data": 1}, 2], 1, None),
        ([{"event_type": "note"}], 0, "data"),
        ([{"data": 1}], 0, "event_type"),
        ([{"event_type": "", "data": 1}], 0, "event_type"),
        ([{"event_type": "a\nid: 9", "data": 1}], 0, "event_type"),
        ([{"event": 5, "data": 1}], 0, "event"),
        ([{"event": "a", "event_type": "a", "data": 1}], 0, "event"),
        ([{"event": "gap", "data": 1}], 0, "event"),
        ([{"agent_id": "a", "run_id": "r", "type": "text_delta"}], 0, "delta"),
        ([{"agent_id": "a", "run_id": "r", "type": "bogus"}], 0, "type"),
        ([{"event": AGENT_EVENT, "data": "x"}], 0, "data"),
    ],
)
def test_the_refusal_names_the_wrong_event_and_field(body: object, item: int, field: str | None) -> None:
    error = refused(body)
    assert error.status == 422
    assert error.fields == {"item": item, "field": field}
    assert f"Event {item}" in str(error)
    assert field is None or field in str(error)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"event":"a","data":NaN}', b"[" * 100_000])
def test_a_body_that_is_not_json_is_a_bad_request(body: bytes) -> None:
    assert refused(body).status == 400


def test_an_empty_batch_and_one_event_too_many_are_refused() -> None:
    assert refused([]).status == 422
    assert refused([{"event": "a", "data": 1}] * 101).status == 413


@pytest.mark.parametrize("given_id", ["x", "-", "1-", "-1", "1-2-3", "$", "٣", "1 ", "1" * 30])
def test_junk_ids_are_refused(given_id: str) -> None:
    with pytest.raises(Refused, match="last_event_id"):
        check_id(given_id)


def test_names_and_keys_are_checked() -> None:
    assert check_id("1-2") == "1-2"
    assert check_id(None) is None
    for wrong in ("", "a" * 201, "a\n", "\x85"):
        with pytest.raises(Refused):
            check_project(wrong)
    for wrong in ("", "a b", "k" * 256, "é"):
        with pytest.raises(Refused):
            check_key(wrong)
    assert check_project("ein Projekt/ü") == "ein Projekt/ü"
