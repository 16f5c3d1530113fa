"""What a project's log holds: entries with ids, and what is said where entries are gone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, Literal

from ..exceptions import ProtocolError

__all__ = ["BEGINNING", "END", "Entry", "Gap", "Id", "parse_id", "valid_event"]

Id = tuple[int, int]
"""An id as numbers: (milliseconds, count), in the order of delivery."""

BEGINNING: Final[Id] = (0, 0)

END: Final = ""
"""The event type of the mark that a closed stream ends with. Listeners never see it."""

_ID = re.compile(r"[0-9]{1,20}(-[0-9]{1,20})?", re.ASCII)
_LAST: Final = 2**64 - 1
"""The largest number of an id: Redis counts in 64 bits, without a sign."""
_EVENT_LIMIT: Final = 200


def parse_id(text: str) -> Id:
    """Read an id, ``"<milliseconds>-<count>"`` as Redis writes them; "" is the beginning.

    A number beyond 64 bits is read as the largest: it stands after every entry.

    Raises:
        ProtocolError: it is anything else.
    """
    if not text:
        return BEGINNING
    if isinstance(text, str) and _ID.fullmatch(text):
        ms, _, count = text.partition("-")
        return min(int(ms), _LAST), min(int(count or 0), _LAST)
    shown = repr(text[:60]) if isinstance(text, str) else type(text).__name__
    raise ProtocolError(f"{shown} is not an event id: they look like 1700000000000-5", field="last_event_id")


def valid_event(event: str) -> str:
    """Check an event type: it becomes a line of its own on the wire.

    Raises:
        ProtocolError: it is empty, too long or has control characters.
    """
    if not isinstance(event, str) or not event or len(event) > _EVENT_LIMIT or not event.isprintable():
        raise ProtocolError(
            f"an event type is a short, printable, non-empty string, not {event!r:.60}", field="event_type"
        )
    return event


class Entry:
    """One event in a project's log. ``frame`` is how it goes over the wire, encoded once for all listeners."""

    __slots__ = ("_frame", "data", "event", "id")

    def __init__(self, id: str, event: str, data: str) -> None:  # noqa: A002 - the field's name everywhere
        self.id = id
        self.event = event
        self.data = data
        self._frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        """The SSE block: id, event and one line of JSON."""
        if self._frame is None:
            self._frame = f"id: {self.id}\nevent: {self.event}\ndata: {self.data}\n\n".encode()
        return self._frame

    def as_dict(self) -> dict[str, str]:
        """As a listener's ``get()`` gives it."""
        return {"id": self.id, "event": self.event, "data": self.data}

    def __repr__(self) -> str:
        return f"Entry({self.id!r}, {self.event!r}, {self.data!r:.60})"


@dataclass(frozen=True, slots=True)
class Gap:
    """What was asked for is not there any more. It has no id: nothing can resume from it.

    ``reason``: *trimmed* from the log, *gone* with an earlier stream of that name, *ahead* of the
    stream's end, or too late for a *slow* listener. ``missed`` is how many entries, if that is known.
    """

    reason: Literal["trimmed", "ahead", "gone", "slow"]
    after: str
    first: str | None = None
    last: str | None = None
    missed: int | None = None

    @property
    def data(self) -> str:
        """Its JSON."""
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
        """The SSE block, without an id."""
        return f"event: gap\ndata: {self.data}\n\n".encode()

    def as_dict(self) -> dict[str, str]:
        """As a listener's ``get()`` gives it."""
        return {"event": "gap", "data": self.data}
