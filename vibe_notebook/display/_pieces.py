"""Read a call's whole text in pieces, for a reader who asks for more than a form shows.

Beside ``_view.py``, whose lock the caller holds. The view's state has none of it: each page holds the pieces that it got.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._forms.wording import args_text, output_text
from ..parts import ToolPart

if TYPE_CHECKING:
    from ..registry import Registry
    from ._tree import Tree

__all__ = ["PIECE", "Pieces"]

PIECE: Final = 200_000
"""Characters of one piece: a browser lays out so many in a few frames."""
_TEXTS: Final = {"args": args_text, "output": output_text}


class Pieces:
    """Hold the text of which a page got the last piece, until it has got all."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._of: object = None
        self._text = ""

    def piece(self, tree: Tree, number: Any, field: Any, start: Any) -> tuple[int, int, int, str] | None:
        """Return (start, end, size of the whole text, text) of the piece; ``None`` if there is no such text."""
        builder = tree.builder_of(number) if isinstance(number, int) else None
        if builder is None or field not in _TEXTS or not isinstance(start, int) or start < 0:
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
