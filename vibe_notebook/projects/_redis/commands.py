"""The commands of the Redis log, and the parsers of their replies. Pure: no I/O.

Below the log, its worker and its reader. Replies are raw ones of RESP2. The fields of a stream's entry are ``e`` (the
event type) and ``d`` (the data as JSON).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from ..._foreign_words import clean_logger
from ...exceptions import LogError
from .._entry import BEGINNING, END, Entry, Gap, Id, parse_id
from .._log import Item, Page, Project

__all__ = ["Keys", "append", "close", "entries", "gap", "page", "project", "query"]

log = clean_logger("vibe_notebook.projects")

Command = tuple[Any, ...]

LAST: Final[Id] = (2**64 - 1, 2**64 - 1)
"""The greatest possible id."""

KEY_SECONDS: Final = 24 * 3600
"""Seconds for which the server holds an idempotency key."""

# A script is atomic, in the append-only file too: after a crash all of its writes are there, or none.
_APPEND: Final = """
local seen = KEYS[2] and redis.call('GET', KEYS[2])
if seen then return seen end
local ids = {}
for i = 3, #ARGV, 2 do
  ids[#ids + 1] = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i], 'd', ARGV[i + 1])
end
local reply = table.concat(ids, ' ')
if KEYS[2] then redis.call('SET', KEYS[2], reply, 'EX', ARGV[2]) end
return reply
"""

_CLOSE: Final = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if redis.call('EXISTS', KEYS[1]) == 1 and not (last and last[2][2] == '') then
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', '', 'd', '')
end
"""

_QUERY: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local found = redis.call('XREAD', 'COUNT', ARGV[2], 'STREAMS', KEYS[1], ARGV[1])
return {redis.call('XINFO', 'STREAM', KEYS[1]), found and found[1][2] or {}}
"""


class Keys:
    """Build the keys of a log in its database. All keys begin with *prefix*."""

    def __init__(self, prefix: str) -> None:
        self._stream_prefix = f"{prefix}events:"
        self._key_prefix = f"{prefix}key:"

    def stream(self, project: str) -> str:
        """Return the key of a project's stream."""
        return self._stream_prefix + project

    def idempotency_key(self, project: str, key: str) -> str:
        """Return the full name of an idempotency key. NUL separates its parts: no project's name holds one."""
        return f"{self._key_prefix}{project}\0{key}"

    def pattern(self) -> str:
        """Return the pattern that matches the keys of all streams."""
        return "".join(f"\\{char}" if char in "*?[]\\^-" else char for char in self._stream_prefix) + "*"

    def project(self, stream: bytes) -> str:
        """Return the project of a stream's key."""
        return stream.decode(errors="replace").removeprefix(self._stream_prefix)


def append(stream: str, items: Sequence[Item], limit: int, key: str | None) -> Command:
    """Return the command that appends *items*; its reply is their ids, separated by spaces."""
    if key is None and len(items) == 1:
        event, data = items[0]
        return "XADD", stream, "MAXLEN", "~", limit, "*", "e", event, "d", data
    keys = (stream,) if key is None else (stream, key)
    return "EVAL", _APPEND, len(keys), *keys, limit, KEY_SECONDS, *chain.from_iterable(items)


def close(stream: str, limit: int) -> Command:
    """Return the command that marks a stream as closed, unless the stream is closed or unknown."""
    return "EVAL", _CLOSE, 1, stream, limit


def query(stream: str, after: Id = LAST, limit: int = 1) -> Command:
    """Return the command that reads a stream's state and, atomically, its entries after an id."""
    ms, count = min(after, LAST)
    return "EVAL", _QUERY, 1, stream, f"{ms}-{count}", limit


def entries(rows: Any) -> Iterator[Entry]:
    """Yield a stream's entries. An entry that this log did not write is left out with a warning."""
    for name, fields in rows:
        if fields is None or len(fields) != 4 or fields[0] != b"e" or fields[2] != b"d":  # noqa: PLR2004
            log.warning("Entry %s of a project's stream was not written by this log, and is left out", name)
            continue
        event, data = fields[1].decode(errors="replace"), fields[3].decode(errors="replace")
        yield Entry(name.decode(), event, data)


def _state(reply: Any) -> dict[str, Any]:
    state = dict(zip((name.decode() for name in reply[0][::2]), reply[0][1::2], strict=True))
    if "entries-added" not in state:
        raise LogError(
            "the Redis log needs Redis 7 or newer: this server does not count the entries added to a stream"
        )
    return state


def _last(state: dict[str, Any]) -> Id:
    return parse_id(state["last-generated-id"].decode())


def page(reply: Any, after: Id) -> Page:
    """Return the page of a reply to ``query``."""
    missing = gap(reply, after)
    if reply is None:
        return Page([], missing, BEGINNING)
    place = parse_id(reply[1][-1][0].decode()) if reply[1] else _last(_state(reply))
    return Page(list(entries(reply[1])), missing, place)


def gap(reply: Any, after: Id) -> Gap | None:
    """Return the gap after the id *after*, or None if the stream still has every entry after it.

    Redis does not count the entries between two ids: the number of missing entries is known only for a read from the
    beginning. For the same reason a read after the newest dropped entry reports a gap, though nothing is missing.
    """
    wanted = f"{after[0]}-{after[1]}"
    if reply is None:
        return None if after == BEGINNING else Gap("gone", wanted)
    state = _state(reply)
    last = _last(state)
    ends: dict[str, Any] = {"last": f"{last[0]}-{last[1]}"}
    dropped = state["entries-added"] - state["length"]
    oldest = state["first-entry"]
    if oldest:
        ends["first"] = oldest[0].decode()
    if after > last:
        return Gap("ahead", wanted, **ends)
    if after == last or (oldest and after >= parse_id(oldest[0].decode())):
        return None
    if after == BEGINNING:
        return Gap("trimmed", wanted, missed=dropped, **ends) if dropped else None
    return Gap("trimmed" if dropped else "gone", wanted, **ends)


def project(name: str, reply: Any) -> Project | None:
    """Return the description of a project.

    ``events`` leaves out a mark at the end of the stream, but counts the marks before it.
    """
    if reply is None:
        return None
    state = _state(reply)
    newest = state["last-entry"]
    closed = bool(newest) and newest[1][1] == END.encode()
    return Project(name, state["length"] - closed, state["last-generated-id"].decode(), closed)
