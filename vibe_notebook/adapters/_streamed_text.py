"""What was streamed of each text so far, to compare with the whole that many SDKs send after it.

Used by ``Adapter``. Pieces are kept by their number, so repeated and late ones change nothing.
"""

from __future__ import annotations

__all__ = ["Key", "Streams"]

Key = tuple[str | None, str, str]
"""(message, kind, part or tool call)"""


class Streams:
    """The texts of a run. ``at`` is the source's number of a piece; ``None``: the next in arrival."""

    def __init__(self) -> None:
        self._pieces: dict[Key, dict[int, str]] = {}
        self._floors: dict[Key, int] = {}
        self._count = 0

    def add(self, key: Key, piece: str, at: int | None = None) -> None:
        """Take more of a text; what a whole has replaced already is not taken again."""
        at = self._next(at)
        if at > self._floors.get(key, -1):
            self._pieces.setdefault(key, {})[at] = piece

    def replace(self, key: Key, whole: str, at: int | None = None) -> None:
        """Put *whole* for all that came before it."""
        at = self._floors[key] = self._next(at)
        later = {i: piece for i, piece in self._pieces.get(key, {}).items() if i > at}
        self._pieces[key] = {at: whole, **later}

    def read(self, key: Key) -> str:
        """Return the text so far."""
        pieces = self._pieces.get(key, {})
        return "".join(pieces[at] for at in sorted(pieces))

    def forget(self, message: str | None) -> None:
        """Free what is kept of a message that is over."""
        for kept in (self._pieces, self._floors):
            for key in [key for key in kept if key[0] == message]:
                del kept[key]

    def _next(self, at: int | None) -> int:
        self._count += 1
        return self._count if at is None else at
