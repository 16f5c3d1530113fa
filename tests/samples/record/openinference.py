"""Record the spans of OpenInference's instrumentation of LangChain, over LangChain's own fake model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from .langgraph import QUESTION, nested
from .recorder import Runs


async def spans() -> AsyncIterator[Any]:
    """Yield the spans of an agent with nested agents, as exported."""
    provider, exported = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    instrumentor = LangChainInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        await nested().ainvoke(QUESTION)
    finally:
        instrumentor.uninstrument()
    for span in exported.get_finished_spans():
        yield span


PACKAGES = ("openinference-instrumentation-langchain", "langchain", "opentelemetry-sdk")
RUNS: Runs = {"otel_spans_openinference": ("LangChainInstrumentor, spans as exported", spans)}
