"""Parse the syntax that agents use beyond CommonMark: task items, alerts, footnotes, bare links, ``<br>``, images.

Rules for the parser in ``renderer.py``. Each rule reads one top-level block only, so a block that closes while
streaming never depends on later text: a footnote stays where the agent wrote it.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING
from unicodedata import category

from markdown_it.rules_inline import image, link
from markdown_it.token import Token
from mdit_py_plugins.footnote.index import footnote_def

from .math import isolate
from .sanitize import is_link, is_raster

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.utils import EnvType, OptionsDict

__all__ = ["BARE", "DEPTH", "rules_plugin"]

BARE = "bare"
"""Info of a link that the agent wrote as a bare address."""

DEPTH = 80
"""Nesting of blocks beyond which the renderer shows the rest as plain text."""

_LAST_BRACKET = -1
"""Key of the last closing bracket in the parser's memory of positions, which begin at 0."""

_TASK = re.compile(r"\[([ xX])\](?=[ \t\n])")
_ALERT = re.compile(r"\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*(?:\n|\Z)", re.IGNORECASE)
_BREAK = re.compile(r"<br[ \t]*/?>", re.IGNORECASE)
_FOOTNOTE = re.compile(r"\[\^([\w.-]{1,40})\]")
_URL = re.compile(r"(?<![/0-9A-Z_a-z\u00c0-\u024f])https?://(?=[^\s<>\"`\\])", re.IGNORECASE)
"""The beginning of a bare address: a letter of another alphabet may precede it."""
_ADDRESS = re.compile(r"(?:[!#-;=?-\[\]^_a-z{-~]|[^\W\x00-\x7f])+", re.IGNORECASE)


def rules_plugin(md: MarkdownIt) -> None:
    """Add these rules to *md*, whose renderer then shows only images that need no request."""
    md.block.ruler.before("table", "too_deep", _too_deep)
    md.block.ruler.before("reference", "footnote_def", footnote_def, {"alt": ["paragraph", "reference"]})
    md.inline.ruler.at("link", _link)
    md.inline.ruler.at("image", _image)
    md.inline.ruler.before("link", "footnote_ref", _footnote_ref)
    md.inline.ruler.before("autolink", "break", _break)
    md.core.ruler.before("inline", "tasks_and_alerts", _tasks_and_alerts)
    md.core.ruler.push("links", _links)
    for name, rule in (
        ("footnote_reference_open", _render_footnote_open),
        ("footnote_reference_close", _render_footnote_close),
        ("footnote_ref", _render_footnote_ref),
        ("image", _render_image),
    ):
        md.add_render_rule(name, rule)


def _too_deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    if silent or state.level < DEPTH:
        return False
    state.line = end
    opening = state.push("paragraph_open", "p", 1)
    opening.map = [start, end]
    text = state.push("code_inline", "code", 0)
    text.content = state.getLines(start, end, state.blkIndent, keepLastLF=False)
    state.push("paragraph_close", "p", -1)
    return True


def _tasks_and_alerts(state: StateCore) -> None:
    tokens = state.tokens
    for outer, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if inline.type != "inline" or paragraph.type != "paragraph_open":
            continue
        if outer.type == "list_item_open" and (task := _TASK.match(inline.content)):
            outer.attrs |= {"class": "task-list-item", "style": "list-style-type:none"}
            inline.content = ("☐" if task[1] == " " else "☑") + inline.content[task.end() :]
        elif outer.type == "blockquote_open" and (alert := _ALERT.match(inline.content)):
            outer.attrSet("class", f"vibe-alert vibe-alert-{alert[1].lower()}")
            rest = inline.content[alert.end() :]
            inline.content = f"**{alert[1].capitalize()}**" + (f"\\\n{rest}" if rest else "")
        elif outer.type == "footnote_reference_open":
            outer.meta["inline"] = True
            inline.content = f"[^{outer.meta['label']}] {inline.content}"


def _footnote_ref(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    match = _FOOTNOTE.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        token = state.push("footnote_ref", "sup", 0)
        token.content = match[1]
    state.pos = match.end()
    return True


def _link(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    return _may_close(state) and link(state, silent)


def _image(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    return _may_close(state) and image(state, silent)


def _may_close(state: StateInline) -> bool:
    """Tell whether a bracket closes behind this place: the parser reads all that follows for each that opens."""
    last = state.cache.get(_LAST_BRACKET)
    if last is None:
        last = state.cache[_LAST_BRACKET] = state.src.rfind("]")
    return state.pos < last


def _break(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """Accept ``<br>``, the one tag that agents need: Markdown has no line break for a table's cell."""
    match = _BREAK.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = match.end()
    return True


def _links(state: StateCore) -> None:
    """Turn bare addresses into links and refused links into plain text, and mark the images within links."""
    for block in state.tokens:
        if block.type == "inline" and block.children:
            last = block.children[-1] if block is state.env.get("leaf") else None
            block.children = list(_linked(state.md, block.children, last))


def _linked(md: MarkdownIt, tokens: list[Token], last: Token | None) -> Iterator[Token]:
    depth, tag = 0, "a"
    for token in tokens:
        if token.type in ("link_open", "link_close"):
            depth += token.nesting
            if token.nesting == 1:
                tag = "a" if is_link(str(token.attrs.get("href", ""))) else "span"
            token.tag = tag
            token.attrs = token.attrs if tag == "a" else {}
        if token.type == "image":
            token.meta["linked"] = depth > 0
        if depth or token.type != "text" or "://" not in token.content:
            yield token
        else:
            yield from _split(md, token, is_open=token is last)


def _split(md: MarkdownIt, token: Token, *, is_open: bool) -> Iterator[Token]:
    end = 0
    while match := _URL.search(token.content, end):
        stop = _address_end(token.content, match.end())
        if is_open and stop == len(token.content):
            break  # the rest of the address may still arrive
        url = _trimmed(token.content[match.start() : stop])
        if len(url) <= len(match[0]):
            yield _text(token, token.content[end : match.end()])
            end = match.end()
            continue
        yield _text(token, token.content[end : match.start()])
        yield Token("link_open", "a", 1, attrs={"href": md.normalizeLink(url)}, info=BARE)
        yield _text(token, url)
        yield Token("link_close", "a", -1)
        end = match.start() + len(url)
    yield _text(token, token.content[end:])


def _address_end(text: str, start: int) -> int:
    """Return the end of the address that goes on at *start*: beyond ASCII it has letters, digits and accents only."""
    end = start
    while end < len(text):
        if match := _ADDRESS.match(text, end):
            end = match.end()
        elif category(text[end])[0] == "M":
            end += 1
        else:
            break
    return end


def _trimmed(url: str) -> str:
    """Return *url* without trailing characters that more likely belong to the sentence."""
    surplus = {mark: url.count(mark) - url.count(opener) for mark, opener in (")(", "][")}
    end = len(url)
    while url[end - 1] in ".,:;!?*_~'|" or surplus.get(url[end - 1], 0) > 0:
        end -= 1
        if url[end] in surplus:
            surplus[url[end]] -= 1
    return url[:end]


def _text(token: Token, content: str) -> Token:
    return Token("text", "", 0, content=content, level=token.level)


def _render_footnote_open(
    _self: object, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    meta = tokens[index].meta
    mark = "" if "inline" in meta else f"<sup>[{escape(meta['label'])}]</sup>"
    return f'<div class="footnote">{mark}\n'


def _render_footnote_close(*_: object) -> str:
    return "</div>\n"


def _render_footnote_ref(
    _self: object, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    return f'<sup class="footnote-ref">[{escape(tokens[index].content)}]</sup>'


def _render_image(
    _self: object, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    source = str(token.attrs.get("src", ""))
    name = escape(" ".join(_plain(token.children or [])).strip())
    if is_raster(source):
        return f'<img src="{escape(source)}" alt="{name}">'
    label = f"🖼 {name or escape(source[:80])}"
    label = isolate(label) if env["math"] == "tex" else label
    if token.meta.get("linked") or not is_link(source):
        return f"<span>{label}</span>"
    return f'<a href="{escape(source)}">{label}</a>'


def _plain(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.content:
            yield token.content
        elif token.children:
            yield from _plain(token.children)
