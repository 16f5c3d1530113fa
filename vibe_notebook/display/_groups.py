"""A list or table that grows long: its items and rows are closed one by one, and sent once.

Between ``_stream.py`` and ``_blocks.py``. An item is over where the next one begins, a row where its
line ends; what is over is not parsed again, so that an update costs the same at any length.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from ._blocks import Block, Math, parse, render_block

__all__ = ["LEAVE", "Group", "Item", "make_item", "opens_group"]

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
