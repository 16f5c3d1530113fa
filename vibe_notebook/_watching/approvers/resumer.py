"""Run an SDK's agent, ask all that it waits for, and resume it: a source for ``watch``. The base of all resumers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from ..context import current
from ..transcribed import Transcribed, pipeline_of
from .asking import Asker

__all__ = ["Resumed"]


class Resumed(ABC):
    """Give an SDK's own events, over all parts of a run that waits for answers in between. Read it once."""

    adapter: ClassVar[str]
    """Name of the adapter that reads the events."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._events()

    @abstractmethod
    def _events(self) -> AsyncIterator[Any]:
        """Yield the events of all parts."""

    def _wait_here(self, paused: Any = None) -> None:
        """Let the run go on in the view; *paused*, the SDK's object of the part that waits, may hold what it shows."""
        stream: Transcribed | None = self._asker.run or current()
        if stream is not None:
            pipeline_of(stream).resume(paused)

    def _stay_interrupted(self) -> None:
        """Let the run end as interrupted: without an answer the SDK's run stays where it is."""
        stream: Transcribed | None = self._asker.run or current()
        if stream is not None:
            pipeline_of(stream).reader.chosen().end("interrupted")
