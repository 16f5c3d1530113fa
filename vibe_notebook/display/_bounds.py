"""Keep the last whole state of a view within a size: the oldest and the newest parts stay, with a note between them.

Below ``_view.py``. No message follows the last one, so that parts may be missing there. ``_forms/bounds`` does the same
for the saved forms.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

__all__ = ["bounded_parts"]

State = dict[str, Any]
"""A part of a snapshot, as docs/wire.md describes it."""
_REST: Final = "The `transcript` of the view has all of it (of the last watch: `vibe.last().transcript`), and so has a recording."
_OVERHEAD: Final = 400
"""Bytes of a part beside its texts, and of a note."""
_PROPERTY: Final = 10_000
"""Bytes of a message or an error of a part that is shortened."""


def bounded_parts(parts: Sequence[State], limit: int, numbers: Iterator[int] | None = None) -> list[State]:
    """Return the parts, or as much of their beginning and end as fits into *limit* bytes.

    *numbers* are the keys of the notes: no part of a view has a negative one.
    """
    numbers = itertools.count(-1, -1) if numbers is None else numbers
    sizes = [_size(part) for part in parts]
    if sum(sizes) <= limit:
        return list(parts)
    room = max(0, limit - _OVERHEAD)
    first, head = _fitting(sizes, room // 2)
    last, tail = _fitting(sizes[first:][::-1], room - room // 2)
    middle = parts[first : len(parts) - last]
    if len(middle) == 1:
        before, after = _shortened(middle[0], head + tail, numbers), []
    else:
        before, after = _shortened(middle[0], head, numbers), _shortened(middle[-1], tail, numbers)
    left_out = len(middle) - len(before) - len(after)
    note = [_note(left_out, next(numbers))] if left_out else []
    return [*parts[:first], *before, *note, *after, *parts[len(parts) - last :]]


def _size(value: Any) -> int:
    """Return the bytes of a value in a list."""
    return 2 + len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _fitting(sizes: Sequence[int], room: int) -> tuple[int, int]:
    """Return how many items fit into *room* from the beginning, and the rest of the room."""
    for count, size in enumerate(sizes):
        if size > room:
            return count, room
        room -= size
    return len(sizes), room


def _shortened(part: State, room: int, numbers: Iterator[int]) -> list[State]:
    """Return the part with the beginning of its texts and the ends of its children; nothing if it does not fit."""
    bare = {**part, "fields": {}, "blocks": [], "open": "", "tail": "", "parts": []}
    if _size(part["props"].get("src")) > room:
        return []  # half an image is none
    bare["props"] = {
        name: _cut(value, _PROPERTY) if isinstance(value, str) and name != "src" else value
        for name, value in part["props"].items()
    }
    room -= _size(bare) + _OVERHEAD
    if room < _OVERHEAD:
        return []
    texts = len(part["fields"]) + bool(part["blocks"] or part["open"] or part["tail"]) + bool(part["parts"])
    share = room // max(1, texts)
    bare["fields"] = {name: _cut(text, share) for name, text in part["fields"].items()}
    if part["parts"]:
        bare["parts"] = bounded_parts(part["parts"], share, numbers)
    if part["blocks"] or part["open"] or part["tail"]:
        bare["blocks"] = [*_closed(part["blocks"], share), _html("The rest of this text")]
    return [bare]


def _cut(text: str, room: int) -> str:
    if _size(text) <= room:
        return text
    end = room // 4  # a character is four bytes at most, and a control character six
    return f"{text[:end]}\n⋯ {len(text) - end:,} characters are left out. {_REST}"


def _closed(blocks: Sequence[Any], room: int) -> list[Any]:
    """Return the first items that fit, up to where no container is open."""
    kept, depth = 0, 0
    for index, block in enumerate(blocks):
        room -= _size(block)
        if room < 0:
            break
        html = block if isinstance(block, str) else block[0]
        depth += -1 if html == "\0" else html.startswith("\0")
        if not depth:
            kept = index + 1
    return list(blocks[:kept])


def _html(words: str) -> str:
    return f"<p>⋯ {words} is left out of this view. {escape(_REST)}</p>"


def _note(count: int, key: int) -> State:
    """Return a part that stands for others."""
    words = "1 part" if count == 1 else f"{count:,} parts"
    return {
        "key": key,
        "kind": "text",
        "props": {},
        "fields": {},
        "blocks": [_html(words).replace(" is ", " is " if count == 1 else " are ")],
        "open": "",
        "tail": "",
        "parts": [],
    }
