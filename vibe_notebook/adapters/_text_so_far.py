"""Tell streams of the text so far from streams of deltas, by their first pieces.

``TextAdapter`` uses the class. Both kinds are plain strings: ``"Hello", "Hello world"`` may be two deltas, or one text
twice. Only a chain of pieces that each repeat all of the piece before is evidence; until then nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["Piece", "TextSoFar"]

_GROWTHS: Final = 3
"""Pieces in a row that begin with all of the piece before."""
_REPEATED: Final = 16
"""Characters that these pieces repeat together: deltas such as "a", "an", "and" repeat fewer."""
_FEW_GROWTHS: Final = 2
_MUCH_REPEATED: Final = 48
"""Characters that two pieces repeat: deltas do not repeat a whole sentence twice."""
_WORTH_SAYING: Final = 5
"""Characters that must repeat before the user is asked: short deltas repeat one another by chance."""
_HELD: Final = 32
"""Pieces that are held back; a chain of so many growths is certain whatever its characters are."""
_PERIOD: Final = 4
"""Characters that repeat themselves in such deltas."""
Piece = tuple[str, str]
"""("delta" or "whole", its text)"""


class TextSoFar:
    """Divide the pieces of one stream into deltas and, once a stream of the text so far is revised, whole texts."""

    def __init__(self, *, is_certain: bool = False) -> None:
        self._kind = "so far" if is_certain else "open"
        self._text = ""
        """The newest piece: the text so far, if that is what the pieces are."""
        self._first = ""
        self._held: list[str] = []
        self._growths = 0
        self._repeated = 0

    @property
    def is_unclear(self) -> bool:
        """Return whether both readings fit all pieces, and the pieces repeat more than deltas do by chance."""
        return self._kind == "open" and self._repeated >= _WORTH_SAYING

    def feed(self, piece: str) -> Iterator[Piece]:
        """Yield the parts of the next piece; hold it back while both readings fit."""
        if not piece:
            return
        if self._kind == "open":
            yield from self._judge(piece)
        elif self._kind == "deltas":
            yield "delta", piece
        else:
            yield from self._grow(piece)

    def finish(self) -> Iterator[Piece]:
        """Yield the held pieces as deltas: a stream that shows nothing else is the sum of its strings."""
        if self._kind == "open":
            yield from self._as_deltas()

    def _judge(self, piece: str) -> Iterator[Piece]:
        before, self._text = self._text, piece
        if not before:
            self._first = piece
            yield "delta", piece  # the beginning in both readings
            return
        self._held.append(piece)
        if piece != before and piece.startswith(before):
            self._growths += 1
            if not _is_periodic(before):
                self._repeated += len(before)
            if self._is_certain():
                self._kind, self._held = "so far", []
                yield "delta", piece[len(self._first) :]
        elif piece != before or not self._growths or len(self._held) >= _HELD:
            yield from self._as_deltas()

    def _is_certain(self) -> bool:
        if self._growths >= _HELD:
            return True
        is_long = self._growths >= _GROWTHS and self._repeated >= _REPEATED
        return is_long or (self._growths >= _FEW_GROWTHS and self._repeated >= _MUCH_REPEATED)

    def _as_deltas(self) -> Iterator[Piece]:
        held, self._held, self._kind = self._held, [], "deltas"
        for piece in held:
            yield "delta", piece

    def _grow(self, piece: str) -> Iterator[Piece]:
        before, self._text = self._text, piece
        if piece.startswith(before):
            if piece != before:
                yield "delta", piece[len(before) :]
        else:
            yield "whole", piece


def _is_periodic(piece: str) -> bool:
    """Return whether *piece* repeats few characters: rules, indentation and laughter grow so in deltas too."""
    return (piece + piece).find(piece, 1) <= min(_PERIOD, len(piece) - 1)
