"""Accept the spans of OpenTelemetry, and the traces of openai-agents, as an SDK's processors get them.

Beside ``_watching/handlers/sdks.py``. One handler shows all spans of its block in one view; ``vibe.spans()`` and
``vibe.auto()`` give each run a view of its own.
"""

from __future__ import annotations

from typing import Any

from .base import Handler

__all__ = ["OpenAIAgentsTracesHandler", "OtelHandler"]


class OtelHandler(Handler):
    """Accept spans: ``provider.add_span_processor(vibe.handler("otel"))``."""

    adapter = "otel_spans"

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Show the beginning of a span. The SDK calls this."""
        del parent_context
        self._show(span)

    def on_end(self, span: Any) -> None:
        """Show a span that has ended. The SDK calls this."""
        self._show(span)

    def shutdown(self) -> None:
        """Do nothing: the handler ends with its block or its cell."""

    def _on_ending(self, span: Any) -> None:
        """Do nothing yet: the span's end follows."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return at once: nothing waits."""
        del timeout_millis
        return True

    def _show(self, span: Any) -> None:
        if not self.done():  # a provider never forgets a processor
            with self._turn():
                self._accept(self._run(""), span)


class OpenAIAgentsTracesHandler(Handler):
    """Accept traces: ``add_trace_processor(vibe.handler("openai_agents_traces"))``."""

    adapter = "openai_agents_traces"

    def on_trace_start(self, trace: Any) -> None:
        """Show the beginning of a trace. The SDK calls this."""
        self._show(trace)

    def on_trace_end(self, trace: Any) -> None:
        """Do nothing: the agents of the trace have ended before."""

    def on_span_start(self, span: Any) -> None:
        """Show the beginning of a span. The SDK calls this."""
        self._show(span)

    def on_span_end(self, span: Any) -> None:
        """Show a span that has ended. The SDK calls this."""
        self._show(span)

    def shutdown(self, *_: Any) -> None:
        """Do nothing: the handler ends with its block or its cell."""

    force_flush = shutdown

    def _show(self, native: Any) -> None:
        if not self.done():  # the SDK never forgets a processor
            with self._turn():
                self._accept(self._run(""), native)
