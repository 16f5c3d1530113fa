"""Compress a view's messages as one deflate stream, because each message repeats words of earlier messages.

Between ``_view.py`` and ``_widget_output.py``. A browser that missed the start of a stream must send ``resync``;
the answer starts a new stream (docs/wire.md).
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

__all__ = ["Packer"]

WINDOW, MEMORY = -13, 6
"""Raw deflate with a window of 8 KB, in 64 KB of memory. The largest window would save 5 % more, in 256 KB."""

_EMPTY_BLOCK = b"\0\0\xff\xff"


class Packer:
    """Pack one view's messages, in their order. ``is_plain``: a browser reported that it cannot unpack them."""

    def __init__(self) -> None:
        self.is_plain = False
        self._stream: Any = None

    def begin(self) -> None:
        """Start a new stream with the next message, for a browser that missed earlier messages."""
        self._stream = None

    def pack(self, message: dict[str, Any]) -> dict[str, Any] | list[Any]:
        """Return the message packed, or unchanged if it has no ops or a browser cannot unpack."""
        ops = message["ops"]
        if self.is_plain or not ops:
            return message
        is_whole = ops[0][0] == "full"
        if is_whole:
            self._stream = None
        mark = []
        if self._stream is None:
            self._stream = zlib.compressobj(6, zlib.DEFLATED, WINDOW, MEMORY)
            mark = [2 if is_whole else 1]
        text = json.dumps(ops, ensure_ascii=False, separators=(",", ":")) + "\n"
        data = self._stream.compress(text.encode("utf-8", "surrogatepass")) + self._stream.flush(
            zlib.Z_SYNC_FLUSH
        )
        return [message["n"], base64.b64encode(data.removesuffix(_EMPTY_BLOCK)).decode(), *mark]
