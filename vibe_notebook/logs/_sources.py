"""Yield the entries of a log: of a file of lines with its subagents' files, or of one JSON value.

Below ``_log``, which feeds a reader with them. A source is polled: each poll yields the entries that are there now.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .._files import open_to_read
from .._limits import LOG_DOCUMENT_BYTES
from ..adapters.logs import Dialect, LogReader
from ..exceptions import ProtocolError
from ._dialects import loaded
from ._lines import GrowingLines, Line, Said
from ._truncated_json import read_beginning

__all__ = [
    "DocumentSource",
    "Entry",
    "Item",
    "LineSource",
    "Lost",
    "RewrittenFile",
    "SideFile",
    "Source",
    "entries_of",
]


class Entry(NamedTuple):
    """Hold one entry; of a subagent's own file with the name of the subagent, and facts about it."""

    value: Any
    side: str = ""
    about: dict[str, str | None] = {}  # noqa: RUF012 - never written


class Lost(NamedTuple):
    """Hold the place of a damaged line, and the reason."""

    place: str
    reason: str


class SideFile(NamedTuple):
    """Hold the path of a subagent's own file, its name, and facts about the subagent."""

    path: Path
    key: str
    about: dict[str, str | None]


Item = Entry | Lost | Said


class Source(Protocol):
    """Yield the entries of a log, as far as it has been written."""

    @property
    def bytes_read(self) -> int:
        """Return the bytes that were read so far."""

    def poll(self, *, follows: bool) -> Iterator[Item]:
        """Yield the new entries; the last poll of a log that is not followed yields its half last line too."""

    def close(self) -> None:
        """Close the files."""


class _File:
    """Read the entries of one file of lines."""

    def __init__(self, path: Path, side: SideFile | None = None) -> None:
        self.lines = GrowingLines(path)
        self._side = side
        self._seen: set[int] = set()

    def poll(self, *, follows: bool) -> Iterator[Item]:
        """Yield the new entries. A line that was read before the file was cut is left out."""
        polled = self.lines.poll(follows=follows)
        for line in polled if follows else itertools.chain(polled, self.lines.rest()):
            if isinstance(line, Said):
                yield line
                continue
            if follows:
                digest = hash(line.data)
                if self.lines.is_read_again and digest in self._seen:
                    continue
                self._seen.add(digest)
            yield self._entry(line)

    def _entry(self, line: Line) -> Entry | Lost:
        name = f"{self._side.path.name}, " if self._side else ""
        try:
            value = loaded(line.data)
        except ValueError as error:
            return Lost(f"{name}line {line.number:,}", str(error))
        if self._side is None:
            return Entry(value)
        return Entry(value, self._side.key, self._side.about)


class LineSource:
    """Merge a file of lines and the files of its subagents by the times of their entries."""

    def __init__(
        self, path: Path, reader: type[LogReader] | None = None, sides: Callable[[], list[SideFile]] = list
    ) -> None:
        self._reader = reader
        self._files: dict[Path, _File] = {path: _File(path)}
        self._find_sides = sides
        self._broken: set[Path] = set()

    @property
    def bytes_read(self) -> int:
        """Return the bytes that were read so far."""
        return sum(each.lines.bytes_read for each in self._files.values())

    def close(self) -> None:
        """Close the files."""
        for each in self._files.values():
            each.lines.close()

    def poll(self, *, follows: bool) -> Iterator[Item]:
        """Yield the new entries, the oldest first; an entry without a time stays behind the one before it."""
        yield from self._open_sides()
        while True:
            count = len(self._files)
            polled = [each.poll(follows=follows) for each in self._files.values()]
            streams = (self._timed(number, items) for number, items in enumerate(polled))
            for _, _, _, item in heapq.merge(*streams):
                yield item
            if follows:
                return
            yield from self._open_sides()  # of agents that the log has named now
            if len(self._files) == count:
                return

    def _timed(self, number: int, items: Iterator[Item]) -> Iterator[tuple[float, int, int, Item]]:
        latest = 0.0
        for place, item in enumerate(items):
            if isinstance(item, Entry) and self._reader is not None:
                latest = max(latest, self._reader.time_of(item.value) or 0.0)
            yield latest, number, place, item

    def _open_sides(self) -> Iterator[Said]:
        for side in self._find_sides():
            if side.path in self._files or side.path in self._broken:
                continue
            try:
                self._files[side.path] = _File(side.path, side)
            except OSError as error:
                self._broken.add(side.path)
                yield Said(f"{side.path.name} cannot be read: {error.strerror or error}")


def entries_of(dialect: Dialect, data: bytes, name: str) -> Iterator[Item]:
    """Yield the entries of a log that is one JSON value; of one that is cut off, those at its beginning.

    Raises ``ProtocolError`` for data that is no JSON.
    """
    said: Said | None = None
    try:
        value = loaded(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        value = read_beginning(data.decode("utf-8", "replace").removeprefix("\ufeff"))
        said = Said(f"{name} ends within a value; its beginning is shown")
    if not isinstance(value, Mapping) or dialect.entries is None:
        msg = f"{name} is no whole JSON value."
        raise ProtocolError(msg)
    yield from map(Entry, dialect.entries(value))
    if said is not None:
        yield said


class RewrittenFile:
    """Know whether a file that its agent writes anew has changed since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._signature: tuple[int, ...] = ()
        self.bytes_read = 0

    def close(self) -> None:
        """Close nothing: the file is open only while it is read."""

    def has_changed(self, *, follows: bool) -> bool:
        """Return whether the file has changed; not while it is missing between the two steps of its replacement."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            if follows:
                return False
            raise
        before, self._signature = self._signature, (found.st_ino, found.st_size, found.st_mtime_ns)
        return before != self._signature


class DocumentSource(RewrittenFile):
    """Read a log that is one JSON value. The agent writes it anew for each message: its reader knows what is new."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        super().__init__(path)
        self._dialect = dialect

    def poll(self, *, follows: bool) -> Iterator[Item]:
        """Yield the entries if the file has changed. One that is just being written is read the next time."""
        if not self.has_changed(follows=follows):
            return
        with open_to_read(self._path, "A log") as file:
            data = file.read(LOG_DOCUMENT_BYTES + 1)
        self.bytes_read += len(data)
        if len(data) > LOG_DOCUMENT_BYTES:
            msg = f"{self._path.name} has more than {LOG_DOCUMENT_BYTES:,} bytes in one JSON value."
            raise ProtocolError(msg)
        items = entries_of(self._dialect, data, self._path.name)
        if not follows:
            yield from items
            return
        try:
            whole = list(items)
        except ProtocolError:
            return
        yield from (item for item in whole if isinstance(item, Entry))
