"""units: TODO docstring."""

from __future__ import annotations

__all__ = ["utf16"]


def utf16(text: str) -> int:
    """The length as JavaScript counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
