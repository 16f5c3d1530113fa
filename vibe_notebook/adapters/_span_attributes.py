"""Read the attributes of OpenTelemetry's spans: of the SDK's objects, of their JSON, and of OTLP's JSON.

Beside ``otel_spans.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ._fields import camel, get, ident, items, plain, text

__all__ = ["attributes_in", "numbered"]

_DIGITS: Final = 20
"""Digits that no 64-bit number has."""
_MOST: Final = 6
"""Digits that no number of a message has."""
_DEPTH: Final = 32
"""Levels of a value of OTLP's JSON."""


def attributes_in(found: object) -> dict[str, Any]:
    """Return attributes by name, of an object's mapping or of OTLP's list."""
    if isinstance(found, Mapping):
        try:
            return {str(name): value for name, value in found.items()}
        except Exception:  # noqa: BLE001 - a foreign mapping may raise anything
            return {}
    return {
        name: _value(get(one, "value"), 0)
        for one in items(found)
        if (name := ident(get(one, "key"))) is not None
    }


def _value(found: object, depth: int) -> Any:
    """Return a value of OTLP's JSON."""
    if depth > _DEPTH:
        return None
    for field in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        if (one := camel(found, field)) is not None:
            return one
    if (one := camel(found, "intValue")) is not None:
        digits = text(one)
        return int(digits) if digits.lstrip("-").isdigit() and len(digits) < _DIGITS else one
    if (one := camel(found, "arrayValue")) is not None:
        return [_value(item, depth + 1) for item in items(get(one, "values"))]
    if (one := camel(found, "kvlistValue")) is not None:
        pairs = items(get(one, "values"))
        return {
            name: _value(get(pair, "value"), depth + 1) for pair in pairs if (name := ident(get(pair, "key")))
        }
    return None if get(found, "value") is not None or isinstance(found, Mapping) else plain(found)


def numbered(attributes: Mapping[str, Any], prefix: str) -> list[Any]:
    """Return what attributes with numbers in their names describe: ``PREFIX.0.message.content`` and so on."""
    root: dict[str, Any] = {}
    for name, value in attributes.items():
        if not name.startswith(f"{prefix}."):
            continue
        at = root
        *path, last = name.removeprefix(f"{prefix}.").split(".")
        for step in path:
            inner = at.setdefault(step, {})
            if not isinstance(inner, dict):
                inner = at[step] = {}
            at = inner
        if not isinstance(at.get(last), dict):
            at[last] = value
    return _as_list(root)


def _as_list(found: dict[str, Any]) -> list[Any]:
    numbers = sorted(
        (int(name), name) for name in found if name.isascii() and name.isdigit() and len(name) < _MOST
    )
    return [_with_lists(found[name]) for _, name in numbers]


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isascii() and name.isdigit() and len(name) < _MOST for name in value):
        return _as_list(value)
    return {name: _with_lists(one) for name, one in value.items()}
