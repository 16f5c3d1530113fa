"""Read a stream of plain strings: ``watch(["Hello ", "world"])``."""

from __future__ import annotations

from ._base import Adapter, is_event_line
from ._fields import get, ident, text

__all__ = ["TextAdapter", "matches"]


def matches(native: object) -> bool:
    """Return whether *native* is a string, and no line of a recording."""
    return isinstance(native, str) and not is_event_line(native)


class TextAdapter(Adapter):
    """Append every string to one text part; emit other natives under the name of their type."""

    name = "text"
    has_think_tags = True

    def _read(self, native: object) -> None:
        if not isinstance(native, str):
            self.emit_unknown(native, ident(get(native, "type")))
        elif native:
            self.emit_text("text", "0", text(native))

    def _record_delta(self, kind: str, name: str, delta: str) -> None:
        """Hold no text: no whole text follows to compare with."""
