"""The event log: append, read after an id, follow, trim. Three kinds behind one URL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .._limits import INT_LIMIT
from ._entry import BEGINNING, Entry, Gap, Id
from ._tail import Tail

__all__ = ["EventLog", "Item", "Page", "Project", "gap_before"]

Item = tuple[str, str]
"""An event to append: its type, and its data as JSON."""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries that stand one after the other, what is missing in front of them, and where to read on."""

    entries: Sequence[Entry]
    gap: Gap | None
    place: Id


class Project(NamedTuple):
    """A project that the log knows."""

    project_id: str
    events: int
    last_id: str
    closed: bool


class EventLog(ABC):
    """Where a project's events are kept. Every method may be called from any thread and event loop.

    What ``append`` has returned is acknowledged: a log that is durable has it on disk.
    Every method raises ``LogError`` where the log cannot be reached.
    """

    durable: bool = False

    @abstractmethod
    async def append(self, project_id: str, items: Sequence[Item], key: str | None = None) -> list[str]:
        """Append all or nothing; their ids. The same *key* again appends nothing and gives the same ids."""

    @abstractmethod
    async def close(self, project_id: str) -> None:
        """Append the mark of a closed stream, unless it is there or there is no such stream."""

    @abstractmethod
    def close_soon(self, project_id: str) -> None:
        """As ``close``, without waiting for it; a failure is logged."""

    @abstractmethod
    async def read(self, project_id: str, after: Id, limit: int) -> Page:
        """Entries after an id, with a gap in front if the log has lost what stood there."""

    @abstractmethod
    def attach(self, project_id: str) -> Tail:
        """The project's tail, which grows until it is released as often as it was attached."""

    @abstractmethod
    def release(self, project_id: str, tail: Tail) -> None:
        """One listener less."""

    @abstractmethod
    async def trim(self, project_id: str, keep: int) -> int:
        """Keep the newest so many; how many went (about, where the log trims in blocks)."""

    @abstractmethod
    async def projects(self) -> list[Project]:
        """All that the log knows, by name."""

    @abstractmethod
    async def project(self, project_id: str) -> Project | None:
        """One of them."""

    @abstractmethod
    def knows(self, project_id: str) -> bool:
        """Whether anything was sent to it, and it was not closed since."""

    @abstractmethod
    async def aclose(self) -> None:
        """Finish what was begun, and let go of threads, files and connections."""


def _count(name: str, value: str) -> int:
    """Read an option that counts something."""
    if (
        not (value.isascii() and value.isdigit() and len(value) <= len(str(INT_LIMIT)))
        or int(value) > INT_LIMIT
    ):
        raise ValueError(f"{name} is a whole number from 1 to {INT_LIMIT}, not {value[:40]!r}")
    return int(value)


def gap_before(after: Id, oldest: int, newest: Id) -> Gap | None:
    """What is missing after *after* in a stream whose ids are ``<epoch>-<count>``, without holes.

    *oldest* is the count of the oldest entry that is kept, *newest* the id of the last that was made; its
    count is 0 if there is none.
    """
    epoch, count = newest
    if count == 0:
        return None if after == BEGINNING else Gap("gone", _text(after))
    first, last = f"{epoch}-{oldest}", _text(newest)
    if after == BEGINNING:
        return Gap("trimmed", "0-0", first, last, oldest - 1) if oldest > 1 else None
    if after[0] != epoch:
        return Gap("gone", _text(after), first, last)
    if after[1] > count:
        return Gap("ahead", _text(after), first, last)
    if after[1] + 1 < oldest:
        return Gap("trimmed", _text(after), first, last, oldest - after[1] - 1)
    return None


def _text(place: Id) -> str:
    return f"{place[0]}-{place[1]}"
