"""A stream of plain strings: ``watch(["Hello ", "world"])``."""

from __future__ import annotations

from vibe_notebook.events import TextDelta

from ._base import Adapter, is_event_line
from ._fields import get, ident, text

__all__ = ["TextAdapter", "matches"]


def matches(native: object) -> bool:
    """Whether *native* is text; a line of a recording is not."""
    return isinstance(native, str) and not is_event_line(native)


class TextAdapter(Adapter):
    """Every string is more of the one text part; anything else goes on under its type's name."""

    name = "text"

    def _read(self, native: object) -> None:
        if not isinstance(native, str):
            self.say_unknown(native, ident(get(native, "type")))
        elif native:
            self.say(TextDelta, delta=text(native))
