"""Make databases of OpenCode, of both generations, with the rows that its own schema has."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

_SESSION = """(id text PRIMARY KEY, project_id text NOT NULL, parent_id text, slug text NOT NULL,
    directory text NOT NULL, title text, version text NOT NULL, time_created integer NOT NULL,
    time_updated integer NOT NULL)"""
_FIRST = f"""CREATE TABLE session {_SESSION};
CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, time_created integer NOT NULL,
    time_updated integer NOT NULL, data text NOT NULL);
CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL, session_id text NOT NULL,
    time_created integer NOT NULL, time_updated integer NOT NULL, data text NOT NULL);"""
_SECOND = f"""CREATE TABLE session_v2 {_SESSION};"""
_MESSAGES = """CREATE TABLE session_message (id text PRIMARY KEY, session_id text NOT NULL, type text NOT NULL,
    seq integer NOT NULL, time_created integer NOT NULL, time_updated integer NOT NULL, data text NOT NULL);"""
NOW = 1_772_704_801_000


class OpenCodeDatabase:
    """Write a database as the agent does, with the log beside it that SQLite keeps while it is open."""

    def __init__(self, path: Path, *, first: bool = True, second: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self._clock = NOW
        for made, script in ((first, _FIRST), (second, _SECOND), (first or second, _MESSAGES)):
            if made:
                self.connection.executescript(script)

    def close(self) -> None:
        """End the writing: the log goes."""
        self.connection.close()

    def _tick(self) -> int:
        self._clock += 1_000
        return self._clock

    def session(self, name: str, table: str = "session", **facts: Any) -> None:
        """Write a session."""
        now = facts.get("at") or self._tick()
        values = (name, "p", facts.get("parent"), "slug", facts.get("directory", "/work/app"))
        self.connection.execute(
            f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, '1', ?, ?)",  # noqa: S608 - the test's own name
            (*values, facts.get("title", ""), now, now),
        )

    def message(self, session: str, name: str, data: dict[str, Any], *parts: dict[str, Any]) -> None:
        """Write a message of the first generation with its parts."""
        now = self._tick()
        data = {"time": {"created": now}, **data}
        values = (name, session, now, now, json.dumps(data))
        self.connection.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", values)
        for number, part in enumerate(parts):
            self.part(session, name, f"{name}_{number}", part)

    def part(self, session: str, message: str, name: str, part: dict[str, Any]) -> None:
        """Write a part, or write it anew."""
        now = self._tick()
        values = (name, message, session, now, now, json.dumps(part))
        self.connection.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?, ?)", values)

    def row(self, session: str, name: str, kind: str, seq: int, data: dict[str, Any]) -> None:
        """Write a message of the second generation, or write it anew."""
        now = self._tick()
        values = (name, session, kind, seq, now, now, json.dumps({"time": {"created": now}, **data}))
        self.connection.execute("INSERT OR REPLACE INTO session_message VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def call(call_id: str, tool: str, status: str = "completed", **state: Any) -> dict[str, Any]:
    return {
        "type": "tool",
        "tool": tool,
        "callID": call_id,
        "state": {"status": status, "input": {}, **state},
    }
