"""The callback API of the system this package grew from, as functions on the default registry.

For runtimes that push: register callbacks for an agent, dispatch its deltas in whatever order
they arrive, finish its calls. A delta is an object or dict with ``type`` ("content" or
"thinking"), ``text`` and ``metadata`` (``call_id``, ``runtime_seq``); the run is the agent's
open one, else "default".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._json_values import bounded_repr
from .events import Event, ToolCallDelta, ToolFinished, ToolStarted, parse_event
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
    """Start the process-wide registry, or return the one that runs."""
    return get_registry()


def register(agent_id: str, **callbacks: Callback | None) -> Registration:
    """Call back for an agent's events.

    ``on_result``, ``on_thinking``, ``on_tool_preparing``, ``on_tool_started``, ``on_tool_finished``;
    each gets one event. Empty registrations are ignored; ``TypeError`` for a callback of another name.
    """
    return get_registry().register(agent_id, **callbacks)


def unregister(agent_id: str) -> None:
    """Drop the agent's callbacks and ordering state; an agent that is gone is no error."""
    get_registry().unregister(agent_id)


def dispatch(agent_id: str, chunk: Any) -> None:
    """Take a derived delta: shown unless the runtime's own deltas of that call were seen."""
    call_id = _read(_read(chunk, "metadata"), "call_id")
    get_registry().dispatch(_delta(agent_id, call_id, chunk, derived=True))


def dispatch_runtime_delta(agent_id: str, call_id: str, chunk: Any) -> None:
    """Take a delta in any order; its ``metadata.runtime_seq`` says where it belongs in the call."""
    seq = _read(_read(chunk, "metadata"), "runtime_seq")
    counter = call_id if seq is not None else ""
    get_registry().dispatch(_delta(agent_id, call_id, chunk, seq=seq, counter=counter))


def finish_runtime_call(agent_id: str, call_id: str) -> None:
    """Flush what the call holds, in order, and free its buffers."""
    get_registry().finish(agent_id, _run(agent_id, call_id), call_id)


def dispatch_tool_preparing(agent_id: str, event: Any) -> None:
    """Take tool parameters as they stream: ``tool_call_id``, ``tool_name``, ``delta``."""
    delta = _read(event, "delta", "args_delta", "arguments", "params")
    delta = delta if isinstance(delta, str) else ""
    _dispatch_tool("tool_call_delta", ToolCallDelta, agent_id, event, delta=delta)


def dispatch_tool_started(agent_id: str, event: Any) -> None:
    """Take a tool's start: ``tool_call_id``, ``tool_name``, ``args``."""
    args = _read(event, "args", "arguments", "params", "input")
    _dispatch_tool("tool_started", ToolStarted, agent_id, event, args=args)


def dispatch_tool_finished(agent_id: str, event: Any) -> None:
    """Take a tool's terminal result: ``result`` or ``error``, or ``["ok" | "error", value, effects]``."""
    output, error = _read(event, "result", "output"), _read(event, "error")
    failed = error is not None or _read(event, "is_error") is True or _read(event, "status") == "error"
    if isinstance(output, list | tuple) and output and output[0] in ("ok", "error"):
        failed = failed or output[0] == "error"
        output = output[1] if len(output) > 1 else None
    if failed and error is None:
        error = output
    text = error if error is None or isinstance(error, str) else bounded_repr(error)
    status = "error" if failed else "ok"
    _dispatch_tool("tool_finished", ToolFinished, agent_id, event, status=status, output=output, error=text)


def _run(agent_id: str, call_id: str | None = None) -> str:
    """The open run; without one the run that knows the call, so that a repeat after its end is still told."""
    registry = get_registry()
    run_id = registry.open_run(agent_id)
    if run_id is None and call_id is not None:
        run_id = registry.run_of(agent_id, call_id)
    return run_id or "default"


def _read(source: Any, *names: str) -> Any:
    for name in names:
        value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
        if value is not None:
            return value
    return None


def _delta(agent_id: str, call_id: str | None, chunk: Any, **envelope: Any) -> Event:
    kind, text = _read(chunk, "type"), _read(chunk, "text")
    if kind not in ("content", "thinking"):
        msg = f'type: {bounded_repr(kind)} is not a delta; it must be "content" or "thinking".'
        raise ProtocolError(msg, field="type")
    if not isinstance(text, str):
        msg = f"text: {type(text).__name__} is not text; a delta needs a str."
        raise ProtocolError(msg, field="text")
    return parse_event(
        {
            "type": "text_delta" if kind == "content" else "thinking_delta",
            "agent_id": agent_id,
            "run_id": _run(agent_id, call_id),
            "message_id": call_id,
            "delta": text,
            **envelope,
        }
    )


def _dispatch_tool(kind: str, cls: type[Event], agent_id: str, event: Any, **payload: Any) -> None:
    if isinstance(event, cls):
        get_registry().dispatch(event)
        return
    call_id = _read(event, "tool_call_id", "call_id", "id")
    if call_id is None:
        msg = "tool_call_id: missing; a tool event says which call it is of."
        raise ProtocolError(msg, field="tool_call_id")
    envelope = {
        "type": kind,
        "agent_id": agent_id,
        "run_id": _run(agent_id),
        "tool_call_id": str(call_id),
        "tool_name": _read(event, "tool_name", "name"),
    }
    get_registry().dispatch(parse_event({**envelope, **payload}))
