"""What clients send is taken as it is, or refused by the event and the field that are wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.events import to_json
from vibe_notebook.server._errors import Refused
from vibe_notebook.server._validation import AGENT_EVENT, check_id, check_key, check_project, items_of
from vibe_notebook.testing import scripted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=100).filter(
    lambda name: name not in ("gap", AGENT_EVENT)
)


def items(body: object, most: int = 100) -> list[tuple[str, Any]]:
    return items_of(json.dumps(body).encode(), most)


def taken(body: bytes) -> list[tuple[str, Any]] | Refused:
    try:
        return items_of(body, 100)
    except Refused as error:
        return error


def refused(body: object) -> Refused:
    made = taken(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert isinstance(made, Refused)
    return made


@given(st.lists(st.tuples(NAMES, JSON), min_size=1, max_size=5))
def test_events_come_out_as_they_went_in_whichever_way_they_are_sent(
    given_items: list[tuple[str, Any]],
) -> None:
    rows = [{"event_type": name, "data": data} for name, data in given_items]
    on_the_wire = [{"event": name, "data": data} for name, data in given_items]
    assert items(rows) == items(on_the_wire) == items({"events": rows}) == given_items
    assert items(rows[0]) == given_items[:1]


@given(JSON | st.lists(st.fixed_dictionaries({}, optional={"event": JSON, "data": JSON, "agent_id": JSON})))
def test_anything_else_is_refused_and_never_breaks_the_server(body: object) -> None:
    made = taken(json.dumps(body).encode())
    if isinstance(made, Refused):
        assert made.status in (400, 413, 422)
        assert json.loads(bytes(made.response().body))["error"]
    else:
        assert all(isinstance(name, str) and name for name, _ in made)


@given(st.binary(max_size=40))
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    made = taken(body)
    assert not isinstance(made, Refused) or made.status in (400, 422)


def test_an_event_of_ours_is_stored_under_its_own_type_without_the_senders_id() -> None:
    events = scripted("Hello", tools=[("search", {"q": 1}, {"hits": 2})])
    rows = [{**json.loads(to_json(event)), "id": number} for number, event in enumerate(events)]
    made = items(rows)
    assert {name for name, _ in made} == {AGENT_EVENT}
    assert [data for _, data in made] == [json.loads(to_json(event)) for event in events]


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
def test_what_is_wrong_is_named_by_event_and_field(body: object, item: int, field: str | None) -> None:
    error = refused(body)
    assert error.status == 422
    assert error.fields == {"item": item, "field": field}
    assert f"Event {item}" in str(error)
    assert field is None or field in str(error)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"event":"a","data":NaN}', b"[" * 100_000])
def test_what_is_not_json_is_a_bad_request(body: bytes) -> None:
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
