"""Keep the forms of a view within a size: the oldest and the newest parts stay, with a note between them.

Above the other forms. A notebook with a form of 150 MB opens in no browser, so a long transcript is shown in part.
The sizes here are estimates from the transcript's text: ``bounded_forms`` renders, measures and cuts again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._limits import FORM_BYTES, MESSAGE_SHOWN
from ..parts import Part, Run, TextPart, ThinkingPart, ToolPart
from .displays import display_size, light_display
from .excerpt import CHARACTERS
from .wording import children_of, unclaimed_runs

if TYPE_CHECKING:
    from ..events import Outcome, Usage
    from .wording import Document

__all__ = ["bounded_forms"]

OVERHEAD: Final = 400
"""Characters that a form needs for a part beside its text."""
_ITEM: Final = 8
"""Characters of a number in indented JSON, or of a cell's marks."""
GROUP: Final = 2_000
"""Characters that an agent or a run gets at least: beyond so many of them, the ones in the middle are left out."""
TRIES: Final = 8
"""Renderings of one view, at most: each uses what the one before has measured."""
_LINE: Final = 2_000
"""Characters within which a cut looks for the end of a line."""
_FENCE: Final = re.compile(r"^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,})[^\n]*$", re.MULTILINE)
_REST: Final = "The `transcript` of the view has all of it (of the last watch: `vibe.last().transcript`), and so has a recording."


@dataclass(frozen=True, slots=True)
class _Excerpt:
    """Hold the shown parts of a transcript: a ``Document``."""

    parts: Sequence[Part]
    runs: Sequence[Run]
    outcome: Outcome | None
    error: str | None
    usage: Usage | None
    cost: float | None
    cost_is_partial: bool


Shown = tuple[int, "Document"]
"""A document to render, and its index among all; -1 for a note in place of several."""


def bounded_forms(
    documents: Sequence[Document],
    render: Callable[[Sequence[Shown]], dict[str, str]],
    *,
    limit: int = FORM_BYTES,
) -> dict[str, str]:
    """Return the forms that *render* makes of *documents*, or of as much of them as fits into *limit* bytes."""
    budget = limit // 3  # each of three forms has the whole text
    shown: list[Shown] = list(enumerate(documents))
    if _size_of_documents(documents) > budget:
        shown = _excerpts(documents, budget)
    for _ in range(TRIES):
        forms = render(shown)
        size = _bytes(forms)
        if size <= limit:
            return forms
        used = _size_of_documents([document for _, document in shown])
        budget = int(min(budget, used) * 0.9 * limit / size)
        shown = _excerpts(documents, budget)
    return dict.fromkeys(forms, f"This form is too long. {_REST}")


def _bytes(forms: Mapping[str, str]) -> int:
    """Return the bytes of the forms in a notebook's file."""
    return len(json.dumps(forms, ensure_ascii=False).encode("utf-8", "replace"))


# Sizes: characters of the text that a form shows, without a copy of it.


def _size_of_documents(documents: Sequence[Document]) -> int:
    return sum(
        sum(map(_size_of_parts, _groups(document))) + _size_of_inputs(document) + OVERHEAD
        for document in documents
    )


def _size_of_inputs(document: Document) -> int:
    return sum(OVERHEAD + min(_size_of_value(run.input), MESSAGE_SHOWN) for run in document.runs if run.input)


def _groups(document: Document) -> list[Sequence[Part]]:
    return [document.parts, *(run.parts for _, run in unclaimed_runs(document))]


def _size_of_parts(parts: Sequence[Part]) -> int:
    return sum(map(_size, parts))


def _size(part: Part) -> int:
    size, remaining = 0, [part]
    while remaining:  # no recursion: the agent decides the depth
        one = remaining.pop()
        match one.kind:
            case "text" | "thinking":
                size += OVERHEAD + len(one.text)
            case "tool":
                size += OVERHEAD + display_size(one.display)
                size += sum(map(_size_of_value, (one.args_text, one.written, one.output, one.error)))
                remaining += one.children
            case "artifact":
                size += OVERHEAD + len(one.data or "") // 3  # in one of the three forms
                size += display_size(one.display)
            case "plan":
                size += OVERHEAD + sum(OVERHEAD + len(entry.text) for entry in one.entries)
            case "input":
                size += OVERHEAD + len(one.request.message or "")
            case "custom":
                size += OVERHEAD + _size_of_value(one.value)
    return size


def _size_of_value(value: Any) -> int:
    """Return the characters of a value as indented JSON or as a table, roughly and without writing it."""
    size, remaining = 0, [(value, 0)]
    while remaining and size < CHARACTERS:
        one, depth = remaining.pop()
        size += len(one) if isinstance(one, str) else _ITEM + 2 * depth
        if isinstance(one, Mapping):
            remaining += [(each, depth + 1) for pair in one.items() for each in pair]
        elif isinstance(one, list | tuple):
            remaining += [(each, depth + 1) for each in one]
    return min(size, CHARACTERS)


# Cuts


def _excerpts(documents: Sequence[Document], budget: int) -> list[Shown]:
    """Return the documents with *budget* characters of text in all, shared fairly."""
    first, last = _ends(len(documents), budget // GROUP)
    numbered = list(enumerate(documents))
    kept = [*numbered[:first], *numbered[len(numbered) - last :]]
    shares = _shares([_size_of_documents([document]) for _, document in kept], budget)
    found: list[Shown] = [
        (number, _excerpt(document, share)) for (number, document), share in zip(kept, shares, strict=True)
    ]
    if omitted := documents[first : len(documents) - last]:
        parts = sum(len(group) for document in omitted for group in _groups(document))
        note = _note(parts, _size_of_documents(omitted), agents=len(omitted))
        found.insert(first, (-1, _Excerpt((note,), (), None, None, None, None, cost_is_partial=False)))
    return found


def _excerpt(document: Document, budget: int) -> _Excerpt:
    runs = [run for _, run in unclaimed_runs(document)]
    first, last = _ends(len(runs), budget // GROUP)
    omitted = runs[first : len(runs) - last]
    runs = [*runs[:first], *runs[len(runs) - last :]]
    groups = [document.parts, *(run.parts for run in runs)]
    shares = _shares([_size_of_parts(group) for group in groups], budget)
    parts, *cut = [_cut(*pair) for pair in zip(groups, shares, strict=True)]
    if omitted:
        size = sum(_size_of_parts(run.parts) for run in omitted)
        parts = (*parts, _note(sum(len(run.parts) for run in omitted), size))
    shown = [run.model_copy(update={"parts": kept}) for run, kept in zip(runs, cut, strict=True)]
    heads = [run for run in document.runs if not run.parts]  # they have what the user said
    return _Excerpt(
        parts,
        [*heads, *shown],
        document.outcome,
        document.error,
        document.usage,
        document.cost,
        document.cost_is_partial,
    )


def _ends(count: int, room: int) -> tuple[int, int]:
    """Return how many of *count* items stay at the beginning and at the end, if only *room* of them may."""
    if count <= room:
        return count, 0
    return (max(1, room) + 1) // 2, max(1, room) // 2


def _shares(sizes: Sequence[int], budget: int) -> list[int]:
    """Share the budget: small items get their whole size, the others equal parts of the rest."""
    shares = [0] * len(sizes)
    for count, index in enumerate(sorted(range(len(sizes)), key=lambda i: sizes[i])):
        shares[index] = min(sizes[index], budget // (len(sizes) - count))
        budget -= shares[index]
    return shares


def _cut(parts: Sequence[Part], budget: int, depth: int = 0) -> tuple[Part, ...]:
    """Return the oldest and the newest parts within the budget, with a note at the place of the others."""
    sizes = [_size(part) for part in parts]
    if sum(sizes) <= budget:
        return tuple(parts)
    first, head = _fitting(sizes, budget // 2)
    last, tail = _fitting(sizes[first:][::-1], budget - budget // 2)
    middle = parts[first : len(parts) - last]
    before, after = _pieces(middle, head, tail, depth)
    whole = sum(sizes[first : len(parts) - last])
    shown = sum(map(_size, (*before, *after)))
    omitted = len(middle) - len({part.key for part in (*before, *after)})
    is_said = not omitted and all(part.kind == "tool" for part in middle)  # within these calls
    note = () if is_said else (_note(omitted, max(0, whole - shown)),)
    return (*parts[:first], *before, *note, *after, *parts[len(parts) - last :])


def _fitting(sizes: Sequence[int], room: int) -> tuple[int, int]:
    """Return how many items fit into *room* from the beginning, and the rest of the room."""
    for count, size in enumerate(sizes):
        if size > room:
            return count, room
        room -= size
    return len(sizes), room


def _pieces(middle: Sequence[Part], head: int, tail: int, depth: int) -> tuple[list[Part], list[Part]]:
    """Return the beginning of the first part that does not fit, and the end of the last."""
    first, last = middle[0], middle[-1]
    if len(middle) == 1 and first.kind == "tool":
        return _cut_call(first, head + tail, depth), []
    return (
        _cut_call(first, head, depth) if first.kind == "tool" else _beginning(first, head - OVERHEAD),
        _cut_call(last, tail, depth) if last.kind == "tool" else _end(last, tail - OVERHEAD),
    )


def _cut_call(part: ToolPart, room: int, depth: int) -> list[Part]:
    """Return a call with as many of its subagent's parts as fit; nothing if the call itself does not."""
    rest = room - _size(part.model_copy(update={"children": ()}))
    if rest < 0 and part.display:
        return (
            _cut_call(part.model_copy(update={"display": light_display(part.display)}), room, depth)
            if (display_size(light_display(part.display)) < display_size(part.display))
            else []
        )
    room = rest
    if room < 0:
        return []
    return [part.model_copy(update={"children": _cut(children_of(part, depth), room, depth + 1)})]


def _beginning(part: Part, room: int) -> list[Part]:
    if not isinstance(part, TextPart | ThinkingPart) or room <= 0:
        return []
    end = part.text.rfind("\n", max(0, room - _LINE), room)
    return [part.model_copy(update={"text": part.text[: end if end > 0 else room]})]


def _end(part: Part, room: int) -> list[Part]:
    if not isinstance(part, TextPart | ThinkingPart) or room <= 0:
        return []
    start = max(0, len(part.text) - room)
    start = part.text.find("\n", start, start + _LINE) + 1 or start
    opener = _open_fence(part.text[:start]) if part.kind == "text" else ""
    return [part.model_copy(update={"text": opener + part.text[start:]})]


def _open_fence(text: str) -> str:
    """Return the line that opened the code fence in which *text* ends, or ""."""
    opener = None
    for match in _FENCE.finditer(text):
        if opener is None:
            opener = match
        elif match[1].startswith(opener[1]) and not match[0].strip().strip(opener[1][0]):
            opener = None
    return f"{opener[0]}\n" if opener is not None else ""


def _note(parts: int, characters: int, *, agents: int = 0) -> TextPart:
    counts = [f"{agents:,} agents"] if agents else []
    counts += [f"{parts:,} {'part' if parts == 1 else 'parts'}"] if parts > 0 else []
    counts += [f"about {characters:,} characters"] if characters else []
    return TextPart(
        part_id="vibe-left-out",
        text=f"⋯ Left out of this form: {' with '.join(counts) or 'the rest'}. {_REST}",
    )
