"""Read a stream of plain strings: ``watch(["Hello ", "world"])``."""

from __future__ import annotations

from vibe_notebook.events import TextDelta

from ._base import Adapter, is_event_line
from ._fields import get, ident, text

__all__ = ["TextAdapter", "matches"]


def matches(native: object) -> bool:
    """Return whether *native* is a string, and no line of a recording."""
    return isinstance(native, str) and not is_event_line(native)


class TextAdapter(Adapter):
    """Append every string to one text part; emit other natives under the name of their type."""

    name = "text"

    def _read(self, native: object) -> None:
        if not isinstance(native, str):
            self.emit_unknown(native, ident(get(native, "type")))
        elif native:
            self.emit(TextDelta, delta=text(native))
