"""Agent text as safe HTML: whole for the saved form, block by block for the live one.

A part's text comes in (``append``), what the browser must change comes out (``update``); the pacer
decides when. The cost of an update depends on the open block only, and not even on that once it
is an open code fence or longer than 16 KiB: then text is passed on as text until the block closes.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._json import scrub
from ._blocks import Block, Math, language_of, parse, render_block, render_code
from ._open import OPEN_LIMIT, LongBlock, OpenFence, ends_blank, with_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MarkdownStream", "Update", "render"]

_FINAL = frozenset({"heading_open", "hr", "math_block"})
"""Blocks that their last complete line ends for good."""


def render(text: str, *, math: Math = "tex") -> str:
    """Return *text*, a whole Markdown document, as sanitised HTML.

    ``math="tex"`` keeps formulas as ``$…$`` for the page's MathJax, ``"mathml"`` converts them.
    """
    return "".join(render_block(block, math) for block in parse(scrub(text), {}))


@dataclass(frozen=True, slots=True)
class Update:
    """What changed since the last update, in the order in which it is to be applied.

    ``closed``: HTML of blocks that never change again; they come where the open block was, which
    is then empty. ``open``: HTML of the open block (``None``: unchanged, "": there is none).
    ``append``: text to add, as text, to the innermost last element of the open block.
    """

    closed: list[str] = field(default_factory=list)
    open: str | None = None
    append: str = ""

    def __bool__(self) -> bool:
        """Tell whether anything changed."""
        return bool(self.closed or self.open is not None or self.append)


class MarkdownStream:
    """One text part while it is written: what it looks like so far, and what an update changes.

    ``blocks`` is the HTML of the closed blocks, ``open_html`` that of the open one as it was last
    sent, ``tail`` the text appended to it since: together a snapshot. Not thread-safe.
    """

    def __init__(self, math: Math = "mathml") -> None:
        self.blocks: list[str] = []
        self.open_html = ""
        self._math: Math = math
        self._tail: list[str] = []
        self._new: list[str] = []
        self._source = ""
        self._parsed = 0
        self._growing: OpenFence | LongBlock | None = None
        self._check_from = 0
        self._references: dict[str, Any] = {}
        self._is_reopened = False
        self._is_finished = False

    @property
    def tail(self) -> str:
        """Text that was appended since ``open_html`` was sent."""
        return "".join(self._tail)

    def append(self, text: str) -> None:
        """Take more of the text; nothing is rendered before the next update."""
        if self._is_finished:
            message = "this text is finished; start another MarkdownStream for more"
            raise RuntimeError(message)
        self._new.append(text)

    def update(self) -> Update:
        """Render what is new since the last update."""
        blocks, tail = len(self.blocks), len(self._tail)
        self._is_reopened = False
        rest: str | None = self._take() or None
        while rest is not None:
            rest = self._grow(rest) if self._growing else self._read(rest)
        return self._update_since(blocks, tail)

    def settle(self) -> Update:
        """Show what is held back at the end, as it is: nothing more comes for now."""
        blocks, tail = len(self.blocks), len(self._tail)
        self.update()
        if not self._growing:
            html = "".join(
                render_block(block, self._math, is_open=True)
                for block in parse(self._source, ChainMap({}, self._references))
            )
            if html != self.open_html or self._tail:
                self._show(html)
        return self._update_since(blocks, tail)

    def finish(self) -> Update:
        """Render the rest and close every block; nothing can be appended any more."""
        blocks, tail = len(self.blocks), len(self._tail)
        self._is_reopened = False
        source = (self._growing.source if self._growing else self._source) + self._take(is_last=True)
        self._close(parse(source, self._references))
        self._source, self._growing, self._is_finished = "", None, True
        return self._update_since(blocks, tail)

    def _take(self, *, is_last: bool = False) -> str:
        text = "".join(self._new)
        # Half of a line's end (CR LF) may still be on its way.
        is_torn = text.endswith("\r") and not is_last
        self._new = ["\r"] if is_torn else []
        return _normalised(scrub(text[:-1] if is_torn else text))

    def _update_since(self, blocks: int, tail: int) -> Update:
        return Update(
            closed=self.blocks[blocks:],
            open=self.open_html if self._is_reopened else None,
            append="".join(self._tail if self._is_reopened else self._tail[tail:]),
        )

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
        is_long = len(self._source) > OPEN_LIMIT
        blocks = parse(self._source, ChainMap({}, self._references), is_open=not is_long)
        html = "".join(render_block(block, self._math, is_open=True) for block in blocks)
        if is_long:
            kind = blocks[-1].kind if blocks else ""
            self._growing = LongBlock(kind, self._source, check_from=self._check_from)
            self._source, self._parsed, html = "", 0, with_tail(html)
        if html != self.open_html or self._tail:
            self._show(html)
        return None

    def _cut(self, complete: int) -> list[Block]:
        """Close the blocks that nothing can change any more; return the one that is open, if any."""
        references: ChainMap[str, Any] = ChainMap({}, self._references)
        source = self._source[:complete]
        blocks = parse(source, references)
        if not blocks:
            line = source.count("\n") if ends_blank(source) else 0
        else:
            line = blocks[-1].end if blocks[-1].kind in _FINAL else blocks[-1].start
        if line:
            new = references.maps[0].items()
            self._references.update({label: ref for label, ref in new if ref["map"][0] < line})
            self._close([block for block in blocks if block.start < line])
            offset = _offset(source, line)
            self._source, complete = self._source[offset:], complete - offset
            self._check_from = 0
        self._parsed = complete
        return [block for block in blocks if block.start >= line]

    def _open_fence(self) -> str:
        opener, newline, rest = self._source.partition("\n")
        fence = OpenFence(opener + newline)
        self._source, self._parsed, self._growing = "", 0, fence
        self._show(render_code(language_of(fence.info)))
        return rest

    def _grow(self, text: str) -> str | None:
        """Pass *text* on as text, unless the growing block is over; return what is left to read then."""
        if isinstance(self._growing, OpenFence):
            shown, rest = self._growing.feed(text)
            if rest is not None:
                self._close(parse(self._growing.source, {}))
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
        self.blocks += [render_block(block, self._math) for block in blocks]
        if blocks or self.open_html:
            self._show("")

    def _show(self, html: str) -> None:
        self.open_html = html
        self._tail.clear()
        self._is_reopened = True


def _normalised(text: str) -> str:
    """Unify line ends and replace NUL, as the parser would."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def _offset(source: str, line: int) -> int:
    offset = 0
    for _ in range(line):
        offset = source.index("\n", offset) + 1
    return offset
