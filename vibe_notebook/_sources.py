"""What can be watched, brought to one of two shapes: a sync or an async iterator.

At the top edge of ``watch``. A source is an iterable, an awaitable or (async) context manager
that yields one, or an object with ``stream_events()``; it is opened only when it is consumed.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from pydantic import BaseModel

from ._naming import hint, source_name
from ._steps import END, Stepper, in_thread
from .registry import Registry
from .subscription import Subscription

__all__ = [
    "Threaded",
    "check",
    "closer",
    "discard",
    "is_async",
    "is_async_only",
    "open_async",
    "open_sync",
    "until_it_ends",
]

_DEPTH = 8
"""An awaitable that yields a context manager that yields …: further is a circle."""
_NEVER = (str, bytes, bytearray, dict, type, type(None))
"""Some of these can be iterated, but none is a stream of events."""


def check(source: Any) -> None:
    """Raise ``TypeError`` for what can never be a stream."""
    if isinstance(source, _NEVER) or not (is_async(source) or _is_sync(source)):
        raise _not_a_stream(source)


def is_async_only(source: Any) -> bool:
    """Whether a plain ``for`` cannot read it."""
    if _is_sync(source):
        return False
    if hasattr(source, "__aiter__") or hasattr(source, "__aenter__") or inspect.isawaitable(source):
        return True
    events = getattr(source, "stream_events", None)
    return callable(events) and not inspect.isgeneratorfunction(events)


def is_async(source: Any) -> bool:
    """Whether it has an async form, which is then preferred."""
    if isinstance(source, _NEVER):
        return False
    if hasattr(source, "__aiter__") or hasattr(source, "__aenter__") or inspect.isawaitable(source):
        return True
    return not _is_sync(source) and is_async_only(source)


def _is_sync(source: Any) -> bool:
    # A future has __iter__ too, for `yield from`: its results are no events.
    return (_is_iterable(source) or hasattr(source, "__enter__")) and not asyncio.isfuture(source)


def _is_iterable(source: Any) -> bool:
    # A model has __iter__ too, over its fields: the whole answer of a call without stream=True.
    is_model = isinstance(source, BaseModel) and type(source).__iter__ is BaseModel.__iter__
    return hasattr(source, "__iter__") and not is_model


def open_sync(source: Any, stack: contextlib.ExitStack) -> Iterator[Any]:
    """Open for ``for``; *stack* closes it."""
    for _ in range(_DEPTH):
        if isinstance(source, _NEVER):
            break
        if _is_iterable(source):
            if (close := _method(source, "close")) is not None:
                stack.callback(close)
            iterator: Iterator[Any] = iter(source)
            if iterator is not source and (close := _method(iterator, "close")) is not None:
                stack.callback(close)
            return iterator
        if hasattr(source, "__enter__"):
            source = stack.enter_context(source)
        elif callable(getattr(source, "stream_events", None)):
            source = source.stream_events()
        else:
            break
    raise _not_a_stream(source)


async def open_async(source: Any, stack: contextlib.AsyncExitStack) -> AsyncIterator[Any]:
    """Open for ``async for``; *stack* closes it. A sync source is stepped in worker threads."""
    for _ in range(_DEPTH):
        if isinstance(source, _NEVER):
            break
        if hasattr(source, "__aiter__"):
            _close_later(source, stack)
            iterator: AsyncIterator[Any] = aiter(source)
            if iterator is not source:
                _close_later(iterator, stack)
            return iterator
        if inspect.isawaitable(source) and not callable(getattr(source, "stream_events", None)):
            source = await source
        elif hasattr(source, "__aenter__"):
            source = await stack.enter_async_context(source)
        elif _is_sync(source):
            made = Threaded(source)
            stack.push_async_callback(made.aclose)
            return made
        elif callable(getattr(source, "stream_events", None)):
            source = source.stream_events()
        else:
            break
    raise _not_a_stream(source)


def closer(source: Any, iterator: Any) -> Callable[[], object] | None:
    """What ends a blocked ``next`` from another thread. A generator cannot be closed while it runs."""
    for made in (iterator, source):
        if not inspect.isgenerator(made) and (close := _method(made, "close")) is not None:
            return close
    return None


def discard(source: Any) -> None:
    """Close what will never be opened, as far as that is possible without opening it."""
    if inspect.iscoroutine(source) or inspect.isgenerator(source):
        source.close()


class Threaded(AsyncIterator[Any]):
    """A sync source as an async iterator: it may block, so each step gets a thread."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._iterator: Any = None
        self._stack = contextlib.ExitStack()
        self._stepper = Stepper()
        self._lock = threading.Lock()
        self._busy = False
        self._closed = False

    async def __anext__(self) -> Any:
        native = await in_thread(self._next)
        if native is END:
            raise StopAsyncIteration
        return native

    async def aclose(self) -> None:
        """Close the source, or interrupt the step that is still in it, which closes it then."""
        with self._lock:
            self._closed = True
            busy = self._busy
        if busy:
            self._stepper.cancel()
        else:
            await in_thread(self._stack.close)

    def _next(self) -> Any:
        with self._lock:
            if self._closed:
                return END
            self._busy = True
        try:
            if self._iterator is None:
                self._iterator = self._stepper.step(lambda: open_sync(self._source, self._stack))
            iterator = self._iterator
            if iterator is END:
                return END
            return self._stepper.step(partial(next, iterator, END), closer(self._source, iterator))
        finally:
            with self._lock:
                self._busy = False
                closed = self._closed
            if closed:
                self._stack.close()


async def until_it_ends(registry: Registry, agent_id: str) -> AsyncIterator[Any]:
    """An agent's events from now until it has no open run; at once if it has said all."""
    with registry.subscribe(agent_id) as subscription:
        end = _End(registry, agent_id, subscription)
        registry.attach(agent_id, end)
        try:
            end.wake()
            async for event in subscription:
                yield event
        finally:
            registry.detach(agent_id, end)


class _End:
    """Closes a subscription when the agent's last open run has ended, by an event or by ``finish``."""

    def __init__(self, registry: Registry, agent_id: str, subscription: Subscription) -> None:
        self._registry = registry
        self._agent_id = agent_id
        self._subscription = subscription

    def touch(self, node: object) -> None:
        """Not what changes, but whether it goes on."""

    def wake(self) -> None:
        """Look whether it goes on."""
        if self._registry.open_run(self._agent_id) is None and self._registry.transcript(self._agent_id).runs:
            self._subscription.close()

    def note(self, text: str) -> None:
        """Others show it."""


def _method(source: Any, name: str) -> Callable[[], object] | None:
    found = getattr(source, name, None)
    return found if callable(found) else None


def _close_later(source: Any, stack: contextlib.AsyncExitStack) -> None:
    close = _method(source, "aclose") or _method(source, "close")
    if close is None:
        return

    async def closing() -> None:
        done = close()
        if inspect.isawaitable(done):
            await done

    stack.push_async_callback(closing)


def _not_a_stream(source: Any) -> TypeError:
    advice = hint(source)
    if isinstance(source, str | os.PathLike):
        advice = " A recording is played with vibe.replay(path)."
    elif inspect.isroutine(source) or isinstance(source, type):
        advice = " Did you forget to call it?" + advice
    return TypeError(
        f"{source_name(source)} is not a stream: pass an iterable or async iterable of events, an awaitable "
        f"or context manager that gives one, or an object with stream_events().{advice}"
    )
