"""Make the ops that update each text of a live view in the browser.

Between the reducer's part builders and the wire (docs/wire.md). ``_markdown/stream.py`` renders a text; this module
turns its updates into few bytes, and never sends the same text or HTML twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._forms.conversation import Marked, marked_text
from .._forms.sequences import ProseText
from .._forms.wording import LiveProse, thinking_time
from .._markdown.long_blocks import LEAVE
from .._markdown.stream import MarkdownStream, Update
from .._markdown.units import utf16
from ..parts import TextPart
from ._marks import numbered, numbered_item, without_marks
from ._parts import SentPart
from ._text_diffs import Op, TextReader, splice

if TYPE_CHECKING:
    from .._forms.conversation import Sources
    from .._markdown.long_blocks import Item
    from .._reducer.part_builders import TextBuilder
    from ..parts import CitationValue
    from ._cards import SourceList

__all__ = ["SentText", "SentThinking"]

WORTH = 16
"""Characters that the open block and its new form must share; with fewer the new form is sent whole."""


_UNMARKED = Marked("", "", ())
SMALL = 2_000
"""Characters up to which a text gets new numbers of sources with each of its news; a longer one once it has grown by a
quarter, or pauses."""
CITED = 200_000
"""Characters beyond which a text gets its numbers at its end only: each time renders the whole text twice."""


class SentText(SentPart):
    """Show a text as Markdown, rendered in the kernel block by block."""

    kind = "text"

    def __init__(self, key: int) -> None:
        super().__init__(key)
        self._follow = TextReader()
        self._pending: list[tuple[bool, str]] = []
        self._stream = MarkdownStream()
        self._sequences = ProseText()
        self._open = ""
        self._tail: list[str] = []
        self._marked = _UNMARKED
        self._cited: object = None  # the state of the citations when they were copied
        self._cited_sources: object = None
        self._citations: tuple[CitationValue, ...] = ()
        self._numbers: Sources | None = None
        self._ids: tuple[str, str | None] = ("", None)
        self._whole: list[str] = []  # of a cited text
        self._marked_size = -1  # of the text when its marks were placed; -1: the citations have news
        self._placed = 0  # of the text when its marks were placed

    def read(self, builder: TextBuilder) -> None:
        replaces, text = self._follow.read(builder.text)
        if replaces:
            self._pending, self._whole = [], []
        if replaces or text:
            self._pending.append((replaces, text))
            if self._cited is not None:
                self._whole.append(text)

    def cite(self, builder: TextBuilder, sources: SourceList) -> bool:
        """Copy the citations of the text; return whether they are news. The caller holds the registry's lock."""
        state = (sources.state(), builder.text.epoch, builder.text.size)
        if state == self._cited:
            return False
        self.read(builder)
        if self._cited is None:
            self._whole = [builder.text.read()]
        citations = builder.run.citations.of(builder.message_id, builder.name, builder.text.size)
        numbers, _ = sources.numbering()
        if self._cited is None or citations != self._citations or state[0] != self._cited_sources:
            self._marked_size = -1
        self._cited, self._cited_sources = state, state[0]
        self._citations, self._numbers = citations, numbers
        self._ids = builder.run.run_id, builder.message_id
        return True

    def ops(self) -> list[Op]:
        ops: list[Op] = []
        for replaces, text in self._pending:
            if replaces:
                self._stream, self._sequences = MarkdownStream(), ProseText()
                self._open, self._tail = "", []
                self._marked, self._marked_size = _UNMARKED, -1
                ops.append(["k", self.key, 0])
            self._stream.append(self._sequences.take(text))
        if self._pending:
            self._pending = []
            ops += self._changes(self._stream.update())
        if self._is_due():
            ops += self._mark()
        return ops + super().ops()

    def finish(self) -> list[Op]:
        """Close the open block at the text's end, as in the whole document; return the ops."""
        ops = self._mark() if self._is_cited else []
        return ops + self._changes(self._stream.finish())

    def pause(self) -> list[Op]:
        """Show the words that are held back while their meaning is open: the text pauses. Return the ops."""
        ops = self._mark() if self._is_cited and self._size <= CITED else []
        return ops + self._changes(self._stream.pause())

    def record_full(self) -> None:
        self._open, self._tail = self._state()[1:]

    def snapshot(self) -> dict[str, Any]:
        blocks, open_html, tail = self._state()
        return {**super().snapshot(), "blocks": blocks, "open": open_html, "tail": "".join(tail)}

    # Numbers of sources

    @property
    def _size(self) -> int:
        return self._follow.size

    @property
    def _is_cited(self) -> bool:
        """Return whether the text has, or had, marks that are not those of the whole text."""
        has_places = any(citation.end is not None for citation in self._citations)
        return (has_places or bool(self._marked.pair)) and self._marked_size != self._size

    def _is_due(self) -> bool:
        return (
            self._is_cited
            and self._marked_size < 0
            and (self._size <= SMALL or (self._size <= CITED and self._size >= 1.25 * self._placed))
        )

    def _state(self) -> tuple[list[Item], str, list[str]]:
        """Return the closed items, the open block and its tail as the browser must have them."""
        stream, marked = self._stream, self._marked
        if not marked.pair:
            return list(stream.blocks), stream.open_html, [stream.tail]
        blocks = [numbered_item(item, marked) for item in stream.blocks]
        return blocks, numbered(stream.open_html, marked), [without_marks(stream.tail, marked)]

    def _mark(self) -> list[Op]:
        """Render the text anew with the numbers of its sources; return the ops for what differs."""
        run_id, message_id = self._ids
        self._whole = ["".join(self._whole)]
        part = TextPart(run_id=run_id, message_id=message_id, text=self._whole[0], citations=self._citations)
        old = self._state()[0]
        self._marked_size = self._placed = self._size
        self._marked = marked_text(part, self._numbers) if self._numbers is not None else _UNMARKED
        self._stream, self._sequences = MarkdownStream(), ProseText()
        self._stream.append(self._sequences.take(self._marked.text))
        self._stream.update()
        new, open_html, tail = self._state()
        return self._differences(old, new, open_html, tail)

    def _differences(self, old: list[Item], new: list[Item], left: str, tail: list[str]) -> list[Op]:
        changed = [index for index, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]]
        ops: list[Op] = []
        if len(new) >= len(old) and all(_is_alone(old[i]) and _is_alone(new[i]) for i in changed):
            ops += [["r", self.key, index, new[index]] for index in changed]
            keep = len(old)
        else:
            keep = changed[0] if changed else min(len(old), len(new))
        if keep == len(new) == len(old) and (left, "".join(tail)) == (self._open, "".join(self._tail)):
            return ops
        if keep < len(old):
            ops.append(["k", self.key, keep])
            self._open, self._tail = "", []
        if keep < len(new):
            ops.append(["b", self.key, *new[keep:]])
            self._open, self._tail = "", []
        ops += self._splice([], left)
        if text := "".join(tail):
            self._tail = [text]
            ops.append(["a", self.key, text])
        return ops

    def _changes(self, update: Update) -> list[Op]:
        if marked := self._marked if self._marked.pair else None:
            update = Update(
                keep=update.keep,
                closed=[numbered_item(item, marked) for item in update.closed],
                open=None if update.open is None else numbered(update.open, marked),
                append=without_marks(update.append, marked),
            )
        ops: list[Op] = []
        if update.keep is not None:
            ops.append(["k", self.key, update.keep])
            self._open, self._tail = "", []
        if update.closed or update.open is not None:
            ops += self._close(update.closed, update.open or "")
        if update.append:
            self._tail.append(update.append)
            ops.append(["a", self.key, update.append])
        return ops

    def _close(self, items: list[Item], left: str) -> list[Op]:
        ops: list[Op] = []
        changed: list[Item] = []
        for item in items:
            if isinstance(item, list) and item[2]:
                ops += self._splice(changed, "") if changed else []
                changed = []
                ops += self._with_tail(item)
            else:
                changed.append(item)
        return ops + self._splice(changed, left)

    def _with_tail(self, item: list[str]) -> list[Op]:
        """Return the ops for a closed fence: the browser has its code already, but not the colours."""
        html, colours, text = item
        shown = "".join(self._tail)
        has_it = html == self._open and text.startswith(shown)
        self._open, self._tail = "", []
        if not has_it:
            return [["b", self.key, item]]
        more: list[Op] = [["a", self.key, text[len(shown) :]]] if len(text) > len(shown) else []
        return [*more, ["c", self.key, 0, colours] if colours else ["c", self.key]]

    def _splice(self, items: list[Item], left: str) -> list[Op]:
        """Return the ops that turn the open block into the closed *items* and the HTML *left* open."""
        htmls = [item if isinstance(item, str) else item[0] for item in items]
        old, new = self._open, "".join(htmls) + left
        self._open = left
        keep, drop, text, end = splice(old, new)
        ops: list[Op] = []
        if items and keep + end < WORTH:
            ops.append(["b", self.key, *items])
            if left:
                ops.append(["o", self.key, left])
        else:
            if text or drop or self._tail:
                op = ["o", self.key, text, utf16(old[len(old) - end :]) if end else 0]
                ops.append([*op, utf16(old[keep : keep + drop])] if drop else op if end else op[:3])
            for i, (item, html) in enumerate(zip(items, htmls, strict=True)):
                units = utf16(html) if left or i < len(items) - 1 else 0
                colours = item[1] if isinstance(item, list) else ""
                ops.append(
                    ["c", self.key, units, colours]
                    if colours
                    else ["c", self.key, units]
                    if units
                    else ["c", self.key]
                )
        self._tail = []
        return ops


def _is_alone(item: Item) -> bool:
    """Return whether the item is one element that another one can replace."""
    return isinstance(item, str) and LEAVE not in item


class SentThinking(SentPart):
    """Show thinking as plain text: open while it streams, folded once another part follows."""

    kind = "thinking"

    def __init__(self, key: int) -> None:
        super().__init__(key)
        self._follow = TextReader()
        self._cleaner = LiveProse()
        self._pending: list[tuple[bool, str]] = []
        self._times: tuple[float | None, float | None] = None, None

    def read(self, builder: TextBuilder) -> None:
        self._pending.append(self._follow.read(builder.text))
        self._times = builder.times()

    def set_done(self, *, is_done: bool) -> None:
        """Set whether another part follows the thinking."""
        self._new["done"] = is_done

    def ops(self) -> list[Op]:
        ops: list[Op] = []
        for replaces, text in self._pending:
            if replaces:
                self._cleaner = LiveProse()
            shown = self._cleaner.feed(text)
            ops += self._replace("text", shown) if replaces else self._append("text", shown)
        self._pending = []
        took = thinking_time(*self._times) if self._new.get("done", self.props.get("done")) else ""
        if took != self.props.get("took", ""):
            self._new["took"] = took
        return ops + super().ops()
