"""Pass the text of open code fences and very long blocks on as plain text.

``stream.py`` uses both classes; ``_forms/markdown.py`` closes fences with ``OpenFence``. Each reads every character
once, and recognises the block's end by complete lines. So an update costs as much as the new text, not as much
as the block.
"""

from __future__ import annotations

import re

__all__ = ["OPEN_LIMIT", "LongBlock", "OpenFence", "ends_blank", "with_tail"]

OPEN_LIMIT = 16 * 1024
"""Characters of source beyond which an open block grows as plain text; an 80 KB list took 350 ms a render."""

_OPENER = re.compile(r"( {0,3})(`{3,}|~{3,})(.*)")
_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?:\s|$)")
_CLOSING_TAGS = re.compile(
    r"(?:</code></pre>\s*|</(?:p|li|ul|ol|blockquote|details|div|table|thead|tbody|tr|td|th|h[1-6])>\s*)*\Z"
)
_TAIL = '<span class="vibe-tail"></span>'
_LIST_LIKE = frozenset({"bullet_list_open", "ordered_list_open"})


def with_tail(html: str) -> str:
    """Return *html* with an element for later text at the end of its last paragraph, item or cell."""
    start = max(0, len(html) - 4096)
    match = _CLOSING_TAGS.search(html, start)
    end = match.start() if match else len(html)
    return html[:end] + _TAIL + html[end:]


class OpenFence:
    """Read an open top-level code fence. *opener* is its opening line, complete with its newline.

    Raises:
        ValueError: *opener* opens no fence.
    """

    def __init__(self, opener: str) -> None:
        match = _OPENER.match(opener)
        if match is None:
            message = f"this line opens no code fence: {opener!r}"
            raise ValueError(message)
        indent, self.marks, self.info = match.groups()
        mark = re.escape(self.marks[0])
        self._closer = re.compile(rf"^ {{0,3}}{mark}{{{len(self.marks)},}}[ \t]*\n", re.MULTILINE)
        self._may_close = re.compile(rf" {{0,3}}{mark}*[ \t]*\Z")
        self._indent = re.compile(rf"^ {{1,{len(indent)}}}", re.MULTILINE) if indent else None
        self._held = ""
        self._is_mid_line = False

    def feed(self, text: str, *, is_last: bool = False) -> tuple[str, str | None]:
        """Read *text*; return the code to show, and the text after the fence if the fence closed (else ``None``).

        A last line that could still become the closing line is held back.
        """
        if is_last:
            return self._end(text)
        text = self._held + text
        start = text.find("\n") + 1 if self._is_mid_line else 0
        if self._is_mid_line and start == 0:
            return text, None
        match = self._closer.search(text, start)
        if match:
            self._held = ""
            return self._code(text[: match.start()], start), text[match.end() :]
        line = max(start, text.rfind("\n") + 1)
        self._held = text[line:] if self._may_close.match(text, line) else ""
        self._is_mid_line = not self._held and line < len(text)
        return self._code(text[: len(text) - len(self._held)], start), None

    def _end(self, text: str) -> tuple[str, str]:
        """Read the last *text*: the last line needs no line end to close the fence."""
        shown, rest = self.feed(text)
        if rest is not None:
            return shown, rest
        held, self._held = self._held, ""
        last, rest = self.feed(f"{held}\n") if held else ("", None)
        return shown + (last if rest is not None else last[:-1]), ""

    def _code(self, lines: str, start: int) -> str:
        """Return the code of *lines*; up to *start* they continue a line that was already read."""
        return lines[:start] + self._indent.sub("", lines[start:]) if self._indent else lines


class LongBlock:
    """Read an open block of *kind* (the name of its first token) that was rendered so far, as *source*.

    Only a certain end counts: after a blank line, a line at the margin that cannot continue the block.
    """

    def __init__(self, kind: str, source: str, *, check_from: int = 0) -> None:
        self._is_list = kind in _LIST_LIKE
        self._is_quote = kind == "blockquote_open"
        self._check_from = check_from
        self._source_parts = [source]
        self._length = len(source)
        # Rendering dropped the white space at the end: without it the next text would join the last word.
        self._held_space = source[len(source.rstrip()) :]
        self._head = source[source.rfind("\n") + 1 :][:64]
        self._is_after_blank = ends_blank(source[: source.rfind("\n") + 1])

    @property
    def source(self) -> str:
        """Return the block's whole source so far."""
        return "".join(self._source_parts)

    def feed(self, text: str) -> tuple[str, bool]:
        """Read *text*; return the text to show, and whether the block ended."""
        self._source_parts.append(text)
        self._length += len(text)
        shown, self._held_space = self._held_space + text, ""
        is_finished = False
        *lines, rest = text.split("\n")
        for line in lines:
            head = self._head + line[:64]
            is_finished = is_finished or (self._is_after_blank and self._ends(head))
            self._is_after_blank = not head.strip()
            self._head = ""
        self._head = (self._head + rest[:64])[:64]
        return shown, is_finished and self._length >= self._check_from

    def _ends(self, line: str) -> bool:
        """Return whether *line*, after a blank line, cannot belong to the block."""
        text = line.strip()
        if not text or line[:2].isspace() or line[0] == "\t":
            return False
        return not ((self._is_list and _ITEM.match(text)) or (self._is_quote and text[0] == ">"))


def ends_blank(complete: str) -> bool:
    """Return whether the last of the *complete* lines is blank."""
    return bool(complete) and not complete[:-1].rpartition("\n")[2].strip()
