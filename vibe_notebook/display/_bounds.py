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

from .._forms.wording import size
from ._blobs import PROPERTIES, Blobs, numbers_in

__all__ = ["bounded_parts"]

State = dict[str, Any]
"""A part of a snapshot, as docs/wire.md describes it."""
_REST: Final = "The `transcript` of the view has all of it (of the last watch: `vibe.last().transcript`), and so has a recording."
_OVERHEAD: Final = 400
"""Bytes of a part beside its texts, and of a note."""
_PROPERTY: Final = 10_000
"""Bytes of a message or an error of a part that is shortened."""


def bounded_parts(
    parts: Sequence[State], limit: int, blobs: Blobs | None = None, numbers: Iterator[int] | None = None
) -> list[State]:
    """Return the parts, or as much of their beginning and end as fits into *limit* bytes with the *blobs* they name.

    *numbers* are the keys of the notes: no part of a view has a negative one.
    """
    blobs = Blobs() if blobs is None else blobs
    numbers = itertools.count(-1, -1) if numbers is None else numbers
    if sum(map(_size, parts)) + sum(_size(text) for _, text in blobs.of(parts)) <= limit:
        return list(parts)
    sizes = [_size(part) + _blob_bytes(part, blobs) for part in parts]
    room = max(0, limit - _OVERHEAD)
    first, head = _fitting(sizes, room // 2)
    last, tail = _fitting(sizes[first:][::-1], room - room // 2)
    middle = parts[first : len(parts) - last]
    if len(middle) <= 1:
        before, after = [cut for part in middle for cut in _shortened(part, head + tail, blobs, numbers)], []
    else:
        before, after = (
            _shortened(middle[0], head, blobs, numbers),
            _shortened(middle[-1], tail, blobs, numbers),
        )
    left_out = len(middle) - len(before) - len(after)
    note = [_note(left_out, next(numbers))] if left_out else []
    return [*parts[:first], *before, *note, *after, *parts[len(parts) - last :]]


def _size(value: Any) -> int:
    """Return the bytes of a value in a list."""
    return 2 + len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _blob_bytes(part: State, blobs: Blobs) -> int:
    """Return the bytes of the blobs of a part and of the parts below it: those of several are counted for each."""
    own = sum(blobs.bytes_of(number) for number in numbers_in(part["props"]))
    return own + sum(_blob_bytes(child, blobs) for child in part["parts"])


def _fitting(sizes: Sequence[int], room: int) -> tuple[int, int]:
    """Return how many items fit into *room* from the beginning, and the rest of the room."""
    for count, needed in enumerate(sizes):
        if needed > room:
            return count, room
        room -= needed
    return len(sizes), room


def _shortened(part: State, room: int, blobs: Blobs, numbers: Iterator[int]) -> list[State]:
    """Return the part with the beginning of its texts and the ends of its children; nothing if it does not fit."""
    bare = {**part, "fields": {}, "blocks": [], "open": "", "tail": "", "parts": []}
    bare["props"] = {
        name: _cut(value, _PROPERTY) if isinstance(value, str) else value
        for name, value in part["props"].items()
    }
    fields = dict(part["fields"])
    for name in PROPERTIES:
        if number := bare["props"].get(name):
            if (heavy := blobs.bytes_of(number)) <= room - _OVERHEAD:
                room -= heavy
            elif part["kind"] != "tool":
                return []  # half an image is none
            else:
                bare["props"][name] = None
                field = name.removeprefix("rich_")
                fields[field] = f"⋯ A display of {size(heavy)} is left out of this view. {_REST}"
    room -= _size(bare) + _OVERHEAD
    if room < _OVERHEAD:
        return []
    texts = len(fields) + bool(part["blocks"] or part["open"] or part["tail"]) + bool(part["parts"])
    share = room // max(1, texts)
    bare["fields"] = {name: _cut(text, share) for name, text in fields.items()}
    if part["parts"]:
        bare["parts"] = bounded_parts(part["parts"], share, blobs, numbers)
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
