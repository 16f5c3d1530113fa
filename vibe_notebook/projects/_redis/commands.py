"""What the Redis log asks of its server, and what the answers mean. No I/O.

Replies are RESP2's, raw. A stream's fields are ``e`` (the event type) and ``d`` (its JSON).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from ...exceptions import LogError
from .._entry import BEGINNING, END, Entry, Gap, Id, parse_id
from .._log import Item, Page, Project

__all__ = ["Names", "add", "close", "gap", "look", "page", "project", "rows"]

log = logging.getLogger("vibe_notebook.projects")

Command = tuple[Any, ...]

LAST: Final[Id] = (2**64 - 1, 2**64 - 1)
"""The greatest id there is."""

KEPT: Final = 24 * 3600
"""Seconds that an idempotency key is remembered."""

# A script is atomic, also in the append-only file: after a crash all of it is there, or nothing.
_ADD: Final = """
local seen = KEYS[2] and redis.call('GET', KEYS[2])
if seen then return seen end
local ids = {}
for i = 3, #ARGV, 2 do
  ids[#ids + 1] = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i], 'd', ARGV[i + 1])
end
local said = table.concat(ids, ' ')
if KEYS[2] then redis.call('SET', KEYS[2], said, 'EX', ARGV[2]) end
return said
"""

_CLOSE: Final = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if redis.call('EXISTS', KEYS[1]) == 1 and not (last and last[2][2] == '') then
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', '', 'd', '')
end
"""

_LOOK: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local found = redis.call('XREAD', 'COUNT', ARGV[2], 'STREAMS', KEYS[1], ARGV[1])
return {redis.call('XINFO', 'STREAM', KEYS[1]), found and found[1][2] or {}}
"""


class Names:
    """The keys of a log in its database: all begin with *prefix*."""

    def __init__(self, prefix: str) -> None:
        self._streams = f"{prefix}events:"
        self._keys = f"{prefix}key:"

    def stream(self, project: str) -> str:
        """The project's stream."""
        return self._streams + project

    def key(self, project: str, key: str) -> str:
        """An idempotency key: no project has a NUL in its name."""
        return f"{self._keys}{project}\0{key}"

    def pattern(self) -> str:
        """What matches all streams."""
        return "".join(f"\\{one}" if one in "*?[]\\^-" else one for one in self._streams) + "*"

    def project(self, stream: bytes) -> str:
        """The project of a stream."""
        return stream.decode(errors="replace").removeprefix(self._streams)


def add(stream: str, items: Sequence[Item], limit: int, key: str | None) -> Command:
    """Append; the reply is the ids, with blanks between."""
    if key is None and len(items) == 1:
        event, data = items[0]
        return "XADD", stream, "MAXLEN", "~", limit, "*", "e", event, "d", data
    keys = (stream,) if key is None else (stream, key)
    return "EVAL", _ADD, len(keys), *keys, limit, KEPT, *chain.from_iterable(items)


def close(stream: str, limit: int) -> Command:
    """Append the mark of a closed stream, unless it is there or there is no stream."""
    return "EVAL", _CLOSE, 1, stream, limit


def look(stream: str, after: Id = LAST, limit: int = 1) -> Command:
    """The stream's state, and at the same moment its entries after an id."""
    ms, count = min(after, LAST)
    return "EVAL", _LOOK, 1, stream, f"{ms}-{count}", limit


def rows(found: Any) -> Iterator[Entry]:
    """A stream's entries."""
    for name, fields in found:
        if fields is None or len(fields) != 4 or fields[0] != b"e" or fields[2] != b"d":  # noqa: PLR2004
            log.warning("Entry %s of a project's stream was not written by this log, and is left out", name)
            continue
        event, data = fields[1].decode(errors="replace"), fields[3].decode(errors="replace")
        yield Entry(name.decode(), event, data)


def _state(looked: Any) -> dict[str, Any]:
    state = dict(zip((name.decode() for name in looked[0][::2]), looked[0][1::2], strict=True))
    if "entries-added" not in state:
        raise LogError("the Redis log needs Redis 7 or newer: this server does not count what was added")
    return state


def _last(state: dict[str, Any]) -> Id:
    return parse_id(state["last-generated-id"].decode())


def page(looked: Any, after: Id) -> Page:
    """What ``look`` found after *after*."""
    found = gap(looked, after)
    if looked is None:
        return Page([], found, BEGINNING)
    entries = list(rows(looked[1]))
    place = parse_id(looked[1][-1][0].decode()) if looked[1] else _last(_state(looked))
    return Page(entries, found, place)


def gap(looked: Any, after: Id) -> Gap | None:
    """What the stream has lost after *after*.

    Redis does not say how many entries stood between two ids: only from the beginning is it known what is
    missing. For the same reason the very last entry that went cannot be told from those before it.
    """
    asked = f"{after[0]}-{after[1]}"
    if looked is None:
        return None if after == BEGINNING else Gap("gone", asked)
    state = _state(looked)
    last = _last(state)
    ends: dict[str, Any] = {"last": f"{last[0]}-{last[1]}"}
    went = state["entries-added"] - state["length"]
    oldest = state["first-entry"]
    if oldest:
        ends["first"] = oldest[0].decode()
    if after > last:
        return Gap("ahead", asked, **ends)
    if after == last or (oldest and after >= parse_id(oldest[0].decode())):
        return None
    if after == BEGINNING:
        return Gap("trimmed", asked, missed=went, **ends) if went else None
    return Gap("trimmed" if went else "gone", asked, **ends)


def project(name: str, looked: Any) -> Project | None:
    """What is said of a project. Of marks of closed streams only one at the end is not counted."""
    if looked is None:
        return None
    state = _state(looked)
    newest = state["last-entry"]
    closed = bool(newest) and newest[1][1] == END.encode()
    return Project(name, state["length"] - closed, state["last-generated-id"].decode(), closed)
