"""Recognise what LangGraph's server streams: the parts of langgraph-sdk, and its typed parts.

A part is a tuple of an event, its data and perhaps an id. The event is a stream mode, or one that only the server has;
after ``|`` follow the steps of its namespace. JavaScript's SDK has objects of these fields. Version "v2" has typed
parts as LangGraph itself has. Source: ``langgraph_sdk.schema``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from .._fields import get, ident, items, text
from ._langchain_messages import is_message

__all__ = ["ServerPart", "is_server", "part_of", "whole_message"]

_MODES: Final = frozenset(("messages", "updates", "values", "custom", "tasks", "checkpoints", "debug"))
_OWN: Final = frozenset(("messages/complete", "messages/metadata", "messages/partial", "metadata"))
"""The events that only the server has, and no other SDK."""
_PLAIN: Final = frozenset(("end", "error", "events", "feedback"))
"""The events whose names other SDKs have too."""
_TUPLE: Final = 3
"""Fields of a part; older versions have no id."""


class ServerPart(NamedTuple):
    """Hold a part: its kind, its namespace and its data."""

    kind: str
    namespace: list[str]
    data: Any

    def inner(self) -> tuple[str, Any, None]:
        """Return the part as the subgraph at the first step of its namespace would stream it."""
        return "|".join([self.kind, *self.namespace[1:]]), self.data, None


def part_of(native: object) -> ServerPart | None:
    """Return the part that *native* is; ``None`` for every other value."""
    if isinstance(native, Mapping):
        kind, namespace = text(get(native, "type")), get(native, "ns")
        if isinstance(namespace, list | tuple):
            steps = [text(step) for step in namespace]
            is_own = kind in _OWN | _PLAIN
            return ServerPart(kind, steps, get(native, "data")) if is_own else None
        if kind or "data" not in native:
            return None
        event, data = get(native, "event"), get(native, "data")
    else:
        fields = items(native)
        if len(fields) not in (_TUPLE - 1, _TUPLE) or (len(fields) == _TUPLE and not _is_id(fields[2])):
            return None
        event, data = fields[:2]
    kind, *steps = text(event).split("|")
    is_known = kind in _OWN | _PLAIN or (kind in _MODES and (len(items(native)) != _TUPLE - 1 or steps))
    return ServerPart(kind, steps, data) if is_known else None


def _is_id(value: object) -> bool:
    return value is None or isinstance(value, str)


def is_server(native: object) -> bool:
    """Return whether *native* certainly is a part of the server's stream."""
    part = part_of(native)
    if part is None:
        return False
    kind, data = part.kind, part.data
    if kind == "metadata":
        return ident(get(data, "run_id")) is not None
    if kind in ("messages/partial", "messages/complete"):
        return bool(items(data)) and all(map(is_message, items(data)))
    if kind == "messages":
        return any(map(is_message, items(data)[:1]))
    is_tuple = isinstance(native, list | tuple)
    if kind == "error":
        return is_tuple and text(get(data, "error")) != "" and get(data, "message") is not None
    return kind == "messages/metadata" or (kind in _MODES and (is_tuple or kind in ("updates", "values")))


def whole_message(message: object) -> object:
    """Return a message that is whole under its chunk's type as a whole message."""
    kind = text(get(message, "type"))
    if isinstance(message, Mapping) and kind.endswith("MessageChunk"):
        return {**message, "type": kind.removesuffix("MessageChunk").lower()}
    return message
