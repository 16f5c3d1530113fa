"""Order the spans of a trace: those of a batch come in any order, mostly the children before their parents.

Below ``_spans.py``. A span that is seen when it begins is passed on at once. Spans that are over when they come wait for
the rest of their trace, and then begin and end in the order of their times, as they did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ._call_ids import drop_oldest

__all__ = ["Kind", "Node", "Span", "SpanTree"]

Kind = Literal["trace", "agent", "chain", "group", "model", "tool", "handoff"]
"""Kinds of spans: a *group* shows nothing itself; a *chain* does if no agent is around it."""

_KEPT: Final = 20_000
"""Spans that are known, or that wait, at most: 20 MB with their messages."""
_LATE: Final = 200
"""Spans that may come between the outermost span of a trace and its last one: exporters send batches of up to 512, in
which a trace is mostly together, and a stream without an end must show its traces."""
_TRACES: Final = 1_000
"""Traces that wait for their outermost span, at most."""
_DEEPEST: Final = 1_000
"""Spans around a span that are looked at: no agent is as deep, and a damaged trace costs no time."""


@dataclass
class Span:
    """Hold one span of any convention; ``end`` is ``None`` of a span that has only begun. Times are seconds."""

    trace_id: str
    span_id: str
    parent_id: str | None
    kind: Kind
    name: str | None = None
    start: float | None = None
    end: float | None = None
    is_over: bool = True
    call_id: str | None = None
    args: Any = None
    result: Any = None
    has_result: bool = False
    heard: Any = ()
    """The messages that a model or an agent got."""
    said: Any = ()
    """The messages that it wrote."""
    usage: Any = None
    finish_reason: str | None = None
    error: str | None = None
    is_failed: bool = False
    is_cancelled: bool = False
    is_deferred: bool = False
    """True for a tool whose call waits for an answer of the user's."""
    waits: tuple[str, ...] = ()
    """The calls of an agent that wait for an answer."""


@dataclass(eq=False)
class Node:
    """Hold one span with its place in the tree."""

    span: Span
    parent: Node | None = None
    is_placeholder: bool = False
    """True for a span that never came, of which only the id is known."""
    has_begun: bool = False
    has_ended: bool = False
    has_spoken: bool = False
    has_children: bool = False
    run: Any = None
    """The run that the span is."""
    home: Any = None
    """The run in which the span is shown."""
    args: Any = None
    """The arguments that were shown."""
    inner: Any = None
    """The run of the models and tools that a tool's span contains."""
    call_id: str | None = None

    @property
    def above(self) -> Iterator[Node]:
        """Yield the spans around this one, the innermost first."""
        node, depth = self.parent, 0
        while node is not None and depth < _DEEPEST:
            yield node
            node, depth = node.parent, depth + 1


Point = tuple[Literal["begin", "end"], Node]


@dataclass
class SpanTree:
    """Hold the spans of all traces of one stream."""

    _nodes: dict[tuple[str, str], Node] = field(default_factory=dict)
    _waiting: dict[str, dict[str, Span]] = field(default_factory=dict)
    _due: dict[str, int] = field(default_factory=dict)
    """By trace whose outermost span has come, the count at which the trace is passed on."""
    count: int = 0

    def add(self, span: Span) -> list[Point]:
        """Add one span; return what begins and ends now, in order."""
        self.count += 1
        known = self._nodes.get((span.trace_id, span.span_id))
        if known is not None:
            return self._seen_again(known, span)
        waiting = self._waiting.get(span.trace_id, {})
        is_held = span.is_over or span.kind == "trace"
        if is_held and (span.trace_id, span.parent_id or "") not in self._nodes:
            waiting.pop(span.span_id, None)
            waiting[span.span_id] = span
            self._waiting[span.trace_id] = waiting
            drop_oldest(waiting, _KEPT)
            if span.kind != "trace" and span.parent_id in (None, span.trace_id):
                self._due.pop(span.trace_id, None)
                self._due[span.trace_id] = self.count + _LATE
            return self._overdue()
        # A parent begins before its children: the unknown one of a span that has only begun never comes.
        trace = waiting.get(span.trace_id)
        found = _connected([span] if trace is None or trace.kind != "trace" else [trace, span], waiting)
        for one in found:
            waiting.pop(one.span_id, None)
        if not waiting:
            self._waiting.pop(span.trace_id, None)
        return list(_in_order(self._place(found)))

    def rest(self) -> list[Point]:
        """Return what begins and ends in all traces that wait."""
        return [point for trace_id in list(self._waiting) for point in self._release(trace_id)]

    def _overdue(self) -> list[Point]:
        points: list[Point] = []
        while self._due and self._due[first := next(iter(self._due))] <= self.count:
            points += self._release(first)
        while len(self._waiting) > _TRACES:
            points += self._release(next(iter(self._waiting)))
        return points

    def _release(self, trace_id: str) -> list[Point]:
        """Return what begins and ends in a trace, although some ancestors may never have come."""
        self._due.pop(trace_id, None)
        waiting = self._waiting.pop(trace_id, {})
        top = Node(Span(trace_id, "", None, "group"), is_placeholder=True, has_begun=True)
        for parent_id in {one.parent_id for one in waiting.values()} - waiting.keys():
            if parent_id is not None and (trace_id, parent_id) not in self._nodes:
                absent = Span(trace_id, parent_id, None, "group")
                self._nodes[trace_id, parent_id] = Node(absent, top, is_placeholder=True, has_begun=True)
        return list(_in_order(self._place(_without_circles(waiting))))

    def unended(self) -> list[Node]:
        """Return the spans that have begun and not ended, the newest first."""
        return [
            node
            for node in reversed(self._nodes.values())
            if node.has_begun and not node.has_ended and not node.is_placeholder
        ]

    def _seen_again(self, node: Node, span: Span) -> list[Point]:
        if node.is_placeholder or node.has_ended or not span.is_over:
            return []
        began_as, node.span, node.has_ended = node.span.kind, span, True
        if span.kind == began_as:
            return [("end", node)]
        if node.run is not None or node.has_children:  # what it contains is shown already
            node.span.kind = began_as
            return [("end", node)]
        return [("begin", node), ("end", node)]

    def _place(self, spans: list[Span]) -> list[Node]:
        """Put spans into the tree, each below its parent if that is known."""
        made = [Node(span) for span in spans]
        for node in made:
            self._nodes[node.span.trace_id, node.span.span_id] = node
        for node in made:
            parent = self._nodes.get((node.span.trace_id, node.span.parent_id or ""))
            node.parent = None if parent is node else parent
            if node.parent is not None:
                node.parent.has_children = True
        drop_oldest(self._nodes, _KEPT)
        return made


def _connected(first: list[Span], waiting: dict[str, Span]) -> list[Span]:
    """Return spans and those that waited for them, parents first."""
    children: dict[str | None, list[Span]] = {}
    for one in waiting.values():
        children.setdefault(one.parent_id, []).append(one)
    found = {one.span_id: one for one in first}
    queue = list(found.values())
    for one in queue:  # it grows
        for child in children.pop(one.span_id, ()):
            if child.span_id not in found:
                found[child.span_id] = child
                queue.append(child)
    return [*found.values()]


def _without_circles(waiting: dict[str, Span]) -> list[Span]:
    """Return spans of which none is its own ancestor: one of each circle has no parent."""
    passed: dict[str, int] = {}
    for number, first in enumerate(waiting):
        at: str | None = first
        while at in waiting and at not in passed:
            passed[at] = number
            at = waiting[at].parent_id
        if at is not None and passed.get(at) == number:
            waiting[at].parent_id = None
    return [*waiting.values()]


def _in_order(nodes: Iterable[Node]) -> Iterator[Point]:
    """Yield the begins and ends of spans by their times: of a parent first and last, whatever its times say."""
    held = list(nodes)
    children: dict[Node | None, list[Node]] = {}
    for node in held:
        children.setdefault(node.parent, []).append(node)
    points: list[tuple[float, int, int, Node]] = []
    before = 0.0
    for i, node in enumerate(held):
        start = before if node.span.start is None else node.span.start
        before = start
        points.append((start, 1, i, node))
        if node.span.is_over:
            points.append((start if node.span.end is None else node.span.end, 0, i, node))
    for _, is_begin, _, node in sorted(points, key=lambda point: point[:3]):
        if is_begin:
            yield from _begin(node)
        else:
            yield from _end(node, children)


def _begin(node: Node) -> Iterator[Point]:
    chain = [node]
    for one in node.above:
        if one.has_begun:
            break
        chain.append(one)
    for one in reversed(chain):
        if not one.has_begun:
            one.has_begun = True
            yield "begin", one


def _end(node: Node, children: dict[Node | None, list[Node]]) -> Iterator[Point]:
    inside = [node]
    for one in inside:  # it grows
        inside += children.get(one, ())
    for one in reversed(inside):
        if one.span.is_over:
            yield from _begin(one)
            if not one.has_ended:
                one.has_ended = True
                yield "end", one
