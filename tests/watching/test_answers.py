"""Test that a schema becomes a form, and that an answer that does not fit is refused with its field's name."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook._watching.answers import Field, ask_in_lines, check_value, fields_of, form_of
from vibe_notebook.events import Option

SCHEMA = {
    "type": "object",
    "required": ["days", "city"],
    "properties": {
        "days": {"type": "integer", "title": "Days", "description": "How long", "minimum": 1, "maximum": 9},
        "city": {"enum": ["Lima", "Quito"]},
        "class": {"oneOf": [{"const": 1, "title": "First"}, {"const": 2, "title": "Second"}], "default": 2},
        "window": {"type": "boolean"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
        "code": {"type": "string", "minLength": 2, "maxLength": 4, "format": "password"},
        "price": {"type": "number"},
        "more": {"type": "object", "properties": {}},
    },
}
GOOD = {
    "days": 3,
    "city": "Lima",
    "class": 1,
    "window": False,
    "tags": ["b"],
    "code": "abc",
    "price": 1.5,
    "more": {},
}


def test_each_kind_of_property_has_its_field() -> None:
    fields = fields_of(SCHEMA)
    assert fields is not None
    kinds = ["integer", "choice", "choice", "boolean", "choices", "text", "number", "json"]
    assert [field.kind for field in fields] == kinds
    assert [field.required for field in fields] == [True, True] + 6 * [False]
    assert (fields[0].label, fields[0].about, fields[5].secret) == ("Days", "How long", True)
    assert fields[2].choices == ((1, "First"), (2, "Second"))


@pytest.mark.parametrize(
    "schema", [{"type": "array"}, [], "x", 7, {"anyOf": []}, {"type": ["string", "null"]}]
)
def test_a_schema_that_cannot_be_drawn_is_one_field_of_json(schema: Any) -> None:
    assert [field.kind for field in form_of(schema, (), None)] == ["json"]


def test_an_answer_that_fits_is_taken() -> None:
    assert check_value(SCHEMA, (), GOOD) == GOOD
    assert check_value(SCHEMA, (), {"days": 3.0, "city": "Lima"}) == {"days": 3, "city": "Lima"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"city": "Lima"}, "days: an answer is needed"),
        ({"days": None}, "days: an answer"),
        ({"days": 0}, "days: at least 1"),
        ({"days": 10}, "days: at most 9"),
        ({"days": 1.5}, "days: a whole number"),
        ({"days": True}, "days: a number"),
        ({"days": float("nan")}, "days: a number"),
        ({"days": "3"}, "days: a number"),
        ({"city": "Rome"}, "city: one of Lima, Quito"),
        ({"class": True}, "class: one of"),
        ({"window": "yes"}, "window: true or false"),
        ({"tags": ["c"]}, "tags: a list of a, b"),
        ({"tags": "a"}, "tags: a list"),
        ({"code": "a"}, "code: at least 2"),
        ({"code": "abcde"}, "code: at most 4"),
        ({"code": 7}, "code: text"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_its_field(wrong: dict[str, Any], words: str) -> None:
    base = (
        {}
        if "days" not in wrong and "city" in wrong and len(wrong) == 1 and wrong["city"] == "Lima"
        else GOOD
    )
    with pytest.raises(ValueError, match=words):
        check_value(SCHEMA, (), {**base, **wrong})


def test_a_choice_is_one_of_the_options_and_of_their_kind() -> None:
    options = (Option(value=1, label="one"), Option(value="x", label="X"))
    assert check_value(None, options, 1) == 1
    for wrong in (True, "1", 2, None):
        with pytest.raises(ValueError, match="none of the options"):
            check_value(None, options, wrong)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON, _JSON)
def test_no_schema_and_no_answer_raises_anything_but_a_refusal(schema: Any, value: Any) -> None:
    for made in (
        schema,
        {"type": "object", "properties": schema},
        {"properties": {"a": schema}, "required": schema},
    ):
        form = form_of(made, (), value)
        assert all(isinstance(field, Field) for field in form)
        with contextlib.suppress(ValueError):
            check_value(made, (), value)


def asked(fields: list[Field], *lines: str, kind: str = "question") -> Any:
    said = list(lines)

    def read(prompt: str) -> str:
        assert prompt
        if not said:
            raise EOFError
        return said.pop(0)

    return ask_in_lines(kind, "Which?", fields, read)


def test_lines_of_text_answer_every_kind_of_field() -> None:
    assert asked([], "perhaps", "Y", kind="approval") == ("accept", None)
    assert asked([], "no", kind="approval") == ("decline", None)
    assert asked([], kind="approval") == ("cancel", None)
    assert asked(form_of(None, (), None), "", "Lima") == ("accept", "Lima")
    assert asked(form_of(None, (Option(value=7, label="seven"),), None), "9", "seven") == ("accept", 7)
    lines = ["x", "3", "2", "", "y", "a, b", "", "1.5", "{", '{"a": 1}']
    assert asked(form_of(SCHEMA, (), None), *lines) == (
        "accept",
        {
            "days": 3,
            "city": "Quito",
            "class": 2,
            "window": True,
            "tags": ["a", "b"],
            "price": 1.5,
            "more": {"a": 1},
        },
    )


NESTED = {
    "type": "object",
    "properties": {
        "address": {
            "type": "object",
            "properties": {"zip": {"type": "string", "pattern": "^(a+)+$"}},
            "required": ["zip"],
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "value", "where"),
    [
        (NESTED, {"address": {"zip": 5}}, r"address\.zip: 5"),
        (NESTED, {"address": {}}, "address: 'zip' is"),
        (NESTED, {"address": []}, "address: "),
        ({"type": "array", "items": {"type": "integer"}}, [1, "a"], "1: 'a'"),
    ],
)
def test_a_nested_answer_that_does_not_fit_is_refused_at_its_place(
    schema: Any, value: Any, where: str
) -> None:
    with pytest.raises(ValueError, match=where):
        check_value(schema, (), value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (NESTED, {"address": {"zip": "a" * 40 + "!"}}),  # a pattern that would take years
        ({"$ref": "http://127.0.0.1:9/x"}, 1),
        ({"$ref": "#"}, 1),
        ({"type": "nonsense"}, 1),
        ({"anyOf": 5}, 1),
        ({"type": "array", "minItems": "x"}, [1]),
    ],
)
def test_a_schema_that_cannot_be_checked_takes_any_answer_and_asks_no_server(schema: Any, value: Any) -> None:
    assert check_value(schema, (), value) == value


def test_a_nested_answer_is_taken_unchecked_without_the_package_that_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    assert check_value(NESTED, (), {"address": {"zip": 5}}) == {"address": {"zip": 5}}
