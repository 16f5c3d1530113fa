"""The tables of the SQLite file, and the statements that read and write them.

Below ``_sqlite``, whose thread alone uses this module.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .._limits import INT_LIMIT
from ._entry import BEGINNING, END, Entry, Id
from ._log import Item, Page, Project, gap_before

__all__ = ["Tables"]

BUSY: Final = 30.0
"""Seconds to wait for another process's transaction."""

KEYS: Final = 10_000
"""Idempotency keys held for each project."""

SCHEMA: Final = """
create table if not exists streams (
    project text primary key, epoch integer not null, last integer not null, oldest integer not null,
    marks integer not null
) without rowid;
create table if not exists events (
    project text not null, n integer not null, event text not null, data text not null,
    primary key (project, n)
) without rowid;
create table if not exists keys (
    number integer primary key autoincrement, project text not null, key text not null, ids text not null,
    unique (project, key)
);
"""


class Tables:
    """Read and write the tables over one connection.

    Ids are ``<epoch>-<n>``. The epoch is the time of the stream's creation, in milliseconds.
    """

    def __init__(self, path: Path, synchronous: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute(f"pragma synchronous = {synchronous}")
        self._db.executescript(SCHEMA)
        self._version = -1
        self.dirty = False
        """True while the file has appends that are not in the tails yet."""

    def close_file(self) -> None:
        """Close the file."""
        self._db.close()

    def changed(self) -> bool:
        """Return True if another connection has written since the last call."""
        (version,) = self._db.execute("pragma data_version").fetchone()
        before, self._version = self._version, version
        return bool(version != before)

    def append(self, batches: Sequence[tuple[str, Sequence[Item], str | None]]) -> list[list[str]]:
        """Append all batches in one transaction; return the ids of each batch."""
        with _transaction(self._db):
            made = [self._append(*batch) for batch in batches]
        self.dirty = True
        return made

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
        """Return at most *limit* entries after an id."""
        db = self._db
        found = db.execute("select epoch, last, oldest from streams where project = ?", (project,)).fetchone()
        if not found:
            return Page([], gap_before(after, 0, BEGINNING), BEGINNING)
        epoch, last, oldest = found
        gap = gap_before(after, oldest, (epoch, last))
        # An id of an earlier stream of this name stands before every entry of this stream.
        # SQLite's numbers have 64 bits with a sign: no entry stands after the largest.
        n = min(after[1], INT_LIMIT) if after[0] == epoch else 0
        rows = db.execute(
            "select n, event, data from events where project = ? and n > ? order by n limit ?",
            (project, n, min(limit, INT_LIMIT)),
        ).fetchall()
        entries = [Entry(f"{epoch}-{n}", event, data) for n, event, data in rows]
        return Page(entries, gap, (epoch, rows[-1][0] if rows else last))

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


class _transaction:  # noqa: N801 - used as a statement
    """Lock the file for one transaction; commit at the end, or roll back after an error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("begin immediate")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("commit" if kind is None else "rollback")
