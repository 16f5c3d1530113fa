"""The values of a project's log: entries with ids, and gaps where entries are missing.

At the bottom of ``projects``: every log, tail and listener passes these values on.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from .._limits import WINDOW_BYTES
from ..exceptions import ProtocolError

__all__ = [
    "BEGINNING",
    "END",
    "Entry",
    "Gap",
    "Id",
    "fill_window",
    "parse_id",
    "size_of",
    "text_of",
    "valid_event",
]

Id = tuple[int, int]
"""An id as numbers, (milliseconds, count). Ids ascend in the order of the log."""

BEGINNING: Final[Id] = (0, 0)

END: Final = ""
"""The event type of the mark that a log appends to a closed stream. Listeners never see the mark."""

_ID = re.compile(r"[0-9]{1,20}(-[0-9]{1,20})?", re.ASCII)
_LAST: Final = 2**64 - 1
"""The largest number in an id: Redis counts in unsigned 64 bits."""
_EVENT_LIMIT: Final = 200


def parse_id(text: str) -> Id:
    """Parse an id of the form ``"<milliseconds>-<count>"``.

    Redis writes ids in this form. "" is the beginning of a stream. A number of more than 64 bits becomes the
    largest one: such an id stands after every entry.

    Raises:
        ProtocolError: *text* has another form.
    """
    if not text:
        return BEGINNING
    if isinstance(text, str) and _ID.fullmatch(text):
        ms, _, count = text.partition("-")
        return min(int(ms), _LAST), min(int(count or 0), _LAST)
    shown = repr(text[:60]) if isinstance(text, str) else type(text).__name__
    raise ProtocolError(
        f"{shown} is not an event id: an id looks like 1700000000000-5", field="last_event_id"
    )


def text_of(place: Id) -> str:
    """Return an id as text."""
    return f"{place[0]}-{place[1]}"


RESERVED: Final = frozenset(("gap",))
"""The event types that only the server sends on a stream."""


def valid_project(project_id: str) -> str:
    """Check a project's id, and return it unchanged. A path's segment holds it: no server reaches another one.

    Raises:
        ProtocolError: *project_id* is empty, longer than 200 characters, has control characters or is no segment.
    """
    if (
        not isinstance(project_id, str)
        or not project_id
        or len(project_id) > _EVENT_LIMIT
        or not project_id.isprintable()
        or "/" in project_id
        or project_id in (".", "..")
    ):
        raise ProtocolError(
            f"a project id is a printable, non-empty string of at most {_EVENT_LIMIT} characters, without '/', "
            "and neither '.' nor '..'",
            field="project_id",
        )
    return project_id


def valid_event(event: str) -> str:
    """Check an event type, and return it unchanged. On the wire an event type is one line.

    Raises:
        ProtocolError: *event* is empty, longer than 200 characters, has control characters or is reserved.
    """
    if event in RESERVED:
        raise ProtocolError(f"{event!r} is a type that only the server sends", field="event_type")
    if not isinstance(event, str) or not event or len(event) > _EVENT_LIMIT or not event.isprintable():
        raise ProtocolError(
            f"an event type is a printable string of 1 to {_EVENT_LIMIT} characters, not {event!r:.60}",
            field="event_type",
        )
    return event


size_of: Final = sys.getsizeof
"""Return the bytes of memory that a text takes, in constant time: four for each character of some texts."""


class Entry:
    """Hold one event of a project's log. All listeners share one encoded ``frame``."""

    __slots__ = ("_frame", "data", "event", "id")

    def __init__(self, id: str, event: str, data: str) -> None:  # noqa: A002 - the field's name everywhere
        self.id = id
        self.event = event
        self.data = data
        self._frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        """Return the bytes of the SSE block: id, event and one line of JSON."""
        if self._frame is None:
            self._frame = f"id: {self.id}\nevent: {self.event}\ndata: {self.data}\n\n".encode()
        return self._frame

    @property
    def size(self) -> int:
        """Return the bytes of memory that the data takes."""
        return size_of(self.data)

    def as_dict(self) -> dict[str, str]:
        """Return the entry in the form of a listener's ``get()``."""
        return {"id": self.id, "event": self.event, "data": self.data}

    def __repr__(self) -> str:
        return f"Entry({self.id!r}, {self.event!r}, {self.data!r:.60})"


def fill_window(entries: Iterable[Entry]) -> list[Entry]:
    """Return the first entries, at most ``WINDOW_BYTES`` of them. A single larger entry passes alone.

    The function asks for one entry more than it returns.
    """
    window: list[Entry] = []
    room = WINDOW_BYTES
    for entry in entries:
        room -= entry.size
        if room < 0 and window:
            break
        window.append(entry)
        if room <= 0:
            break
    return window


@dataclass(frozen=True, slots=True)
class Gap:
    """Describe entries that the log no longer has. A gap has no id: no listener can resume from it.

    ``reason`` is one of:

    - *trimmed*: the log dropped the entries;
    - *gone*: the id belongs to an earlier stream of the same name, or the log has lost its entry;
    - *ahead*: the id is greater than the last id of the stream;
    - *slow*: the log dropped the entries before a slow listener read them.

    ``missed`` is the number of missing entries, or None where the log cannot count them.
    """

    reason: Literal["trimmed", "ahead", "gone", "slow"]
    after: str
    first: str | None = None
    last: str | None = None
    missed: int | None = None

    @property
    def data(self) -> str:
        """Return the gap as JSON."""
        return json.dumps(
            {
                "reason": self.reason,
                "after": self.after,
                "first": self.first,
                "last": self.last,
                "missed": self.missed,
            }
        )

    @property
    def frame(self) -> bytes:
        """Return the bytes of the SSE block, without an id."""
        return f"event: gap\ndata: {self.data}\n\n".encode()

    def as_dict(self) -> dict[str, str]:
        """Return the gap in the form of a listener's ``get()``."""
        return {"event": "gap", "data": self.data}
