"""Decode bytes to server-sent events by the WHATWG rules, without any I/O.

The decoder is the first module on a remote event's path. Source of every rule: the HTML Standard,
section 9.2.6 "Interpreting an event stream", and the web-platform-tests of EventSource.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ..exceptions import RemoteError

__all__ = ["SSEDecoder", "ServerSentEvent"]

MAX_EVENT: Final = 256 * 1024 * 1024
"""Bytes of one event, and so of a line and of everything held of an unfinished event."""
_CR: Final = 13
_SMALL: Final = 2048
"""Bytes up to which a piece is tried as one whole event: longer pieces hardly ever are one."""
_DIGITS: Final = 12
"""Digits of a ``retry`` that count: ``int()`` refuses thousands, and no reader waits for that long."""

# Both patterns match whole blocks in the order of fields that nearly all servers use; the last group
# of _BLOCK is any other block of whole lines, which _lines reads. Quantifiers are possessive, so that
# no line is scanned twice. An empty value, or one with a NUL, has rules of its own: _lines reads its block.
_LONE: Final = re.compile(
    r"(?:id: ?+([^\r\n\0]++)\r?+\n)?+(?:event: ?+([^\r\n]++)\r?+\n)?+data: ?+([^\r\n]*+)\r?+\n\r?+\n"
)
_BLOCK: Final = re.compile(
    r"(?:id: ?+([^\n\0]++)\n)?+(?:event: ?+([^\n]++)\n)?+data: ?+([^\n]*+)\n\n|((?:[^\n]++\n)*+\n)"
)


_new: Final = tuple.__new__
"""Half the cost of the class's own ``__new__``, whose fields go by name; events come in millions."""


class ServerSentEvent(NamedTuple):
    """Hold one event. ``id`` is the source's last event id, "" if the server never set one."""

    event: str = "message"
    data: str = ""
    id: str = ""


class SSEDecoder:
    """Decode one response's body from pieces of any size, in their order.

    ``last_event_id`` is that of the connection before. ``max_event`` bounds, in bytes, an event and
    everything held of an unfinished one. The rules drop an event that is unfinished when the body
    ends: the caller drops the decoder, and the event with it.
    """

    def __init__(self, last_event_id: str = "", *, max_event: int = MAX_EVENT) -> None:
        self.last_event_id = last_event_id
        """The last event id at the end of the latest block."""
        self.retry: int | None = None
        """The server's latest reconnection time, in milliseconds."""
        self._max = max_event
        self._small = min(max_event, _SMALL)
        self._tail = bytearray()  # of a line whose end has not arrived
        self._after_cr = False
        self._at_start = True
        # The block whose end has not arrived:
        self._is_open = False
        self._id = last_event_id
        self._event = ""
        self._data: list[str] = []
        self._data_size = 0

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Return the events that these bytes complete. Raises ``RemoteError`` for an event that is too long."""
        if len(data) <= self._small and not (self._after_cr or self._at_start or self._is_open or self._tail):
            # Most servers send one event at a time, and most networks keep it whole: the fast path.
            lone = _LONE.fullmatch(data.decode("utf-8", "replace"))
            if lone is not None:
                new_id, event, value = lone.groups()
                if new_id:
                    self._id = self.last_event_id = new_id
                return [_new(ServerSentEvent, (event or "message", value, self._id))]
        # Every end of line becomes a line feed. A CR ends its line at once; an LF right after it adds none.
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._after_cr = data[-1] == _CR
            data = data.replace(b"\r\n", b"\n")
            if b"\r" in data:
                data = data.replace(b"\r", b"\n")
        return self._feed_lines(data)

    def _feed_lines(self, data: bytes) -> list[ServerSentEvent]:
        end = data.rfind(b"\n") + 1
        if not end:
            self._hold(data)
            return []
        whole: bytes | bytearray = data[:end] if end < len(data) else data
        if self._tail:
            self._tail += whole
            whole, self._tail = self._tail, bytearray()
        # A line feed is never part of a longer UTF-8 character: whole lines can be decoded alone.
        text = whole.decode("utf-8", "replace")
        if self._at_start:
            self._at_start = False
            text = text.removeprefix("\ufeff")
        events: list[ServerSentEvent] = []
        if len(whole) > self._max:
            self._check(max(map(len, whole.split(b"\n"))), "A line")
        begin = self._lines(text, 0, events) if self._is_open else 0
        close = text.rfind("\n\n", begin) + 2
        if close > 1:
            self._blocks(text[begin:close] if begin or close < len(text) else text, events)
            begin = close
        if begin < len(text):
            while (begin := self._lines(text, begin, events)) < len(text):
                pass
        if end < len(data):
            self._hold(data[end:])
        return events

    def _blocks(self, text: str, events: list[ServerSentEvent]) -> None:
        """Append the events of *text*, which holds whole blocks only."""
        last, limit = self.last_event_id, self._max
        for new_id, event, data, other in _BLOCK.findall(text):
            if other:
                self._id = self.last_event_id = last
                at = 0
                while at < len(other):
                    at = self._lines(other, at, events)
                last = self.last_event_id
                continue
            if new_id:
                last = new_id
            if len(data) > limit:
                self._check(len(data), "An event")
            events.append(_new(ServerSentEvent, (event or "message", data, last)))
        self._id = self.last_event_id = last

    def _lines(self, text: str, at: int, events: list[ServerSentEvent]) -> int:
        """Read lines from *at* on, through the first blank one; return the index after the last line read."""
        while (end := text.find("\n", at)) >= 0:
            if end == at:
                self._end_block(events)
                return at + 1
            self._line(text[at:end])
            at = end + 1
        return len(text)

    def _line(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        self._is_open = True
        match name:
            case "data":
                self._data_size += len(value) + 1
                self._check(self._data_size, "An event")
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                digits = value.lstrip("0") or "0"
                self.retry = int(digits) if len(digits) <= _DIGITS else 10**_DIGITS

    def _end_block(self, events: list[ServerSentEvent]) -> None:
        self.last_event_id = self._id
        if self._data:
            events.append(ServerSentEvent(self._event or "message", "\n".join(self._data), self._id))
            self._data = []
        self._event, self._data_size, self._is_open = "", 0, False

    def _hold(self, data: bytes) -> None:
        self._tail += data
        self._check(len(self._tail), "A line")

    def _check(self, size: int, subject: str) -> None:
        if size > self._max:
            msg = f"{subject} of the stream is longer than {self._max:,} bytes; raise max_event= if that is right."
            raise RemoteError(msg)
