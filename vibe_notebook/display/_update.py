"""What a growing text looks like, and what an update of it changes: said by ``_stream.py``, sent by ``_texts.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._groups import Item

__all__ = ["Changing", "Update"]


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


class Changing:
    """What a text looks like by now, and what of that is new.

    ``blocks`` is what is closed, ``open_html`` the HTML of the open block as it was last sent, ``tail``
    the text appended to it since: together a snapshot.
    """

    def __init__(self) -> None:
        self.blocks: list[Item] = []
        self.open_html = ""
        self._tail: list[str] = []
        self._was = 0, 0
        self._kept: int | None = None
        self._is_reopened = False

    @property
    def tail(self) -> str:
        """Text that was appended since ``open_html`` was sent."""
        return "".join(self._tail)

    def _begin(self) -> None:
        self._was = len(self.blocks), len(self._tail)
        self._kept, self._is_reopened = None, False

    def _end(self) -> Update:
        blocks, tail = self._was
        return Update(
            closed=self.blocks[blocks if self._kept is None else self._kept :],
            open=self.open_html if self._is_reopened else None,
            append="".join(self._tail if self._is_reopened else self._tail[tail:]),
            keep=self._kept,
        )

    def _take_back(self, at: int) -> None:
        """The closed items from *at* on, and the open block, are no longer there."""
        del self.blocks[at:]
        if at < self._was[0]:
            self._kept = at
        self._show("")

    def _add(self, items: Sequence[Item]) -> None:
        self.blocks += items
        if items or self.open_html:
            self._show("")

    def _show(self, html: str) -> None:
        self.open_html = html
        self._tail.clear()
        self._is_reopened = True
