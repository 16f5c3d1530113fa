"""Accept the events that an SDK pushes, where no code iterates a stream.

At the top of the path, beside ``watch``. One adapter reads each run. A nested run gets the ids of its parent
where the SDK tells them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ... import adapters
from ..._host import host
from ...exceptions import AdapterError, ClosedError
from ..context import ContextToken, enter, leave
from ..ids import fresh_agent_id
from ..pipeline import Pipeline
from ..transcribed import Transcribed
from ..understanding import Understanding

if TYPE_CHECKING:
    from ...adapters import Adapter
    from ...events import Event

__all__ = ["Handler"]


class Handler(Transcribed):
    """Accept an SDK's events; the base of all handlers.

    A handler begins with the first event. It ends with ``close()``, with its block, or with the cell in which it
    began.
    """

    adapter: str
    """Name of the adapter that reads the native events."""
    ends_with_cell = True
    """False for a handler that knows the end of its run: a run in a task may outlive the cell."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._begun = False
        self._token: ContextToken | None = None
        self._lock = threading.RLock()  # an SDK may call from any of its threads
        self._runs: dict[str, Adapter] = {}
        self._understanding = Understanding()
        self._depth = 0  # turns within turns
        self._slots: list[list[Event]] = []  # of the present turn
        self._rendering: dict[object, list[Event]] = {}

    def close(self, error: BaseException | None = None) -> None:
        """End the open runs, and show the final form. Idempotent."""
        self._leave()
        if self._end_all(error):
            self._pipeline.finalize(error)

    def withdraw(self, words: str) -> None:
        """End without a transcript: another view shows the run, as *words* say. Idempotent."""
        with self._turn():
            if self.done():
                return
            self._runs.clear()
            self._slots.clear()
            self._rendering.clear()
        if self._begun:
            self._pipeline.withdraw(words)

    def _end_all(self, error: BaseException | None) -> bool:
        with self._turn():
            if not self._begun or self.done():
                return False
            for slot in self._rendering.values():  # a renderer in another thread may never return
                self._pipeline.deliver(self._pipeline.prepare(slot, renders=False))
            self._rendering.clear()
            if not self._runs:
                self._run("")  # no event was pushed: the run shows how the block ended
            for key in reversed(list(self._runs)):
                self._end(key, error)
        return True

    def __enter__(self) -> Self:
        self._begin()
        self._token = enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if self._end_all(error):
            self._pipeline.finalize(error, later=True)

    def _leave(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            leave(token)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if self._end_all(error):
            await self._pipeline.finalize_async(error)

    def _run(self, key: str, **ids: Any) -> Adapter:
        """Return the adapter of one run; *ids* are for a new run."""
        if key not in self._runs:
            if (agent_id := ids.pop("agent_id", None) or self.agent_id) is None:
                agent_id = fresh_agent_id(self._pipeline.registry)
            self._runs[key] = adapters.get(self.adapter, agent_id=agent_id, **ids)
        return self._runs[key]

    def _accept(self, run: Adapter, native: Any) -> None:
        """Dispatch the events of one native event."""
        with self._turn():
            self._begin()
            self._dispatch(run, self._pipeline.reader.feed(run, native, self._understanding))

    def _end(self, key: str, error: BaseException | None = None) -> None:
        """Finish one run, if it is open."""
        with self._turn():
            run = self._runs[key]
            if error is None and (words := self._understanding.complaint(run.name)):
                error = AdapterError(words)  # for the view: the agent's own work is not at fault
            self._dispatch(run, run.finish(error))

    def _dispatch(self, run: Adapter, events: Iterable[Event]) -> None:
        """Collect a run's events for the end of the turn. Subclasses also keep track of nested runs."""
        del run  # only subclasses need it
        self._slots.append(list(events))

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the lock for one native event, and dispatch its events at the end.

        A renderer may block, or use this handler. So events that it may show, and those after them, are dispatched
        without the lock.
        """
        rest: list[list[Event]] = []
        try:
            with self._lock:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                    if not self._depth:
                        rest, self._slots = self._slots, []
                        while rest and not self._pipeline.displays.needs_renderer(rest[0]):
                            self._pipeline.dispatch(rest.pop(0))
        finally:
            for slot in rest:
                self._dispatch_rendered(slot)

    def _dispatch_rendered(self, slot: list[Event]) -> None:
        """Dispatch events as renderers show them, unless the handler has ended meanwhile and dispatched them."""
        mark = object()
        with self._lock:
            self._rendering[mark] = slot
        try:
            prepared = self._pipeline.prepare(slot, outranked=True)
        except BaseException:  # an interrupt in the renderer must not lose the result
            prepared = self._pipeline.prepare(slot, outranked=True, renders=False)
            raise
        finally:
            with self._lock:
                if self._rendering.pop(mark, None) is not None:
                    self._pipeline.deliver(prepared)

    def _begin(self) -> None:
        if self.done():
            msg = "This handler has ended, with its block or its cell; make a new one with vibe.handler(...)."
            raise ClosedError(msg)
        if self._begun:
            return
        self._begun = True
        self._pipeline.begin()
        # No SDK sends a last event: the end of the cell is the nearest thing to it.
        if self.ends_with_cell:
            host().at_cell_end(self.close)
