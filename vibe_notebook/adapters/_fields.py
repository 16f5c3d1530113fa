"""Read the fields of natives, and convert their values to a known type.

Every adapter uses these functions. Natives are foreign: a field may be missing, have another type, or
be a property that raises. No function here raises, and every returned string is valid Unicode.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import re
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from vibe_notebook._half_pairs import scrub_inside
from vibe_notebook._json_values import bounded_repr, dump_model, scrub, to_json_value
from vibe_notebook.events import Usage

__all__ = [
    "bounded",
    "camel",
    "fields_of",
    "get",
    "ident",
    "integer",
    "items",
    "json_text",
    "lossless_text",
    "number",
    "parsed",
    "plain",
    "reason",
    "text",
    "usage_of",
]

VALUE_LIMIT: Final = 10_000
"""The value of a ``Custom`` has at most this many characters of JSON."""

DEPTH_LIMIT: Final = 64
"""``plain`` follows a value to this many levels; deeper values become their ``repr``."""

_STRING_OR_SPACE: Final = re.compile(r'"(?>[^"\\]+|\\.)*"|\s+', re.DOTALL)
_CAPITAL: Final = re.compile("[A-Z]")
_NO_FIELDS: Final = (str, bytes, bytearray, int, float, list, tuple, set, frozenset, type(None))
_SCALARS: Final = (
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
    bytes,
)


def get(native: object, *path: str) -> Any:
    """Return the value at the end of *path*, through attributes or dict keys; ``None`` without one."""
    for name in path:
        if isinstance(native, _NO_FIELDS):
            return None
        try:
            native = native.get(name) if isinstance(native, Mapping) else getattr(native, name, None)
        except Exception:  # noqa: BLE001 - a foreign property may raise anything
            return None
    return native


def camel(native: object, name: str) -> Any:
    """Return the field *name*, given in camelCase, of JSON in camelCase or an object in snake_case."""
    found = get(native, name)
    return get(native, _CAPITAL.sub(lambda found: f"_{found[0].lower()}", name)) if found is None else found


def fields_of(native: object) -> dict[str, Any]:
    """Return the fields of an object or a dict, one level deep."""
    if isinstance(native, _NO_FIELDS):
        return {}
    try:
        return {
            str(name): value
            for name, value in (native if isinstance(native, Mapping) else vars(native)).items()
        }
    except Exception:  # noqa: BLE001 - a foreign mapping may raise anything
        return {}


def text(value: object) -> str:
    """Return *value* if it is a string, else "". Half of a character may stand at its ends."""
    return scrub_inside(value) if isinstance(value, str) else ""


def ident(value: object) -> str | None:
    """Return *value* as an id: a non-empty string, or a count as a string; else ``None``."""
    if isinstance(value, str):
        return scrub(value) or None
    return None if integer(value) is None else str(value)


def integer(value: object) -> int | None:
    """Return *value* if it is a count or an index (0 to 2**63 - 1), else ``None``."""
    return value if type(value) is int and 0 <= value < 1 << 63 else None


def number(value: object) -> float | None:
    """Return *value*, a number or its text, as a finite float; else ``None``.

    JSON carries decimals as strings.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | decimal.Decimal):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def items(value: object) -> list[Any]:
    """Return the elements of a list or tuple; an empty list for every other value."""
    return list(value) if isinstance(value, list | tuple) else []


class _Parsed(dict[str, Any]):
    """Hold parsed arguments together with their JSON text."""

    text: str = ""


def parsed(args: object) -> Any:
    """Return tool arguments as a value: parse complete JSON text, and keep other text."""
    if not isinstance(args, str):
        return plain(args)
    if not args.strip():
        return None
    try:
        value = json.loads(args)
    except (ValueError, RecursionError):
        return scrub(args)
    if isinstance(value, dict):
        value = _Parsed(value)
        value.text = args
    return value


def lossless_text(args: object, written: str) -> str | None:
    """Return the JSON text of *args* if that text has more than the value: digits, escapes, a key twice.

    *written* is the text that the model streamed, perhaps of these arguments.
    """
    if not isinstance(args, dict):
        return None
    text = args.text if isinstance(args, _Parsed) else written
    if not text or _compact(text) == _compact(json.dumps(args, ensure_ascii=False, default=repr)):
        return None
    return text if isinstance(args, _Parsed) or plain(parsed(text)) == plain(args) else None


def _compact(text: str) -> str:
    """Return JSON text without the white space outside of its strings."""
    return _STRING_OR_SPACE.sub(lambda match: match[0] if match[0][0] == '"' else "", text)


def json_text(args: object) -> str:
    """Return tool arguments as JSON text, as a model writes them; text stays as it is."""
    if args is None or isinstance(args, str):
        return text(args)
    return json.dumps(plain(args), ensure_ascii=False)


def reason(content: object) -> str:
    """Return the text of a failure; a list of validation errors (``loc``, ``msg``) gives a line each."""
    lines = [
        f"{'.'.join(str(step) for step in items(get(error, 'loc')))}: {message}"
        for error in items(content)
        if (message := text(get(error, "msg")))
    ]
    return scrub("\n".join(lines)) if lines else json_text(content)


def bounded(native: object) -> Any:
    """Return *native* as JSON types; above ``VALUE_LIMIT``, return the beginning of its JSON text."""
    value = plain(native)
    body = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(body) <= VALUE_LIMIT:
        return value
    return f"{body[:VALUE_LIMIT]}… ({len(body):,} characters)"


def usage_of(
    native: object, *, cached: tuple[str, ...], reasoning: tuple[str, ...], model: str | None = None
) -> Usage | None:
    """Return the usage in *native*.

    *cached* and *reasoning* are the paths of those two counts, which differ from SDK to SDK.
    """
    if native is None:
        return None
    fields: dict[str, Any] = {
        "input_tokens": integer(get(native, "input_tokens")),
        "output_tokens": integer(get(native, "output_tokens")),
        "cached_input_tokens": integer(get(native, *cached)),
        "reasoning_tokens": integer(get(native, *reasoning)),
        "cost": number(get(native, "cost")),
        "model": model,
    }
    return Usage(**fields)


def plain(value: object) -> Any:
    """Return *value* as JSON types, in the form of pydantic's JSON mode.

    Recordings hold that form. So a live object and its recorded dict give equal events.
    """
    return to_json_value(_plain(value, ()))


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    try:
        return _converted(value, above)
    except Exception:  # noqa: BLE001 - a foreign mapping or serialiser may raise anything
        return bounded_repr(value)


def _converted(value: Any, above: tuple[int, ...]) -> Any:
    if isinstance(value, str | int | float | enum.Enum) or value is None:
        return value
    if isinstance(value, _SCALARS):
        return to_jsonable_python(value, bytes_mode="base64")
    if id(value) in above or len(above) > DEPTH_LIMIT:
        return bounded_repr(value)
    above = (*above, id(value))
    if isinstance(value, BaseModel):
        value = dump_model(value, partial(BaseModel.model_dump, value, mode="json", warnings=False))
    if isinstance(value, Mapping):
        return {name: _plain(item, above) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, above) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if not f.name.startswith("_")]
        return {name: _plain(get(value, name), above) for name in names}
    return value
