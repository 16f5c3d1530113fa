"""Long lists of items of one line each: read line by line, where the text is whole.

markdown-it tries fifteen rules at every item, which took most of the time. What is being written still goes
its own way, item by item (``_groups.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ._tables import push_simple, render_simple, simple_html

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock

__all__ = ["lists_plugin"]

LONG_FROM = 8
"""Items from which on a list is read so."""

# What an item begins with says that it is a paragraph: words, or words that are marked.
_ITEM = re.compile(
    r"(?:(?P<bullet>[-*+])|(?P<number>\d{1,9})(?P<mark>[.)])) "
    r"(?P<text>(?!\d{1,9}[.)](?:\s|\Z))(?:\*{0,2}[^\W_]|`[^`]).*)"
)


def lists_plugin(md: MarkdownIt) -> None:
    """Let *md* take the short way through long lists of a whole text (``env["is_whole"]``)."""
    md.block.ruler.before("list", "long_list", _list)
    md.add_render_rule("list_items", render_simple)


def _list(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's
    if silent or state.level or state.sCount[start] or not state.env.get("is_whole"):
        return False
    first = _ITEM.match(_line(state, start))
    if first is None:
        return False
    texts = _texts(state, start, end, first)
    last = start + len(texts)
    if len(texts) < LONG_FROM or not _is_over(state, last, end):
        return False
    kind, tag = ("bullet_list", "ul") if first["bullet"] else ("ordered_list", "ol")
    opening = state.push(f"{kind}_open", tag, 1)
    opening.map = [start, last]
    if first["number"] and int(first["number"]) != 1:
        opening.attrs = {"start": int(first["number"])}
    _push(state, start, texts)
    state.push(f"{kind}_close", tag, -1)
    state.line = last
    return True


def _texts(state: StateBlock, start: int, end: int, first: re.Match[str]) -> list[str]:
    """What the items from *start* on say, up to the first line that is none."""
    texts: list[str] = []
    for number in range(start, end):
        item = _ITEM.match(_line(state, number))
        if item is None or not _is_alike(item, first):
            break
        texts.append(item["text"].strip())
    return texts


def _is_alike(item: re.Match[str], first: re.Match[str]) -> bool:
    return item["bullet"] == first["bullet"] and item["mark"] == first["mark"]


def _is_over(state: StateBlock, line: int, end: int) -> bool:
    """Tell whether the list ends before *line*, for sure."""
    if line >= end:
        return True
    if not state.isEmpty(line):
        return False
    line = state.skipEmptyLines(line)
    if line >= end:
        return True
    return _line(state, line)[:1].isalpha()


def _push(state: StateBlock, start: int, texts: Sequence[str]) -> None:
    simple: list[str] = []
    for number, text in enumerate(texts, start):
        html = simple_html(text)
        if html is not None:
            simple.append(f"<li>{html}</li>\n")
            continue
        push_simple(state, "list_items", simple)
        state.push("list_item_open", "li", 1)
        paragraph = state.push("paragraph_open", "p", 1)
        inline = state.push("inline", "", 0)
        inline.content, inline.map, inline.children = text, [number, number + 1], []
        state.push("paragraph_close", "p", -1).hidden = paragraph.hidden = True
        state.push("list_item_close", "li", -1)
    push_simple(state, "list_items", simple)


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] : state.eMarks[number]]
