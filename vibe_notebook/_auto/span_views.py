"""Give each run among the spans of an SDK a view of its own.

Between the processors of ``hooks.py`` and ``views.py``. The outermost agent of a trace has the view; models and tools
without an agent have one together, that of the outermost span around them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from .._forks import renew_in_child
from .._watching.claims import is_claimed
from ..adapters.otel_spans import Span
from .views import MOVED, RunView, Settings, is_within_watch

__all__ = ["SpanViews"]

_ROOTS: Final = frozenset(("agent", "chain", "trace"))
_STEPS: Final = frozenset(("model", "tool"))
_KEPT: Final = 20_000
"""Spans that have begun and not ended, at most: some never end."""
_READ_AGAIN: Final = 32
"""Spans around a new one that are read again: all of them would cost the square of a deep nesting."""
_owners: dict[tuple[str, str], SpanViews] = {}
"""By span, the views that show it: a provider may have the processors of ``vibe.auto()`` and ``vibe.spans()``."""


@dataclass(eq=False)
class _Entry:
    """Hold a span that has begun and not ended."""

    span: Span
    native: Any
    above: _Entry | None
    view: _View | None = None
    is_hidden: bool = False
    """True below a watched run."""

    @property
    def agent(self) -> _Entry:
        """Return the span of the innermost agent: this one, or one around it."""
        return next((one for one in self.chain if one.span.kind in _ROOTS), self)

    @property
    def chain(self) -> Iterator[_Entry]:
        """Yield the span and those around it, the innermost first."""
        entry: _Entry | None = self
        while entry is not None:
            yield entry
            entry = entry.above


@dataclass(eq=False)
class _View:
    """Hold the view of one run, which opens with the first event inside of the run."""

    root: _Entry
    keys: set[str]
    run: RunView | None = None
    waiting: list[Any] = field(default_factory=list)
    is_over: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while events are shown: a span must not overtake the one around it."""


class SpanViews:
    """Open, feed and end the views of all runs of one hook."""

    def __init__(
        self,
        adapter: str,
        read: Callable[[Any], Span | None],
        settings: Settings,
        *,
        keys: Callable[[Any], set[str]] = lambda _: set(),
        is_foreign: Callable[[Any], bool] = lambda _: False,
    ) -> None:
        self.settings = settings
        self._adapter = adapter
        self._read = read
        self._keys = keys
        self._is_foreign = is_foreign
        self._lock = threading.RLock()
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._views: dict[_View, None] = {}
        renew_in_child(self)

    def renew(self) -> None:
        """Show nothing of the parent's runs in the child of a fork."""
        self._lock = threading.RLock()
        self._entries, self._views = {}, {}

    def report(self, words: str) -> None:
        """Show a failure of this package in the newest view."""
        for view in reversed(self._views):
            if view.run is not None:
                view.run.report(words)
                return

    def begin(self, native: Any) -> None:
        """Accept a span that has begun."""
        span = self._read(native)
        if span is None:
            return
        key = span.trace_id, span.span_id
        with self._lock:
            if key in self._entries or _owners.setdefault(key, self) is not self:
                return
            drop_oldest(self._entries)
            drop_oldest(_owners)
            above = self._entries.get((span.trace_id, span.parent_id or ""))
            entry = self._entries[key] = _Entry(span, native, above)
            around = [*islice(entry.chain, 1, _READ_AGAIN + 1)]
            for one in reversed(around):  # an SDK may set a span's attributes after it has begun
                if one.view is None and not one.is_hidden and (found := self._read(one.native)) is not None:
                    one.span = found
                    self._place(one)
            self._place(entry)
            view = entry.view
        if view is not None and not entry.is_hidden:
            self._feed(view, native)

    def _place(self, entry: _Entry) -> None:
        above, span = entry.above, entry.span
        if above is not None and above.is_hidden:
            entry.is_hidden = True
            return
        view = above.view if above is not None else None
        is_within = is_within_watch()
        is_watched = is_within or self._is_foreign(entry.native)
        if view is not None and not view.is_over:
            if not is_watched:
                entry.view = view
            elif is_within and view.run is None:  # the watch steps the run itself: nothing of it was shown
                self._drop(view)
                entry.is_hidden = True
            else:
                entry.is_hidden = True
            return
        keys = self._keys(entry.native)
        if span.kind in _ROOTS:
            entry.is_hidden = is_watched or any(map(is_claimed, keys))
            if not entry.is_hidden:
                entry.view = self._new_view(entry, keys)
        elif span.kind in _STEPS and not is_watched:
            chain = [entry]
            for one in above.chain if above is not None else ():
                if one.view is not None:  # its run is over
                    break
                chain.append(one)
            view = self._new_view(chain[-1], keys)
            for one in reversed(chain):
                one.view = view
                if one is not entry:
                    view.waiting.append(one.native)
        elif span.kind in _STEPS:
            entry.is_hidden = True

    def _new_view(self, root: _Entry, keys: set[str]) -> _View:
        view = _View(root, keys)
        self._views[view] = None
        return view

    def end(self, native: Any) -> None:
        """Accept a span that has ended; one whose beginning nobody saw shows nothing."""
        span = self._read(native)
        if span is None:
            return
        with self._lock:
            entry = self._forget(span.trace_id, span.span_id)
            if entry is not None and entry.view is None and not entry.is_hidden:
                entry.span = span  # its attributes came after its beginning
                self._place(entry)
        if entry is None or entry.is_hidden or entry.view is None:
            return
        view = entry.view
        is_own = entry.agent is view.root
        if is_own and is_within_watch() and not view.is_over:  # it began outside: a watch reads its stream
            self._drop(view)
            return
        self._feed(view, native, is_end=entry is view.root)
        if entry is view.root:
            self._finish(view)

    def _forget(self, *key: str) -> _Entry | None:
        if _owners.get((key[0], key[1])) is self:
            del _owners[key[0], key[1]]
        return self._entries.pop((key[0], key[1]), None)

    def end_trace(self, trace_id: str) -> None:
        """End the view of a whole trace, of an SDK that says when a trace ends."""
        with self._lock:
            entry = self._forget(trace_id, trace_id)
        if entry is not None and entry.view is not None and not entry.is_hidden:
            self._finish(entry.view)

    def _feed(self, view: _View, native: Any, *, is_end: bool = False) -> None:
        with view.lock:
            with self._lock:
                if view.is_over:
                    return
                view.waiting.append(native)
                is_alone = len(view.waiting) == 1 and view.run is None and view.root.span.kind in _ROOTS
                if is_alone and not is_end:  # a watch of this run may begin it: its next span tells
                    return
                if view.run is None:
                    view.run = RunView(self.settings.pipeline(view.root.span.name), self._adapter)
                run = view.run
                natives, view.waiting = view.waiting, []
            for one in natives:
                run.take(one)

    def _finish(self, view: _View) -> None:
        with self._lock:
            view.is_over = True
            self._views.pop(view, None)
            run = view.run
        if run is not None:
            run.finish()

    def _drop(self, view: _View) -> None:
        """Step back: another view shows the run."""
        with self._lock:
            view.is_over = view.root.is_hidden = True
            self._views.pop(view, None)
            run, view.waiting = view.run, []
            for entry in self._entries.values():
                if entry.view is view:
                    entry.is_hidden = True
        if run is not None:
            run.withdraw(MOVED)

    def claimed(self, key: str) -> None:
        """Step back from the run with this id, or from that to which this span belongs."""
        with self._lock:
            views = [view for view in self._views if key in view.keys]
            kind, _, span = key.partition(":")
            trace_id, _, span_id = span.partition(":")
            entry = self._entries.get((trace_id, span_id)) if kind == "span" else None
            if entry is not None and entry.view is not None and entry.agent is entry.view.root:
                views.append(entry.view)
        for view in views:
            self._drop(view)

    def close(self) -> None:
        """End all views: of runs that never end, or whose hook does nothing any more."""
        with self._lock:
            views = list(self._views)
            for key in list(self._entries):
                self._forget(*key)
        for view in views:
            with self._lock:
                view.is_over = True
                self._views.pop(view, None)
                run = view.run
            if run is not None:
                run.abandon()


def drop_oldest(held: dict[Any, Any]) -> None:
    """Drop the older half of the spans if there are too many."""
    if len(held) > _KEPT:
        for key in list(islice(held, _KEPT // 2)):
            held.pop(key, None)
