"""Close a long list item by item, a long table row by row, and a long paragraph piece by piece.

Between ``stream.py`` and ``renderer.py``. The view sends each closed item once, and the parser never reads its
source again, so that an update costs the same at any length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from .html_tags import IMPLIED
from .renderer import Block, Math, parse, render_block

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["LEAVE", "PARAGRAPH_FACTOR", "Group", "Item", "Paragraph", "make_item", "opens_group"]

Item = str | list[str]
"""Closed piece of a text as the browser gets it (docs/wire.md): HTML, or [HTML, colours of its code, text].

The browser appends the text to the innermost last element. HTML that begins with ``LEAVE`` opens a container."""
LEAVE = "\0"
"""Mark of a container's end: later items stand after the container. Rendered HTML never has this character."""
GROUP_FROM = 1024
"""Characters of source from which on a list or table closes item by item."""
_LISTS = frozenset({"bullet_list_open", "ordered_list_open"})


def make_item(block: Block, math: Math) -> Item:
    """Return the item of a closed block."""
    colours: list[str] = []
    html = render_block(block, math, colours=colours)
    return [html, ";".join(colours), ""] if any(colours) else html


def opens_group(block: Block, source: str, group_from: int) -> bool:
    """Return whether *block*, all of the open *source*, closes item by item from now on."""
    if len(source) <= group_from or not (block.kind in _LISTS or block.kind == "table_open"):
        return False
    return len(_children(block)) > 1


class Group:
    """Close the items of one list or table. ``skeleton`` is the HTML of the empty list or table.

    An item is finished where the next item begins, a row where its line ends.
    """

    def __init__(self, block: Block, source: str, math: Math) -> None:
        self.kind = block.kind
        self._math: Math = math
        lines = source.split("\n", 2)
        self.lead = "\n".join(lines[:2]) + "\n" if self.kind == "table_open" else ""
        """Source to put before the rest, so that the parser reads the same table."""
        self.became_loose = False
        """True once a tight list became loose after some of its items were sent."""
        self._is_loose = _is_loose(block)
        self._closed_source: list[str] = [self.lead]
        first = _children(block)[0]
        opening = _child_index(block, first)
        closing = len(block.tokens) - (2 if self.lead else 1)
        shell = Block([*block.tokens[:opening], *first.tokens, *block.tokens[closing:]])
        self.skeleton = render_block(shell, math, colours=[]).replace(
            render_block(first, math, colours=[]), "", 1
        )

    def split(self, blocks: list[Block]) -> tuple[Block | None, list[Block]]:
        """Return the group's own block among *blocks* (parsed from the rest), and the blocks after it."""
        if blocks and blocks[0].kind == self.kind:
            return blocks[0], blocks[1:]
        return None, blocks

    def finished_items(self, block: Block) -> tuple[list[Block], int]:
        """Return the items or rows that later text cannot change, and the first line of the rest."""
        items = self.items(block)
        if self.lead:
            return items, block.end
        return items[:-1], items[-1].start

    def items(self, block: Block) -> list[Block]:
        """Return all items or rows of *block*; all of its lines are complete."""
        if _is_loose(block) and not self._is_loose:
            self._is_loose = self.became_loose = True
        return self.children(block)

    def children(self, block: Block) -> list[Block]:
        """Return all items or rows of *block*, loose if the list is loose."""
        if self._is_loose:
            _loosen(block)
        return _children(block)

    @property
    def source(self) -> str:
        """Return the source of the closed items."""
        return "".join(self._closed_source)

    def append_closed(self, source: str) -> None:
        """Store the source of closed items: the stream renders it again if the list becomes loose."""
        self._closed_source.append(source)

    def render_whole(self, references: MutableMapping[str, Any]) -> list[Item]:
        """Return the items of the whole list, rendered anew."""
        return [make_item(block, self._math) for block in parse(self.source, references)]


def _children(block: Block) -> list[Block]:
    """Return the items of a list, or the rows of a table's body; adjacent simple rows are one block."""
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


def _child_index(block: Block, child: Block) -> int:
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


PARAGRAPH_FACTOR = 4
"""Factor by which a paragraph must be longer than a list to close piece by piece."""
CUT_TRIES = 6
"""Places at which a paragraph tries to cut."""
CUTS_PER_PIECE = 8
"""Places for a cut in one piece's length."""
_BETWEEN = re.compile(r"(?<=[^\s])[ \n](?=\S)")
_OPEN = re.compile(r"[*_~`\[<$]")
_INSIDE_A_WORD = re.compile(r"(?<=\w)_+(?=\w)")


class Paragraph:
    """Close the pieces of one paragraph. ``lead`` stands for the closed beginning of the open line.

    A paragraph is cut between two words where no mark is open: the text before the cut cannot change the form
    of the text after it, nor the text after it the form of the text before.
    """

    skeleton = "<p></p>\n"

    def __init__(self, math: Math, piece: int) -> None:
        self._math: Math = math
        self._size = piece
        self._tried = 0
        self.lead = ""
        self.closed_source: list[str] = []
        """Source of the closed pieces. The stream parses it again if a later line makes it a heading or a table."""

    def split(self, blocks: list[Block]) -> tuple[Block | None, list[Block]]:
        """Return the paragraph's own block among *blocks* (parsed from the rest), and the blocks after it."""
        if blocks and blocks[0].kind == "paragraph_open":
            return blocks[0], blocks[1:]
        return None, blocks

    def children(self, block: Block) -> list[Block]:
        """Return the content of *block* after the lead."""
        inline = block.tokens[1]
        children = inline.children = list(inline.children or [])
        if self.lead.endswith("\n"):
            del children[:2]
        elif self.lead:
            children[0].content = children[0].content[len(self.lead) :]
        return [Block([inline])]

    items = children

    @property
    def source(self) -> str:
        """Return the source of the closed pieces."""
        return "".join(self.closed_source)

    def append_closed(self, source: str) -> None:
        """Store the source of a closed piece."""
        self.closed_source.append(source)

    def cut(self, source: str, references: Mapping[str, Any]) -> tuple[str, int] | None:
        """Return the HTML of a finished piece and its length in *source*; ``None`` if nothing can be cut."""
        if len(source) <= self._tried + self._size:
            return None
        self._tried = len(source)
        if not self._is_all(source, references):
            return None
        step = self._size // CUTS_PER_PIECE
        ends = [match.end() for match in _BETWEEN.finditer(source)]
        for tried in range(1, CUT_TRIES + 1):
            while ends and ends[-1] > len(source) - tried * step:
                ends.pop()
            if not ends:
                return None
            end = ends.pop()
            if html := self._render_piece(source, end, references):
                self._tried = 0
                self.append_closed(source[:end])
                self.lead = "a" + source[end - 1]
                return html, end
        return None

    def _is_all(self, source: str, references: Mapping[str, Any]) -> Block | None:
        """Return the paragraph if *source* has no other block."""
        blocks = parse(self.lead + source, dict(references))
        is_one = len(blocks) == 1 and blocks[0].kind == "paragraph_open" and not blocks[0].start
        return blocks[0] if is_one else None

    def _render_piece(self, source: str, end: int, references: Mapping[str, Any]) -> str | None:
        piece = source[:end]
        line = (self.lead + piece).splitlines()[-1]
        rest, is_complete, _ = source[end:].partition("\n")
        # The first word of a line, or a row of dashes under it, may still change the kind of the block.
        is_known = is_complete or " " in rest.rstrip() if piece[-1] == "\n" else " " in line.rstrip()
        if (
            "|" in line + rest
            or "\\" in piece
            or not is_known
            or not (block := self._is_all(piece, references))
        ):
            return None
        (content,) = self.children(block)
        if any(_is_open(token) for token in content.tokens[0].children or []):
            return None
        return render_block(content, self._math, colours=[]) + piece[-1]


def _is_open(token: Token) -> bool:
    """Return whether *token* may have a mark that later text would close."""
    if token.type == "html_tag":
        return token.info == IMPLIED
    return token.type == "text" and bool(_OPEN.search(_INSIDE_A_WORD.sub("", token.content)))
