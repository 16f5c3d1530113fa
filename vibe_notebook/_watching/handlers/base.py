"""Accept the events that an SDK pushes, where no code iterates a stream.

At the top of the path, beside ``watch``. One adapter reads each run. A nested run gets the ids of its parent
where the SDK tells them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ... import adapters
from ..._host import host
from ...exceptions import AdapterError, ClosedError
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

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._begun = False
        self._lock = threading.RLock()  # an SDK may call from any of its threads
        self._runs: dict[str, Adapter] = {}
        self._understanding = Understanding()

    def close(self, error: BaseException | None = None) -> None:
        """End the open runs, and show the final form. Idempotent."""
        if self._end_all(error):
            self._pipeline.finalize(error)

    def _end_all(self, error: BaseException | None) -> bool:
        with self._lock:
            if not self._begun or self.done():
                return False
            if not self._runs:
                self._run("")  # no event was pushed: the run shows how the block ended
            for key in reversed(list(self._runs)):
                self._end(key, error)
        return True

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._end_all(error):
            self._pipeline.finalize(error, later=True)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        with self._lock:
            self._begin()
            self._dispatch(run, self._pipeline.feed(run, native, self._understanding))

    def _end(self, key: str, error: BaseException | None = None) -> None:
        """Finish one run, if it is open."""
        with self._lock:
            run = self._runs[key]
            if error is None and (words := self._understanding.complaint(run.name)):
                error = AdapterError(words)  # for the view: the agent's own work is not at fault
            self._dispatch(run, run.finish(error))

    def _dispatch(self, run: Adapter, events: Iterable[Event]) -> None:
        """Dispatch a run's events. Subclasses also keep track of nested runs."""
        del run  # only subclasses need it
        self._pipeline.dispatch(events, outranked=True)

    def _begin(self) -> None:
        if self.done():
            msg = "This handler has ended, with its block or its cell; make a new one with vibe.handler(...)."
            raise ClosedError(msg)
        if self._begun:
            return
        self._begun = True
        self._pipeline.begin()
        # No SDK sends a last event: the end of the cell is the nearest thing to it.
        host().at_cell_end(self.close)
