"""Any Python value as JSON: what a tool returned becomes something every peer can read.

Used when an event is made (``events.Json``), so nothing further down the path meets a value
that it cannot send, save or show.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["TABLE_ROWS", "bounded_repr", "scrub", "to_json_value"]

REPR_LIMIT = 10_000
"""Characters of a ``repr`` that are kept."""

TABLE_ROWS = 20
"""Rows of a table that are kept in its summary."""

DEPTH_LIMIT = 64
"""Nesting beyond which a value is shown as its repr; a cycle ends here too."""


def scrub(text: str) -> str:
    """Make *text* valid Unicode: surrogate pairs are joined, lone halves become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def bounded_repr(value: object) -> str:
    """``repr(value)``, never longer than ``REPR_LIMIT`` and never raising."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a broken __repr__ must not end a stream
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"
    if len(text) > REPR_LIMIT:
        text = f"{text[:REPR_LIMIT]}… ({len(text):,} characters)"
    return scrub(text)


def to_json_value(value: Any, depth: int = 0) -> Any:
    """Return *value* as JSON types, the same object if it is a plain scalar already.

    Pydantic models and dataclasses become objects, dates their ISO form, enum members their
    value, numpy scalars the number; a table (pandas, polars) becomes
    ``{"columns", "rows", "total"}`` with its first rows, and anything else its bounded repr.
    """
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is str:
        return scrub(value)
    if kind is float:
        return value if math.isfinite(value) else repr(value)
    if depth > DEPTH_LIMIT:
        return bounded_repr(value)
    if isinstance(value, Mapping):
        return {
            scrub(k) if isinstance(k, str) else bounded_repr(k): to_json_value(v, depth + 1)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [to_json_value(item, depth + 1) for item in value]
    return _object(value, depth)


def _object(value: Any, depth: int) -> Any:
    if isinstance(value, enum.Enum):
        return to_json_value(value.value, depth + 1)
    if isinstance(value, str):
        return scrub(str(value))
    if isinstance(value, int | float):
        return to_json_value(value.real, depth + 1) if depth <= DEPTH_LIMIT else bounded_repr(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {f.name: to_json_value(getattr(value, f.name), depth + 1) for f in fields}
    try:
        dump = getattr(value, "model_dump", None)
        if callable(dump) and not isinstance(value, type):
            return to_json_value(dump(mode="json"), depth + 1)
        table = _table(value)
        if table is not None:
            return table
        item = getattr(value, "item", None)
        if callable(item) and getattr(value, "shape", None) == ():
            return to_json_value(item(), depth + 1)
    except Exception:  # noqa: BLE001 - any failure of a foreign object falls back to its repr
        return bounded_repr(value)
    return bounded_repr(value)


def _table(value: Any) -> dict[str, Any] | None:
    """Summarise a pandas or polars frame, told by its shape and columns, without importing either."""
    columns, shape = getattr(value, "columns", None), getattr(value, "shape", None)
    if isinstance(value, type) or columns is None or not isinstance(shape, tuple) or len(shape) != 2:  # noqa: PLR2004
        return None
    head = value.head(TABLE_ROWS)
    if callable(getattr(head, "itertuples", None)):
        rows = [list(row) for row in head.itertuples(index=False, name=None)]
    elif callable(getattr(head, "iter_rows", None)):
        rows = [list(row) for row in head.iter_rows()]
    else:
        return None
    return {
        "columns": [name if isinstance(name, str) else str(name) for name in columns],
        "rows": to_json_value(rows),
        "total": int(shape[0]),
    }
