"""Check the tracer that pydantic-ai gets: its spans in OpenTelemetry's context, and errors of the agent's code."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace

from vibe_notebook._auto.tracer import RunSpan, RunTracerProvider


def recorded() -> tuple[Any, list[RunSpan], list[RunSpan]]:
    begun: list[RunSpan] = []
    ended: list[RunSpan] = []
    return RunTracerProvider(begun.append, ended.append).get_tracer("tests"), begun, ended


def test_a_span_is_the_present_one_within_its_block_and_the_parent_of_the_next() -> None:
    tracer, begun, ended = recorded()
    with tracer.start_as_current_span("outer", attributes={"a": 1}) as outer:
        present: Any = trace.get_current_span()
        assert present is outer
        trace.get_current_span().set_attribute("b", 2)
        with tracer.start_as_current_span("inner") as inner:
            assert inner.parent == outer.get_span_context()
    assert (begun, ended) == ([outer, inner], [inner, outer])
    assert (outer.attributes, outer.parent) == ({"a": 1, "b": 2}, None)
    assert inner.context.trace_id == outer.context.trace_id
    assert inner.context.span_id != outer.context.span_id
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_an_error_goes_on_and_is_the_spans_status_also_if_it_cannot_be_told() -> None:
    class Mute(Exception):  # noqa: N818 - the status shows this name
        def __str__(self) -> str:
            raise RuntimeError

    tracer, _, ended = recorded()
    with pytest.raises(LookupError, match="gone"), tracer.start_as_current_span("a"):
        raise LookupError("gone")
    (span,) = ended
    assert span.status.status_code == trace.StatusCode.ERROR.value
    assert span.events[0].attributes == {"exception.type": "LookupError", "exception.message": "gone"}
    span.set_attribute("late", 1)
    assert "late" not in span.attributes
    with pytest.raises(Mute), tracer.start_span("b") as other:
        raise Mute
    assert other.events[0].attributes["exception.message"] == ""
