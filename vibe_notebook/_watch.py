"""``watch``: the whole user API in one word. Like tqdm, it passes the source's own objects through.

At the top of the path. The source is stepped in the consumer's own task: SDK streams hold task
groups, which allow neither a task nor a cancel scope per item.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import signal
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio
import anyio.to_thread

from . import adapters
from ._pipeline import Pipeline
from ._sources import is_async, is_async_only, open_async, open_sync, type_name
from .exceptions import ConsumedError
from .recording import Recorder, Replay
from .registry import Registry, get_registry
from .transcript import Transcript

if TYPE_CHECKING:
    from .adapters import Adapter

__all__ = ["Watch", "last", "live_watches", "watch", "watch_agent"]

log = logging.getLogger("vibe_notebook")

TICK = 0.1
"""Seconds between looks at the signals: an idle loop takes an interrupt only when it next wakes."""

_END = object()


class Watch:
    """A stream being watched; made by ``watch``. Consume it once: ``for``, ``async for``, ``await``
    or ``async with``.
    """

    def __init__(self, source: Any, pipeline: Pipeline) -> None:
        self._source = source
        self._pipeline = pipeline
        self._claimed = False
        self._entered = False
        self._lock = threading.Lock()
        self._cancelled = False
        self._steps_made: Callable[[], Generator[Any, None, None] | None] = _nothing
        self._asteps_made: Callable[[], AsyncGenerator[Any, None] | None] = _nothing
        self._interrupt: Any = None  # interrupts the pending step, while there is one

    # What it shows

    @property
    def agent_id(self) -> str | None:
        """The first or only agent's id; ``None`` before anything is known of it."""
        return self._pipeline.agent_id

    @property
    def title(self) -> str:
        """What the view is called."""
        return self._pipeline.title or self.agent_id or type_name(self._source)

    @property
    def transcript(self) -> Transcript:
        """The first or only agent's transcript, as it is now."""
        return next(iter(self.transcripts.values()), Transcript(agent_id=self.agent_id or ""))

    @property
    def transcripts(self) -> dict[str, Transcript]:
        """All agents' transcripts, by agent id."""
        return self._pipeline.transcripts if self._pipeline.settled else self._pipeline.current()

    def show(self) -> None:
        """Display the static form anew, in the present cell."""
        from .display._output import bundle, show  # noqa: PLC0415 - only when something is shown

        show(bundle(self.transcripts, title=self.title))

    def __repr__(self) -> str:
        state = (self.transcript.outcome or "ended") if self.done() else "live" if self._entered else "not started"
        return f"<watch {self.title!r}: {state}>"

    def _ipython_display_(self) -> None:
        """Shown already, where it was started: nothing twice."""
        if not self._entered:
            from IPython.display import display  # noqa: PLC0415

            display({"text/plain": f"{self!r}: iterate it, or await it"}, raw=True)

    @property
    def is_async(self) -> bool:
        """Whether its source has an async form."""
        return is_async(self._source)

    # Its end

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._pipeline.settled

    def cancel(self) -> bool:
        """End it: interrupts the pending step, closes the source; what was streamed stays.

        From any thread, any number of times. The consumer's loop ends normally. Returns whether
        there was anything to cancel, as ``asyncio.Task.cancel`` does.
        """
        with self._lock:
            if self.done() or self._cancelled:
                return False
            self._cancelled = True
            interrupt = self._interrupt
            if interrupt is not None:
                interrupt()
        return True

    def _claim(self) -> None:
        with self._lock:
            if self._claimed:
                msg = "This watch already has a consumer; make a new one with vibe.watch(...)."
                raise ConsumedError(msg)
            self._claimed = True

    def _begin(self) -> None:
        if not self._entered:
            self._entered = True
            self._pipeline.begin()
            _remember(self)

    def _settle(self, exc: BaseException | None = None) -> None:
        _live.pop(self, None)
        self._pipeline.settle(exc if not self._cancelled or exc is None else asyncio.CancelledError())

    # Consumers

    def __iter__(self) -> Iterator[Any]:
        if is_async_only(self._source):
            msg = f"{type_name(self._source)} is an async stream: use `async for`, or `await` the watch."
            raise TypeError(msg)
        self._claim()
        steps = self._steps()
        self._steps_made = weakref.ref(steps)  # weak: `break` drops the iterator, and that closes it
        return steps

    def __aiter__(self) -> AsyncIterator[Any]:
        self._claim()
        steps = self._asteps()
        self._asteps_made = weakref.ref(steps)
        return steps

    def __await__(self) -> Generator[Any, None, Transcript]:
        return self._drain().__await__()

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            steps = self._steps_made()
            if steps is not None and error is None:
                steps.close()
        finally:
            self._settle(error or GeneratorExit())

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        steps = self._asteps_made()
        running = steps is not None and steps.ag_running  # another task consumes it
        if running:
            self.cancel()
        try:
            if steps is not None and error is None and not running:
                await steps.aclose()
        finally:
            self._settle(error or GeneratorExit())

    async def _drain(self) -> Transcript:
        self._claim()
        if is_async(self._source):
            async for _ in self._asteps():
                pass
        else:
            # A sync source may block: it gets a thread, the loop stays free for clicks.
            ticking = _Ticker()
            try:
                await anyio.to_thread.run_sync(self._drain_sync, abandon_on_cancel=True)
            except asyncio.CancelledError as error:
                self._cancelled = True
                self._settle(error)
                raise
            finally:
                ticking.stop()
        return self.transcript

    def _drain_sync(self) -> None:
        for _ in self._steps():
            pass

    def _steps(self) -> Generator[Any, None, None]:
        failure: BaseException | None = None
        try:
            self._begin()
            with contextlib.ExitStack() as stack:
                iterator = open_sync(self._source, stack)
                while (native := self._step(iterator)) is not _END:
                    self._pipeline.take(native)
                    yield native
        except BaseException as error:
            failure = error
            raise
        finally:
            self._settle(asyncio.CancelledError() if self._cancelled else failure)

    def _step(self, iterator: Iterator[Any]) -> Any:
        """The next native, or ``_END``, also when cancelled meanwhile."""
        try:
            with self._lock:
                if self._cancelled:
                    return _END
                self._interrupt = _sync_interrupt(self._source)
            native = next(iterator, _END)
            with self._lock:
                self._interrupt = None
        except BaseException:
            self._interrupt = None
            if self._cancelled:
                return _END  # our own interrupt, or what the source made of being closed
            raise
        return _END if self._cancelled else native

    async def _asteps(self) -> AsyncGenerator[Any, None]:
        failure: BaseException | None = None
        ticking = _Ticker()
        try:
            self._begin()
            async with contextlib.AsyncExitStack() as stack:
                iterator = await self._aopen(stack)
                while (native := await self._astep(iterator)) is not _END:
                    self._pipeline.take(native)
                    yield native
        except BaseException as error:
            failure = error
            raise
        finally:
            ticking.stop()
            self._settle(asyncio.CancelledError() if self._cancelled else failure)

    async def _aopen(self, stack: contextlib.AsyncExitStack) -> Any:
        return await self._interruptible(open_async(self._source, stack))

    async def _astep(self, iterator: Any) -> Any:
        if iterator is _END or self._cancelled:
            return _END
        if hasattr(iterator, "__anext__"):
            return await self._interruptible(anext(iterator, _END))
        return await self._interruptible(anyio.to_thread.run_sync(next, iterator, _END, abandon_on_cancel=True))

    async def _interruptible(self, step: Any) -> Any:
        """Await *step* in this very task; ``_END`` if ``cancel()`` came meanwhile."""
        task, loop = _task()
        sent = False

        def interrupt() -> None:
            nonlocal sent
            if self._interrupt is not None and not sent and task is not None:
                sent = True
                task.cancel()

        with self._lock:
            if not self._cancelled and task is not None:
                self._interrupt = lambda: loop.call_soon_threadsafe(interrupt)
        try:
            result = await step
        except asyncio.CancelledError:
            if sent and task is not None and task.cancelling() <= 1:
                return _END
            raise
        except Exception:
            if sent:
                return _END  # what the source made of being interrupted
            raise
        finally:
            self._interrupt = None
            if sent and task is not None:
                task.uncancel()
        return _END if self._cancelled else result

    def start(self) -> None:
        """Consume it in the background, on the running loop or, a sync source, in a thread.

        What goes wrong is shown in the view and logged; it is not raised anywhere.
        """
        if is_async(self._source):
            self._begin()
            task = asyncio.get_running_loop().create_task(self._in_background())
            _tasks.add(task)  # the loop holds tasks weakly
            task.add_done_callback(_tasks.discard)
            return
        self._begin()
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(self._in_thread,), name="vibe-watch", daemon=True).start()

    async def _in_background(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            try:
                await self._drain()
            except Exception:
                log.exception("The stream of %r failed", self.title)

    def _in_thread(self) -> None:
        try:
            self._claim()
            self._drain_sync()
        except Exception:
            log.exception("The stream of %r failed", self.title)


def _nothing() -> None:
    return None


class _Ticker:
    """Keeps the running loop awake while a step is awaited, so that an interrupt is seen soon."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None
        with contextlib.suppress(RuntimeError):  # no asyncio loop here: nothing to keep awake
            self._loop = asyncio.get_running_loop()
            self._tick()

    def _tick(self) -> None:
        self._handle = self._loop.call_later(TICK, self._tick)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()


def _task() -> tuple[asyncio.Task[Any] | None, Any]:
    try:
        return asyncio.current_task(), asyncio.get_running_loop()
    except RuntimeError:  # trio: cancel() takes effect at the next step
        return None, None


def _sync_interrupt(source: Any) -> Any:
    """What ends a blocked ``next``: a signal for the main thread, closing the source elsewhere."""
    if threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler and hasattr(signal, "pthread_kill"):
            ident = threading.main_thread().ident
            return lambda: signal.pthread_kill(ident, signal.SIGINT) if threading.get_ident() != ident else None
        return None
    close = getattr(source, "close", None)
    if callable(close) and not hasattr(source, "gi_frame"):  # a running generator cannot be closed
        return close
    return None


_live: dict[Watch, None] = {}
_tasks: set[asyncio.Task[None]] = set()
_last: list[Watch] = []


def _remember(watched: Watch) -> None:
    _live[watched] = None
    _last[:] = [watched]


def live_watches() -> list[Watch]:
    """The watches that have begun and not ended, oldest first."""
    return list(_live)


def last() -> Watch | None:
    """The watch that was started last in this process, also by a magic."""
    return _last[0] if _last else None


def watch(
    source: Any,
    *,
    title: str | None = None,
    agent_id: str | None = None,
    adapter: str | Adapter = "auto",
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
) -> Watch:
    """Show an agent's work live while you consume its stream, which passes through unchanged.

    ::

        for event in vibe.watch(stream): ...
        async for event in vibe.watch(stream): ...
        transcript = await vibe.watch(stream)
        async with vibe.watch(stream) as run: ...

    ``source`` is a sync or async iterable of an SDK's events, an awaitable or (async) context
    manager that yields one, or an object with ``stream_events()``. Nothing is read or shown
    before it is iterated, awaited or entered. ``adapter`` names the SDK where it cannot be told
    from the first event; ``record`` is a file to keep the run in; ``display=False`` shows
    nothing but still builds ``.transcript``.
    """
    if isinstance(adapter, str) and adapter != "auto":
        adapters.get(adapter)  # an unknown name is an error here, not in the middle of a stream
    if registry is None:
        # A recording has the ids of the run it is of: played beside it, it would be its duplicate.
        registry = Registry() if isinstance(source, Replay) else get_registry()
    pipeline = Pipeline(
        registry,
        agent_id=agent_id,
        title=title,
        adapter=adapter,
        renderer=None if display else "none",
        record=record,
    )
    made = Watch(source, pipeline)
    pipeline.stop_with(made.cancel)
    return made


def watch_agent(
    agent_id: str,
    *,
    title: str | None = None,
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
) -> Watch:
    """Show an agent of the registry: all it has said, and what it says until its open run ends."""
    registry = registry or get_registry()
    pipeline = Pipeline(
        registry,
        agent_id=agent_id,
        title=title or agent_id,
        renderer=None if display else "none",
        record=record,
    )
    pipeline.passive = True
    made = Watch(_until_it_ends(registry, agent_id), pipeline)
    pipeline.stop_with(made.cancel)
    return made


async def _until_it_ends(registry: Registry, agent_id: str) -> AsyncIterator[Any]:
    async with registry.subscribe(agent_id) as subscription:
        if registry.transcript(agent_id).runs and registry.open_run(agent_id) is None:
            return
        async for event in subscription:
            yield event
            if event.type == "run_finished" and registry.open_run(agent_id) is None:
                return
