"""Divide a transcript into the turns of its conversation.

A turn begins at each message of the user in a top-level run, and at a top-level run that has an input and no message
of the user but those that steer it. A run with neither goes on with the turn before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..parts import Turn, _is_said

if TYPE_CHECKING:
    from ..parts import Part
    from .wording import Document

__all__ = ["turns_of"]


def turns_of(document: Document) -> Iterator[Turn]:
    """Yield the turns, in order; parts before the first one are a turn without an input."""
    by_run: dict[str, list[Part]] = {}
    for part in document.parts:
        by_run.setdefault(part.run_id, []).append(part)
    inputs = {
        run.run_id: run.input
        for run in document.runs
        if run.parent_run_id is None and run.parent_tool_call_id is None
    }
    now: Any = None
    parts: list[Part] = []
    runs: dict[str, None] = {}
    for run_id in [*inputs, *(each for each in by_run if each not in inputs)]:
        found = by_run.get(run_id, [])
        begins = {at: [words] for at, words in _begins(found).items()}
        if inputs.get(run_id) is not None and not any(_is_said(part) for part in found):
            begins.setdefault(0, []).insert(0, inputs[run_id])
        for at in range(len(found) + 1):  # a run without parts may have an input
            for words in begins.get(at, ()):
                if now is not None or parts:
                    yield Turn(input=now, run_ids=tuple(runs), parts=tuple(parts))
                now, parts, runs = words, [], {}
            runs[run_id] = None
            parts += found[at : at + 1]
    if now is not None or parts:
        yield Turn(input=now, run_ids=tuple(runs), parts=tuple(parts))


def _begins(parts: list[Part]) -> dict[int, Any]:
    """Return the text of each of the user's messages by the index of its first part."""
    firsts: dict[str | None, int] = {}
    texts: dict[int, str] = {}
    for at, part in enumerate(parts):
        if part.role == "user":
            first = firsts.setdefault(part.message_id, at)
            texts[first] = texts.get(first, "") + (part.text if part.kind == "text" else "")
    return texts
