"""Record the lines that OpenTelemetry's exporter of OTLP's JSON writes into a file."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from typing import Any

from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from .otel_spans import run_nested
from .recorder import Runs


async def lines() -> AsyncIterator[Any]:
    """Yield the lines of a file, each a batch."""
    stream = io.StringIO()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(FileSpanExporter(stream=stream), max_export_batch_size=4))
    await run_nested(provider)
    provider.force_flush()
    written = stream.getvalue()
    provider.shutdown()
    for line in written.splitlines():
        yield json.loads(line)


PACKAGES = ("pydantic-ai-slim", "opentelemetry-sdk", "opentelemetry-exporter-otlp-json-file")
RUNS: Runs = {"otel_spans_otlp": ("FileSpanExporter, batches of four spans", lines)}
