"""Find the files in which agents keep the work of their subagents.

Beside ``_homes``; the sources open what is found. A finder remembers the files that it has looked at: it is asked at each
look at a growing log.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, Final

from .._files import open_to_read
from .._limits import LOG_HEAD_BYTES
from ..adapters.fields import get
from ._dialects import Found, loaded
from ._homes import walk
from ._sources import SideFile

__all__ = ["SideFinder"]

_FILES: Final = 1_000
"""Files of subagents of one log that are read."""
_AGENT: Final = "agent-*.jsonl"
_COMPACTION: Final = "agent-acompact-*"
"""Claude Code writes its own summaries like a subagent."""


class SideFinder:
    """Find the files of the subagents of one log, each once. *agents* are those that the log names, with their calls."""

    def __init__(self, found: Found, path: Path, agents: Callable[[], Mapping[str, str]]) -> None:
        finders = {"claude_code": self._claude, "codex": self._codex, "gemini_cli": self._gemini}
        self._find = finders.get(found.dialect.name) if found.dialect is not None else None
        self._head = found.head
        self._path = path
        self._agents = agents
        self._known: set[Path] = {path}
        self._sessions: dict[Path, str] = {}

    def __call__(self) -> list[SideFile]:
        """Return the files that have come since the last call."""
        if self._find is None or len(self._known) > _FILES:
            return []
        found = list(islice(self._find(), _FILES))
        self._known |= {side.path for side in found}
        return found

    def _claude(self) -> Iterator[SideFile]:
        if fnmatchcase(self._path.name, _AGENT):
            return
        inner = self._path.with_suffix("") / "subagents"
        own = [each for each, _ in walk(inner, 3) if fnmatchcase(each.name, _AGENT)]
        beside = [each for each, name in walk(self._path.parent, 0) if fnmatchcase(name, _AGENT)]
        for each in sorted([*own, *(one for one in beside if self._session_of(one) == self._path.stem)]):
            if each not in self._known and not fnmatchcase(each.name, _COMPACTION):
                yield SideFile(each, each.stem.removeprefix("agent-"), _about(each))

    def _session_of(self, path: Path) -> str:
        """Return the session of an agent's file that stands beside the sessions."""
        if path not in self._sessions:
            try:
                with open_to_read(path, "A log") as file:
                    found = get(loaded(file.readline(LOG_HEAD_BYTES)), "sessionId")
            except (OSError, ValueError):
                return ""  # its first line is not whole yet
            self._sessions[path] = found if isinstance(found, str) else ""
        return self._sessions[path]

    def _codex(self) -> Iterator[SideFile]:
        """Yield the rollouts of the agents: in the folder of the day, or of the next one."""
        known = {path.stem for path in self._known}
        waiting = [agent for agent in self._agents() if not any(stem.endswith(f"-{agent}") for stem in known)]
        folders = [self._path.parent] if waiting else []
        with contextlib.suppress(ValueError, OverflowError, IndexError):
            day = datetime.date(*map(int, self._path.parts[-4:-1])) + datetime.timedelta(days=1)
            folders += [self._path.parents[3] / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}"] if waiting else []
        for each in (path for folder in folders for path, _ in walk(folder, 0)):
            for agent in waiting:
                if each != self._path and each.name.endswith(f"-{agent}.jsonl"):
                    yield SideFile(each, agent, {})

    def _gemini(self) -> Iterator[SideFile]:
        session = next((value for entry in self._head if (value := get(entry, "sessionId"))), None)
        if not isinstance(session, str) or "/" in session or "\\" in session or session in ("", ".", ".."):
            return
        for each in sorted(path for path, _ in walk(self._path.parent / session, 0)):
            if each.suffix == ".jsonl" and each not in self._known:
                yield SideFile(each, each.stem, {})


def _about(path: Path) -> dict[str, str | None]:
    """Return the facts about a subagent in the file beside its log."""
    try:
        with open_to_read(path.with_suffix(".meta.json"), "A file") as file:
            facts: Any = json.loads(file.read(LOG_HEAD_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    names = {"call_id": get(facts, "toolUseId"), "agent_name": get(facts, "agentType")}
    return {name: value for name, value in names.items() if isinstance(value, str) and value}
