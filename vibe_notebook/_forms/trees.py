"""Fold JSON text as a tree with counts, as HTML without scripts.

Each number, key and escape stays as its writer has written it: ``json_text.py`` finds the tokens. Without styles, and
with all folds open, the tree reads as indented JSON.
"""

from __future__ import annotations

from html import escape
from typing import Final

from .._symbols import show_hidden
from .json_text import tokens

__all__ = ["NODES", "tree_html"]

NODES: Final = 2_000
"""Lines of a tree; the others are counted."""
CHARACTERS: Final = 100_000
"""Characters of a tree's text."""
FOLDS: Final = 200
"""Folds of a tree: the time of a browser to style them grows with the square of their number."""
DEPTH: Final = 20
"""Levels of folds; a deeper value stands on one line."""
_LINE: Final = 70
"""Characters of a value that stands on one line."""
_LONG: Final = 2_000
"""Characters of a deep value on one line."""
_OPEN_DEPTH: Final = 2
_OPEN_ITEMS: Final = 12
"""Folds up to this depth with so few items are open."""
_MUTED: Final = "opacity:.65"
_FOLD: Final = '<details{opened}><summary style="display:list-item;cursor:pointer">{title}</summary>'


class _Node:
    """Hold an object or an array: its items as (key, value), and the length of its text."""

    __slots__ = ("is_object", "items", "size")

    def __init__(self, *, is_object: bool) -> None:
        self.is_object = is_object
        self.items: list[tuple[str, _Node | str]] = []
        self.size = 2

    @property
    def count(self) -> str:
        """Return the count of items in words."""
        count = len(self.items)
        word = "key" if self.is_object else "item"
        return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def tree_html(text: str) -> str | None:
    """Return the object or array *text* as a tree; ``None`` if the text is no such JSON."""
    root = _read(text)
    return None if root is None else "".join(_Tree().write(root))


def _read(text: str) -> _Node | None:
    found = tokens(text)
    if found is None:
        return None
    root: _Node | None = None
    stack: list[_Node] = []
    key, is_key = "", False
    for piece in found:
        if piece in ("}", "]"):
            node = stack.pop()
            if stack:
                stack[-1].size += node.size
            is_key = False
        elif piece == ":":
            is_key = False
        elif piece == ",":
            key, is_key = "", stack[-1].is_object
        elif is_key:
            key = piece
        else:
            value: _Node | str = piece
            if piece in ("{", "["):
                value = _Node(is_object=piece == "{")
                root = value if root is None else root
            if stack:
                stack[-1].items.append((key, value))
                stack[-1].size += len(key) + 4 + (len(piece) if isinstance(value, str) else 0)
            if isinstance(value, _Node):
                stack.append(value)
                key, is_key = "", value.is_object
    return root


class _Tree:
    """Write a tree, within its bounds."""

    def __init__(self) -> None:
        self._nodes, self._characters, self._folds = NODES, CHARACTERS, FOLDS

    def write(self, root: _Node) -> list[str]:
        out = [self._fold("", root, 0)]
        stack: list[tuple[_Node, int, bool]] = [(root, 0, True)]
        while stack:
            node, at, is_last = stack.pop()
            depth = len(stack) + 1
            indent = "  " * depth
            is_folded = False
            while at < len(node.items):
                if self._nodes <= 0 or self._characters <= 0:
                    rest = len(node.items) - at
                    out.append(f'{indent}<span style="{_MUTED}">… {rest:,} more</span>\n')
                    break
                key, value = node.items[at]
                at += 1
                ends = at == len(node.items)
                if isinstance(value, _Node) and value.size > _LINE and depth < DEPTH and self._folds > 0:
                    out.append(self._fold(f"{indent}{self._key(key)}", value, depth))
                    stack += [(node, at, is_last), (value, 0, ends)]
                    is_folded = True
                    break
                line = value if isinstance(value, str) else _on_one_line(value)
                out.append(f"{indent}{self._key(key)}{self._text(line)}{'' if ends else ','}\n")
            if not is_folded:
                end = "}" if node.is_object else "]"
                out.append(f"{'  ' * (depth - 1)}{end}{'' if is_last else ','}</details>")
        return out

    def _fold(self, key: str, node: _Node, depth: int) -> str:
        self._folds -= 1
        self._nodes -= 1
        is_open = not depth or (depth <= _OPEN_DEPTH and len(node.items) <= _OPEN_ITEMS)
        begin = "{" if node.is_object else "["
        title = f'{key}{begin} <span style="{_MUTED}">{node.count}</span>'
        return _FOLD.format(opened=" open" if is_open else "", title=title)

    def _key(self, key: str) -> str:
        return f"{self._text(key)}: " if key else ""

    def _text(self, text: str) -> str:
        room = max(_LINE, self._characters)
        self._nodes -= 1
        self._characters -= len(text)
        shown = escape(show_hidden(text[:room]), quote=False)
        omitted = len(text) - room
        return (
            shown if omitted <= 0 else f'{shown}<span style="{_MUTED}">… {omitted:,} more characters</span>'
        )


def _on_one_line(node: _Node) -> str:
    """Return a value as JSON on one line, not much more than ``_LONG`` characters of it."""
    out: list[str] = []
    size = 0
    stack: list[tuple[_Node, int]] = [(node, 0)]
    out.append("{" if node.is_object else "[")
    while stack:
        one, at = stack.pop()
        if size > _LONG:
            out.append("…")
            break
        if at == len(one.items):
            out.append("}" if one.is_object else "]")
            continue
        key, value = one.items[at]
        text = f"{', ' if at else ''}{f'{key}: ' if key else ''}"
        stack.append((one, at + 1))
        if isinstance(value, _Node):
            text += "{" if value.is_object else "["
            stack.append((value, 0))
        else:
            text += value
        out.append(text)
        size += len(text)
    return "".join(out)
