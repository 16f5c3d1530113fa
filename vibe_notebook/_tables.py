"""Summarise tables of any library, and describe lazy ones without running them.

At the bottom of the package, below ``_json_values``. No table library is imported: a table is told by its attributes,
which are looked up statically. A lazy object may compute, warn or make another lazy object for any attribute read.
"""

from __future__ import annotations

import datetime
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

__all__ = ["TABLE_COLUMNS", "TABLE_ROWS", "describe_lazy", "summarize_table"]

TABLE_ROWS: Final = 20
"""Rows of a table in its summary."""

TABLE_COLUMNS: Final = 20
"""Columns of a table in its summary, beside its row labels: a reader scans no more, and each one costs 20 cells."""

_NAME: Final = 1_000
"""Characters of a column's name or of a scalar's text in a summary."""

_VERBS: Final = ("fetchall", "compute", "collect", "execute", "toPandas", "to_pandas_batches", "_fetch_all")
"""Methods that run a lazy object; the summary names the one that the object has."""
_FRAME: Final = ("__iter__", "columns", "description", "filter", "head", "limit", "schema", "select")
"""Methods and properties of which every lazy frame, query or result has at least one."""
_LAZY_NAMES: Final = frozenset(("IterableDataset", "LazyFrame", "QuerySet", "RawQuerySet"))
"""Classes whose objects read their rows only when they are iterated."""
_SCALARS: Final = frozenset(("datetime", "decimal", "fractions", "numpy", "pandas", "uuid"))
"""Modules whose scalars have a ``str`` that reads better than their ``repr``."""
_MIDNIGHT: Final = "T00:00:00"


def _has(value: object, name: str) -> bool:
    try:
        inspect.getattr_static(value, name)
    except AttributeError:
        return False
    return True


def _root(value: object) -> str:
    return str(type(value).__module__).partition(".")[0]


# Lazy objects


def describe_lazy(value: Any) -> str | None:
    """Return the type of a lazy frame, query, result or iterator in words; ``None`` for any other value.

    Even its ``repr`` may run a query, read a partition or consume rows, so the description calls nothing of it.
    """
    kind: Any = type(value)
    if kind.__module__ == "builtins" or isinstance(value, type):
        return None
    description = _describe_lazy_class(kind)
    if description is not None and _root(value) == "xarray" and _is_in_memory(value):
        return None
    return description


@lru_cache(maxsize=1_000)
def _describe_lazy_class(kind: type) -> str | None:
    root = kind.__module__.partition(".")[0]
    verb = next((name for name in _VERBS if _defines(kind, name)), None)
    is_lazy = verb is not None and any(_defines(kind, name) for name in ("__dask_graph__", *_FRAME))
    is_iterator = _defines(kind, "__next__") or _defines(kind, "__anext__")
    is_lazy = is_lazy or (is_iterator and root not in sys.stdlib_module_names)
    if root in _SCALARS or not (is_lazy or any(base.__name__ in _LAZY_NAMES for base in kind.__mro__)):
        return None
    if root == "ibis":
        verb = "execute"  # an ibis column has a collect(), which is an aggregation
    how = f"; .{verb}() gives its rows" if verb and not verb.startswith("_") else ""
    return f"<{root}.{kind.__qualname__[:_NAME]}: lazy, shown without running it{how}>"


def _defines(kind: type, name: str) -> bool:
    return any(name in base.__dict__ for base in kind.__mro__)


def _is_in_memory(value: Any) -> bool:
    """Return whether an xarray object has read all its data."""
    try:
        variables = list(value.variables.values()) if _has(value, "data_vars") else [value.variable]
        return all(variable._in_memory for variable in variables)  # noqa: SLF001 - xarray has no public name for it
    except Exception:  # noqa: BLE001 - another version: the description is always right
        return False


# Tables


def summarize_table(value: Any, convert: Callable[[Any], Any]) -> dict[str, Any] | None:
    """Return the summary of a table: ``{columns, rows, total}``; ``None`` for a value that is no table.

    Row labels are the first cells of each row; ``labels`` counts these columns. ``total_columns`` counts the
    others of a table too wide to be shown. *convert* makes a cell's value JSON.
    """
    if isinstance(value, type):
        return None
    for fits, read in _READERS:
        if fits(value):
            names, rows, total, width, labels = read(value)
            return _summary(names, rows, (total, width), labels, convert)
    return None


_Labels = tuple[Sequence[Any], Sequence[Sequence[Any]]]
"""Names of the label columns, and the labels of each row."""
_Read = tuple[Sequence[Any], Sequence[Sequence[Any]], int, int, _Labels]


def _summary(
    names: Sequence[Any],
    rows: Sequence[Sequence[Any]],
    size: tuple[int, int],
    labels: _Labels,
    convert: Callable[[Any], Any],
) -> dict[str, Any]:
    label_names, row_labels = labels
    columns = [*("" if name is None else _name(name) for name in label_names), *map(_name, names)]
    heads = [[_cell(label, convert) for label in each] for each in row_labels]
    for at in range(len(label_names)):
        _shorten_dates(heads, at)
    cells = [[_cell(cell, convert) for cell in row] for row in rows]
    whole = [[*head, *row] for head, row in zip(heads, cells, strict=True)] if heads else cells
    summary = {"columns": list(map(convert, columns)), "rows": whole, "total": size[0]}
    if label_names:
        summary["labels"] = len(label_names)
    if size[1] > len(names):
        summary["total_columns"] = size[1]
    return summary


def _name(name: Any) -> str:
    """Return a column's name; the levels of a column of several levels side by side."""
    if isinstance(name, tuple):
        return " / ".join(part for part in map(_name, name) if part)
    if isinstance(name, str):
        return name[:_NAME]
    iso = getattr(name, "isoformat", None)
    return (str(iso()).removesuffix(_MIDNIGHT) if callable(iso) else str(name))[:_NAME]


def _cell(value: Any, convert: Callable[[Any], Any]) -> Any:
    is_scalar = _root(value) in _SCALARS and not _has(value, "__array_interface__")
    if is_scalar and not isinstance(value, datetime.date | datetime.time | float):
        return convert(str(value)[:_NAME])
    return convert(value)


def _shorten_dates(heads: list[list[Any]], at: int) -> None:
    if all(isinstance(head[at], str) and head[at].endswith(_MIDNIGHT) for head in heads):
        for head in heads:
            head[at] = head[at].removesuffix(_MIDNIGHT)


def _is_size(value: Any, length: int) -> bool:
    shape = getattr(value, "shape", None)
    return isinstance(shape, tuple) and len(shape) == length


def _is_indexed_frame(value: Any) -> bool:
    return all(_has(value, name) for name in ("columns", "iloc", "index", "shape")) and _is_size(value, 2)


def _read_indexed_frame(value: Any) -> _Read:
    total, width = map(int, value.shape)
    head = value.iloc[:TABLE_ROWS, :TABLE_COLUMNS]
    if not _has(head, "itertuples") or _root(value) == "cudf":
        head = head.to_pandas()
    rows = [list(row) for row in head.itertuples(index=False, name=None)] or [[] for _ in head.index]
    return list(head.columns), rows, total, width, _labels(head.index)


def _is_series(value: Any) -> bool:
    return all(_has(value, name) for name in ("iloc", "index", "name", "shape")) and _is_size(value, 1)


def _read_series(value: Any) -> _Read:
    head = value.iloc[:TABLE_ROWS]
    if _root(value) == "cudf":
        head = head.to_pandas()
    name = "value" if head.name is None else head.name
    return [name], [[cell] for cell in head.tolist()], int(value.shape[0]), 1, _labels(head.index)


def _labels(index: Any) -> _Labels:
    """Return the row labels; none for those that are only the rows' positions."""
    names = list(getattr(index, "names", None) or [getattr(index, "name", None)])
    if type(index).__name__ == "RangeIndex" and (index.start, index.step, names) == (0, 1, [None]):
        return [], []
    return names, [
        list(label) if len(names) > 1 and isinstance(label, tuple) else [label] for label in index.tolist()
    ]


def _is_polars(value: Any) -> bool:
    return all(_has(value, name) for name in ("columns", "iter_rows", "select", "shape")) and _is_size(
        value, 2
    )


def _read_polars(value: Any) -> _Read:
    total, width = map(int, value.shape)
    names = list(value.columns)[:TABLE_COLUMNS]
    rows = [list(row) for row in value.select(names).head(TABLE_ROWS).iter_rows()] if names else []
    return names, rows, total, width, ([], [])


def _is_polars_series(value: Any) -> bool:
    return all(_has(value, name) for name in ("dtype", "head", "name", "shape", "to_list")) and _is_size(
        value, 1
    )


def _read_polars_series(value: Any) -> _Read:
    rows = [[cell] for cell in value.head(TABLE_ROWS).to_list()]
    return [value.name or "value"], rows, int(value.shape[0]), 1, ([], [])


def _is_arrow(value: Any) -> bool:
    return all(_has(value, name) for name in ("column_names", "num_columns", "num_rows", "schema", "slice"))


def _read_arrow(value: Any) -> _Read:
    names = list(value.schema.names)[:TABLE_COLUMNS]
    head = value.slice(0, TABLE_ROWS)
    columns = [head.column(at).to_pylist() for at in range(len(names))]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return names, rows, int(value.num_rows), int(value.num_columns), ([], [])


def _is_array(value: Any) -> bool:
    if not any(base.__name__ == "ndarray" and base.__module__ == "numpy" for base in type(value).__mro__):
        return False
    return _is_size(value, 2) or (_is_size(value, 1) and bool(value.dtype.names))


def _read_array(value: Any) -> _Read:
    total = int(value.shape[0])
    if value.dtype.names:
        names = list(value.dtype.names)[:TABLE_COLUMNS]
        head = value[:TABLE_ROWS].ravel()[:TABLE_ROWS]
        return names, [[row[n] for n in names] for row in head], total, len(value.dtype.names), ([], [])
    head = value[:TABLE_ROWS, :TABLE_COLUMNS]
    width = int(value.shape[1])
    return list(range(min(width, TABLE_COLUMNS))), list(_array_rows(head)), total, width, ([], [])


def _array_rows(head: Any) -> Iterator[list[Any]]:
    for row in head:
        yield list(row.flat) if hasattr(row, "flat") else list(row)


_READERS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any], _Read]], ...]] = (
    (_is_indexed_frame, _read_indexed_frame),
    (_is_series, _read_series),
    (_is_polars, _read_polars),
    (_is_polars_series, _read_polars_series),
    (_is_arrow, _read_arrow),
    (_is_array, _read_array),
)
