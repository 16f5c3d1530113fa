"""Read the lines of a file that may grow, be cut, or be replaced by a new one.

At the bottom of this folder: bytes in, whole lines out. No line fills the memory: a longer one than ``LOG_LINE_BYTES`` is
left out and counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from .._files import open_to_read
from .._limits import LOG_LINE_BYTES

__all__ = ["GrowingLines", "Line", "Said"]

CHUNK: Final = 256 * 1024
"""Bytes of one read."""
_MARK: Final = 256
"""Bytes from a file's beginning, and before the place up to which it was read, that tell it from another content."""

_CUT: Final = "the file was cut, and is read from its beginning"


class Line(NamedTuple):
    """Hold one line without its end, and its number, counted from 1."""

    data: bytes
    number: int


class Said(NamedTuple):
    """Hold words about the file itself."""

    words: str


class GrowingLines:
    """Read the lines that a file has now, and later those that it has got since; or those of an open pipe.

    Raises ``OSError`` for anything but a regular file.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        file: BinaryIO | None = None,
        limit: int = LOG_LINE_BYTES,
        chunk: int = CHUNK,
    ) -> None:
        self.path = path
        self.bytes_read = 0
        self.is_read_again = False
        """True after the file was cut or replaced: its lines may repeat earlier ones."""
        self._limit, self._chunk = limit, chunk
        self._file: Any = file if path is None else open_to_read(path, "A log")
        self._start()

    def _start(self) -> None:
        self._parts: list[bytes] = []
        self._held = 0
        self._skipped = 0
        self._number = 0
        self._marks: tuple[bytes, bytes] | None = None
        """The bytes at the beginning, and at the place up to which the file was read."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def poll(self, *, follows: bool) -> Iterator[Line | Said]:
        """Yield the lines up to the present end. One that *follows* goes on with a file that was cut or replaced."""
        words = self._rewritten() if follows else ""
        while not self._file.closed:
            if words:
                yield from self.rest()
                self._start()
                self.is_read_again = True
                yield Said(words)
            chunk = self._file.read1(self._chunk)
            if chunk:
                words = ""
                self.bytes_read += len(chunk)
                yield from self._split(chunk)
                continue
            words = self._changed() if follows else ""
            if not words:
                break
        if follows and not self._file.closed:
            self._marks = self._read_marks()

    def rest(self) -> Iterator[Line | Said]:
        """Yield the last line, which has no end: no more of it will come."""
        if self._parts or self._skipped:
            yield from self._finish(b"")

    def _split(self, chunk: bytes) -> Iterator[Line | Said]:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            yield from self._finish(chunk[start:end])
            start = end + 1
        piece = chunk[start:]
        if not piece:
            return
        if self._skipped or self._held + len(piece) > self._limit:
            self._skipped += self._held + len(piece)
            self._parts, self._held = [], 0
        else:
            self._parts.append(piece)
            self._held += len(piece)

    def _finish(self, piece: bytes) -> Iterator[Line | Said]:
        size = self._skipped + self._held + len(piece)
        data = None if self._skipped or size > self._limit else b"".join([*self._parts, piece])
        self._parts, self._held, self._skipped = [], 0, 0
        self._number += 1
        if data is None:
            yield Said(
                f"line {self._number:,} is left out: it has {size:,} bytes, and {self._limit:,} are the most"
            )
        elif data.strip():
            yield Line(data.removeprefix(b"\xef\xbb\xbf") if self._number == 1 else data, self._number)

    def _read_marks(self) -> tuple[bytes, bytes] | None:
        """Return the bytes by which this content is known; go back to the same place."""
        if self.path is None:
            return None
        place = self._file.tell()
        found = []
        for start in (0, max(0, place - _MARK)):
            self._file.seek(start)
            found.append(self._file.read(min(_MARK, place - start)))
        self._file.seek(place)
        return found[0], found[1]

    def _rewritten(self) -> str:
        """Return words if the file was cut and has grown beyond the old place: then go on with its beginning."""
        if self._marks is None or self._marks == self._read_marks():
            return ""
        self._file.seek(0)
        return _CUT

    def _changed(self) -> str:
        """Return words if the file was cut, or another one has its name; then go on with its beginning."""
        if self.path is None:
            return ""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return ""  # perhaps between the two steps of a rotation
        ours = os.fstat(self._file.fileno())
        if (found.st_dev, found.st_ino) != (ours.st_dev, ours.st_ino):
            replacement = open_to_read(self.path, "A log")
            self._file.close()
            self._file = replacement
            return "the file was replaced by a new one, which is read from its beginning"
        if found.st_size < self._file.tell():
            self._file.seek(0)
            return _CUT
        return ""
