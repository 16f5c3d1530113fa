"""What every hook has in common: an object that an SDK pushes its events into.

At the top of the path, beside ``watch``, for those runs that nobody iterates. One adapter reads each
run; nested runs get their parent's ids where the SDK lets them be known.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ... import adapters
from ..._host import host
from ...exceptions import ClosedError
from ..pipeline import Pipeline, Transcribed, fresh_agent_id

if TYPE_CHECKING:
    from ...adapters import Adapter
    from ...events import Event

__all__ = ["Handler"]


class Handler(Transcribed):
    """A hook's common part.

    It begins with the first event, and ends with ``close()``, its block, or the cell it began in.
    """

    adapter: str
    """What reads its natives."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._begun = False
        self._lock = threading.RLock()  # an SDK may call from any of its threads
        self._runs: dict[str, Adapter] = {}

    def close(self, error: BaseException | None = None) -> None:
        """End the runs that go on, and show the final form. Idempotent."""
        if self._end_all(error):
            self._pipeline.finalize(error)

    def _end_all(self, error: BaseException | None) -> bool:
        with self._lock:
            if not self._begun or self.done():
                return False
            if not self._runs:
                self._run("")  # nothing was pushed: how it ended is all there is to say
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
        """The adapter of one run; *ids* are those of a new one."""
        if key not in self._runs:
            if (agent_id := ids.pop("agent_id", None) or self.agent_id) is None:
                agent_id = fresh_agent_id(self._pipeline.registry)
            self._runs[key] = adapters.get(self.adapter, agent_id=agent_id, **ids)
        return self._runs[key]

    def _take(self, run: Adapter, native: Any) -> None:
        """Pass one native on."""
        with self._lock:
            self._begin()
            self._said(run, self._pipeline.feed(run, native))

    def _end(self, key: str, error: BaseException | None = None) -> None:
        """End one run, if it goes on."""
        with self._lock:
            run = self._runs[key]
            self._said(run, run.finish(error))

    def _said(self, run: Adapter, events: Iterable[Event]) -> None:
        """Show what a run says."""
        del run  # which matters where runs are inside of each other
        self._pipeline.dispatch(events)

    def _begin(self) -> None:
        if self.done():
            msg = "This handler has ended, with its block or its cell; make a new one with vibe.handler(...)."
            raise ClosedError(msg)
        if self._begun:
            return
        self._begun = True
        self._pipeline.begin()
        # No SDK says "that was the last event": the end of the cell is the next best thing.
        host().at_cell_end(self.close)
