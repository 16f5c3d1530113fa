"""Recognise the shapes in which LangGraph streams: tuples by ``stream_mode``, typed parts, events.

``LangGraphAdapter`` asks these functions for the shape of each native. JSON has tuples as lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .._fields import get, ident, items, plain, text
from ._langchain_messages import ShortMessage, is_message, kind_of, messages_in

__all__ = ["calls_in", "is_event", "is_known", "is_protocol", "mode_of", "namespace_of", "state_mode"]

_OTHERS: Final = ("event", "event_kind", "method", "object", "type")
"""The fields in which other SDKs store the kind of an event."""

_MODES: Final = frozenset(("messages", "updates", "values", "custom", "tasks", "checkpoints", "debug"))

_STEPS: Final = frozenset(("checkpoint", "task", "task_result"))
"""The kinds of natives that the mode "debug" yields."""


def mode_of(native: object) -> tuple[str, Any] | None:
    """Return the stream mode and the data of *native*; ``None`` without a mode."""
    if isinstance(native, Mapping):
        mode = text(get(native, "type"))
        if mode in _STEPS and "step" in native and "payload" in native:
            return "debug", native
        return (mode, get(native, "data")) if mode in _MODES and "ns" in native else None
    parts = items(native)
    if len(parts) == len(("namespace", "mode", "data")) and _is_namespace(parts[0]):
        parts = parts[1:]  # subgraphs=True
    if len(parts) != len(("mode", "data")):
        return None
    first, data = parts
    if isinstance(first, str):
        return (first, data) if first in _MODES else None
    if is_message(first):
        return "messages", parts
    if _is_namespace(first):  # subgraphs=True with a single mode
        state = state_mode(data)
        return mode_of(data) or ((state, data) if state else None)
    return None


def namespace_of(native: object) -> list[str]:
    """Return the path of subgraphs of a native with a mode; an empty path is the graph itself."""
    if isinstance(native, Mapping):
        path = get(native, "ns")
    else:
        path = items(native)[0] if items(native) and not is_message(items(native)[0]) else ()
    return [text(step) for step in items(path)]


def is_protocol(native: object) -> bool:
    """Return whether *native* is an event of langchain-protocol: ``astream_events(version="v3")``."""
    params = get(native, "params")
    return (
        text(get(native, "type")) == "event"
        and isinstance(get(native, "method"), str)
        and isinstance(get(params, "namespace"), list | tuple)
    )


def state_mode(native: object) -> str | None:
    """Return "values" for a state with messages, "updates" for an update with messages, else ``None``."""
    if not isinstance(native, Mapping):
        return None
    if messages_in({"messages": get(native, "messages")}):
        return "values"
    has_messages = any(messages_in(update) for update in native.values())
    return "updates" if has_messages or "__interrupt__" in native else None


def is_event(native: object) -> bool:
    """Return whether *native* is an event of ``astream_events(version="v2")``."""
    return text(get(native, "event")).startswith("on_") and ident(get(native, "run_id")) is not None


def is_known(native: object) -> bool:
    """Return whether *native* certainly comes from LangChain or LangGraph.

    A single ``stream_mode="custom"`` may yield any value. A state, or an update of a state, without
    messages of LangChain (``graph.stream(x)`` without a mode) may also come from elsewhere.
    """
    if kind_of(native) == "chunk":
        return is_message(native)
    return is_event(native) or is_protocol(native) or mode_of(native) is not None or _is_state(native)


def _is_state(native: object) -> bool:
    if not isinstance(native, Mapping) or any(isinstance(get(native, name), str) for name in _OTHERS):
        return False
    if items(get(native, "__interrupt__")):
        return True
    states = [value for value in (native, *native.values()) if get(value, "messages") is not None]
    found = [message for state in states for message in messages_in(state)]
    # Messages of other SDKs have no ``additional_kwargs``, and a state with messages in short may be anybody's.
    is_update = "messages" not in native and all(v is None or isinstance(v, Mapping) for v in native.values())
    return bool(found) and all(
        is_update if isinstance(one, ShortMessage) else get(one, "additional_kwargs") is not None
        for one in found
    )


def calls_in(value: object) -> list[dict[str, Any]]:
    """Return the tool calls in a task's input: one call, a list of calls, or a call in its context."""
    found = []
    for one in [value, *items(value)]:
        call = get(one, "tool_call") or one
        args = get(call, "args")
        if ident(get(call, "id")) and text(get(call, "name")) and isinstance(args, Mapping):
            found.append(
                {
                    "tool_call_id": ident(get(call, "id")),
                    "tool_name": text(get(call, "name")),
                    "args": plain(args),
                }
            )
    return found


def _is_namespace(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(step, str) for step in value)
