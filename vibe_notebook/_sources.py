"""What can be watched, brought to one of two shapes: a sync or an async iterator.

At the top edge of ``watch``. A source is an iterable, an awaitable or (async) context manager
that yields one, or an object with ``stream_events()``; it is opened only when it is consumed.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

__all__ = ["is_async_only", "open_async", "open_sync", "type_name"]

_DEPTH = 8
"""An awaitable that yields a context manager that yields …: further is a circle."""


def type_name(source: Any) -> str:
    """How a message names the source."""
    return type(source).__qualname__


def is_async_only(source: Any) -> bool:
    """Whether a plain ``for`` cannot read it."""
    if hasattr(source, "__iter__") or hasattr(source, "__enter__"):
        return False
    if hasattr(source, "__aiter__") or hasattr(source, "__aenter__") or inspect.isawaitable(source):
        return True
    events = getattr(source, "stream_events", None)
    return callable(events) and (inspect.isasyncgenfunction(events) or not inspect.isgeneratorfunction(events))


def is_async(source: Any) -> bool:
    """Whether it has an async form, which is then preferred."""
    return (
        hasattr(source, "__aiter__") or hasattr(source, "__aenter__") or inspect.isawaitable(source)
    ) or callable(getattr(source, "stream_events", None))


def open_sync(source: Any, stack: contextlib.ExitStack) -> Iterator[Any]:
    """Open for ``for``; *stack* closes it."""
    for _ in range(_DEPTH):
        if isinstance(source, str | bytes | dict):
            break  # iterable, but never a stream of events
        if hasattr(source, "__iter__"):
            close = getattr(source, "close", None)
            if callable(close):
                stack.callback(close)
            iterator = iter(source)
            if iterator is not source and callable(close := getattr(iterator, "close", None)):
                stack.callback(close)
            return iterator
        if hasattr(source, "__enter__"):
            source = stack.enter_context(source)
        elif callable(getattr(source, "stream_events", None)):
            source = source.stream_events()
        else:
            break
    raise _not_a_stream(source)


async def open_async(source: Any, stack: contextlib.AsyncExitStack) -> AsyncIterator[Any] | Iterator[Any]:
    """Open for ``async for``; *stack* closes it. A sync iterator comes back for a sync source."""
    for _ in range(_DEPTH):
        if hasattr(source, "__aiter__"):
            _close_later(source, stack)
            iterator = aiter(source)
            if iterator is not source:
                _close_later(iterator, stack)
            return iterator
        if inspect.isawaitable(source):
            source = await source
        elif hasattr(source, "__aenter__"):
            source = await stack.enter_async_context(source)
        elif callable(getattr(source, "stream_events", None)):
            source = source.stream_events()
        else:
            return open_sync(source, stack.enter_context(contextlib.ExitStack()))
    raise _not_a_stream(source)


def _close_later(source: Any, stack: contextlib.AsyncExitStack) -> None:
    close = getattr(source, "aclose", None) or getattr(source, "close", None)
    if not callable(close):
        return

    async def closing() -> None:
        done = close()
        if inspect.isawaitable(done):
            await done

    stack.push_async_callback(closing)


def _not_a_stream(source: Any) -> TypeError:
    return TypeError(
        f"{type_name(source)} is not a stream: pass an iterable or async iterable of events, an awaitable "
        "or context manager that gives one, or an object with stream_events()."
    )
