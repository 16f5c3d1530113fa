"""Read the traces of OpenAI's Agents SDK, as its trace processors get them, or as ``export()`` gives them.

A trace is a run with all agents of its handoffs; an agent that works inside of a tool is a run inside of that call. The
JSON of a response's span has only its id: the objects have the messages too. Source: ``agents.tracing``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from vibe_notebook.events import Usage

from ._call_ids import CALLS, drop_oldest
from ._fields import get, ident, integer, items, json_text, parsed, plain, text
from ._openai_items import SERVER_TOOLS, args_of, call_id_of, name_of, outcome_of
from ._span_messages import Piece, Said, messages_of
from ._span_tree import Kind, Span
from ._spans import SpansAdapter

__all__ = ["OpenAIAgentsTracesAdapter", "matches", "read_head"]

_KINDS: Final[dict[str, Kind]] = {
    "agent": "agent",
    "function": "tool",
    "generation": "model",
    "handoff": "handoff",
    "response": "model",
}


def matches(native: object) -> bool:
    """Return whether *native* is a trace, or one of its spans."""
    if ident(get(native, "trace_id")) is not None:
        data = get(native, "span_data")
        return (
            isinstance(get(native, "workflow_name") or get(native, "name"), str)
            if data is None
            else _is_data(data)
        )
    if text(get(native, "object")) == "trace.span":
        return _is_data(get(native, "span_data"))
    return text(get(native, "object")) == "trace" and ident(get(native, "id")) is not None


def _is_data(data: object) -> bool:
    return isinstance(get(data, "type"), str)


class OpenAIAgentsTracesAdapter(SpansAdapter):
    """Read one or many traces."""

    name = "openai_agents_traces"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._traces: dict[str, None] = {}

    def spans_in(self, native: object) -> list[Span]:
        """Return the span that a native is, before it the trace if that has not come."""
        span = _read(native)
        if span is None:
            return []
        trace = Span(span.trace_id, span.trace_id, None, "trace", is_over=False)
        is_known = span.trace_id in self._traces or span.kind == "trace"
        self._traces[span.trace_id] = None
        drop_oldest(self._traces, CALLS)
        return [span] if is_known else [trace, span]


def read_head(native: object) -> Span | None:
    """Return a trace or a span without its messages; ``None`` for a native that is neither."""
    if not matches(native):
        return None
    data = get(native, "span_data")
    return _trace(native) if data is None else _head(native, data)


def _read(native: object) -> Span | None:
    span = read_head(native)
    if span is not None and span.kind != "trace":
        _read_data(span, native, get(native, "span_data"))
    return span


def _trace(native: object) -> Span:
    trace_id = ident(get(native, "trace_id")) or ident(get(native, "id")) or ""
    name = text(get(native, "workflow_name")) or text(get(native, "name")) or None
    return Span(trace_id, trace_id, None, "trace", name, is_over=False)


def _head(native: object, data: object) -> Span | None:
    trace_id = ident(get(native, "trace_id"))
    span_id = ident(get(native, "span_id")) or ident(get(native, "id"))
    if trace_id is None or span_id is None:
        return None
    kind = _KINDS.get(text(get(data, "type")), "group")
    ended = get(native, "ended_at")
    parent_id = ident(get(native, "parent_id")) or trace_id
    span = Span(trace_id, span_id, parent_id, kind, text(get(data, "name")) or None)
    span.start, span.end, span.is_over = _time(get(native, "started_at")), _time(ended), ended is not None
    if kind == "handoff":
        names = (text(get(data, name)) or "?" for name in ("from_agent", "to_agent"))
        span.name = " → ".join(names)
    return span


def _read_data(span: Span, native: object, data: object) -> None:
    _read_error(span, get(native, "error"))
    match text(get(data, "type")):
        case "function":
            span.args, span.result = get(data, "input"), get(data, "output")
            span.has_result = span.result is not None
        case "generation":
            span.heard, span.said = messages_of(get(data, "input")), messages_of(get(data, "output"))
            span.usage = _usage(get(data, "usage"), ident(get(data, "model")))
        case "response":
            _read_response(span, data)
        case _:
            pass


def _read_response(span: Span, data: object) -> None:
    response = get(data, "response")
    span.heard = messages_of(get(data, "input"))
    pieces = [piece for item in items(get(response, "output")) for piece in _pieces_of(item)]
    span.said = (Said("assistant", tuple(pieces)),) if pieces else ()
    model = ident(get(response, "model"))
    usage = get(response, "usage")
    span.usage = _usage(get(data, "usage") if usage is None else usage, model)
    span.finish_reason = ident(get(response, "incomplete_details", "reason"))


def _pieces_of(item: object) -> list[Piece]:
    """Return the parts of an item of a response; a tool that the provider runs has its result in the same item."""
    if text(get(item, "type")) in SERVER_TOOLS:
        call_id = call_id_of(item) or ""
        result = outcome_of(item)[0].output
        call = Piece("call", call_id=call_id, name=name_of(item), value=parsed(args_of(item)))
        return [call, Piece("result", call_id=call_id, value=result)]
    return [piece for said in messages_of([plain(item)]) for piece in said.pieces]


def _usage(native: object, model: str | None) -> Usage | None:
    if native is None:
        return None
    fields: dict[str, Any] = {
        "input_tokens": integer(get(native, "input_tokens")),
        "output_tokens": integer(get(native, "output_tokens")),
        "cached_input_tokens": integer(get(native, "input_tokens_details", "cached_tokens")),
        "reasoning_tokens": integer(get(native, "output_tokens_details", "reasoning_tokens")),
    }
    return None if all(value is None for value in fields.values()) else Usage(**fields, model=model)


def _read_error(span: Span, error: object) -> None:
    if error is None:
        return
    span.is_failed = True
    about = get(error, "data", "error")
    words = [text(get(error, "message")), text(about) or ("" if about is None else json_text(about))]
    span.error = ": ".join(filter(None, words)) or json_text(plain(error))


def _time(value: object) -> float | None:
    try:
        return datetime.fromisoformat(text(value)).timestamp() if value else None
    except (ValueError, OverflowError, OSError):
        return None
