"""The interface of an event log: append, read after an id, follow, trim.

``_memory``, ``_sqlite`` and ``_redis`` implement it; ``_stream`` and ``_listener`` use it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ._entry import BEGINNING, Entry, Gap, Id, text_of
from ._tail import Tail

__all__ = ["EventLog", "Item", "Page", "Project", "gap_before"]

Item = tuple[str, str]
"""An event to append: (event type, data as JSON)."""


@dataclass(frozen=True, slots=True)
class Page:
    """Hold consecutive entries, the gap before them, and the id after which to read the next page."""

    entries: Sequence[Entry]
    gap: Gap | None
    place: Id


class Project(NamedTuple):
    """Describe a project of the log: its name, number of events, last id, and whether it is closed."""

    project_id: str
    events: int
    last_id: str
    closed: bool


class EventLog(ABC):
    """Store the events of projects. Any thread and any event loop may call every method.

    ``append`` acknowledges events by its return: by then a durable log has them on disk.
    Every method raises ``LogError`` if the log cannot be reached.
    """

    durable: bool = False

    @abstractmethod
    async def append(self, project_id: str, items: Sequence[Item], key: str | None = None) -> list[str]:
        """Append all *items* or none, and return their ids.

        A second call with the same *key* appends nothing and returns the ids of the first.
        """

    @abstractmethod
    async def close(self, project_id: str) -> None:
        """Append the mark of a closed stream, unless the stream is closed or unknown."""

    @abstractmethod
    def close_soon(self, project_id: str) -> None:
        """Start ``close`` without waiting for its end. The log reports a failure to the logger."""

    @abstractmethod
    async def read(self, project_id: str, after: Id, limit: int) -> Page:
        """Return the next entries after an id, with a gap if the log has dropped some of them.

        A page holds at most *limit* entries, and at most ``WINDOW_BYTES`` of them or one entry.
        """

    @abstractmethod
    def attach(self, project_id: str) -> Tail:
        """Return the project's tail. The tail grows until each ``attach`` has had its ``release``."""

    @abstractmethod
    def release(self, project_id: str, tail: Tail) -> None:
        """Release the tail of one listener. The last release ends its growth."""

    @abstractmethod
    async def trim(self, project_id: str, keep: int) -> int:
        """Drop all but the newest *keep* entries; return the number dropped (about, if the log trims in blocks)."""

    @abstractmethod
    async def projects(self) -> list[Project]:
        """Return all projects of the log, sorted by name."""

    @abstractmethod
    async def project(self, project_id: str) -> Project | None:
        """Return one project, or None if the log has no such project."""

    @abstractmethod
    def knows(self, project_id: str) -> bool:
        """Return True if the project has events and is not closed."""

    async def check(self) -> None:
        """Check that the log can be read, and at its first use that it can be used at all.

        Raises:
            LogError: the log cannot be used; ``is_permanent`` is True if an operator must mend it.
        """
        await self.project("check")

    @abstractmethod
    async def aclose(self) -> None:
        """Finish the pending calls; then end threads and close files and connections."""


def gap_before(after: Id, oldest: int, newest: Id) -> Gap | None:
    """Return the gap after the id *after*, or None if the log still has every entry after it.

    The ids of the stream are ``<epoch>-<count>``, without holes. *oldest* is the count of the oldest retained
    entry; *newest* is the id of the last appended entry, with count 0 if there is none.
    """
    epoch, count = newest
    if count == 0:
        return None if after == BEGINNING else Gap("gone", text_of(after))
    first, last = f"{epoch}-{oldest}", text_of(newest)
    if after == BEGINNING:
        return Gap("trimmed", "0-0", first, last, oldest - 1) if oldest > 1 else None
    if after[0] != epoch:
        return Gap("gone", text_of(after), first, last)
    if after[1] > count:
        return Gap("ahead", text_of(after), first, last)
    if after[1] + 1 < oldest:
        return Gap("trimmed", text_of(after), first, last, oldest - after[1] - 1)
    return None
