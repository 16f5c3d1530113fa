"""Read the sessions of OpenCode from its SQLite database, which the agent may be writing.

Beside ``_sources``. One database holds all sessions; the path of a session is that of the database with the session's id
behind it: ``opencode.db/ses_46a0…``. Tables ``session``, ``message`` and ``part`` are those of OpenCode 1,
``session_v2`` and ``session_message`` those of OpenCode 2; a database may have both. Nothing is ever written to it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from .._files import open_to_read
from .._forms.wording import in_line, name_in_line
from .._limits import LOG_FILES, LOG_LINE_BYTES
from ..exceptions import AdapterError, ProtocolError
from ._dialects import loaded
from ._lines import Said
from ._sources import Entry, Item, Lost

__all__ = ["MAGIC", "DatabaseSource", "StoredSession", "newest_session", "split_path", "stored_sessions"]

MAGIC: Final = b"SQLite format 3\0"
_CHANGING: Final = 2
"""Messages at the end of a session that may change within the millisecond of their last change."""
_WORDS: Final = 200
"""Characters of an error's words."""
_NEEDED: Final = {
    "session": {"id", "title", "directory", "parent_id", "time_created", "time_updated"},
    "message": {"id", "session_id", "time_created", "time_updated", "data"},
    "part": {"id", "message_id", "time_updated", "data"},
    "session_v2": {"id", "title", "directory", "parent_id", "time_created", "time_updated"},
    "session_message": {"id", "session_id", "type", "time_updated", "data", "seq"},
}


class StoredSession(NamedTuple):
    """Hold the facts of one session of a database; its time is in seconds since the epoch."""

    path: Path
    changed_at: float
    project: str


def split_path(path: Path) -> tuple[Path, str]:
    """Return the path of the file, and the id of the session if *path* goes on behind a file."""
    if path.parent.is_file():
        return path.parent, path.name
    return path, ""


def stored_sessions(path: Path) -> list[StoredSession]:
    """Return the sessions of a database that are no subagents. Raises ``AdapterError`` and ``ProtocolError``."""
    found: dict[str, StoredSession] = {}
    with _opened(path) as database:
        for table in ("session", "session_v2"):
            if table in database.tables:
                for name, directory, changed in database.rows(
                    f"SELECT id, directory, time_updated FROM {table} WHERE parent_id IS NULL "  # noqa: S608 - a fixed name
                    "ORDER BY time_updated DESC LIMIT ?",
                    LOG_FILES,
                ):
                    seconds = changed / 1000 if isinstance(changed, int | float) else 0.0
                    before = found.get(str(name))
                    if before is None or before.changed_at <= seconds:
                        found[str(name)] = StoredSession(path / str(name), seconds, str(directory))
    return list(found.values())


def newest_session(path: Path) -> Path:
    """Return the path of the session that changed last. Raises ``ProtocolError`` for a database without any."""
    found = stored_sessions(path)
    if not found:
        msg = f"{name_in_line(path.name)} holds no session."
        raise ProtocolError(msg)
    return max(found, key=lambda each: (each.changed_at, each.path)).path


class DatabaseSource:
    """Read one session, and those of its subagents: *agents* are the ones that the session names."""

    def __init__(self, path: Path, agents: Callable[[], Mapping[str, str]]) -> None:
        self._path, self._session = split_path(path)
        self._agents = agents
        self._signature: tuple[object, ...] = ()
        self._states: dict[str, tuple[object, ...]] = {}
        self.bytes_read = 0

    def close(self) -> None:
        """Close nothing: the database is open only while it is read."""

    def poll(self, *, follows: bool) -> Iterator[Item]:
        """Yield the session and the messages that are new or have changed. Raises ``ProtocolError`` for damage."""
        signature = tuple(map(_state_of, (self._path, _beside(self._path, "-wal"))))
        if signature == self._signature:
            return
        try:
            with _opened(self._path) as database:
                for item in self._read(database):
                    self.bytes_read, database.bytes_read = self.bytes_read + database.bytes_read, 0
                    yield item
        except ProtocolError:
            if not follows:
                raise
            return  # the agent is writing it: the next look finds it whole
        self._signature = signature

    def _read(self, database: _Database) -> Iterator[Item]:
        yield from self._facts(database)
        yield from self._messages(database, self._session, "")
        children = dict(database.children(self._session))
        known: set[str] = set()
        while waiting := [name for name in (*self._agents(), *children) if name not in known]:
            for name in dict.fromkeys(waiting):
                known.add(name)
                yield from self._messages(database, name, name, children.get(name))
                children |= database.children(name)

    def _facts(self, database: _Database) -> Iterator[Item]:
        row = database.session(self._session)
        if row is None:
            msg = f"{name_in_line(self._path.name)} has no session {name_in_line(self._session)!r}."
            raise ProtocolError(msg)
        state = ("session", *row)
        if self._states.get("") != state:
            self._states[""] = state
            title, directory, created, updated = row
            time = {"created": created, "updated": updated}
            yield Entry({"id": self._session, "title": title, "directory": directory, "time": time})

    def _messages(
        self, database: _Database, session: str, side: str, agent_name: str | None = None
    ) -> Iterator[Item]:
        found = database.messages(session)
        about = {"agent_name": agent_name} if side else {}
        for number, (table, message_id, state) in enumerate(found):
            if self._states.get(message_id) == state and number < len(found) - _CHANGING:
                continue
            self._states[message_id] = state
            for item in database.message(table, message_id):
                yield Entry(item.value, side, about) if isinstance(item, Entry) else item


class _Database:
    """Ask one database; every failure of it is a ``ProtocolError``."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._name, self._connection = name_in_line(path.name), connection
        self.bytes_read = 0
        self.tables = self._known_tables()
        if not ({"session", "message", "part"} <= self.tables or "session_message" in self.tables):
            msg = f"{self._name} is a database of no agent that this version knows: it has no sessions of OpenCode."
            raise AdapterError(msg)

    def _known_tables(self) -> set[str]:
        """Return the tables of OpenCode with all their columns; a view may have anything in it."""
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        found = {str(name) for (name,) in self.rows(query)}
        return {
            name
            for name, needed in _NEEDED.items()
            if name in found and needed <= {str(row[1]) for row in self.rows(f"PRAGMA table_info({name})")}
        }

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        try:
            return self._connection.execute(query, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            msg = f"{self._name} cannot be read: {in_line(str(error), _WORDS)}."
            raise ProtocolError(msg) from None

    def session(self, session: str) -> tuple[Any, ...] | None:
        """Return title, folder and times of a session; of two generations the newer one."""
        for table in ("session_v2", "session"):
            query = f"SELECT title, directory, time_created, time_updated FROM {table} WHERE id = ?"  # noqa: S608
            if table in self.tables and (found := self.rows(query, session)):
                return found[0]
        return None

    def children(self, session: str) -> dict[str, str | None]:
        """Return the sessions that one has begun, each with its title."""
        found: dict[str, str | None] = {}
        for table in ("session", "session_v2"):
            if table in self.tables:
                query = f"SELECT id, title FROM {table} WHERE parent_id = ? ORDER BY time_created LIMIT ?"  # noqa: S608
                for name, title in self.rows(query, session, LOG_FILES):
                    found[str(name)] = title if isinstance(title, str) and title else None
        return found

    def messages(self, session: str) -> list[tuple[str, str, tuple[object, ...]]]:
        """Return the messages of a session: the table, the id, and a value that changes with the message."""
        if not self._is_second(session):
            query = (
                "SELECT m.id, m.time_updated, count(p.id), max(p.time_updated) FROM message m "
                "LEFT JOIN part p ON p.message_id = m.id WHERE m.session_id = ? "
                "GROUP BY m.id ORDER BY m.time_created, m.id"
            )
            return [("message", str(row[0]), row[1:]) for row in self.rows(query, session)]
        query = "SELECT id, time_updated FROM session_message WHERE session_id = ? ORDER BY seq"
        return [("session_message", str(row[0]), row[1:]) for row in self.rows(query, session)]

    def _is_second(self, session: str) -> bool:
        """Return whether the messages of a session are in the tables of OpenCode 2.

        Versions between the two keep a few lines of a session there too: then its messages are the older ones.
        """
        if "session_message" not in self.tables:
            return False
        if not {"message", "part"} <= self.tables:
            return True
        if "session_v2" in self.tables and self.rows("SELECT 1 FROM session_v2 WHERE id = ?", session):
            query = "SELECT 1 FROM session_message WHERE session_id = ? LIMIT 1"
            return bool(self.rows(query, session))
        return not self.rows("SELECT 1 FROM message WHERE session_id = ? LIMIT 1", session)

    def message(self, table: str, message_id: str) -> Iterator[Item]:
        """Yield a message with its parts, and a line for each row that cannot be read."""
        bound = f"CASE WHEN length(data) <= {LOG_LINE_BYTES} THEN data END"
        if table == "session_message":
            rows = self.rows(f"SELECT id, {bound}, type FROM session_message WHERE id = ?", message_id)  # noqa: S608
        else:
            rows = self.rows(f"SELECT id, {bound} FROM message WHERE id = ?", message_id)  # noqa: S608
            rows += self.rows(f"SELECT id, {bound} FROM part WHERE message_id = ? ORDER BY id", message_id)  # noqa: S608
        values: list[Any] = []
        for number, (name, data, *kind) in enumerate(rows):
            if not isinstance(data, str):
                yield Said(f"{name_in_line(str(name))} is left out: {LOG_LINE_BYTES:,} bytes are the most")
            else:
                self.bytes_read += len(data)
                try:
                    value = loaded(data.encode("utf-8", "replace"))
                except ValueError as error:
                    yield Lost(f"{name_in_line(str(name))}", str(error))
                else:
                    facts = {"id": str(name), **({"type": kind[0]} if kind else {})}
                    values.append({**value, **facts} if isinstance(value, dict) else facts)
            if number == 0 and not values:
                return  # its parts alone say nothing
        if table == "session_message" and values:
            yield Entry(values[0])
        elif values:
            yield Entry({"info": values[0], "parts": values[1:]})


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Database]:
    """Open a database to read. Without a log beside it nobody writes, and no file is made beside it either."""
    open_to_read(path, "A log").close()
    is_quiet = _state_of(_beside(path, "-wal")) in (None, 0)
    flags = "mode=ro&immutable=1" if is_quiet else "mode=ro"
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{flags}", uri=True, timeout=1.0)
    except sqlite3.Error as error:
        msg = f"{name_in_line(path.name)} cannot be opened: {in_line(str(error), _WORDS)}."
        raise ProtocolError(msg) from None
    with contextlib.closing(connection):
        connection.text_factory = _decoded
        yield _Database(path, connection)


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _state_of(path: Path) -> object:
    """Return a value that changes with a file; 0 for an empty one, ``None`` for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found.st_size else 0
