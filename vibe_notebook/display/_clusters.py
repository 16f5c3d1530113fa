"""Very many calls and thoughts, folded together in the saved form.

There each of them is a ``<details>``, for want of scripts, and what JupyterLab in Chromium takes to style
those grows with their square: 0.1 s for 500, 1.3 s for 2,000, 5.7 s for 4,000. In closed ones it styles
none. Text is never folded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..transcript import Part

__all__ = ["cluster_title", "clusters"]

LIMIT = 1_000
"""How many calls and thoughts stand by themselves; if there are more, each that has neighbours is folded with them."""

SIZE = 100


def clusters(parts: Sequence[Part]) -> Iterator[tuple[Part, ...]]:
    """Give the parts in order: those that are folded together as one tuple, each other in one of its own."""
    is_many = sum(map(_is_fold, parts)) > LIMIT
    for is_fold, stretch in groupby(parts, key=_is_fold):
        found = tuple(stretch)
        size = SIZE if is_fold and is_many else 1
        for start in range(0, len(found), size):
            yield found[start : start + size]


def cluster_title(cluster: Sequence[Part], calls_before: int) -> str:
    """Say which of the tool calls are in it, and how many thoughts: "Tool calls 101 to 198 · 2 thoughts"."""
    calls = sum(part.kind == "tool" for part in cluster)
    thoughts = len(cluster) - calls
    first, last = calls_before + 1, calls_before + calls
    words = [f"Tool call {first}" if calls == 1 else f"Tool calls {first} to {last}"] if calls else []
    if thoughts:
        words.append("1 thought" if thoughts == 1 else f"{thoughts} thoughts")
    return " · ".join(words)


def _is_fold(part: Part) -> bool:
    return part.kind in ("tool", "thinking")
