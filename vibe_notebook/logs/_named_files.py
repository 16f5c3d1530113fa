"""Yield the entries of a trajectory, and those of the files in which the work of its subagents stands.

Above ``_sources``. The trajectory names the files. A file counts only below the trajectory's own folder: a log that comes
from elsewhere must not choose what else is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from .._forms.wording import name_in_line
from ..adapters.logs import Dialect
from ..exceptions import ProtocolError
from ._lines import Said
from ._sources import DocumentSource, Entry, Item

__all__ = ["NamedFilesSource"]

_FILES: Final = 1_000
"""Files of subagents of one trajectory that are read."""


class NamedFilesSource:
    """Read a trajectory, then the files that *files* names, each with the subagent whose work it holds."""

    def __init__(self, path: Path, dialect: Dialect, files: Callable[[], Mapping[str, str]]) -> None:
        self._path, self._dialect = path, dialect
        self._main = DocumentSource(path, dialect)
        self._files = files
        self._sides: dict[str, DocumentSource | None] = {}

    @property
    def bytes_read(self) -> int:
        """Return the bytes that were read so far."""
        return self._main.bytes_read + sum(each.bytes_read for each in self._sides.values() if each)

    def close(self) -> None:
        """Close nothing: each file is open only while it is read."""

    def poll(self, *, follows: bool) -> Iterator[Item]:
        """Yield the entries of the files that are new or have changed."""
        yield from self._main.poll(follows=follows)
        polled: set[str] = set()
        while waiting := [key for key in self._files() if key not in polled]:
            for key in waiting[: _FILES - len(polled)]:
                yield from self._side(key, follows=follows)
            polled.update(waiting)

    def _side(self, key: str, *, follows: bool) -> Iterator[Item]:
        if key not in self._sides:
            path, problem = self._place(self._files()[key])
            self._sides[key] = DocumentSource(path, self._dialect) if path is not None else None
            if problem:
                yield Said(problem)
        source = self._sides[key]
        if source is None:
            return
        try:
            for item in source.poll(follows=follows):
                yield Entry(item.value, key) if isinstance(item, Entry) else item
        except OSError as error:
            self._sides[key] = None
            yield Said(f"{name_in_line(self._files()[key])} cannot be read: {error.strerror or error}")
        except ProtocolError as error:
            self._sides[key] = None
            yield Said(str(error))

    def _place(self, named: str) -> tuple[Path | None, str]:
        """Return the path of a file that the trajectory names, or words that say why it is not read."""
        shown = name_in_line(named)
        folder = self._path.parent.resolve()
        try:
            found = Path(os.path.realpath(folder / named))
        except (OSError, ValueError):  # too long, or with a NUL
            return None, f"{shown} is no path of a file"
        if found == self._path.resolve():
            return None, ""
        if not found.is_relative_to(folder):
            return None, f"{shown} is left out: it does not stand below the trajectory's own folder"
        return found, ""
