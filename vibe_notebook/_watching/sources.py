"""Open a source as a sync or an async iterator.

At the top edge of ``watch``. A source is an iterable, an awaitable or (async) context manager
that yields one, or an object with ``stream_events()``; it is opened only when it is consumed.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Final

from pydantic import BaseModel

from .._foreign_words import clean_logger
from ..exceptions import ConsumedError
from ..registry import Registry, Subscription
from .runs_behind import Report, end_runs_behind, ignore, method_of, stream_events_of
from .source_names import hint, hint_in, sdk_of, source_name, type_name
from .stepper import END, Stepper, in_thread

__all__ = [
    "Threaded",
    "check",
    "closer",
    "discard",
    "events_until_run_ends",
    "hint",
    "is_async",
    "is_async_only",
    "is_one_shot",
    "open_async",
    "open_sync",
    "source_name",
    "stream_in",
    "type_name",
]

log = clean_logger("vibe_notebook")
_DEPTH = 8
"""Steps from an awaitable to the context manager that it yields, and so on: more are a circle."""
_CLOSES = 3
"""Times that a generator is closed which yields instead of ending."""
_IGNORED = "generator ignored GeneratorExit"
"""Words of Python's error for such a generator."""
_NEVER = (str, bytes, bytearray, dict, type, type(None))
"""Types that are no stream of events, though some of them can be iterated."""


def check(source: Any) -> None:
    """Check that *source* can be a stream. Raises ``TypeError``; ``ConsumedError`` if it was read already."""
    if isinstance(source, _NEVER) or not (is_async(source) or _is_sync(source)) or _is_client(source):
        raise _not_a_stream(source)
    _check_unread(source)


def stream_in(source: Any) -> Any:
    """Return the stream that a response of boto3 holds, a dict; every other source as it is."""
    if isinstance(source, dict) and "ResponseMetadata" in source:
        found = (source.get(name) for name in ("stream", "body"))
        return next((one for one in found if type_name(one).endswith("EventStream")), source)
    return source


def is_async_only(source: Any) -> bool:
    """Return whether only ``async for`` can read the source."""
    if _is_sync(source):
        return False
    if hasattr(source, "__aiter__") or hasattr(source, "__aenter__") or inspect.isawaitable(source):
        return True
    events = stream_events_of(source)
    return events is not None and not inspect.isgeneratorfunction(events)


def is_async(source: Any) -> bool:
    """Return whether the source has an async form, which a watch prefers."""
    if isinstance(source, _NEVER):
        return False
    if hasattr(source, "__aiter__") or hasattr(source, "__aenter__") or inspect.isawaitable(source):
        return True
    return not _is_sync(source) and is_async_only(source)


def _is_sync(source: Any) -> bool:
    # A future has __iter__ too, for `yield from`: its results are no events.
    return (_is_iterable(source) or hasattr(source, "__enter__")) and not asyncio.isfuture(source)


def _is_client(source: Any) -> bool:
    """Return whether *source* is an SDK's client or agent: a context manager, but none that yields a stream."""
    if sdk_of(source) is None or "Stream" in type_name(source) or inspect.isawaitable(source):
        return False
    return not (_is_iterable(source) or hasattr(source, "__aiter__") or stream_events_of(source))


def _check_unread(source: Any) -> None:
    """Check that a generator or a coroutine has not ended. Raises ``ConsumedError``."""
    own = list(vars(source).values()) if sdk_of(source) and hasattr(source, "__dict__") else []
    if not any(map(_has_ended, (source, *own))):
        return
    msg = f"{source_name(source)} was read to its end already: a stream is read once. Make a new one"
    advice = hint(source).removeprefix(" ")
    raise ConsumedError(f"{msg}. {advice}" if advice else f"{msg}, and give that to watch.")


def _has_ended(source: Any) -> bool:
    for is_kind, name in _ENDING:
        if is_kind(source):
            return getattr(source, name) is None
    return False


_ENDING: Final = (
    (inspect.isgenerator, "gi_frame"),
    (inspect.isasyncgen, "ag_frame"),
    (inspect.iscoroutine, "cr_frame"),
)
"""Kinds of sources that can be read once, and the attribute that is ``None`` afterwards."""


def is_one_shot(source: Any) -> bool:
    """Return whether *source* can be read only once, and does not show whether it was."""
    return hasattr(source, "__next__") and not inspect.isgenerator(source)


def _is_iterable(source: Any) -> bool:
    # A model has __iter__ too, over its fields: the whole answer of a call without stream=True.
    is_model = isinstance(source, BaseModel) and type(source).__iter__ is BaseModel.__iter__
    return hasattr(source, "__iter__") and not is_model


def open_sync(source: Any, stack: contextlib.ExitStack, report: Report = ignore) -> Iterator[Any]:
    """Open a source for ``for``; *stack* closes it."""
    for _ in range(_DEPTH):
        if isinstance(source, _NEVER):
            break
        if _is_iterable(source):
            if (close := method_of(source, "close", report)) is not None:
                stack.callback(_close, close)
            iterator: Iterator[Any] = iter(source)
            if iterator is not source and (close := method_of(iterator, "close", report)) is not None:
                stack.callback(_close, close)
            _check_unread(iterator)
            return iterator
        if hasattr(source, "__enter__"):
            source = stack.enter_context(source)
        elif (events := stream_events_of(source)) is not None:
            source = events()
        else:
            break
    raise _not_a_stream(source)


def _close(close: Callable[[], Any]) -> Any:
    """Close a source. A generator that yields while it is closed, as smolagents' does, is closed once more."""
    for _ in range(_CLOSES):
        try:
            return close()
        except RuntimeError as error:
            if _IGNORED not in str(error):
                raise
    return close()


async def open_async(
    source: Any,
    stack: contextlib.AsyncExitStack,
    is_over: Callable[[], bool] = lambda: True,
    report: Report = ignore,
) -> AsyncIterator[Any]:
    """Open a source for ``async for``; *stack* closes it. Worker threads step a sync source.

    A run that only hands out its events goes on without a reader: *stack* ends it too, unless *is_over*.
    """
    opened: list[Any] = []
    for _ in range(_DEPTH):
        if isinstance(source, _NEVER):
            break
        if hasattr(source, "__aiter__"):
            _close_with(source, stack, report)
            iterator: AsyncIterator[Any] = aiter(source)
            if iterator is not source:
                _close_with(iterator, stack, report)
            opened += [source, iterator]
            # Before the iterator closes: that may wait for the run's end.
            stack.push_async_callback(end_runs_behind, opened, is_over, report)
            _check_unread(iterator)
            return iterator
        if inspect.isawaitable(source) and stream_events_of(source) is None:
            source = await source
        elif hasattr(source, "__aenter__"):
            source = await stack.enter_async_context(source)
        elif _is_sync(source):
            made = Threaded(source, report)
            stack.push_async_callback(made.aclose)
            return made
        elif (events := stream_events_of(source)) is not None:
            opened.append(source)
            source = events()
        else:
            break
    raise _not_a_stream(source)


def closer(source: Any, iterator: Any, report: Report = ignore) -> Callable[[], object] | None:
    """Return the function that ends a blocked ``next`` from another thread; a running generator has none."""
    for made in (iterator, source):
        if not inspect.isgenerator(made) and (close := method_of(made, "close", report)) is not None:
            return close
    return None


def discard(source: Any) -> None:
    """Close a source that no consumer will open, as far as possible without opening it."""
    if inspect.iscoroutine(source) or inspect.isgenerator(source):
        source.close()


class Threaded(AsyncIterator[Any]):
    """Read a sync source as an async iterator: each step may block, so it gets a thread."""

    def __init__(self, source: Any, report: Report = ignore) -> None:
        self._source = source
        self._report = report
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
        """Close the source, or interrupt the step that is still in the source and then closes it."""
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
                self._iterator = self._stepper.step(
                    lambda: open_sync(self._source, self._stack, self._report)
                )
            iterator = self._iterator
            if iterator is END:
                return END
            return self._stepper.step(
                partial(next, iterator, END), closer(self._source, iterator, self._report)
            )
        finally:
            with self._lock:
                self._busy = False
                closed = self._closed
            if closed:
                self._stack.close()


async def events_until_run_ends(registry: Registry, agent_id: str) -> AsyncIterator[Any]:
    """Yield an agent's events from now until it has no open run; end at once without one."""
    with registry.subscribe(agent_id) as subscription:
        end = _RunEndListener(registry, agent_id, subscription)
        registry.attach(agent_id, end)
        try:
            end.wake()
            async for event in subscription:
                yield event
        finally:
            registry.detach(agent_id, end)


class _RunEndListener:
    """Close a subscription when the agent's last open run has ended, by an event or by ``finish``."""

    def __init__(self, registry: Registry, agent_id: str, subscription: Subscription) -> None:
        self._registry = registry
        self._agent_id = agent_id
        self._subscription = subscription

    def touch(self, node: object) -> None:
        """Ignore a change: only the end of the runs counts."""

    def wake(self) -> None:
        """Close the subscription if the agent has runs, and all have ended."""
        if self._registry.open_run(self._agent_id) is None and self._registry.transcript(self._agent_id).runs:
            self._subscription.close()

    def report(self, text: str) -> None:
        """Ignore a failure: the views show it."""


def _close_with(source: Any, stack: contextlib.AsyncExitStack, report: Report) -> None:
    close = method_of(source, "aclose", report) or method_of(source, "close", report)
    if close is None:
        return

    async def closing() -> None:
        for _ in range(_CLOSES):
            try:
                done = close()
                if inspect.isawaitable(done):
                    await done
            except StopAsyncIteration:
                return  # Python closes an async generator once only: it stays where it is
            except RuntimeError as error:
                if _IGNORED not in str(error):
                    raise
            else:
                return

    stack.push_async_callback(closing)


def _not_a_stream(source: Any) -> TypeError:
    return TypeError(
        f"{source_name(source)} is not a stream: pass an iterable or async iterable of events, an "
        f"awaitable or context manager that gives one, or an object with stream_events().{_advice(source)}"
    )


_RECORDING: Final = (".jsonl", ".json", ".ndjson")
_ANSWER: Final = re.compile(
    "^(Parsed)?(ChatCompletion|Completion|Response|Message|AIMessage)|(Result|Output)$"
)
"""Names of the classes that SDKs give without streaming."""


def _advice(source: Any) -> str:
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return " Follow a URL with vibe_notebook.remote.follow(url)."
    if isinstance(source, str) and source.endswith(_RECORDING):
        return " There is no file of this name; vibe.replay(path) plays a recording."
    if isinstance(source, str):
        return (
            " A whole text has nothing to stream: ask your SDK for a stream (mostly stream=True). "
            "A log or a recording is given by its path, and there is no file of this name."
        )
    if isinstance(source, dict):
        inner = next((found for value in source.values() if (found := hint_in(value))), "")
        return inner or " Ask your SDK for a stream (mostly stream=True), or pass a list of events."
    if inspect.isroutine(source) or isinstance(source, type | partial):
        return " Did you forget to call it?" + hint(source)
    if isinstance(source, BaseModel) and _ANSWER.search(type_name(source)):
        return " It is one whole answer." + hint(source)
    return hint(source)
