"""Implement OpenTelemetry's tracer for spans that only this package gets: pydantic-ai's, where the user traces nothing.

Below ``hooks.py``. OpenTelemetry's API has no such tracer, and its SDK need not be installed. Nothing leaves the process.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import SimpleNamespace, TracebackType
from typing import Any, Self

__all__ = ["RunTracerProvider"]


class RunTracerProvider:
    """Make tracers whose spans go to *begin* when they begin, and to *end* when they have ended."""

    def __init__(self, begin: Callable[[Any], object], end: Callable[[Any], object]) -> None:
        self.begin = begin
        self.end = end
        self.api: Any = import_module("opentelemetry.trace")
        # The API knows a span by its class, and lets other classes be one.
        self.api.Span.register(RunSpan)

    def get_tracer(self, *_: Any, **__: Any) -> RunTracer:
        """Return a tracer; the name of the instrumentation does not matter."""
        return RunTracer(self)


class RunTracer:
    """Make spans."""

    def __init__(self, provider: RunTracerProvider) -> None:
        self._provider = provider

    def start_span(
        self,
        name: str,
        context: Any = None,
        kind: Any = None,
        attributes: Mapping[str, Any] | None = None,
        links: Any = (),
        start_time: int | None = None,
        **_: Any,
    ) -> RunSpan:
        """Begin a span below the present one."""
        api = self._provider.api
        above = api.get_current_span(context).get_span_context()
        parent = above if above.is_valid else None
        own = api.SpanContext(
            trace_id=parent.trace_id if parent is not None else random.getrandbits(128) or 1,
            span_id=random.getrandbits(64) or 1,
            is_remote=False,
            # Without this flag the user's own spans below it would not be recorded.
            trace_flags=parent.trace_flags if parent is not None else api.TraceFlags(api.TraceFlags.SAMPLED),
            trace_state=parent.trace_state if parent is not None else None,
        )
        del kind, links
        span = RunSpan(
            self._provider, name, own, parent, dict(attributes or {}), start_time or time.time_ns()
        )
        self._provider.begin(span)
        return span

    @contextlib.contextmanager
    def start_as_current_span(
        self,
        name: str,
        *given: Any,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
        **options: Any,
    ) -> Iterator[RunSpan]:
        """Begin a span that is the present one within the block."""
        span = self.start_span(name, *given, **options)
        with self._provider.api.use_span(
            span,
            end_on_exit=end_on_exit,
            record_exception=record_exception,
            set_status_on_exception=set_status_on_exception,
        ):
            yield span


class RunSpan:
    """Hold one span."""

    def __init__(
        self,
        provider: RunTracerProvider,
        name: str,
        context: Any,
        parent: Any,
        attributes: dict[str, Any],
        start_time: int,
    ) -> None:
        self._provider = provider
        self._lock = threading.Lock()
        self.name = name
        self.context = context
        self.parent = parent
        self.attributes = attributes
        self.events: list[SimpleNamespace] = []
        self.status = SimpleNamespace(status_code=0, description=None)
        self.start_time = start_time
        self.end_time: int | None = None

    def get_span_context(self) -> Any:
        """Return the ids."""
        return self.context

    def is_recording(self) -> bool:
        """Return whether the span has not ended."""
        return self.end_time is None

    def set_attribute(self, key: str, value: Any) -> None:
        """Set an attribute."""
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes."""
        if self.is_recording():
            self.attributes.update(attributes)

    def add_event(
        self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        """Add an event."""
        if self.is_recording():
            self.events.append(
                SimpleNamespace(
                    name=name, attributes=dict(attributes or {}), timestamp=timestamp or time.time_ns()
                )
            )

    def add_link(self, *_: Any, **__: Any) -> None:
        """Ignore a link to another trace."""

    def update_name(self, name: str) -> None:
        """Change the name."""
        self.name = name

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Set the status: a code with its description, or a ``Status``."""
        code = getattr(status, "status_code", status)
        words = description if code is status else getattr(status, "description", None)
        if self.is_recording():
            self.status = SimpleNamespace(status_code=getattr(code, "value", code), description=words)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        *given: Any,
        **options: Any,
    ) -> None:
        """Add an exception as an event."""
        del given, options
        kind = type(exception)
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        found = {
            "exception.type": f"{module}{kind.__qualname__}",
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
        }
        self.add_event("exception", {**found, **(attributes or {})})

    def end(self, end_time: int | None = None) -> None:
        """End the span. Idempotent."""
        with self._lock:
            if self.end_time is not None:
                return
            self.end_time = end_time or time.time_ns()
        self._provider.end(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self.is_recording():
            self.record_exception(error)
            self.set_status(2, f"{type(error).__name__}: {error}")
        self.end()
