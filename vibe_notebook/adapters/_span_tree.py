"""Order the spans of a trace: a batch comes with the children before their parents.

Below ``_spans.py``. A span whose ancestors are not all known waits for them; then the spans of its trace begin and end in
the order of their times, as they did.
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
    count: int = 0

    def add(self, span: Span) -> list[Point]:
        """Add one span; return what begins and ends now, in order."""
        self.count += 1
        known = self._nodes.get((span.trace_id, span.span_id))
        if known is not None:
            return self._seen_again(known, span)
        waiting = self._waiting.get(span.trace_id, {})
        if span.is_over and span.parent_id is not None and not self._has_parent(span):
            waiting.pop(span.span_id, None)
            waiting[span.span_id] = span
            self._waiting[span.trace_id] = waiting
            drop_oldest(waiting, _KEPT)
            return []
        # A parent begins before its children: the unknown one of a span that has only begun never comes.
        found = self._connected(span, waiting)
        for one in found:
            waiting.pop(one.span_id, None)
        if not waiting:
            self._waiting.pop(span.trace_id, None)
        return list(_in_order(self._place(found)))

    def rest(self) -> list[Point]:
        """Return what begins and ends although its ancestors never came."""
        points: list[Point] = []
        for trace_id, waiting in self._waiting.items():
            top = Node(Span(trace_id, "", None, "group"), is_placeholder=True, has_begun=True)
            for parent_id in {one.parent_id for one in waiting.values()} - waiting.keys():
                absent = Span(trace_id, parent_id or "", None, "group")
                self._nodes[trace_id, absent.span_id] = Node(absent, top, is_placeholder=True, has_begun=True)
            points += _in_order(self._place(_without_circles(waiting), top))
        self._waiting.clear()
        return points

    def unended(self) -> list[Node]:
        """Return the spans that have begun and not ended, the newest first."""
        return [
            node
            for node in reversed(self._nodes.values())
            if node.has_begun and not node.has_ended and not node.is_placeholder
        ]

    def _has_parent(self, span: Span) -> bool:
        return (span.trace_id, span.parent_id) in self._nodes

    def _seen_again(self, node: Node, span: Span) -> list[Point]:
        if node.is_placeholder or node.has_ended or not span.is_over:
            return []
        node.span, node.has_ended = span, True
        return [("end", node)]

    @staticmethod
    def _connected(span: Span, waiting: dict[str, Span]) -> list[Span]:
        """Return a span and those that waited for it, parents first."""
        children: dict[str | None, list[Span]] = {}
        for one in waiting.values():
            children.setdefault(one.parent_id, []).append(one)
        found = [span]
        for one in found:  # it grows
            found += children.pop(one.span_id, ())
        return [*{one.span_id: one for one in found}.values()]

    def _place(self, spans: list[Span], top: Node | None = None) -> list[Node]:
        """Put spans into the tree; the first one, or each without a parent, is below a known span or *top*."""
        made = [Node(span, self._nodes.get((span.trace_id, span.parent_id or ""), top)) for span in spans]
        for node in made:
            self._nodes[node.span.trace_id, node.span.span_id] = node
        for node in made if top is not None else made[1:]:
            parent = self._nodes.get((node.span.trace_id, node.span.parent_id or ""))
            node.parent = top if parent is None else parent
        drop_oldest(self._nodes, _KEPT)
        return made


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
