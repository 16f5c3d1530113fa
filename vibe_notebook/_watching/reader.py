"""Read the native events of one stream: choose the adapter by the first ones, and report what it cannot read.

Beside the pipeline, which dispatches the events that are read here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .. import adapters
from .._foreign_words import clean_logger
from ..events import Event
from ..exceptions import AdapterError
from .sources import hint
from .understanding import Understanding

if TYPE_CHECKING:
    from ..adapters import Adapter

__all__ = ["Reader"]

log = clean_logger("vibe_notebook")
_MAX_UNIDENTIFIED: Final = 8
"""Number of native events within which a stream must show its SDK; later the watch fails."""


class Reader:
    """Hold the adapter of one stream, or the natives that have come before its SDK was known.

    *make* returns a new adapter by its name; *report* shows a line. ``name`` is "" for a stream without natives.
    """

    __slots__ = ("_has_reported", "_make", "_report", "_understanding", "_waiting", "adapter", "name")

    def __init__(
        self, adapter: str | Adapter, make: Callable[[str], Adapter], report: Callable[[str], object]
    ) -> None:
        self.adapter: Adapter | None = None if isinstance(adapter, str) else adapter
        self.name = adapter if isinstance(adapter, str) else adapter.name
        self._make = make
        self._report = report
        self._waiting: list[Any] = []
        self._understanding = Understanding()
        self._has_reported = False

    @property
    def waits(self) -> bool:
        """Return whether natives wait for their adapter."""
        return bool(self._waiting)

    def ready(self, native: Any) -> list[Any]:
        """Return the natives that can be read now: all so far, once their SDK is known.

        Raises ``AdapterError`` for a stream that no adapter knows.
        """
        if self.adapter is not None:
            return [native]
        self._waiting.append(native)
        if not self.choose(is_last=len(self._waiting) == _MAX_UNIDENTIFIED):
            return []
        return self.take()

    def take(self) -> list[Any]:
        """Return the natives that wait, and hold them no more."""
        natives, self._waiting = self._waiting, []
        return natives

    def choose(self, *, is_last: bool) -> bool:
        """Choose the adapter by the natives that wait; return False if more may tell. Raises ``AdapterError``."""
        try:
            name = adapters.choose(self.name, *self._waiting, is_last=is_last)
        except AdapterError as error:
            if is_last or not adapters.is_open(self.name):
                if advice := hint(self._waiting[0]):
                    msg = f"{error}{advice}"
                    raise AdapterError(msg) from error
                raise
            return False
        self.adapter = self._make(name)
        return True

    def chosen(self) -> Adapter:
        """Return the adapter; of a stream that has not shown its SDK, one that can tell how it ended."""
        if self.adapter is None:
            # The text adapter also keeps the events that no adapter knows.
            self.adapter = self._make("text" if self._waiting or self.name == "auto" else self.name)
        return self.adapter

    def read(self, native: Any) -> list[Event]:
        """Return the events of a native, and count whether it was understood."""
        return self.feed(self.chosen(), native, self._understanding)

    def exhausted(self, source: Any) -> list[Event]:
        """Return the events that *source* itself holds after its stream."""
        adapter = self.adapter
        return [] if adapter is None else self.call(adapter, lambda adapter: adapter.exhausted(source)) or []

    def result_of(self, source: Any, native: Any) -> Any:
        """Return the SDK's own result, once *source* has given its last event *native*."""
        return native if self.adapter is None else self.adapter.native_result(source, native)

    def complaint(self) -> str | None:
        """Return why the natives so far make no transcript; ``None`` if some were understood."""
        return self._understanding.complaint(self.adapter.name) if self.adapter is not None else None

    def feed(self, adapter: Adapter, native: Any, understanding: Understanding | None = None) -> list[Event]:
        """Return the events that an adapter makes of one native event, and count them in *understanding*."""
        found = self.call(adapter, lambda adapter: adapter.feed(native))
        if understanding is not None:
            understanding.add(adapter.name, native, found)
        return found or []

    def call(self, adapter: Adapter, read: Callable[[Adapter], list[Event]]) -> list[Event] | None:
        """Return the events that an adapter reads; ``None`` if it fails."""
        try:
            return read(adapter)
        except Exception as error:
            # An adapter's fault must not end the agent's work: the user still gets the native event.
            if not self._has_reported:
                self._has_reported = True
                log.exception("The adapter %s could not read an event", adapter.name)
                self._report(
                    f"The adapter {adapter.name} could not read an event and left it out: "
                    f"{type(error).__name__}: {error}. A newer vibe_notebook may know it."
                )
            return None
