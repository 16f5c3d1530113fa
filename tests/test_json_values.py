"""Convert any Python value to JSON without an error, a hang or unbounded growth."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from vibe_notebook import _json_values as _json
from vibe_notebook._json_values import REPR_LIMIT, bounded_repr, scrub, to_json_value

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class BrokenMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise RuntimeError("no")

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    when: datetime.date


class Model(BaseModel):
    name: str


@given(JSON)
def test_a_json_value_stays_unchanged(value: Any) -> None:
    assert to_json_value(value) == value


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ((1, 2), [1, 2]),
        ({1: "a", None: "b"}, {"1": "a", "None": "b"}),
        (Colour.RED, "red"),
        (Point(1, datetime.date(2026, 1, 2)), {"x": 1, "when": "2026-01-02"}),
        (Model(name="n"), {"name": "n"}),
        (np.int64(3), 3),
        (np.float64(1.5), 1.5),
        (np.float32(1.5), 1.5),
        (np.bool_(True), True),
        (np.array([1, 2]), "array([1, 2])"),
        (
            pd.DataFrame({"a": [1, 2], 5: ["x", "y"]}),
            {"columns": ["a", "5"], "rows": [[1, "x"], [2, "y"]], "total": 2},
        ),
        (pl.DataFrame({"a": [1, 2]}), {"columns": ["a"], "rows": [[1], [2]], "total": 2}),
        (Broken(), "<Broken: its repr raised RuntimeError>"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ({"\ud800": 1}, {"\N{REPLACEMENT CHARACTER}": 1}),
    ],
)
def test_other_values_become_their_nearest_json(value: Any, want: Any) -> None:
    made = to_json_value(value)
    assert made == want
    assert type(made) is type(want)


def test_a_long_table_has_its_first_rows_and_its_true_size() -> None:
    made = to_json_value(pd.DataFrame({"n": range(1000)}))
    assert (len(made["rows"]), made["total"]) == (20, 1000)


@pytest.mark.parametrize(
    "value", [BrokenMapping(), [Broken()], {"k": BrokenMapping()}, [10**5000], [-(10**5000)]]
)
def test_a_broken_value_becomes_text_in_valid_json(value: Any) -> None:
    json.dumps(to_json_value(value), allow_nan=False).encode()


def test_a_value_that_refers_to_itself_has_a_short_form() -> None:
    knot: Any = []
    knot += [knot, knot, {"again": knot}]
    assert len(json.dumps(to_json_value(knot))) < 10_000


def test_a_value_that_shares_lists_without_end_has_a_bounded_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json, "ITEM_LIMIT", 10_000)
    value: Any = []
    for _ in range(50):
        value = [value, value]
    assert len(json.dumps(to_json_value(value))) < 10_000_000
    assert len(bounded_repr(value)) < REPR_LIMIT + 50


def test_a_value_nested_too_deep_ends_in_text_that_every_json_reader_accepts() -> None:
    value: Any = "x"
    for _ in range(10_000):
        value = [value]
    assert json.loads(json.dumps(to_json_value(value)))


def test_a_cut_repr_states_its_full_length() -> None:
    class Long:
        def __repr__(self) -> str:
            return "x" * 50_000

    assert bounded_repr(Long()) == "x" * REPR_LIMIT + "… (50,000 characters)"


@given(st.text(st.characters(codec=None)))
def test_scrubbed_text_is_always_valid_and_valid_text_is_never_changed(text: str) -> None:
    assert scrub(text).encode().decode() == scrub(text)
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert scrub(text) is text
