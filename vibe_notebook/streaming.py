"""Offer the callback API of the system from which this package grew, on the default registry.

For runtimes that push, above the registry: register callbacks for an agent, dispatch its deltas in any order,
finish its calls. A delta is an object or dict with ``type`` ("content" or "thinking"), ``text`` and ``metadata``
(``call_id``, ``runtime_seq``). Its run is the agent's open run, else "default".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._json_values import bounded_repr
from .events import Event, ToolCallDelta, ToolFinished, ToolStarted
from .exceptions import ProtocolError
from .registry import Callback, Registration, Registry, get_registry

__all__ = [
    "dispatch",
    "dispatch_runtime_delta",
    "dispatch_tool_finished",
    "dispatch_tool_preparing",
    "dispatch_tool_started",
    "finish_runtime_call",
    "register",
    "start_link",
    "unregister",
]


def start_link() -> Registry:
    """Return the process-wide registry; start it if needed."""
    return get_registry()


def register(agent_id: str, **callbacks: Callback | None) -> Registration:
    """Register callbacks for an agent's events.

    ``on_result``, ``on_thinking``, ``on_tool_preparing``, ``on_tool_started``, ``on_tool_finished``;
    each gets one event. The registry ignores an empty registration. Raises ``TypeError`` for another name.
    """
    return get_registry().register(agent_id, **callbacks)


def unregister(agent_id: str) -> None:
    """Drop the agent's callbacks and ordering state. An agent that is gone is no error."""
    get_registry().unregister(agent_id)


def dispatch(agent_id: str, chunk: Any) -> None:
    """Dispatch a derived delta: the registry drops it after a direct delta of the same call.

    Raises ``ProtocolError`` for an object that is no delta.
    """
    call_id = _first_field(_first_field(chunk, "metadata"), "call_id")
    get_registry().dispatch(_delta(agent_id, call_id, chunk, derived=True))


def dispatch_runtime_delta(agent_id: str, call_id: str, chunk: Any) -> None:
    """Dispatch a delta, in any order; ``metadata.runtime_seq`` is its place in the call.

    Raises ``ProtocolError`` for an object that is no delta.
    """
    seq = _first_field(_first_field(chunk, "metadata"), "runtime_seq")
    counter = call_id if seq is not None else ""
    get_registry().dispatch(_delta(agent_id, call_id, chunk, seq=seq, counter=counter))


def finish_runtime_call(agent_id: str, call_id: str) -> None:
    """Release the held deltas of a call, in order, and free its buffers."""
    get_registry().finish(agent_id, _run_id(agent_id, call_id), call_id)


def dispatch_tool_preparing(agent_id: str, event: Any) -> None:
    """Dispatch a delta of a tool's arguments: ``tool_call_id``, ``tool_name``, ``delta``."""
    delta = _first_field(event, "delta", "args_delta", "arguments", "params")
    delta = delta if isinstance(delta, str) else ""
    _dispatch_tool("tool_call_delta", ToolCallDelta, agent_id, event, delta=delta)


def dispatch_tool_started(agent_id: str, event: Any) -> None:
    """Dispatch a tool's start: ``tool_call_id``, ``tool_name``, ``args``."""
    args = _first_field(event, "args", "arguments", "params", "input")
    _dispatch_tool("tool_started", ToolStarted, agent_id, event, args=args)


def dispatch_tool_finished(agent_id: str, event: Any) -> None:
    """Dispatch a tool's result: ``result`` or ``error``, or ``["ok" | "error", value, effects]``."""
    output, error = _first_field(event, "result", "output"), _first_field(event, "error")
    failed = (
        error is not None
        or _first_field(event, "is_error") is True
        or _first_field(event, "status") == "error"
    )
    if isinstance(output, list | tuple) and output and output[0] in ("ok", "error"):
        failed = failed or output[0] == "error"
        output = output[1] if len(output) > 1 else None
    if failed and error is None:
        error = output
    text = error if error is None or isinstance(error, str) else bounded_repr(error)
    status = "error" if failed else "ok"
    _dispatch_tool("tool_finished", ToolFinished, agent_id, event, status=status, output=output, error=text)


def _run_id(agent_id: str, call_id: str | None = None) -> str:
    """Return the open run's id, else that of the run with this call.

    So a delta that is repeated after the end of its run counts as a duplicate there.
    """
    registry = get_registry()
    run_id = registry.open_run(agent_id)
    if run_id is None and call_id is not None:
        run_id = registry.run_of(agent_id, call_id)
    if run_id is None:
        run_id = "default"
        registry.revive(agent_id, run_id)  # its id is used again and again
    return run_id


def _first_field(source: Any, *names: str) -> Any:
    for name in names:
        value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
        if value is not None:
            return value
    return None


def _delta(agent_id: str, call_id: str | None, chunk: Any, **envelope: Any) -> dict[str, Any]:
    kind, text = _first_field(chunk, "type"), _first_field(chunk, "text")
    if kind not in ("content", "thinking"):
        msg = f'type: {bounded_repr(kind)} is not a delta; it must be "content" or "thinking".'
        raise ProtocolError(msg, field="type")
    if not isinstance(text, str):
        msg = f"text: {type(text).__name__} is not text; a delta needs a str."
        raise ProtocolError(msg, field="text")
    # As a dict: the registry joins a character that the runtime has cut.
    return {
        "type": "text_delta" if kind == "content" else "thinking_delta",
        "agent_id": agent_id,
        "run_id": _run_id(agent_id, call_id),
        "message_id": call_id,
        "delta": text,
        **envelope,
    }


def _dispatch_tool(kind: str, cls: type[Event], agent_id: str, event: Any, **payload: Any) -> None:
    if isinstance(event, cls):
        get_registry().dispatch(event)
        return
    call_id = _first_field(event, "tool_call_id", "call_id", "id")
    if call_id is None:
        msg = "tool_call_id: missing; a tool event needs the id of its call."
        raise ProtocolError(msg, field="tool_call_id")
    envelope = {
        "type": kind,
        "agent_id": agent_id,
        "run_id": _run_id(agent_id),
        "tool_call_id": str(call_id),
        "tool_name": _first_field(event, "tool_name", "name"),
    }
    get_registry().dispatch({**envelope, **payload})
