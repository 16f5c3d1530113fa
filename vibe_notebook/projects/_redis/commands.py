"""The commands of the Redis log, and the parsers of their replies. Pure: no I/O.

Below the log, its worker and its reader. Replies are raw ones of RESP2. The fields of a stream's entry are ``e`` (the
event type) and ``d`` (the data as JSON).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from ..._foreign_words import clean_logger
from ..._limits import WINDOW_BYTES
from ...exceptions import LogError
from .._entry import BEGINNING, Entry, Gap, Id, parse_id, text_of
from .._log import Item, Page, Project

__all__ = [
    "LAST",
    "Keys",
    "StreamState",
    "append",
    "check_server",
    "close",
    "entries",
    "gap",
    "page",
    "parse_state",
    "project",
    "query",
]

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

# The reply for each stream: nil for an unknown one, else [length, entries added, last id, first id, 1 if closed, 1 if
# the entry of the given id exists, entries]. A script reads one state. XRANGE returns few entries at once: only their
# sizes tell how many fit into the window.
_QUERY: Final = """
local function state(key, after, limit, room)
  if redis.call('EXISTS', key) == 0 then return false end
  local info, flat = {}, redis.call('XINFO', 'STREAM', key)
  for i = 1, #flat, 2 do info[flat[i]] = flat[i + 1] end
  local newest, oldest = info['last-entry'], info['first-entry']
  local rows, from, is_full = {}, '(' .. after, false
  while not is_full and #rows < limit do
    local found = redis.call('XRANGE', key, from, '+', 'COUNT', math.min(8, limit - #rows))
    if #found == 0 then break end
    for _, row in ipairs(found) do
      for _, field in ipairs(row[2]) do room = room - #field end
      is_full = room <= 0
      if room >= 0 or #rows == 0 then rows[#rows + 1] = row end
      if is_full then break end
    end
    from = '(' .. found[#found][1]
  end
  return {
    info['length'], info['entries-added'] or false, info['last-generated-id'], oldest and oldest[1] or false,
    newest and newest[2][2] == '' and 1 or 0, #redis.call('XRANGE', key, after, after), rows
  }
end
local replies = {}
for i, key in ipairs(KEYS) do replies[i] = state(key, ARGV[i + 2], tonumber(ARGV[1]), tonumber(ARGV[2])) end
return replies
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


def query(places: Mapping[str, Id], limit: int) -> Command:
    """Return the command that reads, atomically, the state of each stream and its entries after an id.

    A reply holds at most *limit* entries of a stream, and at most a window of bytes or one entry.
    """
    if LAST in places.values():
        limit = 0  # no entry follows the greatest id, and XRANGE refuses it as an open bound
    ids = (text_of(min(place, LAST)) for place in places.values())
    return "EVAL", _QUERY, len(places), *places, limit, WINDOW_BYTES, *ids


def entries(rows: Any) -> Iterator[Entry]:
    """Yield a stream's entries. An entry that this log did not write is left out with a warning."""
    for name, fields in rows:
        if fields is None or len(fields) != 4 or fields[0] != b"e" or fields[2] != b"d":  # noqa: PLR2004
            log.warning("Entry %s of a project's stream was not written by this log, and is left out", name)
            continue
        event, data = fields[1].decode(errors="replace"), fields[3].decode(errors="replace")
        yield Entry(name.decode(), event, data)


@dataclass(frozen=True, slots=True)
class StreamState:
    """Hold the reply to ``query`` for one stream.

    ``dropped`` counts the entries that the server has dropped; ``knows_place`` is True if the entry of the given id
    exists.
    """

    length: int
    dropped: int
    last: Id
    first: Id | None
    is_closed: bool
    knows_place: bool
    rows: Sequence[Any]


def parse_state(reply: Any) -> StreamState | None:
    """Parse the reply for one stream; return None for an unknown stream."""
    if reply is None:
        return None
    length, added, last, first, is_closed, knows_place, rows = reply
    if added is None:
        raise LogError(
            "the Redis log needs Redis 7 or newer: this server does not count the entries added to a stream",
            reason="the event log needs Redis 7 or newer",
            is_permanent=True,
        )
    return StreamState(
        length,
        added - length,
        parse_id(last.decode()),
        None if first is None else parse_id(first.decode()),
        bool(is_closed),
        bool(knows_place),
        rows,
    )


def page(state: StreamState | None, after: Id) -> Page:
    """Return the page of a stream after an id."""
    missing = gap(state, after)
    if state is None:
        return Page([], missing, BEGINNING)
    place = parse_id(state.rows[-1][0].decode()) if state.rows else state.last
    return Page(list(entries(state.rows)), missing, place)


def gap(state: StreamState | None, after: Id) -> Gap | None:
    """Return the gap after the id *after*, or None if the stream still has every entry after it.

    The entry of the id is the witness: a stream that lacks it, though the stream has older entries, has lost it (a
    failover to a replica without the newest entries), or is another stream (FLUSHALL).

    Redis does not count the entries between two ids: the number of missing entries is known only for a read from the
    beginning. For the same reason a read after the newest dropped entry reports a gap, though nothing is missing.
    """
    wanted = text_of(after)
    if state is None:
        return None if after == BEGINNING else Gap("gone", wanted)
    ends: dict[str, Any] = {"last": text_of(state.last)}
    if state.first is not None:
        ends["first"] = text_of(state.first)
    if after > state.last:
        return Gap("ahead", wanted, **ends)
    if after == BEGINNING:
        return Gap("trimmed", wanted, missed=state.dropped, **ends) if state.dropped else None
    if after == state.last or state.knows_place:
        return None
    if state.first is not None and after > state.first:
        return Gap("gone", wanted, **ends)
    return Gap("trimmed" if state.dropped else "gone", wanted, **ends)


def project(name: str, state: StreamState | None) -> Project | None:
    """Return the description of a project.

    ``events`` leaves out a mark at the end of the stream, but counts the marks before it.
    """
    if state is None:
        return None
    return Project(name, state.length - state.is_closed, text_of(state.last), state.is_closed)


def check_server(reply: Any, label: str) -> None:
    """Check the reply to HELLO: the log needs a single server that accepts events.

    Raises:
        LogError: the server is a Sentinel, a part of a cluster, or a replica.
    """
    facts = {
        key.decode(): value.decode() if isinstance(value, bytes) else value
        for key, value in zip(reply[::2], reply[1::2], strict=True)
    }
    for name, value, words in (
        ("mode", "sentinel", "is a Sentinel, which stores no events; use the URL of the master"),
        ("mode", "cluster", "is a Redis cluster; use a single server, with replicas if you like"),
        ("role", "replica", "is a replica, which accepts no events; use the URL of the master"),
    ):
        if facts.get(name) == value:
            raise LogError(f"{label} {words}", reason=f"the event log {words}", is_permanent=True)
