"""Put the numbers of sources into the HTML of a live text, at the places that the text cites them for.

Between ``_texts.py`` and ``_forms/conversation.py``, which puts marks into the text's source. HTML of a text that still
grows may have a mark anywhere, so only a mark in plain text becomes a number, and every other mark is removed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .._forms.conversation import Marked
    from .._markdown.long_blocks import Item

__all__ = ["numbered", "numbered_item", "without_marks"]

_TAG: Final = re.compile(r"""<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*)(?:[^"'>]|"[^"]*"|'[^']*')*+>""")
_NO_NUMBERS: Final = frozenset(("code", "pre", "a", "math", "svg"))
"""Elements in which a number would change what is shown."""


def numbered(html: str, marked: Marked) -> str:
    """Return sanitised *html* with numbers in place of the marks."""
    if not marked.pair or marked.pair[0] not in html:
        return html
    pieces: list[str] = []
    start, inside = 0, 0
    for tag in _TAG.finditer(html):
        pieces.append(_plain(html[start : tag.start()], marked, is_bare=bool(inside)))
        pieces.append(without_marks(tag[0], marked))
        if tag["name"].lower() in _NO_NUMBERS and not tag[0].endswith("/>"):
            inside = max(0, inside + (-1 if tag["end"] else 1))
        start = tag.end()
    pieces.append(_plain(html[start:], marked, is_bare=bool(inside)))
    return "".join(pieces)


def numbered_item(item: Item, marked: Marked) -> Item:
    """Return a closed item with numbers in place of the marks."""
    if isinstance(item, str):
        return numbered(item, marked)
    return [numbered(item[0], marked), item[1], without_marks(item[2], marked)]


def without_marks(text: str, marked: Marked) -> str:
    """Return *text* without marks."""
    return _mark_of(marked).sub("", text) if marked.pair and marked.pair[0] in text else text


def _plain(text: str, marked: Marked, *, is_bare: bool) -> str:
    if is_bare:
        return without_marks(text, marked)

    def number(match: re.Match[str]) -> str:
        at = int(match[1])
        return f'<sup class="vibe-cite">[{marked.sources[at]}]</sup>' if at < len(marked.sources) else ""

    return _mark_of(marked).sub(number, text)


def _mark_of(marked: Marked) -> re.Pattern[str]:
    return re.compile(f"{marked.pair[0]}(\\d{{1,9}}){marked.pair[1]}")
