"""Find the agents inside of a sample of Inspect: the sample's messages are those of the agent at the top alone.

Beside ``_inspect``. The events of a sample are one list; each names the span that it belongs to, and spans are nested. A
model's event has all messages that the model got, or names them in a pool. An agent that was handed the conversation
over writes into the sample's own messages, and is none of these. Source: ``inspect_ai.event``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .._fields import get, ident, integer, items, text
from ._reader import seconds

__all__ = ["NestedAgent", "nested_agents"]

_DEPTH: Final = 64
"""Spans inside of spans."""


@dataclass(slots=True)
class NestedAgent:
    """Hold the messages of one agent, the call that began it, and the time of its first one."""

    name: str
    call_id: str | None
    began_at: float | None = None
    messages: list[Any] = field(default_factory=list)


def nested_agents(events: list[Any], messages: list[Any], pool: list[Any]) -> list[NestedAgent]:
    """Return the agents of a sample none of whose answers is among its *messages*, the oldest first."""
    spans = {key: event for event in events if (key := _begun(event)) is not None}
    calls = dict(_calls(events, spans))
    own = {ident(get(message, "id")) for message in messages} | {None}
    found: dict[str, NestedAgent] = {}
    seen: dict[str, set[str | None]] = {}
    not_inside: set[str] = set()
    for event in events:
        span = _agent_span(text(get(event, "span_id")), spans)
        if get(event, "event") != "model" or span is None:
            continue
        answers = [get(choice, "message") for choice in items(get(event, "output", "choices"))][:1]
        if any(ident(get(answer, "id")) in own for answer in answers):
            not_inside.add(span)  # its other words were dropped, as a compaction does
        if span not in found:
            name = text(get(spans[span], "name"))
            found[span] = NestedAgent(name, _call_of(span, spans, calls), seconds(get(event, "timestamp")))
            seen[span] = set()
        for message in (*_input(event, pool), *answers):
            message_id = ident(get(message, "id"))
            if message_id is None or message_id not in seen[span]:
                seen[span].add(message_id)
                found[span].messages.append(message)
    return [agent for span, agent in found.items() if span not in not_inside]


def _begun(event: object) -> str | None:
    return ident(get(event, "id")) if get(event, "event") == "span_begin" else None


def _calls(events: list[Any], spans: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the spans that a call made, each with the call's id."""
    for event in events:
        if get(event, "event") == "tool" and (call_id := ident(get(event, "id"))) is not None:
            if (span := ident(get(event, "agent_span_id"))) is not None:
                yield span, call_id
            span = ident(get(event, "span_id"))
            if span is not None and get(spans.get(span), "type") == "tool":
                yield span, call_id


def _upwards(span: str, spans: Mapping[str, Any]) -> Iterator[str]:
    for _ in range(_DEPTH):
        if span not in spans:
            return
        yield span
        span = text(get(spans[span], "parent_id"))


def _agent_span(span: str, spans: Mapping[str, Any]) -> str | None:
    """Return the span of the agent that a span belongs to."""
    return next((each for each in _upwards(span, spans) if get(spans[each], "type") == "agent"), None)


def _call_of(span: str, spans: Mapping[str, Any], calls: Mapping[str, str]) -> str | None:
    """Return the call that began an agent: its own span says so, or a span around it that is no agent's."""
    for each in _upwards(span, spans):
        if each in calls:
            return calls[each]
        if each != span and get(spans[each], "type") == "agent":
            return None
    return None


def _input(event: object, pool: list[Any]) -> list[Any]:
    """Return the messages that a model got; of a condensed log those that its ranges name in the pool."""
    given = items(get(event, "input"))
    if given:
        return given
    found: list[Any] = []
    for span in items(get(event, "input_refs")):
        first, last = (*map(integer, items(span)[:2]), None, None)[:2]
        if first is not None and last is not None and 0 <= first <= last:
            found += pool[first:last]
    return found
