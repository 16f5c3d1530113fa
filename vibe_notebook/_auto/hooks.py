"""Set the hooks that SDKs offer for all of their runs, without importing an SDK that the user has not imported.

Above ``span_views.py`` and ``langchain.py``. A hook cannot always be removed: after ``vibe.auto(False)`` it does nothing.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from importlib import import_module
from typing import Any, Final

from .._watching.claims import on_claim
from ..adapters import openai_agents_traces, otel_spans
from ..adapters.fields import get, ident
from .langchain import LangChainViews
from .span_views import SpanViews
from .tracer import RunTracerProvider
from .views import Settings, guarded

__all__ = ["Hooks", "SpanProcessor"]

_OF_SDKS: Final = {
    "langchain": ("langchain", "langgraph"),
    "openai-agents": ("openai_agents", "openai-agents", "openai.agents"),
}
"""By hook, words in the names of instrumentations whose spans show the same runs."""
_BY_SPANS: Final = {
    "agent_framework": "agent-framework",
    "autogen_core": "autogen",
    "google.adk": "google-adk",
    "semantic_kernel": "semantic-kernel",
    "strands": "strands",
}
"""SDKs that make spans themselves, by the module that tells that they are imported."""
_WITHOUT: Final = {
    "agno": "agno",
    "anthropic": "anthropic",
    "claude_agent_sdk": "claude-agent-sdk",
    "crewai": "crewai",
    "google.genai": "google-genai",
    "llama_index.core": "llama-index",
    "openai": "openai",
    "smolagents": "smolagents",
}
"""SDKs without a hook for all runs."""


class SpanProcessor:
    """Show the runs among the spans of a ``TracerProvider``: ``provider.add_span_processor(vibe.spans())``."""

    def __init__(self, settings: Settings, *, is_foreign: Callable[[Any], bool] = lambda _: False) -> None:
        self.settings = settings
        self.views = SpanViews(
            "otel_spans", otel_spans.read_head, settings, keys=_keys, is_foreign=is_foreign
        )
        on_claim(self.views.claimed)

    def report(self, words: str) -> None:
        """Show a failure of this package."""
        self.views.report(words)

    @guarded
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Accept a span that begins. The SDK calls this."""
        del parent_context
        self.views.begin(span)

    @guarded
    def on_end(self, span: Any) -> None:
        """Accept a span that has ended. The SDK calls this."""
        self.views.end(span)

    def _on_ending(self, span: Any) -> None:
        """Do nothing yet: the span's end follows."""

    def shutdown(self) -> None:
        """End the views of runs that never end. The SDK calls this."""
        self.views.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return at once: nothing waits."""
        del timeout_millis
        return True


def _keys(span: Any) -> set[str]:
    """Return the id under which a handler of pydantic-ai knows the run of a span."""
    run = ident(get(get(span, "attributes"), "gen_ai.agent.call.id"))
    return set() if run is None else {run}


class _TraceProcessor:
    """Show the traces of openai-agents."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        read = openai_agents_traces.read_head
        self.views = SpanViews(
            "openai_agents_traces", read, settings, keys=lambda one: {str(get(one, "trace_id"))}
        )
        on_claim(self.views.claimed)

    def report(self, words: str) -> None:
        """Show a failure of this package."""
        self.views.report(words)

    @guarded
    def on_trace_start(self, trace: Any) -> None:
        """Accept a trace that begins. The SDK calls this."""
        self.views.begin(trace)

    @guarded
    def on_trace_end(self, trace: Any) -> None:
        """Accept the end of a trace. The SDK calls this."""
        self.views.end_trace(str(get(trace, "trace_id")))

    @guarded
    def on_span_start(self, span: Any) -> None:
        """Accept a span that begins. The SDK calls this."""
        self.views.begin(span)

    @guarded
    def on_span_end(self, span: Any) -> None:
        """Accept a span that has ended. The SDK calls this."""
        self.views.end(span)

    def shutdown(self, *_: Any) -> None:
        """Do nothing: ``vibe.auto`` ends the views when the process ends."""

    force_flush = shutdown


class Hooks:
    """Hold the hooks of ``vibe.auto``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._langchain: LangChainViews | None = None
        self._traces: _TraceProcessor | None = None
        self._spans = SpanProcessor(settings, is_foreign=self._is_shown_by_another_hook)
        self._providers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._instrumentation: Any = None
        """The settings that pydantic-ai's agents have got from this object."""

    def set(self) -> list[str]:
        """Set the hooks of the SDKs that are imported now; return a line for each SDK."""
        found = (
            self._of_langchain(),
            self._of_openai_agents(),
            self._of_opentelemetry(),
            self._of_pydantic_ai(),
        )
        return [line for line in found if line] + list(_lines_of_others())

    def views(self) -> list[Any]:
        """Return the holders of views."""
        spans = [one.views for one in (self._spans, self._traces) if one is not None]
        return [*spans, *([self._langchain] if self._langchain is not None else [])]

    def close(self) -> None:
        """End all views, and take back what can be."""
        agent = get(sys.modules.get("pydantic_ai"), "Agent")
        if self._instrumentation is not None and get(agent, "_instrument_default") is self._instrumentation:
            agent.instrument_all(instrument=False)
        self._instrumentation = None
        for views in self.views():
            views.close()

    def _of_langchain(self) -> str | None:
        register = get(_part_of("langchain_core", "tracers.context"), "register_configure_hook")
        if register is None:
            return None
        if self._langchain is None:
            self._langchain = LangChainViews(self.settings)
            on_claim(self._langchain.claimed)
            # The default holds in every thread and task; LangChain asks the variable at the start of each run.
            register(ContextVar("vibe_notebook.auto", default=self._langchain), inheritable=True)
        return "langchain: a callback handler for all runs"

    def _of_openai_agents(self) -> str | None:
        tracing = _part_of("agents", "tracing")
        add = get(tracing, "add_trace_processor")
        if add is None:
            return None
        self._traces = self._traces or _TraceProcessor(self.settings)
        provider = get(tracing, "get_trace_provider")
        present = get(provider() if callable(provider) else None, "_multi_processor", "_processors")
        if self._traces not in (present if isinstance(present, tuple) else ()):
            add(self._traces)
        if os.environ.get("OPENAI_AGENTS_DISABLE_TRACING", "").lower() in ("1", "true"):
            return "openai-agents: tracing is off (OPENAI_AGENTS_DISABLE_TRACING), so its runs do not show"
        return "openai-agents: a trace processor"

    def _of_opentelemetry(self) -> str | None:
        api = sys.modules.get("opentelemetry.trace")
        provider = (
            api.get_tracer_provider() if api is not None and hasattr(api, "get_tracer_provider") else None
        )
        if not hasattr(provider, "add_span_processor"):
            return None
        self._add_to(provider)
        return "opentelemetry: a span processor of the global TracerProvider"

    def _add_to(self, provider: Any) -> None:
        if provider not in self._providers:
            provider.add_span_processor(self._spans)
            self._providers.add(provider)

    def _of_pydantic_ai(self) -> str | None:
        agent = get(sys.modules.get("pydantic_ai"), "Agent")
        settings = get(_part_of("pydantic_ai", "models.instrumented"), "InstrumentationSettings")
        if agent is None or settings is None:
            return None
        present = get(agent, "_instrument_default")
        if present is self._instrumentation and present is not None:
            return "pydantic-ai: instrumentation of all agents"
        if present:  # the user's: it stays
            provider = get(present, "tracer", "span_processor")
            if hasattr(provider, "add_span_processor"):
                self._add_to(provider)
                return "pydantic-ai: a span processor of your instrumentation"
            if present is True and len(self._providers):
                return "pydantic-ai: the spans of your instrumentation"
            return "pydantic-ai: your instrumentation stays; add vibe.spans() to its TracerProvider"
        metrics = _part_of("opentelemetry", "metrics")
        provider = RunTracerProvider(self._spans.on_start, self._spans.on_end)
        options = {} if metrics is None else {"meter_provider": metrics.NoOpMeterProvider()}
        self._instrumentation = settings(tracer_provider=provider, **options)
        agent.instrument_all(self._instrumentation)
        return "pydantic-ai: instrumentation of all agents"

    def _is_shown_by_another_hook(self, span: Any) -> bool:
        """Return whether a span is of a run that the hook of its SDK shows."""
        scope = otel_spans.scope_of(span).lower()
        hooked = {"langchain": self._langchain is not None, "openai-agents": self._traces is not None}
        if any(hooked.get(name) and any(word in scope for word in words) for name, words in _OF_SDKS.items()):
            return True
        head = otel_spans.read_head(span)
        if head is None or head.kind == "agent":
            return False
        return (self._langchain is not None and _in_langchain()) or (
            self._traces is not None and _in_openai_agents()
        )


def _part_of(package: str, name: str) -> Any:
    """Return a module of a package that the user has imported; ``None`` without it: another may bear its name."""
    if package not in sys.modules:
        return None
    try:
        return import_module(f"{package}.{name}")
    except ImportError:
        return None


def _in_langchain() -> bool:
    config = get(sys.modules.get("langchain_core.runnables.config"), "var_child_runnable_config")
    return isinstance(config, ContextVar) and config.get(None) is not None


def _in_openai_agents() -> bool:
    trace = get(sys.modules.get("agents.tracing"), "get_current_trace")
    return callable(trace) and trace() is not None


def _lines_of_others() -> list[str]:
    by_spans = [name for module, name in _BY_SPANS.items() if module in sys.modules]
    without = [name for module, name in _WITHOUT.items() if module in sys.modules]
    lines = []
    if by_spans:
        lines.append(f"{', '.join(by_spans)}: by spans, where a TracerProvider is set")
    if without:
        lines.append(f"{', '.join(without)}: no hook for all runs; wrap the stream with vibe.watch(...)")
    return lines
