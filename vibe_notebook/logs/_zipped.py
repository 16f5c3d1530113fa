"""Yield the entries of an Inspect log that is a zip archive: its head, then one sample after the other.

Beside ``_sources``. No sample larger than ``LOG_DOCUMENT_BYTES`` is unpacked, whatever the archive promises.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from .._files import open_to_read
from .._forms.wording import in_line
from .._limits import LOG_DOCUMENT_BYTES
from ..exceptions import ProtocolError
from ._dialects import loaded
from ._lines import Said
from ._sources import Entry, Item, Lost, RewrittenFile

__all__ = ["ZippedSource"]

_HEADS: Final = ("header.json", "_journal/start.json")
_SAMPLES: Final = "samples/"
_WORDS: Final = 200
"""Characters of an error's words."""


class ZippedSource(RewrittenFile):
    """Read an archive. Of one that is followed, each poll yields the samples that have come."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._seen: set[str] = set()

    def poll(self, *, follows: bool) -> Iterator[Item]:
        """Yield the new entries. Raises ``ProtocolError`` for a damaged archive."""
        if not self.has_changed(follows=follows):
            return
        with open_to_read(self._path, "A log") as file:
            try:
                archive = zipfile.ZipFile(file)
            except Exception as error:  # noqa: BLE001 - damaged bytes make the unpacker raise whatever it meets
                if follows:
                    return  # it is just being written
                msg = f"{self._path.name} is no whole archive: {_words_of(error)}."
                raise ProtocolError(msg) from None
            with archive:
                yield from self._members(archive)

    def _members(self, archive: zipfile.ZipFile) -> Iterator[Item]:
        names = archive.namelist()
        head = next((name for name in _HEADS if name in names), None)
        samples = [name for name in names if name.startswith(_SAMPLES) and name.endswith(".json")]
        for name in ([head] if head is not None else []) + samples:
            if name not in self._seen:
                self._seen.add(name)
                yield self._member(archive, name)

    def _member(self, archive: zipfile.ZipFile, name: str) -> Item:
        try:
            with archive.open(name) as member:
                data = _bounded(member)
        except Exception as error:  # noqa: BLE001 - as for the whole archive
            return Lost(name, _words_of(error))
        self.bytes_read += len(data)
        if len(data) > LOG_DOCUMENT_BYTES:
            return Said(f"{name} is left out: {LOG_DOCUMENT_BYTES:,} bytes are the most")
        try:
            return Entry(loaded(data))
        except ValueError as error:
            return Lost(name, str(error))


def _words_of(error: Exception) -> str:
    """Return the words of an error as one line; its type's name, if it has none."""
    return in_line(str(error), _WORDS) or type(error).__name__


def _bounded(member: IO[bytes]) -> bytes:
    return member.read(LOG_DOCUMENT_BYTES + 1)
