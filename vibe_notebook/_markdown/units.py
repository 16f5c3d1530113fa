"""Count text in UTF-16 units, as JavaScript does: the wire of the live view counts so (docs/wire.md)."""

from __future__ import annotations

__all__ = ["utf16"]


def utf16(text: str) -> int:
    """Return the length of *text* as JavaScript counts it, in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
