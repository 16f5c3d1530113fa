"""``handler``: for SDKs that push their events into an object of yours.

At the top of the path, beside ``watch``, for those runs that nobody iterates.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterable
from types import TracebackType
from typing import Any, Self

from . import adapters
from ._pipeline import Pipeline
from ._transcribed import Transcribed
from .exceptions import AdapterError, ClosedError
from .recording import Recorder
from .registry import Registry, get_registry

__all__ = ["PydanticAIHandler", "handler"]


class _Handler(Transcribed):
    """A hook's common part.

    It begins with the first event, and ends with ``close()``, its block, or the cell it began in.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._begun = False

    def close(self, error: BaseException | None = None) -> None:
        """End the run and show its final form. Idempotent."""
        if self._begun:
            self._pipeline.settle(error)

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(error)

    def _begin(self) -> None:
        if self.done():
            msg = "This handler has ended, with its block or its cell; make a new one with vibe.handler(...)."
            raise ClosedError(msg)
        if self._begun:
            return
        self._begun = True
        self._pipeline.begin()
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython is not None else None
        if shell is not None:
            # No SDK says "that was the last event": the end of the cell is the next best thing.
            def ended(result: Any) -> None:
                shell.events.unregister("post_run_cell", ended)
                self.close(result.error_in_exec)

            shell.events.register("post_run_cell", ended)


class PydanticAIHandler(_Handler):
    """``agent.run(prompt, event_stream_handler=vibe.handler("pydantic_ai"))``."""

    async def __call__(self, ctx: Any, events: AsyncIterable[Any]) -> None:
        """Show the events of one model turn or its tool calls, as pydantic-ai hands them over."""
        del ctx  # its run_id tells nested agents apart, but nothing says whose they are
        self._begin()
        async for event in events:
            self._pipeline.take(event)


_HANDLERS = {"pydantic_ai": PydanticAIHandler}


def handler(
    name: str,
    *,
    title: str | None = None,
    agent_id: str | None = None,
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
) -> PydanticAIHandler:
    """Make an SDK's push-style hook; use it as a context manager, or once per cell.

    Raises ``AdapterError`` for an SDK that has none: its stream is wrapped with ``watch``.
    """
    key = name.strip().lower().replace("-", "_")
    made = _HANDLERS.get(key)
    if made is None:
        known = ", ".join(_HANDLERS)
        msg = f"{name!r} has no push-style hook (there is one for: {known}); wrap its stream with vibe.watch."
        raise AdapterError(msg)
    return made(
        Pipeline(
            registry or get_registry(),
            agent_id=agent_id,
            title=title,
            adapter=adapters.get(key).name,
            renderer=None if display else "none",
            record=record,
        )
    )
