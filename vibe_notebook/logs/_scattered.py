"""Yield the entries of an OpenCode session, whose messages and parts are files of their own.

Beside ``_sources``. The session's file stands in ``storage/session/PROJECT/``, its messages in ``storage/message/SESSION/``
and their parts in ``storage/part/MESSAGE/``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from .._files import open_to_read
from .._limits import LOG_FILES, LOG_LINE_BYTES
from ._dialects import loaded
from ._lines import Said
from ._sources import Entry, Item, Lost

__all__ = ["ScatteredSource"]

_CHANGING: Final = 2
"""Messages at the end of a session whose files may still change."""


class ScatteredSource:
    """Gather the files of a session, and those of its subagents: *agents* are the ones that the session names."""

    def __init__(self, path: Path, agents: Callable[[], Mapping[str, str]]) -> None:
        self._path = path
        self._storage = path.parent.parent.parent
        self._agents = agents
        self._states: dict[Path, tuple[int, ...]] = {}
        self.bytes_read = 0

    def close(self) -> None:
        """Close nothing: each file is open only while it is read."""

    def poll(self, *, follows: bool) -> Iterator[Item]:
        """Yield the session and the messages that are new or have changed."""
        del follows
        if self._has_changed(self._path):
            yield from self._read(self._path, "")
        yield from self._messages(self._path.stem, "")
        known: set[str] = set()
        while waiting := [agent for agent in self._agents() if agent not in known]:
            for agent in waiting:
                known.add(agent)
                if agent.isidentifier():  # it becomes the name of a folder
                    yield from self._messages(agent, agent)

    def _messages(self, session: str, side: str) -> Iterator[Item]:
        files = _files(self._storage / "message" / session)
        for number, path in enumerate(files):
            parts = self._storage / "part" / path.stem
            if path in self._states and number < len(files) - _CHANGING:
                continue
            found = _files(parts)
            changed = [each for each in (path, *found) if self._has_changed(each)]
            if changed:
                yield from self._message(path, found, side)

    def _message(self, path: Path, parts: list[Path], side: str) -> Iterator[Item]:
        values: list[Any] = []
        for each in (path, *parts):
            for item in self._read(each, side):
                if isinstance(item, Entry):
                    values.append(item.value)
                else:
                    yield item
        if values:
            yield Entry({"info": values[0], "parts": values[1:]}, side)

    def _read(self, path: Path, side: str) -> Iterator[Item]:
        try:
            with open_to_read(path, "A log") as file:
                data = file.read(LOG_LINE_BYTES + 1)
        except OSError as error:
            yield Said(f"{path.name} cannot be read: {error.strerror or error}")
            return
        self.bytes_read += len(data)
        if len(data) > LOG_LINE_BYTES:
            yield Said(f"{path.name} is left out: {LOG_LINE_BYTES:,} bytes are the most")
            return
        try:
            yield Entry(loaded(data), side)
        except ValueError as error:
            yield Lost(path.name, str(error))

    def _has_changed(self, path: Path) -> bool:
        try:
            found = path.stat()
        except OSError:
            return False
        state = (found.st_ino, found.st_size, found.st_mtime_ns)
        before, self._states[path] = self._states.get(path), state
        return before != state


def _files(folder: Path) -> list[Path]:
    """Return the JSON files of a folder; their names begin with the time."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".json"))
    except OSError:
        return []
    return [folder / name for name in names[:LOG_FILES]]
