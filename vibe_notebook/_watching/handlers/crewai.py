"""Accept the events of CrewAI's bus, in the order in which the crew emits them.

Beside ``_watching/handlers/sdks.py``. The bus calls its listeners from a pool of threads, in any order; a sink of
``crewai.events.stream_context`` gets each event at once. The block of the handler is its scope.
"""

from __future__ import annotations

from importlib import import_module
from types import TracebackType
from typing import Any, Self

from ...exceptions import AdapterError
from .base import Handler

__all__ = ["CrewAIHandler"]

_SINKS = "crewai.events.stream_context"


class CrewAIHandler(Handler):
    """Accept events: ``with vibe.handler("crewai"): crew.kickoff()``.

    The block also shows single agents and flows. The handler is a listener too: ``crewai_event_bus.on(kind)(hook)``.
    """

    adapter = "crewai"

    def __init__(self, pipeline: Any) -> None:
        super().__init__(pipeline)
        self._token: Any = None

    def __call__(self, source: Any, event: Any) -> None:
        """Show one event of the bus. CrewAI calls this."""
        del source
        with self._lock:
            self._accept(self._run(""), event)

    def __enter__(self) -> Self:
        try:
            sinks = import_module(_SINKS)
        except ModuleNotFoundError as error:
            msg = 'The block of vibe.handler("crewai") needs crewai 1.15.2 or newer; install that, or register the '
            msg += "handler as a listener: crewai_event_bus.on(kind)(hook)."
            raise AdapterError(msg) from error
        super().__enter__()
        self._token = sinks.add_stream_sink(self._sink)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        super().__exit__(kind, error, trace)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        await super().__aexit__(kind, error, trace)

    def _sink(self, source: Any, event: Any) -> None:
        if not self.done():  # a task that outlives the block has a copy of its sinks
            self(source, event)

    def _leave(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            import_module(_SINKS).reset_stream_sinks(token)
