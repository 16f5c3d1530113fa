"""Read the fields of any value, and its JSON form."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import math
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.adapters._fields import (
    VALUE_LIMIT,
    bounded,
    get,
    ident,
    integer,
    json_text,
    number,
    parsed,
    plain,
    reason,
    text,
)
from vibe_notebook.adapters._files import file_in, split_files
from vibe_notebook.adapters._streamed_text import StreamedTexts


@dataclasses.dataclass
class PartBuilder:
    name: str
    above: Any = None
    below: list[Any] = dataclasses.field(default_factory=list)
    _cache: int = 0


class Model(pydantic.BaseModel):
    size: int


class Raising:
    @property
    def field(self) -> str:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


def test_a_path_leads_through_objects_and_dicts_or_to_none() -> None:
    native = {"a": PartBuilder("n", above={"b": 3})}
    assert get(native, "a", "above", "b") == 3
    assert get(native, "a", "nope", "b") is get(None, "a") is get(Raising(), "field") is None
    # A string's or a list's methods are no fields.
    assert get("text", "index") is get([1], "count") is get(3, "real") is None


@pytest.mark.parametrize("value", [True, -1, 1 << 63, 1.0, "1", None])
def test_only_plain_counts_are_integers(value: Any) -> None:
    assert integer(value) is None


def test_typed_values_are_values_or_nothing() -> None:
    assert (text("a"), text(3), text("\ud800é")) == ("a", "", "\ufffdé")
    assert text("\ude00 é \ud83d") == "\ude00 é \ud83d"  # the other halves may come before and after it
    assert (ident("a"), ident(""), ident(7), ident(True), ident([])) == ("a", None, "7", None, None)
    assert (number("0.5"), number(decimal.Decimal("0.5")), number(2), number(True)) == (0.5, 0.5, 2.0, None)
    assert number("nan") is number(math.inf) is number(10**400) is number("x") is None


def test_only_complete_arguments_are_parsed() -> None:
    assert parsed('{"a": 1}') == parsed({"a": 1}) == {"a": 1}
    assert parsed('{"a":') == '{"a":'
    assert parsed(" ") is parsed(None) is None
    assert parsed("[" * 100_000) == "[" * 100_000
    assert json_text({"ä": (1,)}) == '{"ä": [1]}'
    assert (json_text(None), json_text("{")) == ("", "{")


def test_validation_errors_become_lines() -> None:
    assert reason("gone") == "gone"
    assert reason([{"loc": ["a", 1], "msg": "bad"}, {"loc": [], "msg": "worse"}]) == "a.1: bad\n: worse"
    assert reason({"code": 3}) == '{"code": 3}'


def test_values_have_the_form_of_pydantics_json_mode() -> None:
    now = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
    value = {
        "model": Model(size=1),
        "node": PartBuilder("n"),
        "at": now,
        "set": {1},
        "cost": decimal.Decimal("1.50"),
    }
    dumped = pydantic.TypeAdapter(dict[str, Any]).dump_python(value, mode="json")
    del dumped["node"]["_cache"]
    assert plain(value) == dumped


def test_a_recursive_value_ends() -> None:
    root = PartBuilder("root")
    root.below = [PartBuilder(str(i), above=root) for i in range(3)]
    assert [child["name"] for child in plain(root)["below"]] == ["0", "1", "2"]
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    json.dumps(plain(deep))
    assert "RuntimeError" in plain(Raising())


def test_a_long_value_is_cut_with_its_length() -> None:
    assert bounded({"a": 1}) == {"a": 1}
    cut = bounded({"a": "x" * 2 * VALUE_LIMIT})
    assert cut.startswith('{"a": "xxx')
    assert cut.endswith("… (20,009 characters)")


def test_files_are_recognised_by_their_kind() -> None:
    assert file_in({"data": "AA-_", "media_type": "x/y", "kind": "binary"}) == {
        "data": "AA+/",
        "media_type": "x/y",
    }
    assert file_in({"kind": "image-url", "url": "https://x.test/a"}) == {"url": "https://x.test/a"}
    assert file_in({"kind": "image-url", "url": "data:a/b;base64,AAAA"}) == {
        "data": "AAAA",
        "media_type": "a/b",
    }
    assert file_in({"data": "AA"}) is file_in("binary") is file_in(None) is None
    assert split_files({"a": 1}) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.text(max_size=3)), unique_by=lambda delta: delta[0]))
def test_deltas_are_joined_in_their_order(deltas: list[tuple[int, str]]) -> None:
    streams, key = StreamedTexts(), ("m", "text", "0")
    for at, delta in [*deltas, *deltas]:
        streams.add(key, delta, at)
    assert streams.read(key) == "".join(delta for _, delta in sorted(deltas))
    streams.replace(key, "whole", 5)
    assert streams.read(key) == "whole" + "".join(delta for at, delta in sorted(deltas) if at > 5)
    streams.add(key, "late", 3)
    assert "late" not in streams.read(key)
    streams.forget("m")
    assert streams.read(key) == ""
