"""Convert any Python value, such as a tool's result, to JSON that every peer can read.

The event models convert values when they make an event (``events.Json``), so no later module meets a value that
it cannot send, save or show.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["TABLE_ROWS", "bounded_repr", "scrub", "to_json_value"]

REPR_LIMIT: Final = 10_000
"""Characters to which a ``repr`` is cut."""

TABLE_ROWS: Final = 20
"""Rows of a table in its summary."""

DEPTH_LIMIT: Final = 64
"""Levels of nesting beyond which a value becomes its repr."""

ITEM_LIMIT: Final = 5_000_000
"""Items of one value: lists that share lists can stand for more items than any memory holds."""

INT_BITS: Final = 10_000
"""Bits beyond which a whole number becomes text: Python itself refuses to write or read 4,300 digits."""

# The plain value of a subclass's instance, without the subclass's overrides: numpy's float64 is a float.
_PLAIN: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
)

_REPR = reprlib.Repr()
_REPR.maxlevel = 4
_REPR.maxtuple = _REPR.maxlist = _REPR.maxarray = _REPR.maxdict = 50
_REPR.maxset = _REPR.maxfrozenset = _REPR.maxdeque = 50
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 1_000
_CONTAINERS: Final = (list, tuple, dict, set, frozenset)


def scrub(text: str) -> str:
    """Return *text* as valid Unicode: join surrogate pairs, replace lone halves by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def bounded_repr(value: object) -> str:
    """Return ``repr(value)``, cut to ``REPR_LIMIT`` characters; never raise."""
    try:
        # reprlib shortens containers while it writes them: a whole repr may not fit in memory.
        text = _REPR.repr(value) if isinstance(value, _CONTAINERS) else repr(value)
    except Exception as error:  # noqa: BLE001 - a broken __repr__ must not end a stream
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"
    if len(text) > REPR_LIMIT:
        text = f"{text[:REPR_LIMIT]}… ({len(text):,} characters)"
    return scrub(text)


def to_json_value(value: Any) -> Any:
    """Convert *value* to JSON types; return a plain scalar unchanged.

    Pydantic models and dataclasses become objects, dates their ISO form, enum members their
    value, numpy scalars the number; a table (pandas, polars) becomes
    ``{"columns", "rows", "total"}`` with its first rows, and anything else its bounded repr.
    A value that refers to itself, or is nested or shared beyond the limits, ends in a bounded repr.
    """
    return _Conversion().convert(value)


class _Conversion:
    """Convert one value, and count its items against the limits."""

    def __init__(self) -> None:
        self._above: list[int] = []  # ids of the containers that the present item is in
        self._items = 0

    def convert(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return scrub(value)
        if kind is int:
            return value if value.bit_length() <= INT_BITS else f"{value:#x}"[:REPR_LIMIT]
        if kind is float:
            return value if math.isfinite(value) else repr(value)
        self._items += 1
        if len(self._above) > DEPTH_LIMIT or id(value) in self._above or self._items > ITEM_LIMIT:
            return bounded_repr(value)
        self._above.append(id(value))
        try:
            return self._nested(value)
        except Exception:  # noqa: BLE001 - any failure of a foreign object falls back to its repr
            return bounded_repr(value)
        finally:
            self._above.pop()

    def _nested(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            self._items += len(value)
            return {self._key(k): self.convert(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            self._items += len(value)
            return [self.convert(item) for item in value]
        if isinstance(value, enum.Enum):
            return self.convert(value.value)
        for base, plain in _PLAIN:
            if isinstance(value, base):
                return self.convert(plain(value))
        if isinstance(value, datetime.datetime | datetime.date | datetime.time):
            return value.isoformat()
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: self.convert(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return self._foreign(value)

    def _foreign(self, value: Any) -> Any:
        dump = getattr(value, "model_dump", None)
        if callable(dump) and not isinstance(value, type):
            return self.convert(dump(mode="json"))
        table = _table(value)
        if table is not None:
            return table
        item = getattr(value, "item", None)
        if callable(item) and getattr(value, "shape", None) == ():
            return self.convert(item())
        return bounded_repr(value)

    def _key(self, key: object) -> str:
        return scrub(str.__str__(key)) if isinstance(key, str) else bounded_repr(key)


def _table(value: Any) -> dict[str, Any] | None:
    """Summarise a pandas or polars frame, recognised by its shape and columns, without an import of either."""
    columns, shape = getattr(value, "columns", None), getattr(value, "shape", None)
    if columns is None or isinstance(value, type):
        return None
    if not isinstance(shape, tuple) or len(shape) != len(("rows", "columns")):
        return None
    head = value.head(TABLE_ROWS)
    if callable(getattr(head, "itertuples", None)):
        rows = [list(row) for row in head.itertuples(index=False, name=None)]
    elif callable(getattr(head, "iter_rows", None)):
        rows = [list(row) for row in head.iter_rows()]
    else:
        return None
    return {
        "columns": [scrub(str(name)) for name in columns],
        "rows": to_json_value(rows),
        "total": int(shape[0]),
    }
