"""Agent text that stays Markdown: its raw HTML made text, its images made links, its fences closed.

For viewers that render ``text/markdown`` by themselves and may let HTML through. What is surely
code stays untouched; in doubt ``<`` is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .._json import scrub
from ._blocks import Block, parse
from ._format import clean
from ._open import OpenFence

__all__ = ["neutral"]

_TICKS = re.compile(r"`+")
_INLINE = re.compile(
    r"(?P<escaped>\\[!-/:-@\[-`{-~])"
    r"|(?P<code>`+)"
    r"|(?P<link><(?:https?://|mailto:)[^\s<>`]*>)"
    r"|(?P<raster>!\[[^\[\]\\`<\n]*\]\(data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*\))"
    r"|(?P<math>\$[^$`\n]+\$)"
    r"|(?P<image>!\[)"
    r"|(?P<tag><(?=[A-Za-z/!?]))"
)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_CODE = ("fence", "code_block")


def neutral(text: str) -> str:
    """Return *text* as Markdown that shows the same and can neither fetch, run nor swallow anything."""
    text = clean(scrub(text))
    blocks = parse(text, {})
    lines = text.split("\n")
    out = list(map(_TAG.sub, ["&lt;"] * len(lines), lines))
    for first, last, kind in _regions(blocks):
        source = "\n".join(lines[first:last])
        if kind == "table":
            out[first:last] = ["|".join(map(_inline, _cells(line))) for line in lines[first:last]]
        else:
            out[first:last] = (source if kind == "code" else _inline(source)).split("\n")
    return "\n".join(out) + _closing(blocks, lines)


def _regions(blocks: list[Block]) -> Iterator[tuple[int, int, str]]:
    """Yield the lines of code, tables and other inline text."""
    for block in blocks:
        in_table = 0
        for token in block.tokens:
            if token.type in ("table_open", "table_close"):
                in_table += token.nesting
            if token.map is None:
                continue
            if token.type == "table_open":
                yield (*token.map, "table")  # type: ignore[misc]
            elif token.type in _CODE:
                yield (*token.map, "code")  # type: ignore[misc]
            elif token.type == "inline" and not in_table:
                yield (*token.map, "inline")  # type: ignore[misc]


def _cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line)


def _inline(source: str) -> str:
    """Escape what could open a tag or load an image, outside of code spans."""
    out: list[str] = []
    position = 0
    while match := _INLINE.search(source, position):
        out.append(source[position : match.start()])
        position = match.end()
        kind, found = match.lastgroup, match[0]
        if kind == "code" and (end := _end_of_code(source, found, position)):
            found, position = source[match.start() : end], end
        elif kind == "math":
            # An entity would be part of the formula; a space is not, and opens no tag either.
            found = _TAG.sub("< ", found)
        elif kind == "image":
            found = "🖼 ["
        elif kind == "tag":
            found = "&lt;"
        out.append(found)
    return "".join(out) + source[position:]


def _end_of_code(source: str, ticks: str, position: int) -> int:
    for match in _TICKS.finditer(source, position):
        if match[0] == ticks:
            return match.end()
    return 0


def _closing(blocks: list[Block], lines: list[str]) -> str:
    """Return the line that closes a fence left open at the end, or ""."""
    if not blocks or blocks[-1].kind != "fence":
        return ""
    start = blocks[-1].start
    fence = OpenFence(lines[start] + "\n")
    _, rest = fence.feed("\n".join(lines[start + 1 :]) + "\n")
    return f"\n{fence.marks}" if rest is None else ""
