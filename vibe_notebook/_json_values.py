"""Convert any Python value, such as a tool's result, to JSON that every peer can read.

The event models convert values when they make an event (``events.Json``), so no later module meets a value that
it cannot send, save or show.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import inspect
import math
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from ._tables import describe_lazy, summarize_table

__all__ = ["bounded_repr", "dump_model", "scrub", "to_json_value"]

REPR_LIMIT: Final = 10_000
"""Characters to which a ``repr`` is cut."""

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


class _Repr(reprlib.Repr):
    """Write the repr of a container, without running a lazy object inside."""

    def repr_instance(self, x: Any, level: int) -> str:
        return describe_lazy(x) or super().repr_instance(x, level)


_REPR = _Repr()
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
    """Return ``repr(value)``, cut to ``REPR_LIMIT`` characters; never raise, and never run a lazy object."""
    try:
        if (lazy := describe_lazy(value)) is not None:
            return scrub(lazy)
        # reprlib shortens containers while it writes them: a whole repr may not fit in memory.
        text = _REPR.repr(value) if isinstance(value, _CONTAINERS) else repr(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a broken __repr__ must not end a stream
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"
    if len(text) > REPR_LIMIT:
        text = f"{text[:REPR_LIMIT]}… ({len(text):,} characters)"
    return scrub(text)


def to_json_value(value: Any) -> Any:
    """Convert *value* to JSON types; return a plain scalar unchanged.

    Pydantic models and dataclasses become objects, dates their ISO form, enum members their
    value, numpy scalars the number; a table (pandas, polars, pyarrow) becomes
    ``{"columns", "rows", "total"}`` with its first rows and their labels, and anything else its bounded repr.
    A lazy frame, a query's result or an iterator is neither run nor consumed: its type is described.
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
        if (lazy := describe_lazy(value)) is not None:
            return scrub(lazy)
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
        # Statically: some objects make another lazy object of any attribute.
        if callable(inspect.getattr_static(value, "model_dump", None)) and not isinstance(value, type):
            return self.convert(dump_model(value, lambda: value.model_dump(mode="json")))
        table = summarize_table(value, self.convert)
        if table is not None:
            return table
        item = getattr(value, "item", None)
        if callable(item) and getattr(value, "shape", None) == ():
            # numpy gives a moment in nanoseconds as a whole number.
            is_moment = getattr(getattr(value, "dtype", None), "kind", None) in ("M", "m")
            return self.convert(str(value) if is_moment else item())
        return bounded_repr(value)

    def _key(self, key: object) -> str:
        return scrub(str.__str__(key)) if isinstance(key, str) else bounded_repr(key)


def dump_model(model: Any, dump: Callable[[], Any]) -> Any:
    """Return what *dump* makes of a pydantic model, or its plain fields where that would run or lose one.

    JSON mode consumes an iterator, and fails at a table; a model's own repr runs a lazy frame.
    """
    fields = getattr(model, "__dict__", {})
    if any(hasattr(type(value), "__next__") or describe_lazy(value) for value in fields.values()):
        return dict(fields)
    try:
        return dump()
    except Exception:
        if not fields:
            raise
        return dict(fields)
