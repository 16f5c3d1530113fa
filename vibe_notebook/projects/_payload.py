"""The strict conversion of an event's data to JSON.

``_stream`` and ``history`` encode with it. A value without a JSON form is the sender's error, which names the field.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import json
import json.encoder
import math
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NoReturn

from .._json_values import INT_BITS, scrub
from ..exceptions import ProtocolError

__all__ = ["encode"]

DEPTH: Final = 200

_portable_write: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

_PLAIN: Final = (str, int, float)
_AS_TEXT: Final = (uuid.UUID, decimal.Decimal, os.PathLike)


def encode(data: Any) -> str:
    """Encode *data* as one line of JSON.

    Beside the types of JSON, *data* may hold dates (written as ISO 8601), timedeltas (as seconds), bytes (as base64),
    pydantic models, dataclasses, enums, sets (sorted), numpy scalars and arrays, paths, UUIDs and decimals. A number
    that is not finite becomes null.

    Raises:
        ProtocolError: *data* holds a value of another type; ``field`` is its path.
    """
    try:
        text = _write(data)
    except (TypeError, ValueError, RecursionError):
        plain = _plain(data, "data", 0)
        text = _write(plain)
    return scrub(text)


def _refuse(_: object) -> NoReturn:
    raise TypeError


def _writer() -> Callable[[Any], str]:
    """Make one C encoder of Python's ``json`` for the types of JSON, and return its function.

    ``JSONEncoder.encode`` makes a new C encoder for every value: this takes as long again as writing a delta. The
    encoder here has no record of enclosing containers (``markers``): threads could not share the record, and the
    recursion limit stops a value that holds itself.
    """
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    try:
        parts = make(None, _refuse, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    except TypeError:  # a private function of CPython: another Python may lack it or change its parameters
        return _portable_write
    return lambda data: "".join(parts(data, 0))


_write: Final = _writer()


def _plain(value: Any, path: str, depth: int) -> Any:  # noqa: C901 - a table of types
    if depth > DEPTH:
        path = f"{path[:60]}…"
        raise ProtocolError(
            f"{path}: the value is nested more than {DEPTH} levels deep, or holds itself", field=path
        )
    if value is None or isinstance(value, bool):
        return value
    match value:
        case enum.Enum():
            return _plain(value.value, path, depth + 1)
        case str():
            return str.__str__(value)
        case int():
            if value.bit_length() > INT_BITS:
                raise ProtocolError(
                    f"{path}: a number of {value.bit_length():,} bits is too long for JSON", field=path
                )
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {_key(key, path): _plain(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case AbstractSet():
            items = [_plain(item, f"{path}[…]", depth + 1) for item in value]
            return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
        case Sequence():
            return [_plain(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)]
    return _foreign(value, path, depth)


def _foreign(value: Any, path: str, depth: int) -> Any:
    if isinstance(value, _AS_TEXT):
        return str(value)
    if not isinstance(value, type):
        if dataclasses.is_dataclass(value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return _plain(fields, path, depth + 1)
        dump = getattr(value, "model_dump", None)
        if callable(dump):
            try:
                fields = dump()
            except Exception as error:
                raise ProtocolError(
                    f"{path}: {type(value).__qualname__}.model_dump() raised {error!r}", field=path
                ) from error
            return _plain(fields, path, depth + 1)
        # Scalars and arrays of numpy, without an import of numpy.
        as_list = getattr(value, "tolist", None)
        if callable(as_list):
            return _plain(as_list(), path, depth + 1)
    raise ProtocolError(
        f"{path}: a value of type {type(value).__qualname__} cannot be sent as JSON; send its text or its fields",
        field=path,
    )


def _key(key: Any, path: str) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    if isinstance(key, (*_PLAIN, uuid.UUID, datetime.date)):
        return str(key)
    raise ProtocolError(
        f"{path}: a key of type {type(key).__qualname__} cannot be sent as JSON; use a string", field=path
    )
