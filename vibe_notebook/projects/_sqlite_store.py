"""The SQLite file of a log: its checks at the opening, its tables, and the statements that read and write them.

Below ``_sqlite``. Each of its threads has a connection of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .._foreign_words import on_one_line
from .._limits import INT_LIMIT
from ..exceptions import LogError
from ._entry import BEGINNING, END, Entry, Id, fill_window, parse_id
from ._log import Item, Page, Project, gap_before

__all__ = ["Identity", "Tables", "is_locked", "log_error"]

READ_SECONDS: Final = 2.0
"""Seconds that a read waits for a lock. In WAL mode only an exclusive lock stops a read."""

WRITE_SECONDS: Final = 5.0
"""Seconds that a write waits for the transaction of another process; clients wait 30 seconds for an answer."""

RETRY_SECONDS: Final = 0.005
"""Seconds between two tries to open a new file that another connection creates."""

KEYS: Final = 10_000
"""Idempotency keys held for each project."""

APPLICATION: Final = 0x76696265
"""The application id in the header of our files: "vibe"."""

VERSION: Final = 1
"""The version of the tables, in the header's ``user_version``. A file without it has the tables of version 1."""

SCHEMA: Final = {
    "streams": """create table if not exists streams (
    project text primary key, epoch integer not null, last integer not null, oldest integer not null,
    marks integer not null
) without rowid""",
    "events": """create table if not exists events (
    project text not null, n integer not null, event text not null, data text not null,
    primary key (project, n)
) without rowid""",
    "keys": """create table if not exists keys (
    number integer primary key autoincrement, project text not null, key text not null, ids text not null,
    unique (project, key)
)""",
}

COLUMNS: Final = {
    "streams": ["project", "epoch", "last", "oldest", "marks"],
    "events": ["project", "n", "event", "data"],
    "keys": ["number", "project", "key", "ids"],
}

Identity = tuple[int, int]
"""The device and the number of a file. A moved file keeps them; a new file of the same name has others."""

_PRIMARY: Final = 0xFF
"""The bits of SQLite's primary error code."""

_REASONS: Final = {
    sqlite3.SQLITE_BUSY: ("is locked by another program", False),
    sqlite3.SQLITE_LOCKED: ("is locked by another program", False),
    sqlite3.SQLITE_FULL: ("has no room: the disk is full", False),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk reports an error", False),
    sqlite3.SQLITE_READONLY: ("is read-only", True),
    sqlite3.SQLITE_CORRUPT: ("is damaged", True),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite file", True),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", True),
}
"""By SQLite's error code: the end of the sentence "the event log …", and whether an operator must mend it."""


def is_locked(error: BaseException) -> bool:
    """Return True if another connection's lock is the cause."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def log_error(path: Path, cause: BaseException) -> LogError:
    """Return the error of the log in the file *path*, with its cause in one sentence."""
    if isinstance(cause, LogError):
        return cause
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(cause, sqlite3.Error) and code is not None and code & _PRIMARY in _REASONS:
        words, is_permanent = _REASONS[code & _PRIMARY]
        return _fault(path, words, is_permanent=is_permanent)
    if isinstance(cause, sqlite3.OperationalError) and "no such table" in str(cause):
        return _fault(path, "is damaged: it lacks a table")
    if isinstance(cause, OSError) and cause.strerror:
        return LogError(
            f"the event log {path}: {cause.strerror}",
            reason=f"the event log: {cause.strerror}",
            is_permanent=isinstance(cause, PermissionError),
        )
    has_message = isinstance(cause, sqlite3.Error | OSError)
    return LogError(f"the event log {path}: {on_one_line(str(cause)) if has_message else repr(cause)}")


def _fault(path: Path, words: str, *, is_permanent: bool = True) -> LogError:
    return LogError(
        f"the event log {path} {words}", reason=f"the event log {words}", is_permanent=is_permanent
    )


class Tables:
    """Read and write the tables over one connection.

    Ids are ``<epoch>-<n>``. The epoch is the time of the stream's creation, in milliseconds.

    *seconds* bounds the wait for a lock. With an *identity* the file must be this one: after the first opening, a
    log must not go on in a new, empty file. ``identity`` is that of the open file.
    """

    def __init__(
        self, path: Path, synchronous: str, seconds: float, identity: Identity | None = None
    ) -> None:
        self._path = path
        if identity is None:
            _check_kind(path)
            _make_folder(path)
            _create(path)
        else:
            self.identity = identity
            self.check_file()
        mode = "rwc" if identity is None else "rw"
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=seconds, isolation_level=None
        )
        try:
            self._prepare(synchronous, seconds)
            found = path.stat()
            self.identity = found.st_dev, found.st_ino
        except BaseException:
            self._db.close()
            raise
        self._version = -1

    def close_file(self) -> None:
        """Close the file."""
        self._db.close()

    def check_file(self) -> None:
        """Check that the file is still in its place.

        Raises:
            LogError: the file was deleted, moved or replaced. A connection would go on in a file without a name.
        """
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise _fault(self._path, "was deleted or moved while in use; put it back, or restart") from None
        if (found.st_dev, found.st_ino) != self.identity:
            raise _fault(self._path, "was replaced by another file while in use; put it back, or restart")
        if not found.st_size:
            raise _fault(self._path, "was emptied while in use")

    def check(self) -> None:
        """Check that the tables can be read from the file, not only from memory."""
        self._db.execute("pragma shrink_memory")
        for name in SCHEMA:
            self._db.execute(f"select 1 from {name} limit 1").fetchone()  # noqa: S608 - one of three names

    def _prepare(self, synchronous: str, seconds: float) -> None:
        """Check the file, create its tables if it is new, and set the connection's modes."""
        end = time.monotonic() + seconds
        while True:
            try:
                is_new = self._check_origin()
                self._db.execute("pragma journal_mode = wal")
                if is_new:
                    self._create()
                break
            except sqlite3.OperationalError as error:
                # Two connections that switch a new file to WAL at once fail without the wait for a lock.
                if not is_locked(error) or time.monotonic() > end:
                    raise
                time.sleep(RETRY_SECONDS)
        self._db.execute(f"pragma synchronous = {synchronous}")
        self._check_writable(seconds)

    def _check_origin(self) -> bool:
        """Check that the file is a log of this version; return True if its tables or its header are to be written.

        Raises:
            LogError: another program or a newer version wrote the file, or it lacks a table.
        """
        db = self._db
        (application,) = db.execute("pragma application_id").fetchone()
        (version,) = db.execute("pragma user_version").fetchone()
        rows = db.execute(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'"
        )
        names = {name for (name,) in rows}
        if application == APPLICATION:
            if version > VERSION:
                raise _fault(
                    self._path, "was written by a newer version of vibe_notebook; update vibe_notebook"
                )
            if missing := sorted(SCHEMA.keys() - names):
                raise _fault(self._path, f"is damaged: it lacks the table {missing[0]}")
            return False
        ours = SCHEMA.keys() & names
        is_ours = bool(ours) or not names
        if (
            application
            or version
            or not is_ours
            or any(self._columns(name) != COLUMNS[name] for name in ours)
        ):
            raise _fault(self._path, "is the SQLite file of another program; name a new file")
        return True

    def _columns(self, table: str) -> list[str]:
        return [row[1] for row in self._db.execute(f"pragma table_info({table})")]

    def _create(self) -> None:
        """Create the missing tables, and sign the header; a file of an older version has only the tables."""
        with _transaction(self._db):
            for statement in SCHEMA.values():
                self._db.execute(statement)
            self._db.execute(f"pragma application_id = {APPLICATION}")
            self._db.execute(f"pragma user_version = {VERSION}")

    def _check_writable(self, seconds: float) -> None:
        """Check that SQLite can write the file and the files beside it. A locked file passes: a lock ends."""
        db = self._db
        db.execute("pragma busy_timeout = 0")
        try:
            db.execute("begin immediate")
            db.execute("rollback")
        except sqlite3.OperationalError as error:
            if not is_locked(error):
                raise
        db.execute(f"pragma busy_timeout = {round(seconds * 1_000)}")

    def changed(self) -> bool:
        """Return True if another connection has written since the last call."""
        (version,) = self._db.execute("pragma data_version").fetchone()
        before, self._version = self._version, version
        return bool(version != before)

    def append(self, batches: Sequence[tuple[str, Sequence[Item], str | None]]) -> list[list[str]]:
        """Append all batches in one transaction; return the ids of each batch."""
        with _transaction(self._db):
            return [self._append(*batch) for batch in batches]

    def _append(self, project: str, items: Sequence[Item], key: str | None) -> list[str]:
        db = self._db
        if key is not None:
            seen = db.execute("select ids from keys where project = ? and key = ?", (project, key)).fetchone()
            if seen:
                ids: list[str] = json.loads(seen[0])
                return ids
        found = db.execute("select epoch, last from streams where project = ?", (project,)).fetchone()
        epoch, last = found or (time.time_ns() // 1_000_000, 0)
        if not found:
            db.execute("insert into streams values (?, ?, 0, 1, 0)", (project, epoch))
        rows = [(project, n, event, data) for n, (event, data) in enumerate(items, last + 1)]
        db.executemany("insert into events values (?, ?, ?, ?)", rows)
        marks = sum(event == END for event, _ in items)
        db.execute(
            "update streams set last = ?, marks = marks + ? where project = ?",
            (last + len(rows), marks, project),
        )
        ids = [f"{epoch}-{n}" for _, n, _, _ in rows]
        if key is not None:
            db.execute(
                "insert into keys (project, key, ids) values (?, ?, ?)", (project, key, json.dumps(ids))
            )
            db.execute(
                "delete from keys where project = ? and number <= "
                "(select number from keys where project = ? order by number desc limit 1 offset ?)",
                (project, project, KEYS),
            )
        return ids

    def close(self, project: str) -> None:
        """Append the mark of a closed stream, unless the stream is closed or unknown."""
        found = self.project(project)
        if found is not None and not found.closed:
            self.append([(project, [(END, "")], None)])

    def place(self, project: str) -> Id:
        """Return the last id of a project."""
        found = self._db.execute("select epoch, last from streams where project = ?", (project,)).fetchone()
        return tuple(found) if found else BEGINNING

    def read(self, project: str, after: Id, limit: int) -> Page:
        """Return at most *limit* entries after an id, and at most a window of bytes or one entry."""
        with _snapshot(self._db) as db:
            found = db.execute(
                "select epoch, last, oldest from streams where project = ?", (project,)
            ).fetchone()
            if not found:
                return Page([], gap_before(after, 0, BEGINNING), BEGINNING)
            epoch, last, oldest = found
            # An id of an earlier stream of this name stands before every entry of this stream.
            # SQLite's numbers have 64 bits with a sign: no entry stands after the largest.
            n = min(after[1], INT_LIMIT) if after[0] == epoch else 0
            rows = db.execute(
                "select n, event, data from events where project = ? and n > ? order by n limit ?",
                (project, n, min(limit, INT_LIMIT)),
            )
            # SQLite reads a row when it is asked for the row: the rows beyond the window stay in the file.
            entries = fill_window(Entry(f"{epoch}-{n}", event, data) for n, event, data in rows)
            rows.close()
        gap = gap_before(after, oldest, (epoch, last))
        return Page(entries, gap, parse_id(entries[-1].id) if entries else (epoch, last))

    def trim(self, project: str, keep: int) -> int:
        """Drop all but the newest *keep* entries; return the number dropped."""
        with _transaction(self._db):
            _, last = self.place(project)
            oldest = max(1, last - max(0, keep) + 1)
            (marks,) = self._db.execute(
                "select count(*) from events where project = ? and n < ? and event = ''", (project, oldest)
            ).fetchone()
            dropped = self._db.execute(
                "delete from events where project = ? and n < ?", (project, oldest)
            ).rowcount
            self._db.execute(
                "update streams set oldest = max(oldest, ?), marks = marks - ? where project = ?",
                (oldest, marks, project),
            )
        return dropped

    def project(self, project: str) -> Project | None:
        """Return one project, or None if the file has no such project."""
        return next(iter(self._projects("where project = ?", (project,))), None)

    def projects(self) -> list[Project]:
        """Return all projects, sorted by name."""
        return self._projects("", ())

    def _projects(self, where: str, values: tuple[str, ...]) -> list[Project]:
        rows = self._db.execute(
            "select project, epoch, last, oldest, marks, "  # noqa: S608 - the condition is one of two above
            f"(select event from events where project = s.project and n = s.last) from streams s {where} "
            "order by project",
            values,
        ).fetchall()
        return [
            Project(name, last - oldest + 1 - marks, f"{epoch}-{last}", event == END)
            for name, epoch, last, oldest, marks, event in rows
        ]


def _check_kind(path: Path) -> None:
    """Check that *path* names a file that can be written, or no file yet.

    Raises:
        LogError: *path* is a directory, a device or a pipe, or is read-only, also for the superuser.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(mode):
        raise _fault(path, "is a directory; name a file")
    if not stat.S_ISREG(mode):
        raise _fault(path, "is not a regular file; name a file")
    if not mode & 0o222 or not os.access(path, os.R_OK | os.W_OK):
        raise _fault(path, "is read-only")


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise _fault(path, "cannot be created: a part of its path is a file") from None


def _create(path: Path) -> None:
    """Create the file for its owner alone, if there is none: SQLite would let every user read it.

    SQLite's other files take the mode of this one. The file gets its name only after it is closed: to close a file
    drops the locks that other connections of this process have on it.
    """
    new = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with contextlib.suppress(
        OSError
    ):  # SQLite says what is wrong; a system without hard links has its own modes
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            os.link(new, path)
        finally:
            new.unlink()


class _snapshot:  # noqa: N801 - used as a statement
    """Read one state of the file, whatever other connections write meanwhile."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        self._db.execute("begin")
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.execute("rollback")


class _transaction:  # noqa: N801 - used as a statement
    """Lock the file for one transaction; commit at the end, or roll back after an error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("begin immediate")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("commit" if kind is None else "rollback")
