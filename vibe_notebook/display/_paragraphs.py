"""A paragraph that grows long: what nothing can change any more is closed and sent once, piece by piece.

Between ``_stream.py`` and ``_blocks.py``, as ``_groups.py`` is for lists. It is cut between two words where
no mark is open: neither what was written before nor what comes can change what the other looks like.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._blocks import Block, Math, parse, render_block

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["TIMES", "Paragraph"]

TIMES = 4
"""How much longer than a list a paragraph must be to be closed piece by piece."""

TRIES, KEPT = 6, 8
"""How many places are tried for a cut, and what part of a piece's length lies between them."""

_BETWEEN = re.compile(r"(?<=[^\s])[ \n](?=\S)")
_OPEN = re.compile(r"[*_~`\[<$]")
_INSIDE_A_WORD = re.compile(r"(?<=\w)_+(?=\w)")


class Paragraph:
    """The paragraph that the open source is; ``lead`` stands for what of its line is closed."""

    skeleton = "<p></p>\n"

    def __init__(self, math: Math, piece: int) -> None:
        self._math: Math = math
        self._size = piece
        self._tried = 0
        self.lead = ""
        self.seen: list[str] = []
        """The source of what is closed: it is needed once more if it turns out to be no paragraph."""

    def split(self, blocks: list[Block]) -> tuple[Block | None, list[Block]]:
        """Return what of *blocks*, parsed from the rest, is still this one, and what follows it."""
        if blocks and blocks[0].kind == "paragraph_open":
            return blocks[0], blocks[1:]
        return None, blocks

    def children(self, block: Block) -> list[Block]:
        """Return what *block* says after the lead."""
        inline = block.tokens[1]
        children = inline.children = list(inline.children or [])
        if self.lead.endswith("\n"):
            del children[:2]
        elif self.lead:
            children[0].content = children[0].content[len(self.lead) :]
        return [Block([inline])]

    items = children

    def pass_by(self, source: str) -> None:
        """Remember what is closed."""
        self.seen.append(source)

    def cut(self, source: str, references: Mapping[str, Any]) -> tuple[str, int] | None:
        """Return the HTML of a piece that is over, and how much of *source* it is; the rest goes on after it."""
        if len(source) <= self._tried + self._size:
            return None
        self._tried = len(source)
        if not self._is_all(source, references):
            return None
        step = self._size // KEPT
        ends = [match.end() for match in _BETWEEN.finditer(source)]
        for tried in range(1, TRIES + 1):
            while ends and ends[-1] > len(source) - tried * step:
                ends.pop()
            if not ends:
                return None
            end = ends.pop()
            if html := self._piece(source, end, references):
                self._tried = 0
                self.pass_by(source[:end])
                self.lead = "a" + source[end - 1]
                return html, end
        return None

    def _is_all(self, source: str, references: Mapping[str, Any]) -> Block | None:
        """Return the paragraph if that is all there is in *source*."""
        blocks = parse(self.lead + source, dict(references))
        is_one = len(blocks) == 1 and blocks[0].kind == "paragraph_open" and not blocks[0].start
        return blocks[0] if is_one else None

    def _piece(self, source: str, end: int, references: Mapping[str, Any]) -> str | None:
        piece = source[:end]
        line = (self.lead + piece).splitlines()[-1]
        rest, is_complete, _ = source[end:].partition("\n")
        # What its first word, or a row of dashes under it, makes of a line is not known yet.
        is_known = is_complete or " " in rest.rstrip() if piece[-1] == "\n" else " " in line.rstrip()
        if (
            "|" in line + rest
            or "\\" in piece
            or not is_known
            or not (block := self._is_all(piece, references))
        ):
            return None
        (said,) = self.children(block)
        if any(_is_open(token) for token in said.tokens[0].children or []):
            return None
        return render_block(said, self._math, colours=[]) + piece[-1]


def _is_open(token: Token) -> bool:
    """Whether a mark may be in it that what comes would close."""
    return token.type == "text" and bool(_OPEN.search(_INSIDE_A_WORD.sub("", token.content)))
