"""Render the Markdown of one growing text, and return each change as an update.

Between ``display/_texts.py``, which sends the updates, and ``renderer.py``. ``append`` accepts text; ``update``
returns the changes for the browser; the pacer decides when. An update costs as much as the open block is long.
An open code fence, and an open block beyond 16 KiB, cost even less: the stream passes their text on as plain
text until the block closes. A long list closes item by item, a long table row by row, a long paragraph between
its words (``long_blocks.py``). A link whose definition comes later becomes a link then: the stream draws closed
blocks anew, a bounded number of times for the length of the text.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markdown_it.common.utils import normalizeReference

from .._json_values import scrub
from .._symbols import show_hidden
from .highlight import language_of, runs
from .long_blocks import GROUP_FROM, LEAVE, PARAGRAPH_FACTOR, Group, Paragraph, make_item, opens_group
from .renderer import Block, Math, parse, render_block, render_code
from .unparsed_blocks import OPEN_LIMIT, LongBlock, OpenFence, ends_blank, with_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .long_blocks import Item

__all__ = ["MarkdownStream", "Update", "UpdateTracker"]


@dataclass(frozen=True, slots=True)
class Update:
    """Describe the changes since the last update, in the order in which the browser applies them.

    ``keep``: the number of closed items that stay (``None``: all). ``closed``: items that never change
    again. They take the place of the open block, which is then empty. ``open``: HTML of the open block
    (``None``: unchanged, "": no open block). ``append``: plain text for the innermost last element of the
    open block.
    """

    closed: list[Item] = field(default_factory=list)
    open: str | None = None
    append: str = ""
    keep: int | None = None

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(self.closed or self.open is not None or self.append or self.keep is not None)


class UpdateTracker:
    """Hold the rendered form of a text, and collect its changes as an update.

    ``blocks`` are the closed items. ``open_html`` is the HTML of the open block as the last update sent it.
    ``tail`` is the text that was appended to the open block since. The three together are a snapshot.
    """

    def __init__(self) -> None:
        self.blocks: list[Item] = []
        self.open_html = ""
        self._tail: list[str] = []
        self._lengths = 0, 0
        self._keep: int | None = None
        self._is_reopened = False

    @property
    def tail(self) -> str:
        """Return the text that was appended since ``open_html`` was sent."""
        return "".join(self._tail)

    def _begin_update(self) -> None:
        self._lengths = len(self.blocks), len(self._tail)
        self._keep, self._is_reopened = None, False

    def _end_update(self) -> Update:
        blocks, tail = self._lengths
        return Update(
            closed=self.blocks[blocks if self._keep is None else self._keep :],
            open=self.open_html if self._is_reopened else None,
            append="".join(self._tail if self._is_reopened else self._tail[tail:]),
            keep=self._keep,
        )

    def _retract(self, at: int) -> None:
        """Remove the closed items from index *at* on, and the open block."""
        self._keep_until(at)
        del self.blocks[at:]
        self._set_open("")

    def _keep_until(self, at: int) -> None:
        """Send all items from index *at* on with this update."""
        if at < self._lengths[0]:
            self._keep = at if self._keep is None else min(at, self._keep)

    def _replace(self, at: int, items: Sequence[Item]) -> None:
        """Put *items* in the place of the closed items from index *at* on; the open block stays."""
        self._keep_until(at)
        self.blocks[at:] = items
        self._is_reopened = True

    def _add(self, items: Sequence[Item]) -> None:
        self.blocks += items
        if items or self.open_html:
            self._set_open("")

    def _set_open(self, html: str) -> None:
        self.open_html = html
        self._tail.clear()
        self._is_reopened = True


_LABEL = re.compile(r"\[((?:[^\[\]\\]|\\.){1,999})\]", re.DOTALL)
REDRAWS = 3
"""Times that a text's links are drawn anew at most, in lengths of the text."""


@dataclass(eq=False, slots=True)
class _Section:
    """Hold the source of closed items with labels that no definition has explained yet."""

    first: int
    end: int
    source: str


_FINAL = frozenset({"heading_open", "hr", "math_block", "comment"})
"""Kinds of blocks that end with their last complete line."""


class MarkdownStream(UpdateTracker):
    """Render one growing text. Not thread-safe.

    *group_from*: characters of source from which on a list or table closes item by item.
    """

    def __init__(self, math: Math = "mathml", *, group_from: int = GROUP_FROM) -> None:
        super().__init__()
        self._math: Math = math
        self._group_from = group_from
        self._group: Group | Paragraph | None = None
        self._group_at = 0
        self._try_from = PARAGRAPH_FACTOR * group_from
        self._appended: list[str] = []
        self._source = ""
        self._parsed = 0
        self._growing: OpenFence | LongBlock | None = None
        self._check_from = 0
        self._references: dict[str, Any] = {}
        self._sections: list[_Section] = []
        self._waiting: dict[str, list[_Section]] = {}
        self._stale: set[_Section] = set()
        self._group_missing: set[str] = set()
        self._length = self._budget = 0
        self._is_finished = False

    def append(self, text: str) -> None:
        """Accept more text; the next update renders it.

        Raises:
            RuntimeError: ``finish`` was called before.
        """
        if self._is_finished:
            message = "this text is finished; start another MarkdownStream for more"
            raise RuntimeError(message)
        self._appended.append(text)
        self._length += len(text)
        self._budget += REDRAWS * len(text)

    def update(self) -> Update:
        """Render the text appended since the last update, and return the changes."""
        self._begin_update()
        self._advance()
        return self._end_update()

    def pause(self) -> Update:
        """Render the appended text, and show the words held back at its end: the text pauses."""
        self._begin_update()
        self._advance()
        if not self._growing:
            references = ChainMap({}, self._references)
            html = self._render_open(self._parse(self._source, references, is_open=True, is_paused=True))
            if html != self.open_html:
                self._set_open(html)
        return self._end_update()

    def finish(self) -> Update:
        """Render the rest and close every block; ``append`` raises from now on."""
        self._begin_update()
        rest: str | None = self._read_appended(is_last=True)
        if isinstance(self._growing, OpenFence):
            rest = self._grow(rest or "", is_last=True)
        elif self._growing:
            rest, self._growing = self._growing.source + (rest or ""), None
        source = self._source + (rest or "")
        blocks = self._parse(source, self._references)
        if isinstance(self._group, Paragraph) and not self._group.split(blocks)[0]:
            self._source = source
            source = self._reopen_paragraph(self._group)
            blocks = self._parse(source, self._references)
        if self._group:
            blocks = self._close_group(self._group, blocks, source)[0]
        self._close(blocks)
        self._resolve([label for label in self._waiting if label in self._references])
        self._redraw()
        self._source, self._is_finished = "", True
        return self._end_update()

    def _advance(self) -> None:
        rest: str | None = self._read_appended() or None
        while rest is not None:
            rest = self._grow(rest) if self._growing else self._parse_open(rest)
        if self._stale and not self._group and self._length <= self._budget:
            self._budget -= self._length
            self._redraw()

    def _read_appended(self, *, is_last: bool = False) -> str:
        text = "".join(self._appended)
        # The second half of a line's end (CR LF) may still arrive.
        is_half_end = text.endswith("\r") and not is_last
        self._appended = ["\r"] if is_half_end else []
        return _normalised(scrub(text[:-1] if is_half_end else text))

    def _parse(
        self,
        source: str,
        references: MutableMapping[str, Any],
        *,
        is_open: bool = False,
        is_paused: bool = False,
        is_partial: bool = False,
    ) -> list[Block]:
        whole = self._group.lead + source if self._group else source
        return parse(whole, references, is_open=is_open, is_paused=is_paused, is_partial=is_partial)

    def _parse_open(self, text: str) -> str | None:
        """Parse the open block with *text* added, close the finished blocks and show the rest.

        Returns the text that is left for a block that grows as plain text, if such a block opens.
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
        html = self._render_open(blocks)
        if is_long:
            kind = blocks[-1].kind if blocks else ""
            self._growing = LongBlock(kind, self._source, check_from=self._check_from)
            self._source, self._parsed, html = "", 0, with_tail(html)
        if html != self.open_html or self._tail:
            self._set_open(html)
        return None

    def _render_open(self, blocks: list[Block]) -> str:
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
        """Close the blocks that later text cannot change; return the open block, if there is one."""
        references: ChainMap[str, Any] = ChainMap({}, self._references)
        source = self._source[:complete]
        blocks = self._parse(source, references, is_partial=True)
        if self._group:
            return self._cut_group(self._group, blocks, complete, references)
        behind = blocks[-1].end if blocks else 0
        defined = [place for ref in references.maps[0].values() if (place := ref["map"][0]) >= behind]
        if defined or not blocks:
            # The last definition may go on with a title in the next line.
            line = source.count("\n") if ends_blank(source) else max(defined, default=0)
        else:
            line = blocks[-1].end if blocks[-1].kind in _FINAL else blocks[-1].start
        if line:
            self._define(references, line)
            self._close([block for block in blocks if block.start < line], source)
            complete -= self._drop(_offset(source, line))
        self._parsed = complete
        blocks = [block for block in blocks if block.start >= line]
        if len(blocks) == 1 and opens_group(blocks[0], self._source, self._group_from):
            self._group_at, self._group_missing = len(self.blocks), set()
            self._group = Group(blocks[0], self._source, self._math)
            self._add([LEAVE + self._group.skeleton])
            self._drop(len(self._group.lead))
            self._parsed = 0
            return self._cut(complete - len(self._group.lead))
        return blocks

    def _open_paragraph(self) -> None:
        """Close the open block piece by piece from now on, if it is a long paragraph."""
        paragraph = Paragraph(self._math, self._group_from)
        cut = paragraph.cut(self._source, self._references)
        if cut is None:
            self._try_from = len(self._source) + self._group_from
            return
        self._group_at, self._group, self._group_missing = len(self.blocks), paragraph, set()
        self._add([LEAVE + paragraph.skeleton, cut[0]])
        self._parsed = max(0, self._parsed - self._drop(cut[1]))

    def _reopen_paragraph(self, paragraph: Paragraph) -> str:
        """Open a closed paragraph again: its next line made it a heading or a table."""
        self._retract(self._group_at)
        self._source = "".join(paragraph.closed_source) + self._source
        self._parsed, self._group = 0, None
        return self._source

    def _cut_group(
        self, group: Group | Paragraph, blocks: list[Block], complete: int, references: ChainMap[str, Any]
    ) -> list[Block]:
        source = self._source[:complete]
        mine, after = group.split(blocks)
        if isinstance(group, Paragraph) and not mine:
            return self._cut(self._reopen_paragraph(group).rfind("\n") + 1)
        if after:
            self._define(references, after[0].start)
            _, offset = self._close_group(group, blocks, source)
            return self._cut(complete - self._drop(offset))
        if mine and isinstance(group, Group):
            items, line = group.finished_items(mine)
            self._define(references, line)
            offset = _offset(source, line - group.lead.count("\n"))
            group.append_closed(source[:offset])
            self._group_missing |= self._missing(source[:offset])
            self._close(items)
            complete -= self._drop(offset)
        self._parsed = complete
        return blocks

    def _close_group(
        self, group: Group | Paragraph, blocks: list[Block], source: str
    ) -> tuple[list[Block], int]:
        """Close the group; return the blocks that follow it, and their offset in *source*."""
        mine, after = group.split(blocks)
        lead = group.lead.count("\n")
        offset = _offset(source, max(after[0].start - lead, 0)) if after else len(source)
        items = group.items(mine) if mine else []
        group.append_closed(source[:offset])
        if isinstance(group, Group) and group.became_loose:
            self._retract(self._group_at)
            self._add(group.render_whole(self._references))
        else:
            self._close(items)
            self._add([LEAVE])
        self._group_missing |= self._missing(source[:offset])
        self._await(self._group_at, group.source, self._group_missing)
        self._group = None
        return after, offset

    def _define(self, references: ChainMap[str, Any], line: int) -> None:
        """Store the link references that are defined before *line*."""
        new = references.maps[0].items()
        found = {label: ref for label, ref in new if ref["map"][0] < line}
        self._references.update(found)
        self._resolve(found)

    # Links whose definition comes later

    def _missing(self, source: str) -> set[str]:
        """Return the labels in *source* that nothing has defined so far."""
        if "[" not in source:
            return set()
        return {normalizeReference(label) for label in _LABEL.findall(source)} - self._references.keys()

    def _await(self, first: int, source: str, labels: AbstractSet[str], end: int | None = None) -> None:
        """Draw the items from index *first* to *end* anew when one of the labels is defined."""
        if not labels:
            return
        section = _Section(first, len(self.blocks) if end is None else end, source)
        self._sections.append(section)
        for label in labels:
            self._waiting.setdefault(label, []).append(section)
        self._resolve(labels & self._references.keys())

    def _resolve(self, labels: Iterable[str]) -> None:
        for label in labels:
            self._stale.update(self._waiting.pop(label, ()))

    def _redraw(self) -> None:
        """Draw the sections anew that have links by now."""
        if not self._stale:
            return
        awaited = {section for sections in self._waiting.values() for section in sections}
        start = min(section.first for section in self._stale)
        items: list[Item] = []
        at, kept = start, []
        for section in self._sections:
            if section.first < start:
                kept.append(section)
                continue
            items += self.blocks[at : section.first]
            old, first = self.blocks[section.first : section.end], start + len(items)
            at = section.end
            items += self._render_anew(section) if section in self._stale else old
            section.first, section.end = first, start + len(items)
            if section in awaited:
                kept.append(section)
        self._replace(start, items + self.blocks[at:])
        self._sections, self._stale = kept, set()

    def _render_anew(self, section: _Section) -> list[Item]:
        blocks = parse(section.source, ChainMap({}, self._references))
        return [item for block in blocks if (item := make_item(block, self._math))]

    def _drop(self, offset: int) -> int:
        """Drop the first *offset* characters of the open source; return *offset*."""
        self._source = self._source[offset:]
        self._check_from = 0
        self._try_from = PARAGRAPH_FACTOR * self._group_from
        return offset

    def _open_fence(self) -> str:
        opener, newline, rest = self._source.partition("\n")
        fence = OpenFence(opener + newline)
        self._source, self._parsed, self._growing = "", 0, fence
        self._set_open(render_code(language_of(fence.info)))
        return rest

    def _grow(self, text: str, *, is_last: bool = False) -> str | None:
        """Append *text* as plain text to the growing block; return the text after the block if it ends."""
        rest: str | None = None
        if isinstance(self._growing, OpenFence):
            shown, rest = self._growing.feed(text, is_last=is_last)
            shown = show_hidden(shown)
            if rest is not None:
                code = self.tail + shown
                lines, last = code[: code.rfind("\n") + 1], code[code.rfind("\n") + 1 :]
                if is_last and not last.strip(" \t"):  # the parser ignores a last line of white space only
                    code = lines
                colours = runs(code, language) if (language := language_of(self._growing.info)) else ""
                self._add([[self.open_html, colours, code] if code else self.open_html])
                self._growing = None
                return rest
        elif self._growing:
            shown, is_finished = self._growing.feed(text)
            shown = show_hidden(shown)
            if is_finished:
                source, self._growing = self._growing.source, None
                self._check_from = 2 * len(source)
                return source
        if shown:
            self._tail.append(shown)
        return None

    def _close(self, blocks: Sequence[Block], source: str = "") -> None:
        """Close the blocks; with their *source*, links in them may be defined later."""
        lines = source.split("\n") if "[" in source else []
        made: list[Item] = []
        awaited = []
        for block in blocks:
            first = len(made)
            # A comment has no item.
            made += filter(None, [make_item(block, self._math)])
            own = "\n".join(lines[block.start : block.end])
            if missing := self._missing(own):
                awaited.append((first, len(made), own, missing))
        at = len(self.blocks)
        self._add(made)
        for first, end, own, missing in awaited:
            self._await(at + first, own, missing, at + end)


def _normalised(text: str) -> str:
    """Return *text* with unified line ends and NUL replaced, as the parser would do it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def _offset(source: str, line: int) -> int:
    offset = 0
    for _ in range(line):
        offset = source.index("\n", offset) + 1
    return offset
