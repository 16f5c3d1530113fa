"""Make spans with the shape of OpenTelemetry's SDK, and traces with that of openai-agents."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

__all__ = ["Agents", "Span", "SpanContext", "Tracer", "asked", "said", "words"]


class SpanContext(NamedTuple):
    """Hold ids, as the SDK's tuple does."""

    trace_id: int
    span_id: int
    is_remote: bool = False


class Span:
    """Hold one span of the SDK."""

    def __init__(
        self, name: str, context: SpanContext, parent: SpanContext | None, attributes: dict[str, Any]
    ) -> None:
        self.name = name
        self.context = context
        self.parent = parent
        self.attributes = attributes
        self.events: list[Any] = []
        self.status = SimpleNamespace(status_code=SimpleNamespace(name="UNSET"), description=None)
        self.start_time = next(TIMES)
        self.end_time: int | None = None
        self.instrumentation_scope = SimpleNamespace(name="tests")

    def set(self, **attributes: Any) -> None:
        """Set attributes; ``__`` stands for a point."""
        self.attributes |= {name.replace("__", "."): value for name, value in attributes.items()}


TIMES = itertools.count(1_700_000_000_000_000_000, 1_000_000)
NUMBERS = itertools.count(1)


class Tracer:
    """Make spans, and give them to processors."""

    def __init__(self, *processors: Any) -> None:
        self.processors = list(processors)
        self.ended: list[Span] = []
        self.open: list[Span] = []

    def add_span_processor(self, processor: Any) -> None:
        """Add a processor, as a ``TracerProvider`` does."""
        self.processors.append(processor)

    def start(self, name: str, above: Span | None = None, **attributes: Any) -> Span:
        """Begin a span below another one."""
        parent = above.context if above is not None else None
        trace_id = parent.trace_id if parent is not None else next(NUMBERS)
        span = Span(name, SpanContext(trace_id, next(NUMBERS)), parent, {})
        span.set(**attributes)
        for processor in self.processors:
            processor.on_start(span, parent_context=None)
        return span

    def end(self, span: Span, error: str | None = None) -> None:
        """End a span."""
        span.end_time = next(TIMES)
        if error is not None:
            span.status = SimpleNamespace(status_code=SimpleNamespace(name="ERROR"), description=error)
        self.ended.append(span)
        for processor in self.processors:
            processor.on_end(span)

    @contextmanager
    def span(self, name: str, **attributes: Any) -> Iterator[Span]:
        """Begin a span below the present one, and end it with the block."""
        span = self.start(name, self.open[-1] if self.open else None, **attributes)
        self.open.append(span)
        error = None
        try:
            yield span
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
            raise
        finally:
            self.open.pop()
            self.end(span, error)

    def agent(self, name: str) -> Any:
        """Begin an agent's span."""
        return self.span(
            f"invoke_agent {name}", gen_ai__operation__name="invoke_agent", gen_ai__agent__name=name
        )

    def tool(self, name: str, **attributes: Any) -> Any:
        """Begin a tool's span."""
        return self.span(
            f"execute_tool {name}",
            gen_ai__operation__name="execute_tool",
            gen_ai__tool__name=name,
            **attributes,
        )

    def chat(self, **attributes: Any) -> Any:
        """Begin a model's span."""
        return self.span("chat m", gen_ai__operation__name="chat", gen_ai__request__model="m", **attributes)


def said(*parts: str | dict[str, Any]) -> str:
    """Return the messages that a model wrote."""
    made = [{"type": "text", "content": part} if isinstance(part, str) else part for part in parts]
    return json.dumps([{"role": "assistant", "parts": made, "finish_reason": "stop"}])


def asked(words: str) -> str:
    """Return the messages that a model got."""
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": words}]}])


def words(parts: Any) -> list[str]:
    """Return the texts of a transcript's parts."""
    return [part.text for part in parts]


class Agents:
    """Make the traces of openai-agents, and give them to processors."""

    def __init__(self) -> None:
        self.processors: list[Any] = []
        self.open: list[Any] = []

    def add_trace_processor(self, processor: Any) -> None:
        """Add a processor."""
        self.processors.append(processor)

    def start_trace(self) -> Any:
        """Begin a trace."""
        trace = SimpleNamespace(trace_id=f"trace_{next(NUMBERS)}", name="Agent workflow")
        for processor in self.processors:
            processor.on_trace_start(trace)
        return trace

    def end_trace(self, trace: Any) -> None:
        """End a trace."""
        for processor in self.processors:
            processor.on_trace_end(trace)

    @contextmanager
    def span(self, trace: Any, kind: str, above: Any = None, **data: Any) -> Iterator[Any]:
        """Begin a span, and end it with the block."""
        span = SimpleNamespace(
            trace_id=trace.trace_id,
            span_id=f"span_{next(NUMBERS)}",
            parent_id=None if above is None else above.span_id,
            started_at=moment(),
            ended_at=None,
            span_data=SimpleNamespace(type=kind, **data),
            error=None,
        )
        for processor in self.processors:
            processor.on_span_start(span)
        try:
            yield span
        finally:
            span.ended_at = moment()
            for processor in self.processors:
                processor.on_span_end(span)


def moment() -> str:
    """Return the next time as a date."""
    return f"2026-11-30T10:00:00.{next(NUMBERS) % 1_000_000:06d}+00:00"
