"""Tell the kind of a file, and open a log that is no single text: an archive, a database, or files beside the session's.

Above ``_dialects`` and the sources of such logs; the log and the list use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ..adapters.logs import DIALECTS
from ._database import MAGIC, DatabaseSource, newest_session, split_path
from ._dialects import Found, tell
from ._named_files import NamedFilesSource
from ._scattered import ScatteredSource
from ._sources import Source
from ._zipped import ZippedSource

__all__ = ["Naming", "one_session", "several_files", "tell_file"]


class Naming(Protocol):
    """Know the subagents that a log has named so far."""

    @property
    def agents(self) -> Mapping[str, str]:
        """Return the subagents, each with the call that began it."""

    @property
    def files(self) -> Mapping[str, str]:
        """Return the subagents with a file of their own, each with its path as the log has it."""


def one_session(path: Path, head: bytes) -> Path:
    """Return the path of one session: of a database that begins with *head*, and of no other file, the newest one."""
    if head.startswith(MAGIC) and not split_path(path)[1]:
        return newest_session(path)
    return path


def tell_file(path: Path, head: bytes, *, is_whole: bool) -> Found:
    """Return the kind and the dialect of a file that begins with *head*. Raises as ``tell`` does."""
    if head.startswith(MAGIC):
        return Found("database", next(dialect for dialect in DIALECTS if dialect.has_database))
    return tell(head, path.name, is_whole=is_whole)


def several_files(found: Found, path: Path, naming: Naming | None = None) -> Source | None:
    """Return the source of such a log, whose subagents *naming* knows; ``None`` for one file."""
    if found.kind == "archive":
        return ZippedSource(path)
    if found.kind == "database":
        return DatabaseSource(path, lambda: naming.agents if naming else {})
    if found.kind != "document" or found.dialect is None:
        return None
    if found.dialect.name == "atif" and naming is not None:
        return NamedFilesSource(path, found.dialect, lambda: naming.files)
    if found.dialect.name != "opencode" or "messages" in found.head[0]:
        return None
    session = found.head[0].get("id")
    is_name = isinstance(session, str) and session.isidentifier()
    return ScatteredSource(path, session if is_name else path.stem, lambda: naming.agents if naming else {})
