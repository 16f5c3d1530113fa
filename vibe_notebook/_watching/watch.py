"""``watch``: the user API. Like tqdm, it passes the source's own objects through.

At the top of the path. The stepper steps the source in the consumer's own task; the pipeline and the consumer
get each native event, the consumer unchanged.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import warnings
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from functools import partial
from types import AsyncGeneratorType, GeneratorType, TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from .. import adapters
from .._foreign_words import clean_logger
from .._host import host
from ..exceptions import ConsumedError
from ..logs import Log, meant_log, names_a_log
from ..recording import Recorder, Replay
from ..registry import Registry, get_registry
from ..transcript import Transcript
from .connections import connections_of
from .context import enter, leave
from .pipeline import Pipeline
from .runs_behind import NativeRuns
from .sources import (
    check,
    closer,
    discard,
    events_until_run_ends,
    is_async,
    is_async_only,
    open_async,
    open_sync,
    source_name,
    stream_in,
    type_name,
)
from .stepper import END, Stepper, Ticker, close_when_dropped, in_thread
from .transcribed import Transcribed

if TYPE_CHECKING:
    from ..adapters import Adapter

__all__ = ["Watch", "last", "live_watches", "watch", "watch_agent"]


log = clean_logger("vibe_notebook")


class Watch(Transcribed):
    """Show a stream while its consumer reads it; made by ``watch``.

    Consume it once: ``for``, ``async for``, ``await``, or in a ``with`` or ``async with`` block.
    """

    def __init__(self, source: Any, pipeline: Pipeline) -> None:
        super().__init__(pipeline, kind=type_name(source))
        self._source = source
        self._stepper = Stepper()
        self._ticker = Ticker()
        self.is_consumed_by_magic = False  # an await then only waits for the end
        self._claimed = False
        self._is_tried = False  # in a wrong way, and its caller knows
        self._entered = False
        self._begun = False
        self._cell: int | None = None  # in which it began: its view is there
        self.is_asked_for = False  # by last(), to be displayed in whichever cell
        self._block_error: BaseException | None = None
        self._open_steps: Callable[[], GeneratorType[Any, None, None] | None] = _no_steps
        self._open_asteps: Callable[[], AsyncGeneratorType[Any, None] | None] = _no_steps

    @property
    def is_async(self) -> bool:
        """Return whether the source has an async form."""
        return is_async(self._source)

    def __repr__(self) -> str:
        begun = "live" if self._pipeline.connections.stood else "connecting"
        ended = (self.transcript.outcome or "ended") if self.done() else None
        return f"<watch {self.title!r}: {ended or (begun if self._begun else 'not started')}>"

    def __del__(self) -> None:
        if sys.is_finalizing() or not hasattr(self, "_open_asteps"):
            return  # the process ends, or the watch was never made
        if not (self._claimed or self._entered or self._is_tried or self._begun or self._stepper.cancelled):
            discard(self._source)
            msg = f"The watch {self.title!r} was never read: iterate it, or await it."
            warnings.warn(msg, RuntimeWarning, stacklevel=1, source=self)

    def _ipython_display_(self) -> None:
        """Show a hint before the start, later the form. The cell that has the view shows nothing twice."""
        is_asked_for, self.is_asked_for = self.is_asked_for, False
        if not self._begun:
            host().show({"text/plain": f"{self!r}: iterate it, or await it"})
        elif is_asked_for or self._cell != host().current_cell():
            if not self.done():
                host().show({"text/plain": f"{self!r}, its form of this moment:"})
            self.show()

    def cancel(self) -> bool:
        """Interrupt the pending step and close the source; the view keeps the streamed text.

        Any thread may call this, any number of times. The consumer's loop ends normally. Return False if the
        watch had ended before, as ``asyncio.Task.cancel`` does.
        """
        with self._stepper.lock:
            if not self._stepper.cancel():
                return False
            begun = self._begun
        if begun:
            self._pipeline.stopping()
        else:  # and never will begin
            discard(self._source)
            self._finalize()
        return True

    def claim(self) -> None:
        """Reserve the watch for one consumer. Raises ``ConsumedError`` if it has one."""
        with self._stepper.lock:
            if self._claimed:
                msg = "This watch already has a consumer; make a new one with vibe.watch(...)."
                raise ConsumedError(msg)
            self._claimed = True

    def _enter(self) -> None:
        if self._entered or self._claimed:
            msg = "This watch was used already; make a new one with vibe.watch(...)."
            raise ConsumedError(msg)
        self._entered = True
        self.begin()

    def _leave(self) -> None:
        self._claimed = True  # no consumer can begin after the block
        if self._open_steps is self._open_asteps is _no_steps:
            discard(self._source)
        self._open_steps = self._open_asteps = _no_steps

    def begin(self) -> None:
        """Open the view. Raises the errors of the recording and of the output."""
        with self._stepper.lock:
            if self._begun or self._stepper.cancelled:
                return
            self._begun = True
        self._cell = host().current_cell()
        self._ticker.start()
        _live[self] = None
        _last[:] = [self]
        try:
            self._pipeline.begin()
        except BaseException as error:
            discard(self._source)
            self._finalize(error)
            raise

    def _finalize(self, exc: BaseException | None = None) -> None:
        self._pipeline.finalize(self._close_steps(exc), later=True)

    async def _finalize_async(self, exc: BaseException | None = None) -> None:
        await self._pipeline.finalize_async(self._close_steps(exc))

    def _close_steps(self, exc: BaseException | None) -> BaseException | None:
        _live.pop(self, None)
        self._ticker.stop()
        self._source = None  # it may hold all events that it gave
        is_trio = type(exc).__module__.startswith("trio")  # its Cancelled cannot be made, nor imported here
        return asyncio.CancelledError() if self._stepper.end() or is_trio else exc

    def __iter__(self) -> Iterator[Any]:
        if is_async_only(self._source):
            self._is_tried = True
            msg = f"{source_name(self._source)} is an async stream: use `async for`, or `await` the watch."
            raise TypeError(msg)
        self.claim()
        steps = cast("GeneratorType[Any, None, None]", self._steps())
        # Weak: `break` drops the iterator, which closes it. In a `with` block, the end of the block closes it.
        self._open_steps = (lambda: steps) if self._entered else weakref.ref(steps)
        return steps

    def __aiter__(self) -> AsyncIterator[Any]:
        self.claim()
        steps = cast("AsyncGeneratorType[Any, None]", self._asteps())
        self._open_asteps = (lambda: steps) if self._entered else weakref.ref(steps)
        return steps if self._entered else close_when_dropped(steps)

    def __await__(self) -> Generator[Any, None, Transcript]:
        return self._drain().__await__()

    def __enter__(self) -> Self:
        if is_async_only(self._source):
            self._is_tried = True
            msg = f"{source_name(self._source)} is an async stream: use `async with`, or `await` the watch."
            raise TypeError(msg)
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        steps = self._open_steps()
        try:
            if steps is not None and steps.gi_running:
                self.cancel()  # another thread consumes the watch
            elif steps is not None:
                self._block_error = error
                steps.close()
        finally:
            self._leave()
            self._finalize(error or GeneratorExit())

    async def __aenter__(self) -> Self:
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        steps = self._open_asteps()
        try:
            if steps is not None and steps.ag_running:
                self.cancel()  # another task consumes the watch
            elif steps is not None:
                self._block_error = error
                await steps.aclose()
        finally:
            self._leave()
            await self._finalize_async(error or GeneratorExit())

    async def _drain(self) -> Transcript:
        if self.is_consumed_by_magic:
            await self._pipeline.wait_until_finalized()
        else:
            self.claim()
            await self.consume()
        return self.transcript

    async def consume(self) -> None:
        """Read the source to its end, in this task."""
        if is_async(self._source):
            async for _ in self._asteps():
                pass
            return
        # A sync source may block: it runs in a thread, and the loop stays free for clicks.
        try:
            self.begin()
            await self._stepper.astep(lambda: in_thread(self.consume_sync))
        except BaseException as error:
            self._stepper.cancel()  # the thread goes on alone, and ends with its step
            await self._finalize_async(error)
            raise
        await self._finalize_async()

    def consume_sync(self) -> None:
        """Read the source to its end, in this thread."""
        for _ in self._steps():
            pass

    def _steps(self) -> Generator[Any, None, None]:
        failure: BaseException | None = None
        try:
            self.begin()
            if self._stepper.cancelled:
                return
            with contextlib.ExitStack() as stack:
                report = self._pipeline.report
                iterator = self._step(lambda: open_sync(self._source, stack, report))
                runs, is_over = NativeRuns(), False
                stack.callback(lambda: None if is_over else runs.end(report))
                advance, close = partial(next, iterator, END), closer(self._source, iterator, report)
                while iterator is not END and (native := self._step(advance, close)) is not END:
                    runs.note(native)
                    self._pipeline.accept(native)
                    yield native
                is_over = not (is_cut := self._stepper.end())
                self._pipeline.exhausted(self._source, is_cut=is_cut)
        except BaseException as error:
            failure = self._failure(error)
            if failure is not None:
                raise
        finally:
            self._finalize(failure)

    async def _asteps(self) -> AsyncGenerator[Any, None]:
        failure: BaseException | None = None
        is_over = False  # the source has given all its events
        try:
            self.begin()
            if self._stepper.cancelled:
                return
            async with contextlib.AsyncExitStack() as stack:
                report, runs = self._pipeline.report, NativeRuns()
                iterator = await self._astep(lambda: open_async(self._source, stack, lambda: is_over, report))
                stack.callback(lambda: None if is_over else runs.end(report))

                async def advance() -> Any:
                    try:
                        return await iterator.__anext__()
                    except StopAsyncIteration:
                        return END

                while iterator is not END and (native := await self._astep(advance)) is not END:
                    runs.note(native)
                    self._pipeline.accept(native)
                    yield native
                is_over = not (is_cut := self._stepper.end())
                self._pipeline.exhausted(self._source, is_cut=is_cut)
        except BaseException as error:
            failure = self._failure(error)
            if failure is not None:
                raise
        finally:
            await self._finalize_async(failure)

    def _step(self, call: Callable[[], Any], close: Callable[[], object] | None = None) -> Any:
        token = enter(self)
        try:
            return self._stepper.step(call, close)
        finally:
            leave(token)

    async def _astep(self, step: Callable[[], Awaitable[Any]]) -> Any:
        token = enter(self)
        try:
            return await self._stepper.astep(step)
        finally:
            leave(token)

    def _failure(self, error: BaseException) -> BaseException | None:
        """Return the error that ended the steps; ``None`` for an error of a cancelled source that was closed."""
        group = error if isinstance(error, BaseExceptionGroup) else BaseExceptionGroup("", [error])
        if self._stepper.cancelled and group.split((Exception, GeneratorExit))[1] is None:
            log.debug("The cancelled source of %r failed to close", self.title, exc_info=error)
            return None
        if self._block_error is not None and isinstance(error, GeneratorExit):
            return self._block_error  # the error that left the block ended the steps
        return error


def _no_steps() -> None:
    return None


_live: dict[Watch, None] = {}
_last: list[Watch] = []


def live_watches() -> list[Watch]:
    """Return the watches that have begun and not ended, oldest first."""
    return list(_live)


def last() -> Watch | None:
    """Return the watch that this process started last, also by a magic; a cell that ends in it shows its form."""
    if _last:
        _last[0].is_asked_for = True
        return _last[0]
    host().hint("No watch has begun yet: iterate or await vibe.watch(…), or write %vibe_stream.")
    return None


def watch(
    source: Any,
    *,
    title: str | None = None,
    agent_id: str | None = None,
    adapter: str | Adapter = "auto",
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
    input: Any = None,  # noqa: A002 - the field's name
) -> Watch:
    """Show an agent's work live while you consume its stream, which passes through unchanged.

    ::

        for event in vibe.watch(stream): ...
        async for event in vibe.watch(stream): ...
        transcript = await vibe.watch(stream)
        async with vibe.watch(stream) as run: ...

    ``source`` is a sync or async iterable of an SDK's events, an awaitable or (async) context
    manager that yields one, or an object with ``stream_events()``. A path of a file, or ``"claude:latest"``, means an
    agent's own log, or a recording, whose events the watch reads without waits. The watch reads and shows nothing before
    the caller iterates, awaits or enters it. ``adapter`` names the SDK where the first few events do not
    show it; ``record`` is the path of a recording to write; ``display=False`` shows nothing but still builds
    ``.transcript``. ``input`` is what the user asked, shown where the stream itself does not tell it.

    Raises ``TypeError`` for an object that is no stream, ``AdapterError`` for an unknown adapter, ``OSError`` for a path
    that cannot be read.
    """
    source = stream_in(source)
    if isinstance(source, os.PathLike) or (isinstance(source, str) and names_a_log(source)):
        source = Log(source, agent_id=agent_id)
    if isinstance(source, str) and (meant := meant_log(source)) is not None:
        msg = f"{source!r} names no file, and no agent's log. Did you mean {meant!r}?"
        raise TypeError(msg)
    check(source)
    if not isinstance(adapter, str) and agent_id not in (None, adapter.agent_id):
        msg = f"agent_id={agent_id!r}, but the adapter has {adapter.agent_id!r}: give it to the adapter only."
        raise ValueError(msg)
    if isinstance(adapter, str) and adapter != "auto":
        adapters.get(adapter)  # raises for an unknown name here, not in the middle of a stream
    connections = connections_of(source)
    if registry is None:
        # A recording has the ids of its run, and a remote stream may show runs of this very kernel. In the
        # default registry both would be duplicates.
        registry = Registry() if isinstance(source, Replay | Log) or connections else get_registry()
    pipeline = Pipeline(
        registry,
        agent_id=agent_id,
        title=title,
        adapter=adapter,
        renderer=None if display else "none",
        record=record,
        input=input,
    )
    if isinstance(source, Replay | Log) or connections:
        pipeline.run_ids = None  # the reader knows them by the ids of their log
        pipeline.displays.renders = False  # its own renderers made its displays
    if isinstance(source, Replay | Log):
        pipeline.find_title = lambda: source.title
    pipeline.has_times = isinstance(source, Log)
    pipeline.title = title or ", ".join(connection.title for connection in connections) or None
    pipeline.connections.show(connections)
    return _new_watch(source, pipeline)


def watch_agent(
    agent_id: str,
    *,
    title: str | None = None,
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
) -> Watch:
    """Show an agent of the registry: its events so far, and those until its open run ends.

    The watch only shows: its cancel does not end the agent's run.
    """
    registry = registry or get_registry()
    pipeline = Pipeline(
        registry,
        agent_id=agent_id,
        title=title or agent_id,
        renderer=None if display else "none",
        record=record,
    )
    pipeline.passive = True
    return _new_watch(events_until_run_ends(registry, agent_id), pipeline)


def _new_watch(source: Any, pipeline: Pipeline) -> Watch:
    made = Watch(source, pipeline)
    pipeline.on_stop = made.cancel
    return made
