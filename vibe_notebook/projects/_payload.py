"""A payload as JSON, strictly: what cannot be sent is the sender's error, and names the field."""

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

_careful: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

_PLAIN: Final = (str, int, float)
_AS_TEXT: Final = (uuid.UUID, decimal.Decimal, os.PathLike)


def encode(data: Any) -> str:
    """*data* as one line of JSON.

    Beside JSON's own: dates as ISO 8601, timedeltas as seconds, bytes as base64, pydantic models,
    dataclasses, enums, sets (sorted), numpy scalars and arrays, paths, UUIDs and decimals; what is
    not a finite number is null.

    Raises:
        ProtocolError: something else is in it; ``field`` says where.
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
    """What writes JSON's own types: Python's C encoder, made once.

    ``JSONEncoder.encode`` makes it anew for every value, which takes as long again as to write a delta. Without its
    record of what a value is inside of: that could not be shared by threads, and recursion has a limit.
    """
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    try:
        parts = make(None, _refuse, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    except TypeError:  # it is Python's own affair: another may have none, or call it otherwise
        return _careful
    return lambda data: "".join(parts(data, 0))


_write: Final = _writer()


def _plain(value: Any, path: str, depth: int) -> Any:  # noqa: C901 - a table of types
    if depth > DEPTH:
        path = f"{path[:60]}…"
        raise ProtocolError(f"{path}: nested more than {DEPTH} deep, or in itself", field=path)
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
        # numpy's scalars and arrays, without importing it.
        as_list = getattr(value, "tolist", None)
        if callable(as_list):
            return _plain(as_list(), path, depth + 1)
    raise ProtocolError(
        f"{path}: a {type(value).__qualname__} cannot be sent as JSON; send its text or its fields",
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
    raise ProtocolError(f"{path}: a {type(key).__qualname__} cannot be a key in JSON", field=path)
