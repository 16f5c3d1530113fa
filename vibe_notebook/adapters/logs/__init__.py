"""Read the logs that agents write for themselves: one reader for each dialect.

``DIALECTS`` names them. ``vibe_notebook.logs`` opens the files, tells the dialect by the content and feeds its reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import (
    _atif,
    _claude_code,
    _codex,
    _codex_exec,
    _copilot_cli,
    _gemini_cli,
    _inspect,
    _opencode,
    _pi,
    _swe_agent,
)
from ._reader import LogReader, seconds

__all__ = ["DIALECTS", "Dialect", "LogReader", "seconds"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Describe the logs of one agent.

    ``is_entry`` recognises a line, which may be cut after its first fields. ``is_document`` recognises a log that is one
    JSON value, by its first fields, and ``entries`` yields the entries of the whole value.
    ``archive_marks`` are names of which at least one begins a zip archive of the agent. ``has_database``: the agent may
    keep its sessions in an SQLite database.
    """

    reader: type[LogReader]
    is_entry: Callable[[object], bool] | None = None
    is_document: Callable[[Mapping[str, Any]], bool] | None = None
    entries: Callable[[Mapping[str, Any]], Iterator[object]] | None = None
    archive_marks: tuple[bytes, ...] = ()
    has_database: bool = False

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


DIALECTS = (
    Dialect(_claude_code.ClaudeCodeReader, is_entry=_claude_code.recognizes),
    Dialect(_codex.CodexReader, is_entry=_codex.recognizes),
    Dialect(_codex_exec.CodexExecReader, is_entry=_codex_exec.recognizes),
    Dialect(
        _gemini_cli.GeminiCLIReader,
        is_entry=_gemini_cli.recognizes,
        is_document=_gemini_cli.is_document,
        entries=_gemini_cli.entries,
    ),
    Dialect(_copilot_cli.CopilotCLIReader, is_entry=_copilot_cli.recognizes),
    Dialect(_pi.PiReader, is_entry=_pi.recognizes),
    Dialect(
        _opencode.OpenCodeReader,
        is_document=_opencode.is_document,
        entries=_opencode.entries,
        has_database=True,
    ),
    Dialect(
        _inspect.InspectReader,
        is_document=_inspect.is_document,
        entries=_inspect.entries,
        archive_marks=_inspect.ARCHIVE_MARKS,
    ),
    Dialect(_swe_agent.SWEAgentReader, is_document=_swe_agent.is_document, entries=_swe_agent.entries),
    Dialect(_atif.ATIFReader, is_document=_atif.is_document, entries=_atif.entries),
)
"""Every dialect; of two that recognise as many lines, the first one counts."""
