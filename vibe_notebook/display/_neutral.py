"""Agent text that stays Markdown: its raw HTML made text, its images made links, its fences closed.

For viewers that render ``text/markdown`` by themselves and may let HTML through. Code is spared, as
far as it is code whatever stands before it: ``is_safe`` reads the whole as such a viewer would, and
where it fails, ``_markdown_form.py`` spares nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from .._json import scrub
from ._format import clean
from ._open import OpenFence
from ._sanitize import is_raster

__all__ = ["is_safe", "neutral"]

_TICKS = re.compile(r"`+")
_INLINE = re.compile(
    r"(?P<escaped>\\[!-/:-@\[-`{-~])"
    r"|(?P<code>`+)"
    r"|(?P<link><(?:https?://|mailto:)[^\s<>`]*>)"
    r"|(?P<raster>!\[[^\[\]\\`<\n]*\]\(data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*\))"
    r"|(?P<math>\$\$[^$`]+\$\$|\$[^$`\n]+\$)"
    r"|(?P<image>!\[)"
    r"|(?P<tag><(?=[A-Za-z/!?]))"
)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_RISK = re.compile(r"<[A-Za-z/!?]|!\[")
"""What every tag and every image has: text without it needs no parser."""
_CODE = ("fence", "code_block")


def neutral(text: str, *, is_strict: bool = False) -> str:
    """Return *text* as Markdown that shows the same and can neither fetch, run nor swallow anything.

    ``is_strict`` spares no code, in which the escapes then show.
    """
    text = clean(scrub(text))
    is_harmless = not _RISK.search(text)
    if is_harmless and "```" not in text and "~~~" not in text:
        return text
    tokens = _blocks(html=False).parse(text)
    lines = text.split("\n")
    if is_harmless:
        return text + _closing(tokens, lines)
    out = [_TAG.sub("&lt;", line) for line in lines]
    for first, last, kind in _regions(tokens):
        source = "\n".join(lines[first:last])
        if kind == "table":
            out[first:last] = ["|".join(map(_inline, _cells(line))) for line in lines[first:last]]
        else:
            out[first:last] = (source if kind == "code" else _inline(source)).split("\n")
    result = text.replace("<", "&lt;").replace("![", "🖼 [") if is_strict else "\n".join(out)
    return result + _closing(tokens, lines)


def is_safe(markdown: str) -> bool:
    """Tell whether a viewer that lets HTML through finds neither HTML nor a remote image in it."""
    if not _RISK.search(markdown):
        return True
    parser = _blocks(html=True)
    env: dict[str, object] = {}
    for token in parser.parse(markdown, env):
        if token.type == "html_block":
            return False
        if token.type == "inline" and _RISK.search(token.content):
            found: list[Token] = []
            parser.inline.parse(token.content, parser, env, found)
            if _is_unsafe(found):
                return False
    return True


@cache
def _blocks(*, html: bool) -> MarkdownIt:
    """A parser that leaves inline text unread: what is asked of it is where the blocks are."""
    parser = MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])
    parser.core.ruler.disable(["inline", "text_join"])
    return parser


def _is_unsafe(tokens: Sequence[Token]) -> bool:
    return any(
        token.type == "html_inline"
        or (token.type == "image" and not is_raster(str(token.attrs.get("src", ""))))
        or (token.children and _is_unsafe(token.children))
        for token in tokens
    )


def _regions(tokens: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    """Yield the lines of code, tables and other inline text."""
    in_table = 0
    for token in tokens:
        if token.type in ("table_open", "table_close"):
            in_table += token.nesting
        if token.map is None:
            continue
        first, last = token.map
        if token.type == "table_open":
            yield first, last, "table"
        elif token.type in _CODE:
            yield first, last, "code"
        elif token.type == "inline" and not in_table:
            yield first, last, "inline"


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
            # A line that begins with a tag is raw HTML even in the middle of a code span.
            found = _TAG.sub("< ", found) if "\n" in found else found
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


def _closing(tokens: Sequence[Token], lines: list[str]) -> str:
    """Return the line that closes a fence left open at the end, or ""."""
    last = tokens[-1] if tokens else None
    if last is None or last.type != "fence" or last.map is None:
        return ""
    start = last.map[0]
    fence = OpenFence(lines[start] + "\n")
    _, rest = fence.feed("\n".join(lines[start + 1 :]) + "\n")
    return f"\n{fence.marks}" if rest is None else ""
