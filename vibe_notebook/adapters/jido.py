"""Read Jido: the signals of a ``jido_ai`` agent, as JSON.

The worker numbers its own events (``ai.react.worker.event``) with one counter for the run, and may
deliver them in any order. Every other signal repeats an event of the worker. The deltas of such signals
are derived twins; the adapter ignores the others after the first event of the worker. A result is a
tuple: ok or error, value, effects. Source: jido_ai 2.3, its request and signal guides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import MessageFinished, MessageStarted, ToolStarted, Usage, skip

from ._base import Adapter
from ._fields import get, ident, integer, items, json_text, parsed, plain, reason, text, usage_of

__all__ = ["JidoAdapter", "matches"]

_WORKER: Final = "ai.react.worker.event"
_TEXTS: Final = {"content": "text", "thinking": "thinking"}
_QUIET: Final = frozenset(("keepalive", "checkpoint"))
_OUTCOMES: Final = ("started", "completed", "failed", "error", "cancelled")


def matches(native: object) -> bool:
    """Return whether *native* is a signal of a Jido agent."""
    return text(get(native, "type")).startswith("ai.") and isinstance(get(native, "data"), Mapping)


class JidoAdapter(Adapter):
    """Read one request to an agent; another request in the same stream has a counter of its own."""

    name = "jido"
    tells_usage = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._first_run: str | None = None
        self._has_worker = False
        self._finished: set[str] = set()

    def _read(self, native: object) -> None:
        kind, data = text(get(native, "type")), get(native, "data")
        if kind == _WORKER and get(data, "event") is not None:
            self._worker(get(data, "event"))
        elif kind == "ai.llm.delta":
            self._twin(data)
        elif kind.startswith("ai.request."):
            verb = kind.removeprefix("ai.request.")
            if not (self._has_worker and verb in _OUTCOMES):
                self._request(native, verb, data)
        elif kind in ("ai.llm.response", "ai.usage", "ai.tool.params", "ai.tool.started", "ai.tool.result"):
            if not self._has_worker:
                self._repeat(kind, data)
        else:
            self.emit_unknown(native, kind or ident(get(native, "type")))

    # The worker's events.

    def _worker(self, event: object) -> None:
        self._has_worker = True
        kind, data, seq = text(get(event, "kind")), get(event, "data"), integer(get(event, "seq"))
        if seq is not None:
            self._envelope = {"seq": seq, "counter": self._counter(ident(get(event, "run_id")) or "")}
        topic, _, verb = kind.partition("_")
        if topic == "llm":
            self._envelope["message_id"] = ident(get(event, "llm_call_id"))
        match topic, verb:
            case "request", _ if verb in _OUTCOMES:
                self._request(event, verb, data)
            case "llm", "started":
                self.emit(MessageStarted)
            case "llm", "delta":
                self._delta(data)
            case "llm", "completed":
                self._completed(data)
            case "tool", "started" | "completed":
                fields = data if ident(get(data, "tool_call_id")) else event
                self._tool(data, ident(get(fields, "tool_call_id")), text(get(fields, "tool_name")), verb)
            case _ if kind not in _QUIET:
                self.emit_unknown(data, kind or _WORKER)
        if seq is not None and not self._out:
            self._out.append(skip(self.agent_id, self.run_id, **self._envelope))

    def _counter(self, run: str) -> str:
        if self._first_run is None:
            self._first_run = run
        return "" if run == self._first_run else run

    def _request(self, native: object, verb: str, data: object) -> None:
        match verb:
            case "started":
                self.start(input=plain(get(data, "query")))
            case "completed":
                self._result = plain(get(data, "result"))
            case "failed" | "error":
                cause = get(data, "error")
                self.end("error", _error_text(get(data, "reason") if cause is None else cause) or "error")
            case "cancelled":
                self.end("cancelled")
            case _:
                self.emit_unknown(native, f"ai.request.{verb}")

    # Model calls.

    def _delta(self, data: object) -> None:
        kind = _TEXTS.get(text(get(data, "chunk_type")))
        if kind is None:
            self.emit_unknown(data, text(get(data, "chunk_type")) or "llm_delta")
        else:
            self.emit_text(kind, "0", text(get(data, "delta")))

    def _twin(self, data: object) -> None:
        call_id = ident(get(data, "call_id"))
        self._envelope = {"message_id": call_id, "derived": True}
        seq = integer(get(data, "seq"))
        if seq is not None and call_id is not None:
            # The number is the worker's, but its events between two calls are absent. One counter for
            # the whole run would have gaps there, so each call has a counter.
            self._envelope |= {"seq": seq, "counter": call_id}
        if text(get(data, "chunk_type")) in _TEXTS:
            self._delta(data)

    def _completed(self, data: object) -> None:
        for kind, name in (("thinking", "thinking_content"), ("text", "text")):
            if whole := text(get(data, name)):
                self.emit_whole(kind, "0", whole)
        for call in items(get(data, "tool_calls")):
            if (call_id := ident(get(call, "id"))) is not None:
                args = json_text(get(call, "arguments") or None)
                self.emit_rest_of_args(call_id, text(get(call, "name")) or None, args)
        self.emit(
            MessageFinished, finish_reason=ident(get(data, "turn_type")), usage=_usage(get(data, "usage"))
        )

    # Tools.

    def _tool(self, data: object, call_id: str | None, name: str, verb: str) -> None:
        if call_id is None:
            self.emit_unknown(data, f"tool_{verb}")
            return
        if verb == "started":
            args = parsed(get(data, "arguments"))
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=name or None, args=args)
            return
        is_ok, value = _unpacked(get(data, "result"))
        self.emit_result(
            value,
            tool_call_id=call_id,
            tool_name=name or None,
            status="ok" if is_ok else "error",
            error=None if is_ok else _error_text(value),
        )

    # Signals of an agent without the worker's events.

    def _repeat(self, kind: str, data: object) -> None:
        call_id, name = ident(get(data, "call_id")), text(get(data, "tool_name"))
        topic, _, verb = kind.removeprefix("ai.").partition(".")
        if verb == "params" and call_id is not None:
            self.emit_args(call_id, name or None, text(get(data, "delta")))
        elif topic == "tool":
            self._tool(data, call_id, name, "started" if verb == "started" else "completed")
        elif call_id is not None and call_id not in self._finished:
            self._finished.add(call_id)
            self._envelope = {"message_id": call_id}
            is_ok, value = _unpacked(get(data, "result"))
            usage = get(data, "usage") if topic == "llm" else data
            content = {name: get(value, name) for name in ("text", "thinking_content", "tool_calls")}
            turn = {"turn_type": get(value, "type"), "usage": usage}
            self._completed({**content, **turn} if is_ok else turn)


def _unpacked(result: object) -> tuple[bool, Any]:
    parts = items(result)
    head = text(parts[0]) if len(parts) > 1 else ""
    return head != "error", parts[1] if head in ("ok", "error") else result


def _error_text(error: object) -> str:
    return text(get(error, "message")) or reason(plain(error))


def _usage(native: object) -> Usage | None:
    return usage_of(
        native,
        cached=("cached_tokens",),
        reasoning=("reasoning_tokens",),
        model=ident(get(native, "model")),
    )
