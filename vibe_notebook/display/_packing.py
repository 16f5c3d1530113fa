"""A view's messages in few bytes: deflated as one stream, since each repeats words of those before it.

Between ``_view.py`` and ``_widget.py``. A browser that missed the stream's beginning cannot read on; it
asks for the whole state, which begins another one (docs/wire.md).
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

__all__ = ["Packer"]

WINDOW, MEMORY = -13, 6
"""Raw deflate that looks back 8 KB, in 64 KB of memory: the largest would save a twentieth more, in 256 KB."""

_EMPTY_BLOCK = b"\0\0\xff\xff"


class Packer:
    """Packs one view's messages, in their order. ``is_plain``: a browser said that it cannot unpack."""

    def __init__(self) -> None:
        self.is_plain = False
        self._stream: Any = None

    def begin(self) -> None:
        """Let the next message be readable for who has not seen those before it."""
        self._stream = None

    def pack(self, message: dict[str, Any]) -> dict[str, Any] | list[Any]:
        """Return the message as it travels: packed, or as it is where there is nothing to gain."""
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
