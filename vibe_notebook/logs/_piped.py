"""``PipedLog``: the log, or the stream of an SDK's JSON, that another program writes into a pipe.

Beside ``_log``: ``some-agent --json | vibe-notebook watch -``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import BinaryIO, Final

from .._limits import LOG_DOCUMENT_BYTES, LOG_HEAD_BYTES
from ..events import Event
from ..exceptions import AdapterError, ProtocolError
from ._dialects import Found, loaded, tell
from ._feeding import Feeder
from ._lines import GrowingLines, Line, Said
from ._sources import Entry, Lost, entries_of

__all__ = ["PipedLog"]

_NAME: Final = "standard input"


class PipedLog:
    """Read lines of JSON as events, as they arrive: of a log, a recording, or a stream that an adapter knows.

    Raises ``AdapterError`` for lines that nothing here understands, ``ProtocolError`` for a pipe without any.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._lines = GrowingLines(None, file=file)

    def __iter__(self) -> Iterator[Event]:
        items = self._items()
        head: list[Line | Said] = []
        found = self._tell(items, head)
        if found.kind in ("document", "archive", "transcript"):
            yield from self._document(found, items, head)
            return
        feeder = Feeder(found, run_id="stdin", follows=True)
        for item in itertools.chain(head, items):
            yield from feeder.feed(_entry(item))
        yield from feeder.finish()

    def _items(self) -> Iterator[Line | Said]:
        yield from self._lines.poll(follows=False)
        yield from self._lines.rest()

    def _tell(self, items: Iterator[Line | Said], head: list[Line | Said]) -> Found:
        """Read lines into *head* until they show the dialect."""
        data = b""
        for item in items:
            head.append(item)
            if not isinstance(item, Line):
                continue
            data += item.data + b"\n"
            try:
                return tell(data, _NAME, is_whole=True)
            except AdapterError:
                if len(data) >= LOG_HEAD_BYTES:
                    raise
        return tell(data, _NAME, is_whole=True)

    def _document(
        self, found: Found, items: Iterator[Line | Said], head: list[Line | Said]
    ) -> Iterator[Event]:
        if found.dialect is None or found.dialect.entries is None:
            msg = f"{_NAME} is {found.agent}: save it to a file, and read that."
            raise ProtocolError(msg)
        parts, size = [], 0
        for item in itertools.chain(head, items):
            parts.append(item.data if isinstance(item, Line) else b"")
            size += len(parts[-1])
            if size > LOG_DOCUMENT_BYTES:
                msg = f"{_NAME} has more than {LOG_DOCUMENT_BYTES:,} bytes in one JSON value."
                raise ProtocolError(msg)
        feeder = Feeder(found, run_id="stdin")
        for each in entries_of(found.dialect, b"\n".join(parts), _NAME):
            yield from feeder.feed(each)
        yield from feeder.finish()


def _entry(item: Line | Said) -> Entry | Lost | Said:
    if isinstance(item, Said):
        return item
    try:
        return Entry(loaded(item.data))
    except ValueError as error:
        return Lost(f"line {item.number:,}", str(error))
