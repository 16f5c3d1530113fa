"""Read the logs that agents write for themselves: one reader for each dialect.

``DIALECTS`` names them. ``vibe_notebook.logs`` opens the files, tells the dialect by the content and feeds its reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import _claude_code
from ._reader import LogReader, seconds

__all__ = ["DIALECTS", "Dialect", "LogReader", "seconds"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Describe the logs of one agent.

    ``is_entry`` recognises a line, which may be cut after its first fields. ``is_document`` recognises a log that is one
    JSON value, by its first fields, and ``entries`` yields the entries of the whole value.
    ``archive_marks`` are names of which at least one begins a zip archive of the agent.
    """

    reader: type[LogReader]
    is_entry: Callable[[object], bool] | None = None
    is_document: Callable[[Mapping[str, Any]], bool] | None = None
    entries: Callable[[Mapping[str, Any]], Iterator[object]] | None = None
    archive_marks: tuple[bytes, ...] = ()

    def project_of(self, entry: object) -> str:
        """Return the folder in which the agent worked, if an entry tells it."""
        return self.reader.project_of(entry)

    @property
    def name(self) -> str:
        """Return the name that options and errors use."""
        return self.reader.name

    @property
    def agent(self) -> str:
        """Return the agent's name for a reader."""
        return self.reader.agent


DIALECTS = (Dialect(_claude_code.ClaudeCodeReader, is_entry=_claude_code.recognizes),)
"""Every dialect; of two that recognise as many lines, the first one counts."""
