"""A list or table that grows long: its items and rows are closed one by one, and sent once.

Between ``_stream.py`` and ``_reducer/growing_text.py``. An item is over where the next one begins, a row where its
line ends; what is over is not parsed again, so that an update costs the same at any length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from .renderer import Block, Math, parse, render_block

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["LEAVE", "TIMES", "Group", "Item", "Paragraph", "make_item", "opens_group"]

Item = str | list[str]
"""A closed piece of a text as the browser gets it (docs/wire.md): its HTML, or [HTML, the colours of its
code, text to add to its innermost last element]. HTML that begins with ``LEAVE`` opens a container."""
LEAVE = "\0"
"""What follows stands after the container, no longer in it. No HTML of ours has this character."""
GROUP_FROM = 1024
"""Characters of source from which on a list or table is closed piece by piece."""
_LISTS = frozenset({"bullet_list_open", "ordered_list_open"})


def make_item(block: Block, math: Math) -> Item:
    """Return a closed block."""
    colours: list[str] = []
    html = render_block(block, math, colours=colours)
    return [html, ";".join(colours), ""] if any(colours) else html


def opens_group(block: Block, source: str, group_from: int) -> bool:
    """Whether *block*, all of the open *source*, is to be closed piece by piece from now on."""
    if len(source) <= group_from or not (block.kind in _LISTS or block.kind == "table_open"):
        return False
    return len(_children(block)) > 1


class Group:
    """The list or table that *block* is, as it was parsed from *source*. ``skeleton`` is its empty self."""

    def __init__(self, block: Block, source: str, math: Math) -> None:
        self.kind = block.kind
        self._math: Math = math
        lines = source.split("\n", 2)
        self.lead = "\n".join(lines[:2]) + "\n" if self.kind == "table_open" else ""
        """What has to stand before the rest, so that it is parsed as the same table."""
        self.is_torn = False
        """Whether it turned out to be a loose list when items had been sent as a tight one's."""
        self._is_loose = _is_loose(block)
        self._seen: list[str] = [self.lead]
        first = _children(block)[0]
        opening = _index(block, first)
        closing = len(block.tokens) - (2 if self.lead else 1)
        shell = Block([*block.tokens[:opening], *first.tokens, *block.tokens[closing:]])
        self.skeleton = render_block(shell, math, colours=[]).replace(
            render_block(first, math, colours=[]), "", 1
        )

    def split(self, blocks: list[Block]) -> tuple[Block | None, list[Block]]:
        """Return what of *blocks*, parsed from the rest, is still this one, and what follows it."""
        if blocks and blocks[0].kind == self.kind:
            return blocks[0], blocks[1:]
        return None, blocks

    def over(self, block: Block) -> tuple[list[Block], int]:
        """Return the items or rows that nothing can change any more, and the line where the rest begins."""
        items = self.items(block)
        if self.lead:
            return items, block.end
        return items[:-1], items[-1].start

    def items(self, block: Block) -> list[Block]:
        """Return all items or rows of *block*, whose lines are complete."""
        if _is_loose(block) and not self._is_loose:
            self._is_loose = self.is_torn = True
        return self.children(block)

    def children(self, block: Block) -> list[Block]:
        """Return all items or rows of *block*, as loose as the list is."""
        if self._is_loose:
            _loosen(block)
        return _children(block)

    def pass_by(self, source: str) -> None:
        """Remember what is closed: it is needed once more if the list is torn."""
        self._seen.append(source)

    def whole(self, references: MutableMapping[str, Any]) -> list[Item]:
        """Return the list anew, as one piece."""
        return [make_item(block, self._math) for block in parse("".join(self._seen), references)]


def _children(block: Block) -> list[Block]:
    """The items of a list; the rows of a table's body, simple ones several together."""
    tokens = block.tokens
    if block.kind in _LISTS:
        starts = [i for i, token in enumerate(tokens) if token.level == 1 and token.type == "list_item_open"]
        end = len(tokens) - 1
    else:
        body = next((i for i, token in enumerate(tokens) if token.type == "tbody_open"), len(tokens))
        rows = ("tr_open", "table_rows")
        starts = [i for i in range(body, len(tokens)) if tokens[i].level == 2 and tokens[i].type in rows]  # noqa: PLR2004
        end = len(tokens) - 2
    ends = [*starts[1:], end] if starts else []
    return [Block(tokens[start:end]) for start, end in zip(starts, ends, strict=True)]


def _index(block: Block, child: Block) -> int:
    return next(i for i, token in enumerate(block.tokens) if token is child.tokens[0])


def _paragraphs(block: Block) -> list[Any]:
    if block.kind not in _LISTS:
        return []
    return [token for token in block.tokens if token.level == 2 and token.tag == "p"]  # noqa: PLR2004


def _is_loose(block: Block) -> bool:
    return any(not token.hidden for token in _paragraphs(block))


def _loosen(block: Block) -> None:
    for token in _paragraphs(block):
        token.hidden = False


# A paragraph that grows long: what nothing can change any more is closed and sent once, piece by piece.
#
# Between ``_stream.py`` and ``_reducer/growing_text.py``, as ``_groups.py`` is for lists. It is cut between two words where
# no mark is open: neither what was written before nor what comes can change what the other looks like.

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
