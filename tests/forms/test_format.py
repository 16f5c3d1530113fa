"""Test the short texts that all forms share."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook._forms.costs import usage_text
from vibe_notebook._forms.wording import (
    args_text,
    duration_of,
    output_text,
    pretty,
    preview,
    size,
)
from vibe_notebook.events import Usage
from vibe_notebook.parts import Run, ToolPart
from vibe_notebook.transcript import Transcript

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


@given(values)
def test_a_preview_is_one_short_line_of_any_value(value: Any) -> None:
    line = preview(value)
    assert len(line) <= 100
    assert "\n" not in line
    assert line.isprintable() or not line.isascii()


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"query": "rain", "limit": 3}, 'query="rain", limit=3'),
        ({"a": {"b": [1, None, True]}}, 'a={"b": [1, null, true]}'),
        ('{"query": "ra', '{"query": "ra'),
        ("two\n  lines", "two lines"),
        (None, ""),
        ([], "[]"),
        ("x" * 101, "x" * 99 + "…"),
    ],
)
def test_arguments_read_like_a_call(value: Any, line: str) -> None:
    assert preview(value) == line


def test_a_preview_reads_only_the_start_of_a_huge_or_deep_value() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert len(preview(deep)) <= 100
    assert len(preview({str(n): "x" * 1000 for n in range(100_000)})) == 100


def test_a_call_shows_its_streamed_arguments_until_they_are_complete() -> None:
    part = ToolPart(tool_call_id="1", args_text='{"q": "ra')
    assert args_text(part) == '{"q": "ra'
    assert args_text(part.model_copy(update={"args": {"q": "rain"}})) == '{\n  "q": "rain"\n}'


def test_text_of_several_lines_in_arguments_keeps_its_lines() -> None:
    part = ToolPart(tool_call_id="1", args={"code": "for x in y:\n  print(x)", "limit": 3, "path": "a.py"})
    assert args_text(part) == "code:\n  for x in y:\n    print(x)\nlimit: 3\npath: a.py"


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (None, ""),
        ("text", "text"),
        ('{"a":1}', '{\n  "a": 1\n}'),
        ("{not json", "{not json"),
        (0, "0"),
        ({"columns": ["a", "b"], "rows": [[1, "x"]], "total": 7}, "a  b\n1  x\n[showing 1 of 7 rows]"),
        ({"columns": [], "rows": [], "total": 0}, ""),
        ({"columns": 1, "rows": [], "total": 0}, '{\n  "columns": 1,\n  "rows": [],\n  "total": 0\n}'),
    ],
)
def test_output_is_text_json_or_a_table(output: Any, shown: str) -> None:
    assert output_text(ToolPart(tool_call_id="1", output=output)) == shown


@given(values)
def test_any_output_can_be_shown(output: Any) -> None:
    assert isinstance(output_text(ToolPart(tool_call_id="1", output=output)), str)
    assert isinstance(pretty(output), str)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (1.26, "1.3 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 00 s"),
        (60, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (7260, "2 h 01 min"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration_of(ToolPart(tool_call_id="1", started_at=10, finished_at=10 + seconds)) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (12_345, "12 kB"), (3_400_000, "3.4 MB")],
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert size(count) == words


def test_usage_has_only_the_known_values() -> None:
    usage = Usage(
        input_tokens=1200,
        output_tokens=34,
        cached_input_tokens=1000,
        reasoning_tokens=5,
        cost=0.0123,
        model="m",
    )
    document = Transcript(usage=usage, runs=(Run(run_id="r", usage=usage),))
    assert (
        usage_text(document) == "1,200 tokens in (1,000 cached) · 34 tokens out (5 reasoning) · $0.0123 · m"
    )
    assert usage_text(Transcript(usage=Usage())) == usage_text(Transcript()) == ""


@pytest.mark.parametrize("limit", [5, 20, 40, 47, 60, 80])
def test_a_shortened_preview_marks_each_place_where_it_leaves_something_out(limit: int) -> None:
    value = [{"city": city, "celsius": 5, "note": None} for city in ("Oslo", "Lima", "Cairo")]
    whole, short = preview(value, 500), preview(value, limit)
    assert whole == json.dumps(value)
    assert re.fullmatch(".*".join(map(re.escape, short.split("…"))), whole), short
