"""Read a source and show it: the object that ``vibe.watch`` gives. Like tqdm, it passes the source's own objects through.

At the top of the path. The stepper steps the source in the consumer's own task; the pipeline and the consumer
get each native event, the consumer unchanged.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import warnings
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from functools import partial
from types import AsyncGeneratorType, GeneratorType, TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from .._foreign_words import clean_logger
from .._host import host
from ..exceptions import ConsumedError, NoAnswerError
from ..transcript import Transcript
from .budgets import open_question
from .context import enter, leave
from .pipeline import Pipeline
from .runs_behind import NativeRuns
from .sources import (
    closer,
    discard,
    is_async,
    is_async_only,
    open_async,
    open_sync,
    source_name,
    type_name,
)
from .stepper import END, Stepper, Ticker, close_when_dropped, in_thread
from .transcribed import Transcribed

if TYPE_CHECKING:
    from ..display import Output

__all__ = ["Watch", "last", "live_watches"]


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
        self._native_result: Any = None
        self._unanswered: BaseException | None = None  # raised once the SDK has its no
        pipeline.on_failure = self._fail
        self._open_steps: Callable[[], GeneratorType[Any, None, None] | None] = _no_steps
        self._open_asteps: Callable[[], AsyncGeneratorType[Any, None] | None] = _no_steps

    @property
    def is_async(self) -> bool:
        """Return whether the source has an async form."""
        return is_async(self._source)

    @property
    def native_result(self) -> Any:
        """Return the SDK's own result, or its last event where it has none; ``None`` unless the stream has ended by itself."""
        return self._native_result

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

    def _fail(self, error: BaseException) -> None:
        self._unanswered = self._unanswered or error

    def _check_answered(self) -> None:
        if self._unanswered is not None:
            raise self._unanswered

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

    def begin_in(self, view: Pipeline, output: Output, run_id: str, since: int) -> None:
        """Begin in the view of a chat, whose run *run_id* began at the arrival number *since*, as its only consumer.

        Raises ``ConsumedError`` for a watch that was used, ``ValueError`` for one of another registry.
        """
        own = self._pipeline
        if own.registry is not view.registry:
            msg = f"The watch {self.title!r} has a registry of its own: return its source, and the chat watches it."
            raise ValueError(msg)
        self.claim()
        own.join(view, run_id, output)
        self.begin()
        own.follow(view.agent_id or "", since=since)

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
                newest: Any = None
                while iterator is not END and (native := self._step(advance, close)) is not END:
                    runs.note(native)
                    self._pipeline.accept(native)
                    self._check_answered()
                    if (question := open_question(self._pipeline.spending)) is not None:
                        with contextlib.suppress(NoAnswerError):  # the budget has ended the stream
                            self._stepper.step(question.result)
                    newest = native
                    yield native
                self._check_answered()
                is_over = self._exhausted(newest)
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

                newest: Any = None
                while iterator is not END and (native := await self._astep(advance)) is not END:
                    runs.note(native)
                    self._pipeline.accept(native)
                    self._check_answered()
                    if (question := open_question(self._pipeline.spending)) is not None:
                        with contextlib.suppress(NoAnswerError):
                            await self._stepper.astep(question.wait)
                    newest = native
                    yield native
                self._check_answered()
                is_over = self._exhausted(newest)
        except BaseException as error:
            failure = self._failure(error)
            if failure is not None:
                raise
        finally:
            await self._finalize_async(failure)

    def _exhausted(self, newest: Any) -> bool:
        """Pass on what the source holds after its last event; return False if it was cut off before."""
        is_cut = self._stepper.end()
        self._pipeline.exhausted(self._source, is_cut=is_cut)
        if not is_cut:
            self._native_result = self._pipeline.reader.result_of(self._source, newest)
        return not is_cut

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
