"""Suggest the known name that an unknown one was probably meant to be.

At the bottom of the package: imports nothing of it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

__all__ = ["did_you_mean", "nearest"]

_LIKENESS: Final = 0.7
"""Share of equal characters from which on a name is taken for a slip of the keys."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to *name*; ``None`` if none is near."""
    folded = {each.casefold(): each for each in known if not _is_sibling(name, each)}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=_LIKENESS)
    return folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest known name, with a space before it; "" if none is near."""
    found = nearest(name, known)
    return f" Did you mean {found!r}?" if found is not None else ""


def _is_sibling(name: str, other: str) -> bool:
    """Return whether two names differ in their numbers only: "agent-2" is no slip of "agent-1"."""
    return re.sub(r"\d+", "#", name) == re.sub(r"\d+", "#", other)
