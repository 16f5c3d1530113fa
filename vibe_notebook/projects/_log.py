"""The event log: append, read after an id, follow, trim. Three kinds behind one URL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from .._limits import INT_LIMIT
from ..exceptions import ProtocolError
from ._entry import Entry, Gap, Id
from ._tail import Tail

__all__ = ["EventLog", "Item", "Page", "Project", "open_log"]

OPTIONS: Final = {
    "memory": ("max_events", "max_bytes"),
    "sqlite": ("synchronous",),
    "redis": ("max_events", "prefix"),
    "rediss": ("max_events", "prefix"),
}

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


def open_log(url: str | EventLog) -> EventLog:
    """The log that a URL names.

    ``memory:`` (options ``max_events``, ``max_bytes`` per project), ``sqlite:///file.db`` (option
    ``synchronous=normal``; ``sqlite:////absolute``), ``redis://host:port/0`` (options ``max_events``,
    ``prefix``; extra ``redis``).

    Raises:
        ProtocolError: no log has such a URL, or an option that it does not know.
        MissingExtraError: redis-py is not installed.
    """
    if isinstance(url, EventLog):
        return url
    place, _, query = url.partition("?")
    scheme, _, rest = place.partition(":")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = OPTIONS.get(scheme)
    if known is None:
        raise ProtocolError(
            f"an event log is memory:, sqlite:///file.db or redis://host:6379/0; {scheme[:20]!r} is none",
            field="log",
        )
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ProtocolError(
            f"the log {scheme}: has no option {unknown[0]!r}; it has {', '.join(known) or 'none'}",
            field="log",
        )
    try:
        if scheme == "memory":
            from ._memory import MemoryLog  # noqa: PLC0415 - only the log that is asked for

            return MemoryLog(**{name: _count(name, value) for name, value in options.items()})
        if scheme == "sqlite":
            from ._sqlite import SqliteLog  # noqa: PLC0415 - as above

            return SqliteLog(unquote(rest.removeprefix("///")), **options)
        from ._redis import RedisLog  # noqa: PLC0415 - as above

        named: dict[str, Any] = dict(options)
        if "max_events" in named:
            named["max_events"] = _count("max_events", named["max_events"])
        return RedisLog(place, **named)
    except ValueError as error:
        raise ProtocolError(f"the log {scheme}: {error}", field="log") from None


def _count(name: str, value: str) -> int:
    """Read an option that counts something."""
    if (
        not (value.isascii() and value.isdigit() and len(value) <= len(str(INT_LIMIT)))
        or int(value) > INT_LIMIT
    ):
        raise ValueError(f"{name} is a whole number from 1 to {INT_LIMIT}, not {value[:40]!r}")
    return int(value)
