"""Read a call's whole text in pieces, for a reader who asks for more than a form shows.

Beside ``_view.py``. The view's state has none of it: each page holds the pieces that it got. A thread makes the text: ten
megabytes of it take seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._forms.wording import args_text, output_text
from .._thread_pool import ThreadPool
from ..parts import ToolPart

if TYPE_CHECKING:
    from .._reducer.run import PartBuilder
    from ..registry import Registry

__all__ = ["PIECE", "PIECES", "Pieces"]

PIECE: Final = 200_000
"""Characters of one piece: a browser lays out so many in a few frames."""
PIECES: Final = ThreadPool("vibe-piece", 1)
"""Thread that makes the pieces of all views."""
_TEXTS: Final = {"args": args_text, "output": output_text}


class Pieces:
    """Hold the text of which a page got the last piece, until it has got all. One thread at a time uses it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._of: object = None
        self._text = ""

    def piece(self, builder: PartBuilder, field: Any, start: Any) -> tuple[int, int, int, str] | None:
        """Return (start, end, size of the whole text, text) of the piece; ``None`` if there is no such text."""
        if field not in _TEXTS or not isinstance(start, int) or start < 0:
            return None
        if (of := (builder, builder.version, field)) != self._of:
            with self._registry.changed:
                part = builder.part()
            if not isinstance(part, ToolPart):
                return None
            self._of, self._text = of, _TEXTS[field](part, str)
        size, text = len(self._text), self._text[start : start + PIECE]
        if start + PIECE >= size:
            self._of, self._text = None, ""
        return start, start + len(text), size, text
