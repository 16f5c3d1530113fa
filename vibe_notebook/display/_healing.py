"""Hold back, at the end of text that is still being written, the line that does not say yet what it is.

Pure, and of the last line only: half a list marker, heading, quote, fence, rule, underline or table
delimiter. Marks within a line are the parser's business: ``_open_leaf.py``, ``_open_marks.py``.
"""

from __future__ import annotations

import re

__all__ = ["hold", "is_delimiter"]

_CONTAINERS = re.compile(r"(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))*[ \t]*")
_UNDECIDED = re.compile(
    r"[-=*_|:~`#>+ \t]*"  # marks alone: a rule, an underline, a bullet, a fence
    r"|\d{1,9}[.)]?"  # half a number of a list
    r"|\[[!^]?[ \w.-]{0,40}\]?:?[ \t]*"  # half a task's box, an alert's kind, the label of a definition
    r"|`{3,}[^`]*|~{3,}.*"  # a fence's first line shows nothing before its language is whole
)
_UNSAID = re.compile(
    r"[-=*_|:~`#>+ \t]*|\[[ xX]?\]?[ \t]*|\[[!^][\w.-]{0,40}\]?:?[ \t]*|`{3,}[^`]*|~{3,}.*"
)  # the same, less what has words: where the text pauses they are shown
_DELIMITER = re.compile(r"(?!-[ \t])[|:-][-:| \t]*")


def hold(source: str, *, is_paused: bool = False) -> str:
    """Return *source* without its last line, if that is not complete and may still become anything."""
    start = source.rfind("\n") + 1
    containers = _CONTAINERS.match(source, start)
    undecided = _UNSAID if is_paused else _UNDECIDED
    if containers is None or undecided.fullmatch(source, containers.end()) is None:
        return source
    line, before = source[start:], source[source.rfind("\n", 0, max(0, start - 1)) + 1 : start]
    if "|" in before and "-" in line and is_delimiter(line.lstrip(" \t>")):
        return source  # what is above it is a table's header, and shown as one
    return source[:start]


def is_delimiter(line: str) -> bool:
    """Tell whether *line* is, or may become, the row under a table's header."""
    return _DELIMITER.fullmatch(line) is not None
