"""Open a log whose entries are files of their own: an archive, or a folder beside the session's file.

Above ``_zipped`` and ``_scattered``; the log and the list use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ._dialects import Found
from ._scattered import ScatteredSource
from ._sources import Source
from ._zipped import ZippedSource

__all__ = ["several_files"]


def several_files(found: Found, path: Path, agents: Callable[[], Mapping[str, str]]) -> Source | None:
    """Return the source of such a log, whose *agents* are the subagents that it names; ``None`` for one file."""
    if found.kind == "archive":
        return ZippedSource(path)
    is_opencode = found.dialect is not None and found.dialect.name == "opencode"
    return ScatteredSource(path, agents) if is_opencode and "messages" not in found.head[0] else None
