"""Show LangChain's runs, of chains, graphs, models and tools: the callback handler for all runs of the process.

Beside ``span_views.py``. LangChain reads a handler's methods and flags, not its class, so this module imports nothing of
LangChain. A chain gets a view when the first model or tool in it begins.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from .._forks import renew_in_child
from .._watching.claims import is_claimed
from .._watching.handlers.langchain import LangChainHandler
from .views import MOVED, RunHandler, Settings, guarded, is_within_watch

__all__ = ["LangChainViews"]

_WORK: Final = frozenset(("on_chat_model_start", "on_custom_event", "on_llm_start", "on_tool_start"))
"""Callbacks that show a chain to be more than plain functions."""
_ENDS: Final = ("_end", "_error")
_CALLBACKS: Final = (
    *(
        "on_chain_start",
        "on_chain_end",
        "on_chain_error",
        "on_chat_model_start",
        "on_llm_start",
        "on_llm_new_token",
    ),
    *("on_llm_end", "on_llm_error", "on_tool_start", "on_tool_end", "on_tool_error", "on_custom_event"),
)


class _RunHandler(RunHandler, LangChainHandler):
    """Show one outermost run."""

    claims_runs = False


@dataclass(eq=False)
class _Root:
    """Hold one outermost run."""

    id: str
    name: str | None
    is_hidden: bool
    handler: _RunHandler | None = None
    waiting: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    """Runs within it that a watch shows."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while a callback is shown: a run must not overtake the one around it."""


class LangChainViews:
    """Give each outermost run a view."""

    raise_error = False
    run_inline = True
    ignore_llm = ignore_chat_model = ignore_chain = ignore_custom_event = False
    ignore_agent = False  # LangChain skips tools by this flag too
    ignore_retriever = ignore_retry = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._roots: dict[str, _Root] = {}
        """By the id of each open run, the outermost run around it."""
        renew_in_child(self)

    def renew(self) -> None:
        """Show nothing of the parent's runs in the child of a fork."""
        self._lock, self._roots = threading.RLock(), {}

    def report(self, words: str) -> None:
        """Show a failure of this package in the newest view."""
        for root in reversed(list(self._roots.values())):
            if root.handler is not None:
                root.handler.report(words)
                return

    def ignore(self, *_: Any, **__: Any) -> None:
        """Ignore a callback whose content also comes by others."""

    on_retriever_start = on_retriever_end = on_retriever_error = on_text = on_retry = ignore
    on_agent_action = on_agent_finish = on_stream_event = ignore

    def accept(self, callback: str, given: tuple[Any, ...], about: dict[str, Any]) -> None:
        """Pass one callback to the view of its run."""
        run_id = str(about.get("run_id"))
        is_start = callback.endswith("_start")
        with self._lock:
            root = self._root_of(run_id, about, given) if is_start else self._roots.get(run_id)
            if root is None or run_id in root.hidden:
                if root is not None and callback.endswith(_ENDS):
                    self._forget(root, run_id)
                return
        with root.lock:
            handler = self._show(root, callback, given, about)
        if callback.endswith(_ENDS):
            self._end(root, run_id, handler, given if callback.endswith("_error") else ())

    def _show(
        self, root: _Root, callback: str, given: tuple[Any, ...], about: dict[str, Any]
    ) -> _RunHandler | None:
        if not root.is_hidden and is_claimed(root.id):
            self._drop(root)
        if root.is_hidden:
            return None
        root.waiting.append((callback, given, about))
        if root.handler is None and callback in _WORK:
            root.handler = _RunHandler(self.settings.pipeline(root.name))
        if root.handler is not None:
            waiting, root.waiting = root.waiting, []
            for name, arguments, options in waiting:
                getattr(root.handler, name)(*arguments, **options)
        return root.handler

    def _root_of(self, run_id: str, about: dict[str, Any], given: tuple[Any, ...]) -> _Root:
        parent = about.get("parent_run_id")
        root = self._roots.get(str(parent)) if parent is not None else None
        is_watched = is_within_watch()
        if root is None:
            serialized = given[0] if given else None
            name = about.get("name") or (serialized.get("name") if isinstance(serialized, dict) else None)
            root = _Root(run_id, name if isinstance(name, str) else None, is_watched)
        elif str(parent) in root.hidden or (is_watched and root.handler is not None):
            root.hidden.add(run_id)
        elif is_watched:
            root.is_hidden = True
        self._roots[run_id] = root
        return root

    def _end(self, root: _Root, run_id: str, handler: _RunHandler | None, failure: tuple[Any, ...]) -> None:
        with self._lock:
            self._forget(root, run_id)
        if run_id == root.id and handler is not None and not root.is_hidden:
            error = failure[0] if failure and isinstance(failure[0], BaseException) else None
            handler.finish(error)

    def _forget(self, root: _Root, run_id: str) -> None:
        self._roots.pop(run_id, None)
        root.hidden.discard(run_id)

    def _drop(self, root: _Root) -> None:
        """Step back: another view shows the run."""
        root.is_hidden = True
        handler, root.handler, root.waiting = root.handler, None, []
        if handler is not None:
            handler.withdraw(MOVED)

    def claimed(self, key: str) -> None:
        """Step back from the run with this id."""
        with self._lock:
            roots = {root for root in self._roots.values() if root.id == key and not root.is_hidden}
            for root in roots:
                self._drop(root)

    def close(self) -> None:
        """End all views: of runs that never end, or whose hook does nothing any more."""
        with self._lock:
            roots = set(self._roots.values())
            self._roots.clear()
        for root in roots:
            if root.handler is not None:
                root.handler.abandon()


def _forwarder(name: str) -> Callable[..., None]:
    @guarded
    def forward(self: LangChainViews, *given: Any, **about: Any) -> None:
        self.accept(name, given, about)

    forward.__name__ = name
    return forward


for _name in _CALLBACKS:
    setattr(LangChainViews, _name, _forwarder(_name))
