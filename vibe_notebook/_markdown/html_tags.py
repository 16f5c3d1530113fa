"""Parse the few HTML tags that agents use in Markdown: small inline marks, ``<details>`` and comments.

Rules for the parsers of ``renderer.py`` and of the Markdown form. No tag of the agent reaches the page: a rule reads
the name, drops all attributes but ``open``, and makes elements of its own. Each element ends where its text or its
container ends, so that an unclosed tag takes nothing else in. Comments are shown nowhere; an unclosed one is text.
"""

from __future__ import annotations

import re
from collections import ChainMap
from typing import TYPE_CHECKING

from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline

__all__ = ["COMMENT_LIMIT", "IMPLIED", "INLINE_TAGS", "html_tags_plugin"]

INLINE_TAGS = frozenset(("kbd", "mark", "sub", "sup"))
"""Tags that are shown within a line, beside ``<br>``."""
COMMENT_LIMIT = 4_000
"""Characters of a comment at most: beyond them its beginning is text."""
NESTING_LIMIT = 8
"""Depth of ``<details>`` at most: each level reads its lines once more."""
IMPLIED = "implied"
"""Info of a closing tag that the agent has not written."""

_TAG = re.compile(
    r"<(/?)(kbd|mark|sub|sup|details|summary)(?:\s[^<>`]{0,200})?/?>|<!--(?!>|->)", re.IGNORECASE
)
_DETAILS = re.compile(r"<details(\s[^<>`]{0,200})?>", re.IGNORECASE)
_OPEN = re.compile(r"\sopen\b", re.IGNORECASE)
_DETAILS_MARK = re.compile(r"<(/?)details(?:\s[^<>`]{0,200})?>", re.IGNORECASE)
_SUMMARY = re.compile(
    r"(\s*)<summary(?:\s[^<>`]{0,200})?>((?:(?!\n[ \t]*\n)[^<]|<(?!/summary>)){0,2000}?)(?:</summary>|(?=\n)|\Z)",
    re.IGNORECASE,
)
_WHOLE_SUMMARY = re.compile(
    r"(\s*)<summary(?:\s[^<>`]{0,200})?>((?:(?!\n[ \t]*\n)[^<]|<(?!/summary>)){0,2000}?)</summary>",
    re.IGNORECASE,
)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def html_tags_plugin(md: MarkdownIt) -> None:
    """Add the rules of these tags to *md*."""
    md.block.ruler.before(
        "fence", "details", _details, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    md.block.ruler.before("fence", "comment", _comment)
    md.inline.ruler.before("autolink", "html_tags", _inline)
    md.core.ruler.after("inline", "balance_tags", _balance)
    md.add_render_rule("html_tag", _render_tag)
    for name in ("comment", "open_comment", "details_group_open", "details_group_close"):
        md.add_render_rule(name, _render_nothing)


# Within a line


def _inline(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's signature
    if state.src[state.pos] != "<":
        return False
    match = _TAG.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    end = match.end()
    if not match[2]:
        end = state.src.find("-->", end, min(state.posMax, end + COMMENT_LIMIT)) + 3
        if end < state.pos + 3:
            return False
    elif not silent:
        token = state.push("html_tag", match[2].lower(), 0)
        token.info = "close" if match[1] else "open"
    state.pos = end
    return True


def _balance(state: StateCore) -> None:
    """Close each inline tag where its text or the emphasis around it ends, and drop all tags without a partner."""
    for block in state.tokens:
        if block.type == "inline" and block.children and any(t.type == "html_tag" for t in block.children):
            block.children = list(_balanced(block.children))


def _balanced(tokens: Sequence[Token]) -> Iterator[Token]:
    opened: list[str] = []
    """Tags that are open, and "" for each open element of Markdown."""
    counts = dict.fromkeys(INLINE_TAGS, 0)
    """Open tags of each name within the innermost open element of Markdown."""
    outer: list[dict[str, int]] = []
    for token in tokens:
        if token.type != "html_tag":
            if token.nesting > 0:
                opened.append("")
                outer.append(counts)
                counts = dict.fromkeys(INLINE_TAGS, 0)
            elif token.nesting < 0 and outer:
                while tag := opened.pop():
                    yield _closing(tag)
                counts = outer.pop()
            yield token
        elif token.tag not in counts:
            continue
        elif token.info == "open":
            opened.append(token.tag)
            counts[token.tag] += 1
            yield token
        elif counts[token.tag]:
            while (tag := opened.pop()) != token.tag:
                counts[tag] -= 1
                yield _closing(tag)
            counts[token.tag] -= 1
            yield token
    yield from map(_closing, filter(None, reversed(opened)))


def _closing(tag: str) -> Token:
    return Token("html_tag", tag, 0, info=IMPLIED)


def _render_tag(_self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    token = tokens[index]
    if token.tag not in INLINE_TAGS:
        return ""
    return f"<{token.tag}>" if token.info == "open" else f"</{token.tag}>"


def _render_nothing(*_: object) -> str:
    return ""


# Blocks


def _comment(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """Read a comment of whole lines. In a text that still grows, an unclosed one may take all lines."""
    place = state.bMarks[start] + state.tShift[start]
    if not state.src.startswith("<!--", place) or state.is_code_block(start):
        return False
    stop = state.src.find("-->", place + 4, place + COMMENT_LIMIT)
    line = start
    if stop < 0:
        is_open = state.env.get("is_open") or state.env.get("is_partial")
        if not is_open or state.level or len(state.src) - place >= COMMENT_LIMIT:
            return False
        line = end - 1
    while stop >= 0 and line < end and state.eMarks[line] < stop:
        line += 1
        if line < end and state.sCount[line] < state.blkIndent and not state.isEmpty(line):
            return False
    if line >= end or state.src[stop + 3 : state.eMarks[line]].strip():
        return False
    if not silent:
        token = state.push("comment" if stop >= 0 else "open_comment", "", 0)
        token.map = [start, line + 1]
        state.line = line + 1
    return True


def _details(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    place = state.bMarks[start] + state.tShift[start]
    opening = _DETAILS.match(state.src, place, state.eMarks[start])
    depth = state.env.get("details", 0)
    if opening is None or state.is_code_block(start) or depth >= NESTING_LIMIT:
        return False
    if silent:
        return True
    line, closing = _end_of_details(state, start, end)
    source = state.getLines(start, line, state.blkIndent, keepLastLF=False)
    source = source[source.index("<") + len(opening[0]) :]
    rest = ""
    if closing:
        before, line_end, last = source.rpartition("\n")
        at = [match.start() for match in _DETAILS_MARK.finditer(last) if match[1]][closing - 1]
        rest = last[at:].partition(">")[2].strip()
        source = before + line_end + last[:at]
    state.line = line
    group = state.push("details_group_open", "", 1)
    group.map = [start, line]
    token = state.push("details_open", "details", 1)
    token.map = [start, line]
    token.attrs["style"] = "margin:0 0 1em"  # as a paragraph has
    if opening[1] and _OPEN.search(opening[1]):
        token.attrs["open"] = ""
    source = _push_summary(state, source, [start, line])
    _push_blocks(state, source, start, depth)
    state.push("details_close", "details", -1)
    if rest:
        state.push("paragraph_open", "p", 1).map = [start, line]
        inline = state.push("inline", "", 0)
        inline.content, inline.map, inline.children = rest, [start, line], []
        state.push("paragraph_close", "p", -1)
    state.push("details_group_close", "", -1)
    return True


def _end_of_details(state: StateBlock, start: int, end: int) -> tuple[int, int]:
    """Return the first line after the details, and which closing tag of the last line ends them (0: none)."""
    depth, fence = 0, ""
    for line in range(start, end):
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
        if line > start and state.sCount[line] < state.blkIndent and text:
            return line, 0
        mark = _FENCE.match(text)
        if fence:
            if mark and mark[1].startswith(fence) and not text.strip().strip(fence[0]):
                fence = ""
            continue
        if mark and line > start:
            fence = mark[1]
            continue
        closed = 0
        for tag in _DETAILS_MARK.finditer(text):
            depth += -1 if tag[1] else 1
            closed += bool(tag[1])
            if not depth:
                return line + 1, closed
    return end, 0


def _push_summary(state: StateBlock, source: str, lines: list[int]) -> str:
    """Push the summary at the beginning of *source*; return the rest, with as many lines."""
    match = _WHOLE_SUMMARY.match(source) or _SUMMARY.match(source)
    if match is None:
        return source
    state.push("summary_open", "summary", 1)
    inline = state.push("inline", "", 0)
    inline.content, inline.map, inline.children = " ".join(match[2].split()), lines, []
    state.push("summary_close", "summary", -1)
    return "\n" * match[0].count("\n") + source[match.end() :]


def _push_blocks(state: StateBlock, source: str, start: int, depth: int) -> None:
    """Parse *source* into blocks within the open element; its first line is the line *start*."""
    env, outer = state.env, state.env.setdefault("references", {})
    inner: list[Token] = []
    env["references"], env["details"] = ChainMap({}, outer), depth + 1
    try:
        child = StateBlock(source, state.md, env, inner)
        child.level = state.level
        state.md.block.tokenize(child, 0, child.lineMax)
        found = env["references"].maps[0]
    finally:
        env["references"], env["details"] = outer, depth
    for reference in found.values():
        reference["map"] = [number + start for number in reference["map"]]
    outer.update(found)
    for token in inner:
        token.map = token.map and [number + start for number in token.map]
    state.tokens += inner
