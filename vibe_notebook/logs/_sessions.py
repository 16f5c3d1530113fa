"""List the sessions of the agents on this machine: agent, project, first words, turns, cost.

Above ``_homes``, which finds the files. Of each file the list reads its first and last 64 KB.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from .._files import open_to_read
from .._forms.wording import in_line
from .._limits import LOG_HEAD_BYTES
from .._nearest import did_you_mean
from ..adapters.logs import LogReader
from ..events import Event, MessageFinished, MessageStarted, RunFinished, TextDelta
from ..exceptions import ProtocolError, VibeNotebookError
from ._database import split_path
from ._dialects import Found, loaded
from ._homes import HOMES, newest_first
from ._opened import one_session, several_files, tell_file
from ._sources import Entry, Item

__all__ = ["Session", "glance", "sessions"]

WORDS: Final = 200
"""Characters of the first words."""
ENTRIES: Final = 8
"""Entries that are read of a log of several files: of an archive's samples, or of messages with their parts."""


@dataclass(frozen=True, slots=True)
class Session:
    """Describe one session, as far as the beginning and the end of its log show it.

    ``changed_at`` is in seconds since the epoch, ``cost`` in US dollars. ``is_partial``: the log has more turns, and
    may cost more. ``problem`` says why a log cannot be read.
    """

    path: Path
    agent: str = ""
    project: str = ""
    title: str = ""
    first_words: str = ""
    turns: int = 0
    cost: float | None = None
    changed_at: float = 0.0
    is_partial: bool = False
    problem: str = ""


def sessions(*schemes: str, limit: int | None = 20) -> Iterator[Session]:
    """Yield the sessions of all agents, or of those named, the newest first.

    *schemes* are the words before ``:latest``. Raises ``ProtocolError`` for an unknown one.
    """
    known = [home.scheme for home in HOMES]
    for scheme in schemes:
        if scheme not in known:
            msg = f"There is no agent {in_line(scheme, 100)!r}; one of: {', '.join(known)}.{did_you_mean(scheme, known)}"
            raise ProtocolError(msg)
    return _sessions([home for home in HOMES if home.scheme in schemes or not schemes], limit)


def _sessions(homes: Iterable[Any], limit: int | None) -> Iterator[Session]:
    places = itertools.chain.from_iterable(home.places() for home in homes)
    for place in newest_first(places)[:limit]:
        yield replace(glance(place.path), changed_at=place.changed_at)


def glance(path: Path) -> Session:
    """Return the description of one log. A log that cannot be read is described by its problem."""
    changed_at = 0.0
    try:
        file_path = split_path(path)[0]
        changed_at = file_path.stat().st_mtime
        with open_to_read(file_path, "A log") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(LOG_HEAD_BYTES)
            file.seek(max(len(head), size - LOG_HEAD_BYTES))
            tail = file.read(LOG_HEAD_BYTES)
        path = one_session(path, head)
        found = tell_file(file_path, head, is_whole=size <= len(head))
        if found.dialect is None:
            return Session(path, found.agent, changed_at=changed_at)
        is_cut = size > len(head) + (len(tail) if found.kind == "lines" else 0)
        seen = _Seen(found, path)
        if (source := several_files(found, path)) is not None:
            is_cut = seen.read_items(source.poll(follows=False))
        elif found.kind == "document":
            seen.read_document(found.head[0])
        else:
            seen.read(head, drops_last=size > len(head))
            if tail:
                seen.read(tail, drops_first=True)
    except (OSError, VibeNotebookError) as error:
        return Session(path, changed_at=changed_at, problem=str(error))
    except Exception as error:  # noqa: BLE001 - one file must not hide the others: its line says the error
        return Session(path, changed_at=changed_at, problem=in_line(repr(error), WORDS))
    return seen.session(changed_at, is_partial=is_cut)


class _Seen:
    """Gather the facts of a session from parts of its log."""

    def __init__(self, found: Found, path: Path) -> None:
        assert found.dialect is not None  # noqa: S101 - the caller checks it
        self._found, self._path = found, path
        self._dialect = found.dialect
        self._reader: LogReader = found.dialect.reader(run_id=path.stem)
        self._roles: dict[str | None, str] = {}
        self._turns = 0
        self._words = ""
        self._costs: dict[str | None, float] = {}
        self._project = ""

    def read(self, data: bytes, *, drops_first: bool = False, drops_last: bool = False) -> None:
        """Read whole lines; those at the edges may be cut."""
        lines = data.split(b"\n")
        for line in lines[1 if drops_first else 0 : -1 if drops_last else None]:
            try:
                entry = loaded(line)
            except ValueError:
                continue
            if self._dialect.is_entry is not None and self._dialect.is_entry(entry):
                self._entry(entry)

    def read_items(self, items: Iterator[Item]) -> bool:
        """Read the first entries of a source; return whether there are more."""
        for count, item in enumerate(items):
            if count == ENTRIES:
                return True
            if isinstance(item, Entry):
                self._entry(item.value)
        return False

    def _entry(self, entry: Any) -> None:
        self._project = self._project or self._dialect.project_of(entry)
        for event in self._reader.feed(entry):
            self._add(event)

    def read_document(self, value: Mapping[str, Any]) -> None:
        """Read the entries of a log that is one JSON value, or of its beginning."""
        for entry in self._dialect.entries(value) if self._dialect.entries is not None else ():
            self._entry(entry)

    def _add(self, event: Event) -> None:
        if event.run_id != self._reader.run_id:
            return
        if isinstance(event, MessageStarted):
            self._roles[event.message_id] = event.role
            self._turns += event.role == "user"
        elif isinstance(event, TextDelta) and self._roles.get(event.message_id) == "user":
            self._words = self._words or in_line(event.delta, WORDS)
        elif isinstance(event, MessageFinished) and event.usage and event.usage.cost is not None:
            self._costs[event.message_id] = event.usage.cost
        elif isinstance(event, RunFinished) and event.usage and event.usage.cost is not None:
            self._costs = {None: event.usage.cost}  # the run's own sum

    def session(self, changed_at: float, *, is_partial: bool) -> Session:
        """Return the gathered facts."""
        for event in self._reader.finish():
            self._add(event)
        return Session(
            self._path,
            self._found.agent,
            in_line(self._project, WORDS),
            in_line(self._reader.session_title, WORDS),
            self._words,
            self._turns,
            sum(self._costs.values()) if self._costs else None,
            changed_at,
            is_partial,
        )
