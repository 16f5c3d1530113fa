"""Tests of the encoding of payloads: the types with a JSON form, and the errors for all others."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import json
import json.encoder
import math
import pathlib
import threading
import uuid
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import numpy
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook._json_values import scrub
from vibe_notebook.exceptions import ProtocolError
from vibe_notebook.projects._payload import _key, _plain, _portable_write, _writer, encode

UTC = datetime.UTC


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: int
    when: datetime.date


class Model(pydantic.BaseModel):
    when: datetime.datetime
    raw: bytes
    inner: list[Point] = []


WHEN = datetime.datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (WHEN, "2026-11-21T12:30:00+00:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.time(1, 2), "01:02:00"),
        (datetime.timedelta(minutes=1.5), 90.0),
        (b"\xff\0", base64.b64encode(b"\xff\0").decode()),
        (bytearray(b"a"), "YQ=="),
        (memoryview(b"a"), "YQ=="),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ((1, (2,)), [1, [2]]),
        (deque([1]), [1]),
        (range(3), [0, 1, 2]),
        (Color.RED, "red"),
        (Level.HIGH, 3),
        (Point(1, datetime.date(2026, 1, 2)), {"x": 1, "when": "2026-01-02"}),
        (
            Model(when=WHEN, raw=b"a", inner=[Point(1, WHEN.date())]),
            {"when": "2026-11-21T12:30:00+00:00", "raw": "YQ==", "inner": [{"x": 1, "when": "2026-11-21"}]},
        ),
        (numpy.int64(7), 7),
        (numpy.float32(0.5), 0.5),
        (numpy.float64("nan"), None),
        (numpy.bool_(True), True),
        (numpy.array([[1, 2]]), [[1, 2]]),
        (numpy.datetime64("2026-01-02"), "2026-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.10"), "1.10"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (math.nan, None),
        (-math.inf, None),
        (OrderedDict(a=MappingProxyType({"b": b""})), {"a": {"b": ""}}),
        ({1: 2, None: 3, Color.RED: 5}, {"1": 2, "null": 3, "red": 5}),
        ({True: 4}, {"true": 4}),
        ("\ud800", "\ufffd"),
        (2**64, 2**64),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_python_values_become_json(value: Any, expected: Any) -> None:
    assert json.loads(encode({"deep": [value]})) == {"deep": [expected]}


class Rude:
    def model_dump(self) -> dict[str, Any]:
        raise RuntimeError("no")


ITSELF: list[Any] = []
ITSELF.append(ITSELF)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"result": {"socket": threading.Lock()}}, "data.result.socket"),
        ({"rows": [1, {"f": print}]}, "data.rows[1].f"),
        (object(), "data"),
        ({"kind": int}, "data.kind"),
        ({"m": Rude()}, "data.m"),
        ({"k": {(1, 2): 3}}, "data.k"),
        ({"gen": (n for n in range(3))}, "data.gen"),
        ({"c": 1j}, "data.c"),
    ],
)
def test_the_error_for_a_value_without_a_json_form_names_its_field(value: Any, field: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        encode(value)
    assert caught.value.field == field
    assert str(caught.value).startswith(field)


def test_a_value_that_holds_itself_is_refused() -> None:
    with pytest.raises(ProtocolError, match="holds itself"):
        encode(ITSELF)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_json_arrives_unchanged_on_one_line(value: Any) -> None:
    text = encode(value)
    assert json.loads(text) == value
    assert "\n" not in text
    assert "\r" not in text
    text.encode()


SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(st.characters())
KEYS = st.one_of(st.text(st.characters()), st.integers(), st.floats(), st.booleans(), st.none())
PYTHON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        # Two keys that differ in Python may be the same in JSON: then no rule says which one wins.
        st.dictionaries(KEYS, inner, max_size=4).filter(
            lambda made: len({_key(k, "") for k in made}) == len(made)
        ),
    ),
    max_leaves=10,
)


@given(PYTHON)
def test_the_fast_encoder_writes_the_same_as_the_portable_one(value: Any) -> None:
    assert encode(value) == scrub(_portable_write(_plain(value, "data", 0)))


@pytest.mark.parametrize("c_encoder", [None, lambda: None], ids=["none", "another"])
def test_without_the_encoder_in_c_the_portable_one_writes(
    monkeypatch: pytest.MonkeyPatch, c_encoder: object
) -> None:
    monkeypatch.setattr(json.encoder, "c_make_encoder", c_encoder)
    assert _writer() is _portable_write


def test_threads_can_encode_the_same_object_at_once() -> None:
    shared = {"rows": [{"n": n, "text": "x" * 20} for n in range(500)]}
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(encode, [shared] * 40)) == {encode(shared)}


@given(st.floats(), st.text(st.characters()))
def test_the_encoded_text_is_always_standard_json(number: float, text: str) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(encode({text: [number, {text}]}), parse_constant=refuse)
