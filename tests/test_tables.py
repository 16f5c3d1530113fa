"""Show tables with their row labels, and lazy ones without running them."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pydantic import BaseModel, ConfigDict

import vibe_notebook as vibe
from vibe_notebook.transcript import Transcript

FRAME = pd.DataFrame({"region": ["N", "S", "N"], "sales": [1.5, 2.0, 4.0]})
LEVELS = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", "n"])


def transcript_of(value: object) -> Transcript:
    with vibe.live("x", display=False) as live, live.tool("f") as tool:
        tool.result(value)
    return live.transcript


def output_of(value: object) -> Any:
    return transcript_of(value).tools[0].output


@pytest.mark.parametrize(
    ("frame", "columns", "first", "last"),
    [
        (FRAME.describe(), ["", "sales"], ["count", 3.0], ["max", 4.0]),
        (FRAME.groupby("region").agg(t=("sales", "sum")), ["region", "t"], ["N", 5.5], ["S", 2.0]),
        (FRAME.T, ["", "0", "1", "2"], ["region", "N", "S", "N"], ["sales", 1.5, 2.0, 4.0]),
        (
            pd.DataFrame({"p": [1, 2]}, index=pd.date_range("2024-01-01", periods=2, name="day")),
            ["day", "p"],
            ["2024-01-01", 1],
            ["2024-01-02", 2],
        ),
        (
            pd.DataFrame({"p": [1, 2]}, index=pd.date_range("2024-01-01", periods=2, freq="12h")),
            ["", "p"],
            ["2024-01-01T00:00:00", 1],
            ["2024-01-01T12:00:00", 2],
        ),
        (pd.DataFrame({"v": [1, 2]}, index=LEVELS), ["k", "n", "v"], ["a", 1, 1], ["b", 2, 2]),
        (FRAME[FRAME.sales > 1.7], ["", "region", "sales"], [1, "S", 2.0], [2, "N", 4.0]),
        (FRAME, ["region", "sales"], ["N", 1.5], ["N", 4.0]),
        (FRAME.region.value_counts(), ["region", "count"], ["N", 2], ["S", 1]),
        (pd.Series([1, 2]), ["value"], [1], [2]),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ["a", "a"], [1, 2], [1, 2]),
        (pd.DataFrame([[1, 2]], columns=LEVELS), ["a / 1", "b / 2"], [1, 2], [1, 2]),
        (pd.DataFrame(index=["a", "b"]), [""], ["a"], ["b"]),
        (
            pd.DataFrame({"a": [pd.Timedelta("1D")]}, index=pd.interval_range(0, 1)),
            ["", "a"],
            ["(0, 1]", "1 days 00:00:00"],
            ["(0, 1]", "1 days 00:00:00"],
        ),
        (pl.DataFrame({"a": [1, 2]}), ["a"], [1], [2]),
        (pl.Series("a", [1, 2]), ["a"], [1], [2]),
        (np.array([[1, 2], [3, 4]]), ["0", "1"], [1, 2], [3, 4]),
        (np.array([(1, "x")], dtype=[("n", int), ("s", "U1")]), ["n", "s"], [1, "x"], [1, "x"]),
    ],
)
def test_a_table_keeps_its_row_labels_and_its_column_names(
    frame: Any, columns: list[str], first: list[Any], last: list[Any]
) -> None:
    made = output_of(frame)
    assert (made["columns"], made["rows"][0], made["rows"][-1]) == (columns, first, last)
    assert made["total"] == len(frame)


def test_a_wide_table_is_bounded_in_columns_and_every_form_says_so() -> None:
    wide = pd.DataFrame(np.zeros((1_000, 300)), index=[f"row {n}" for n in range(1_000)])
    shown = transcript_of(wide)
    made = shown.tools[0].output
    assert (len(made["columns"]), len(made["rows"]), made["total"]) == (21, 20, 1_000)
    for form in (shown.to_text(), shown.to_markdown()):
        assert "showing 20 of 1,000 rows, 20 of 300 columns" in form
        assert "row 19" in form
    assert "20 of 1,000 rows · 300 columns" in shown.to_html()
    assert "row 999" in shown.to_html()


def test_row_labels_are_the_heads_of_their_rows_in_html() -> None:
    html = transcript_of(FRAME.describe()).to_html()
    assert re.search(r"<th>count</th>\s*<td>3\.0", html)


def test_numbers_stand_below_each_other() -> None:
    text = transcript_of(pd.DataFrame({"name": ["a", "bc"], "n": [1.5, 20.25]})).to_text()
    assert text.endswith("name      n\n    a       1.5\n    bc    20.25")


class Arrow:
    """A pyarrow table, as far as a summary needs one."""

    column_names = ("a", "b")
    num_columns, num_rows = 2, 50

    @property
    def schema(self) -> Any:
        class Schema:
            names = ("a", "b")

        return Schema()

    def slice(self, start: int, length: int) -> Arrow:
        assert (start, length) == (0, 20)
        return self

    def column(self, at: int) -> Any:
        class Column:
            def to_pylist(self) -> list[int]:
                return [at, at + 10]

        return Column()


def test_a_table_of_arrow_is_told_by_its_shape() -> None:
    assert output_of(Arrow()) == {"columns": ["a", "b"], "rows": [[0, 1], [10, 11]], "total": 50}


class TouchedError(Exception):
    """A lazy object was run."""


class Lazy:
    """Anything of this object but its class runs it."""

    def run(self, *args: object) -> Any:
        raise TouchedError(args)

    __repr__ = __str__ = __len__ = __bool__ = run
    __iter__ = head = run
    columns = shape = schema = dtypes = property(run)

    def __getattr__(self, name: str) -> Any:
        raise TouchedError(name)


class LazyFrame(Lazy):
    collect = Lazy.run


class Expression(Lazy):
    execute = Lazy.run


class DaskFrame(Lazy):
    compute = Lazy.run
    iloc = index = itertuples = property(Lazy.run)


class Relation(Lazy):
    fetchall = Lazy.run


class SparkFrame(Lazy):
    toPandas = Lazy.run  # noqa: N815 - Spark's own name


class QuerySet(Lazy):
    _fetch_all = Lazy.run


class IterableDataset(Lazy):
    pass


class Rows(Lazy):
    __next__ = Lazy.run


LAZY = [LazyFrame, Expression, DaskFrame, Relation, SparkFrame, QuerySet, IterableDataset, Rows]


@pytest.mark.parametrize("kind", LAZY)
def test_a_lazy_object_is_described_and_never_run(kind: type[Lazy]) -> None:
    class Model(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        field: Lazy

    for value in (kind(), [kind()], {"a": (kind(),)}, Model(field=kind())):
        text = transcript_of(value).to_text()
        assert f"{kind.__qualname__}: lazy, shown without running it" in text
        assert "raised" not in text


def test_the_description_of_a_lazy_object_names_the_call_that_gives_its_rows() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert output_of(pl.LazyFrame({"a": [1]})) == (
            "<polars.LazyFrame: lazy, shown without running it; .collect() gives its rows>"
        )


def test_a_generator_is_not_consumed_to_be_shown() -> None:
    rows = (n for n in range(3))

    class Model(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        field: object

    for value in (rows, [rows], Model(field=rows)):
        assert "generator object" in str(output_of(value))
    assert list(rows) == [0, 1, 2]


def test_an_object_that_has_every_attribute_is_no_model_and_no_table() -> None:
    class Deferred:
        def __getattr__(self, name: str) -> Deferred:
            return self

        def __call__(self, mode: str = "") -> Deferred:
            return self if mode else Deferred()

        def __repr__(self) -> str:
            return "deferred"

    assert output_of(Deferred()) == "deferred"


def test_a_moment_in_nanoseconds_is_shown_as_a_date() -> None:
    assert output_of(np.datetime64("2024-01-01T10", "ns")).startswith("2024-01-01T10:00")
