"""Count the natives of a stream that its adapter understands.

Beside the pipeline and the handlers, which both end a stream as an error if its adapter understood nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .. import adapters
from ..events import Event

__all__ = ["Understanding"]

_KEPT: Final = 8
"""Natives that are kept for the error: the first ones show whose stream it is."""
_EMPTY_TYPES: Final = frozenset(("run_started", "custom"))
"""Events that an adapter makes of natives too that it does not know."""


class Understanding:
    """Hold the first natives that an adapter did not understand, until it shows one."""

    def __init__(self) -> None:
        self._is_shown = False
        self._recognized = 0
        self._count = 0
        self._missed: list[Any] = []

    def add(self, name: str, native: Any, events: Sequence[Event] | None) -> None:
        """Count one native, and the events that the adapter *name* made of it; ``None`` if the adapter failed."""
        if self._is_shown:
            return
        self._count += 1
        is_own = name not in adapters.names()  # the user's own adapter makes Custom events of what it knows
        if any(_is_shown(event, is_own=is_own) for event in events or ()):
            self._is_shown = True
            self._missed.clear()
        elif events is not None and not is_own and adapters.recognizes(name, native):
            self._recognized += 1
        elif len(self._missed) < _KEPT:
            self._missed.append(native)

    def complaint(self, name: str) -> str | None:
        """Return the words for a stream of which the adapter *name* understood nothing; ``None`` for another stream.

        A few natives that look like the SDK's do not make the rest understood: nothing of the stream was shown.
        """
        if self._is_shown or not self._missed or self._recognized * 2 >= self._count:
            return None
        return adapters.none_understood(name, self._missed, self._count)


def _is_shown(event: Event, *, is_own: bool) -> bool:
    if event.type == "custom":
        return is_own or event.shown
    return event.type not in _EMPTY_TYPES
