"""What an update of a growing text changes: said by ``_stream.py``, sent by ``_texts.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._groups import Item

__all__ = ["Update"]


@dataclass(frozen=True, slots=True)
class Update:
    """What changed since the last update, in the order in which it is to be applied.

    ``keep``: only so many of the closed items stay (``None``: all). ``closed``: items that never change
    again; they come where the open block was, which is then empty. ``open``: HTML of the open block
    (``None``: unchanged, "": there is none). ``append``: text to add, as text, to the innermost last
    element of the open block.
    """

    closed: list[Item] = field(default_factory=list)
    open: str | None = None
    append: str = ""
    keep: int | None = None

    def __bool__(self) -> bool:
        """Tell whether anything changed."""
        return bool(self.closed or self.open is not None or self.append or self.keep is not None)
