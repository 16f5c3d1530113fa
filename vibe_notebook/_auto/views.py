"""Hold the view of one run that began by itself, and keep failures of this package out of the SDK's code.

Below the hooks of this folder, above the handlers, which read the SDK's events.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, Final

from .._foreign_words import clean_logger
from .._watching.context import current
from .._watching.handlers.base import Handler
from .._watching.pipeline import Pipeline
from .._watching.watch import Watch
from ..registry import Registry, get_registry

__all__ = ["MOVED", "RunHandler", "RunView", "Settings", "guarded", "is_within_watch"]

log = clean_logger("vibe_notebook")

MOVED: Final = "A watch or a handler shows this run."
"""Words in the place of a view that stepped back."""


class Settings:
    """Hold what ``vibe.auto`` was told. ``is_on`` is False after ``vibe.auto(False)``: then the hooks do nothing."""

    def __init__(self, *, is_on: bool = True, registry: Registry | None = None, display: bool = True) -> None:
        self.is_on = is_on
        self.registry = registry
        self.display = display
        self.has_failed = False

    def pipeline(self, title: str | None) -> Pipeline:
        """Return the path of one run to its view."""
        return Pipeline(
            self.registry or get_registry(),
            agent_id=None,
            title=title,
            adapter="",
            renderer=None if self.display else "none",
        )


def is_within_watch() -> bool:
    """Return whether the present code runs within a watch or a handler that may show its runs.

    A live view and a chat show what their own code gives them, and nothing of an SDK's run.
    """
    return isinstance(current(), Handler | Watch)


class RunHandler(Handler):
    """Show one run. It ends when the hook says that the run has."""

    ends_with_cell = False

    def report(self, words: str) -> None:
        """Show a failure in the view."""
        self._pipeline.report(words)

    def finish(self, error: BaseException | None = None) -> None:
        """End the run; in a task that would delay other views, the final form may come by the end of the cell."""
        if self._end_all(error):
            self._pipeline.finalize(error, later=True)

    def abandon(self) -> None:
        """End a run that has not ended; the registry may be closed by now."""
        try:
            self.finish(GeneratorExit())
        except Exception:
            log.exception("vibe.auto() could not end the view of %r", self.title)


class RunView(RunHandler):
    """Show one run, of the adapter that is named."""

    def __init__(self, pipeline: Pipeline, adapter: str) -> None:
        super().__init__(pipeline)
        self.adapter = adapter

    def take(self, native: Any) -> None:
        """Show one event of the SDK."""
        with self._turn():
            if not self.done():
                self._accept(self._run(""), native)


def guarded(method: Callable[..., object]) -> Callable[..., None]:
    """Make a method that an SDK calls: it does nothing while auto is off, and its failures never reach the SDK."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        settings: Settings = self.settings
        if not settings.is_on:
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            if not settings.has_failed:
                settings.has_failed = True
                log.exception("vibe.auto() could not show an event of %s", type(self).__name__)
                with contextlib.suppress(Exception):  # logged above; the view itself may be the fault
                    self.report(f"vibe.auto() could not show an event: {type(error).__name__}: {error}")

    return call
