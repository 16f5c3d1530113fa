"""One text part while it is written: what it looks like so far, and what an update changes.

Between ``_texts.py`` and ``_reducer/growing_text.py``. A part's text comes in (``append``), what the browser must
change comes out (``update``); the pacer decides when. The cost of an update depends on the open block
only, and not even on that once it is an open code fence or longer than 16 KiB: then text is passed on
as text until the block closes. A long list or table is closed item by item, row by row, a long paragraph
between its words.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._json_values import scrub
from .highlight import language_of, runs
from .long_blocks import GROUP_FROM, LEAVE, TIMES, Group, Paragraph, make_item, opens_group
from .renderer import Block, Math, parse, render_block, render_code
from .unparsed_blocks import OPEN_LIMIT, LongBlock, OpenFence, ends_blank, with_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .long_blocks import Item

__all__ = ["Changing", "MarkdownStream", "Update"]


# What a growing text looks like, and what an update of it changes: said by ``_stream.py``, sent by ``_texts.py``.


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


_FINAL = frozenset({"heading_open", "hr", "math_block"})
"""Blocks that their last complete line ends for good."""


class MarkdownStream(Changing):
    """One text part while it is written. Not thread-safe."""

    def __init__(self, math: Math = "mathml", *, group_from: int = GROUP_FROM) -> None:
        super().__init__()
        self._math: Math = math
        self._group_from = group_from
        self._group: Group | Paragraph | None = None
        self._group_at = 0
        self._try_from = TIMES * group_from
        self._new: list[str] = []
        self._source = ""
        self._parsed = 0
        self._growing: OpenFence | LongBlock | None = None
        self._check_from = 0
        self._references: dict[str, Any] = {}
        self._is_finished = False

    def append(self, text: str) -> None:
        """Take more of the text; nothing is rendered before the next update."""
        if self._is_finished:
            message = "this text is finished; start another MarkdownStream for more"
            raise RuntimeError(message)
        self._new.append(text)

    def update(self) -> Update:
        """Render what is new since the last update."""
        self._begin()
        self._advance()
        return self._end()

    def settle(self) -> Update:
        """Render what is new, and show words that are held back at the end: nothing more comes for now."""
        self._begin()
        self._advance()
        if not self._growing:
            references = ChainMap({}, self._references)
            html = self._open_form(self._parse(self._source, references, is_open=True, is_paused=True))
            if html != self.open_html:
                self._show(html)
        return self._end()

    def finish(self) -> Update:
        """Render the rest and close every block; nothing can be appended any more."""
        self._begin()
        rest: str | None = self._take(is_last=True)
        if isinstance(self._growing, OpenFence):
            rest = self._grow(rest or "", is_last=True)
        elif self._growing:
            rest, self._growing = self._growing.source + (rest or ""), None
        source = self._source + (rest or "")
        blocks = self._parse(source, self._references)
        if isinstance(self._group, Paragraph) and not self._group.split(blocks)[0]:
            self._source = source
            source = self._rejoin(self._group)
            blocks = self._parse(source, self._references)
        if self._group:
            blocks = self._leave(self._group, blocks, source)[0]
        self._close(blocks)
        self._source, self._is_finished = "", True
        return self._end()

    def _advance(self) -> None:
        rest: str | None = self._take() or None
        while rest is not None:
            rest = self._grow(rest) if self._growing else self._read(rest)

    def _take(self, *, is_last: bool = False) -> str:
        text = "".join(self._new)
        # Half of a line's end (CR LF) may still be on its way.
        is_torn = text.endswith("\r") and not is_last
        self._new = ["\r"] if is_torn else []
        return _normalised(scrub(text[:-1] if is_torn else text))

    def _parse(
        self,
        source: str,
        references: MutableMapping[str, Any],
        *,
        is_open: bool = False,
        is_paused: bool = False,
    ) -> list[Block]:
        whole = self._group.lead + source if self._group else source
        return parse(whole, references, is_open=is_open, is_paused=is_paused)

    def _read(self, text: str) -> str | None:
        """Parse the open block with *text* added, close what is over and show the rest.

        Returns what is left for a block that grows by itself, if one opens.
        """
        self._source += text
        complete = self._source.rfind("\n") + 1
        if complete > self._parsed:
            blocks = self._cut(complete)
            if blocks and blocks[-1].kind == "fence":
                return self._open_fence()
        if len(self._source) > self._try_from and not self._group:
            self._open_paragraph()
        while isinstance(self._group, Paragraph) and (cut := self._group.cut(self._source, self._references)):
            self._add([cut[0]])
            self._parsed = max(0, self._parsed - self._drop(cut[1]))
        is_long = len(self._source) > OPEN_LIMIT
        blocks = self._parse(self._source, ChainMap({}, self._references), is_open=not is_long)
        html = self._open_form(blocks)
        if is_long:
            kind = blocks[-1].kind if blocks else ""
            self._growing = LongBlock(kind, self._source, check_from=self._check_from)
            self._source, self._parsed, html = "", 0, with_tail(html)
        if html != self.open_html or self._tail:
            self._show(html)
        return None

    def _open_form(self, blocks: list[Block]) -> str:
        inside: list[Block] = []
        if self._group:
            mine, after = self._group.split(blocks)
            inside = self._group.children(mine) if mine else []
            blocks = after
        html = "".join(render_block(b, self._math, is_open=True, colours=[]) for b in inside)
        if self._group and blocks:
            html += LEAVE
        return html + "".join(render_block(b, self._math, is_open=True, colours=[]) for b in blocks)

    def _cut(self, complete: int) -> list[Block]:
        """Close the blocks that nothing can change any more; return the one that is open, if any."""
        references: ChainMap[str, Any] = ChainMap({}, self._references)
        source = self._source[:complete]
        blocks = self._parse(source, references)
        if self._group:
            return self._cut_group(self._group, blocks, complete, references)
        if not blocks:
            line = source.count("\n") if ends_blank(source) else 0
        else:
            line = blocks[-1].end if blocks[-1].kind in _FINAL else blocks[-1].start
        if line:
            self._define(references, line)
            self._close([block for block in blocks if block.start < line])
            complete -= self._drop(_offset(source, line))
        self._parsed = complete
        blocks = [block for block in blocks if block.start >= line]
        if len(blocks) == 1 and opens_group(blocks[0], self._source, self._group_from):
            self._group_at = len(self.blocks)
            self._group = Group(blocks[0], self._source, self._math)
            self._add([LEAVE + self._group.skeleton])
            self._drop(len(self._group.lead))
            self._parsed = 0
            return self._cut(complete - len(self._group.lead))
        return blocks

    def _open_paragraph(self) -> None:
        """Close a long paragraph piece by piece from now on, if that is what the open block is."""
        paragraph = Paragraph(self._math, self._group_from)
        cut = paragraph.cut(self._source, self._references)
        if cut is None:
            self._try_from = len(self._source) + self._group_from
            return
        self._group_at, self._group = len(self.blocks), paragraph
        self._add([LEAVE + paragraph.skeleton, cut[0]])
        self._parsed = max(0, self._parsed - self._drop(cut[1]))

    def _rejoin(self, paragraph: Paragraph) -> str:
        """What was a paragraph is a heading or a table: open all of it again."""
        self._take_back(self._group_at)
        self._source = "".join(paragraph.seen) + self._source
        self._parsed, self._group = 0, None
        return self._source

    def _cut_group(
        self, group: Group | Paragraph, blocks: list[Block], complete: int, references: ChainMap[str, Any]
    ) -> list[Block]:
        source = self._source[:complete]
        mine, after = group.split(blocks)
        if isinstance(group, Paragraph) and not mine:
            return self._cut(self._rejoin(group).rfind("\n") + 1)
        if after:
            self._define(references, after[0].start)
            _, offset = self._leave(group, blocks, source)
            return self._cut(complete - self._drop(offset))
        if mine and isinstance(group, Group):
            items, line = group.over(mine)
            self._define(references, line)
            offset = _offset(source, line - group.lead.count("\n"))
            group.pass_by(source[:offset])
            self._close(items)
            complete -= self._drop(offset)
        self._parsed = complete
        return blocks

    def _leave(self, group: Group | Paragraph, blocks: list[Block], source: str) -> tuple[list[Block], int]:
        """Close the group; return the blocks that follow it, and where in *source* they begin."""
        mine, after = group.split(blocks)
        lead = group.lead.count("\n")
        offset = _offset(source, max(after[0].start - lead, 0)) if after else len(source)
        items = group.items(mine) if mine else []
        group.pass_by(source[:offset])
        if isinstance(group, Group) and group.is_torn:
            self._take_back(self._group_at)
            self._add(group.whole(self._references))
        else:
            self._close(items)
            self._add([LEAVE])
        self._group = None
        return after, offset

    def _define(self, references: ChainMap[str, Any], line: int) -> None:
        """Keep the link references that are defined before *line*."""
        new = references.maps[0].items()
        self._references.update({label: ref for label, ref in new if ref["map"][0] < line})

    def _drop(self, offset: int) -> int:
        """The first *offset* characters of the open source are done with."""
        self._source = self._source[offset:]
        self._check_from = 0
        self._try_from = TIMES * self._group_from
        return offset

    def _open_fence(self) -> str:
        opener, newline, rest = self._source.partition("\n")
        fence = OpenFence(opener + newline)
        self._source, self._parsed, self._growing = "", 0, fence
        self._show(render_code(language_of(fence.info)))
        return rest

    def _grow(self, text: str, *, is_last: bool = False) -> str | None:
        """Pass *text* on as text, unless the growing block is over; return what is left to read then."""
        rest: str | None = None
        if isinstance(self._growing, OpenFence):
            shown, rest = self._growing.feed(text, is_last=is_last)
            if rest is not None:
                code = self.tail + shown
                lines, last = code[: code.rfind("\n") + 1], code[code.rfind("\n") + 1 :]
                if is_last and not last.strip(" \t"):  # the parser knows no last line of white space only
                    code = lines
                colours = runs(code, language) if (language := language_of(self._growing.info)) else ""
                self._add([[self.open_html, colours, code] if code else self.open_html])
                self._growing = None
                return rest
        elif self._growing:
            shown, is_over = self._growing.feed(text)
            if is_over:
                source, self._growing = self._growing.source, None
                self._check_from = 2 * len(source)
                return source
        if shown:
            self._tail.append(shown)
        return None

    def _close(self, blocks: Sequence[Block]) -> None:
        self._add([make_item(block, self._math) for block in blocks])


def _normalised(text: str) -> str:
    """Unify line ends and replace NUL, as the parser would."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def _offset(source: str, line: int) -> int:
    offset = 0
    for _ in range(line):
        offset = source.index("\n", offset) + 1
    return offset
