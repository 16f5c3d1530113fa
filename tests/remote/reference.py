"""Decode event streams one byte at a time: slow, and plain enough to check by reading."""

from __future__ import annotations

from vibe_notebook.remote import ServerSentEvent


def decode(body: bytes, last_event_id: str = "") -> tuple[list[ServerSentEvent], str, int | None]:
    """Return (events, last event id, reconnection time in ms) of one whole body."""
    lines = _lines(body.removeprefix(b"\xef\xbb\xbf"))
    events: list[ServerSentEvent] = []
    data, event, buffered, retry = "", "", last_event_id, None
    for raw in lines:
        line = raw.decode("utf-8", "replace")
        if line == "":
            last_event_id = buffered
            if data:
                events.append(ServerSentEvent(event or "message", data[:-1], last_event_id))
            data = event = ""
            continue
        if line[0] == ":":
            continue
        name, value = (line[: line.index(":")], line[line.index(":") + 1 :]) if ":" in line else (line, "")
        if value[:1] == " ":
            value = value[1:]
        if name == "data":
            data += value + "\n"
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            buffered = value
        elif name == "retry" and value and all(c in "0123456789" for c in value):
            retry = min(int(value[-4000:]) if len(value) > 4000 else int(value), 10**12)
    return events, last_event_id, retry


def _lines(body: bytes) -> list[bytes]:
    """Return the lines that have ended; drop the bytes after the last end of line."""
    lines, line, i = [], bytearray(), 0
    while i < len(body):
        if body[i] in b"\r\n":
            lines.append(bytes(line))
            line.clear()
            i += 2 if body[i : i + 2] == b"\r\n" else 1
        else:
            line.append(body[i])
            i += 1
    return lines
