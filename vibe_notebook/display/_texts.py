"""Make the ops that update each text of a live view in the browser.

Between the reducer's part builders and the wire (docs/wire.md). ``_markdown/stream.py`` renders a text; this module
turns its updates into few bytes, and never sends the same text or HTML twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._forms.sequences import ProseText
from .._forms.wording import LiveProse
from .._markdown.stream import MarkdownStream, Update
from .._markdown.units import utf16
from ._parts import SentPart
from ._text_diffs import Op, TextReader, splice

if TYPE_CHECKING:
    from .._markdown.long_blocks import Item
    from .._reducer.part_builders import TextBuilder

__all__ = ["SentText", "SentThinking"]

WORTH = 16
"""Characters that the open block and its new form must share; with fewer the new form is sent whole."""


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

    def read(self, builder: TextBuilder) -> None:
        replaces, text = self._follow.read(builder.text)
        if replaces:
            self._pending = []
        if replaces or text:
            self._pending.append((replaces, text))

    def ops(self) -> list[Op]:
        ops: list[Op] = []
        for replaces, text in self._pending:
            if replaces:
                self._stream, self._sequences = MarkdownStream(), ProseText()
                self._open, self._tail = "", []
                ops.append(["k", self.key, 0])
            self._stream.append(self._sequences.take(text))
        if self._pending:
            self._pending = []
            ops += self._changes(self._stream.update())
        return ops + super().ops()

    def finish(self) -> list[Op]:
        """Close the open block at the text's end, as in the whole document; return the ops."""
        return self._changes(self._stream.finish())

    def pause(self) -> list[Op]:
        """Show the words that are held back while their meaning is open: the text pauses. Return the ops."""
        return self._changes(self._stream.pause())

    def record_full(self) -> None:
        self._open, self._tail = self._stream.open_html, [self._stream.tail]

    def snapshot(self) -> dict[str, Any]:
        stream = self._stream
        return {
            **super().snapshot(),
            "blocks": list(stream.blocks),
            "open": stream.open_html,
            "tail": stream.tail,
        }

    def _changes(self, update: Update) -> list[Op]:
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


class SentThinking(SentPart):
    """Show thinking as plain text: open while it streams, folded once another part follows."""

    kind = "thinking"

    def __init__(self, key: int) -> None:
        super().__init__(key)
        self._follow = TextReader()
        self._cleaner = LiveProse()
        self._pending: list[tuple[bool, str]] = []

    def read(self, builder: TextBuilder) -> None:
        self._pending.append(self._follow.read(builder.text))

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
        return ops + super().ops()
