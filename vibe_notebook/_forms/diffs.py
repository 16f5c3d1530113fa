"""Read diffs and patches, and compare the two texts of an edit: lines with their signs and numbers.

Pure and linear in the text, but for small edits, which ``difflib`` compares.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["DiffLine", "counts", "edit_lines", "is_diff", "patch_lines"]

COMPARED: Final = 200
"""Lines of either text of an edit that are compared: beyond, all of the old one is replaced by all of the new one."""
_HUNK: Final = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_DIFF: Final = re.compile(
    r"(?:\A|\n)(?:--- [^\n]*\n\+\+\+ [^\n]*\n@@ -\d|@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@)"
)
_SECTION: Final = re.compile(r"\*\*\* (Add|Update|Delete) File: ")


class DiffLine(NamedTuple):
    """Hold a line: its sign ("+", "-", " "), or "" for a line about the lines below it; and its number, if known."""

    sign: str
    text: str
    number: int | None = None


def is_diff(text: str) -> bool:
    """Return whether *text* is, or holds, a unified diff."""
    return "@@ -" in text and _DIFF.search(text) is not None


def counts(lines: Sequence[DiffLine]) -> str:
    """Return how many lines were added and removed: "+3 -1"."""
    return f"+{sum(line.sign == '+' for line in lines):,} -{sum(line.sign == '-' for line in lines):,}"


def patch_lines(text: str) -> list[DiffLine]:
    """Return the lines of a unified diff, or of a patch in the form of ``apply_patch``; nothing is left out."""
    lines = text.removesuffix("\n").split("\n")
    found = _in_sections(lines) if _SECTION.search(text) and "@@ -" not in text else _in_hunks(lines)
    return list(found)


def _in_hunks(lines: Sequence[str]) -> Iterator[DiffLine]:
    old = new = old_left = new_left = 0
    for line in lines:
        sign = line[:1] or " "
        if old_left or new_left:
            if sign == "+" and new_left:
                yield DiffLine("+", line[1:], new)
                new, new_left = new + 1, new_left - 1
                continue
            if sign == "-" and old_left:
                yield DiffLine("-", line[1:], old)
                old, old_left = old + 1, old_left - 1
                continue
            if sign == " " and old_left and new_left:
                yield DiffLine(" ", line[1:], new)
                old, new, old_left, new_left = old + 1, new + 1, old_left - 1, new_left - 1
                continue
        if match := _HUNK.match(line):
            old, new = int(match[1]), int(match[3])
            old_left, new_left = int(match[2] or 1), int(match[4] or 1)
        elif sign != "\\":
            old_left = new_left = 0
        yield DiffLine("", line)


def _in_sections(lines: Sequence[str]) -> Iterator[DiffLine]:
    number: int | None = None
    is_inside = False
    for line in lines:
        if line.startswith("*** "):
            match = _SECTION.match(line)
            is_inside, number = match is not None, 1 if match and match[1] == "Add" else None
            yield DiffLine("", line)
        elif is_inside and line[:1] in ("+", "-", " "):
            yield DiffLine(line[0], line[1:], number)
            number = None if number is None else number + 1
        else:
            yield DiffLine("", line)


def edit_lines(old: str, new: str) -> list[DiffLine]:
    """Return the lines of an edit; the numbers count from the first line of the texts."""
    before = old.split("\n") if old else []
    after = new.split("\n") if new else []
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    middle = before[start : len(before) - end], after[start : len(after) - end]
    lines = [DiffLine(" ", text, number) for number, text in enumerate(after[:start], 1)]
    if max(map(len, middle)) <= COMPARED:
        matcher = difflib.SequenceMatcher(None, *middle, autojunk=False)
        opcodes = [(tag == "equal", a, b, c, d) for tag, a, b, c, d in matcher.get_opcodes()]
    else:
        opcodes = [(False, 0, len(middle[0]), 0, len(middle[1]))]
    for is_equal, a, b, c, d in opcodes:
        if is_equal:
            lines += [DiffLine(" ", middle[1][at], start + at + 1) for at in range(c, d)]
        else:
            lines += [DiffLine("-", middle[0][at], start + at + 1) for at in range(a, b)]
            lines += [DiffLine("+", middle[1][at], start + at + 1) for at in range(c, d)]
    lines += [DiffLine(" ", after[at], at + 1) for at in range(len(after) - end, len(after))]
    return lines
