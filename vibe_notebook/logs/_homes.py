"""Find the logs of each agent on this machine, and the meaning of ``claude:latest``.

Beside the sources of this folder. A search never follows a circle of links, and visits ``LOG_FILES`` entries at most.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from .._files import open_to_read
from .._forms.wording import name_in_line
from .._limits import LOG_FILES, LOG_HEAD_BYTES
from .._nearest import did_you_mean
from ..adapters.fields import get
from ..exceptions import ProtocolError
from ._dialects import Found, loaded
from ._sources import SideFile

__all__ = ["HOMES", "Home", "is_scheme", "names_a_log", "newest_first", "resolve", "session_id", "sides_of"]

_LATEST: Final = "latest"
_NAMED: Final = 5
"""Projects that an error names."""
_OTHER: Final = re.compile(r"[^A-Za-z0-9]")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_SIDES: Final = 1_000
"""Files of subagents of one log that are read."""


def _claude() -> list[Path]:
    given = os.environ.get("CLAUDE_CONFIG_DIR")
    if given:
        return [Path(one.strip()).expanduser() / "projects" for one in given.split(",") if one.strip()]
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return [Path(one).expanduser() / "projects" for one in ("~/.claude", f"{config}/claude")]


def _under(variable: str, default: str, *folders: str) -> Callable[[], list[Path]]:
    def find() -> list[Path]:
        home = Path(os.environ.get(variable) or default).expanduser()
        return [home / folder for folder in folders]

    return find


def _gemini() -> list[Path]:
    return [Path(os.environ.get("GEMINI_CLI_HOME") or "~").expanduser() / ".gemini" / "tmp"]


@dataclass(frozen=True, slots=True)
class Home:
    """Hold the places of an agent's logs: folders, and patterns of the paths below them."""

    scheme: str
    agent: str
    folders: Callable[[], list[Path]]
    patterns: tuple[str, ...]
    excluded: str = ""
    """A pattern of the names of files that are no session."""

    def session_of(self, path: Path) -> str:
        """Return the beginning of a session's id that tells it from others."""
        return session_id(path)[:13]

    def files(self) -> Iterator[Path]:
        """Yield the logs, in no order."""
        depth = max(pattern.count("/") for pattern in self.patterns)
        for folder in self.folders():
            for path, inner in _walk(folder, depth):
                if self.excluded and fnmatchcase(path.name, self.excluded):
                    continue
                if any(_fits(inner, pattern) for pattern in self.patterns):
                    yield path


HOMES: Final = (
    Home("claude", "Claude Code", _claude, ("*/*.jsonl",), "agent-*"),
    Home(
        "codex",
        "Codex",
        _under("CODEX_HOME", "~/.codex", "sessions", "archived_sessions"),
        ("rollout-*.jsonl", "*/*/*/rollout-*.jsonl"),
    ),
    Home("gemini", "Gemini CLI", _gemini, ("*/chats/session-*.json", "*/chats/session-*.jsonl")),
    Home(
        "copilot",
        "Copilot CLI",
        _under("COPILOT_HOME", "~/.copilot", "session-state"),
        ("*/events.jsonl", "*.jsonl"),
    ),
    Home(
        "opencode",
        "OpenCode",
        _under("XDG_DATA_HOME", "~/.local/share", "opencode/storage/session"),
        ("*/ses_*.json",),
    ),
    Home("pi", "Pi", _under("PI_CODING_AGENT_DIR", "~/.pi/agent", "sessions"), ("*/*.jsonl",)),
    Home("inspect", "Inspect", _under("INSPECT_LOG_DIR", "logs", ""), ("*.eval", "*/*.eval")),
)
"""The homes of all agents, by scheme."""
_BY_SCHEME: Final = {home.scheme: home for home in HOMES}


def _fits(inner: str, pattern: str) -> bool:
    steps, wanted = inner.split("/"), pattern.split("/")
    return len(steps) == len(wanted) and all(map(fnmatchcase, steps, wanted))


def _walk(folder: Path, depth: int) -> Iterator[tuple[Path, str]]:
    """Yield the regular files below a folder, each with its path inside of it."""
    waiting, visited, count = [(folder, "", 0)], set[tuple[int, int]](), 0
    while waiting:
        place, inside, level = waiting.pop()
        try:
            found = place.stat()
            entries = list(os.scandir(place))
        except OSError:
            continue  # not there, or not for this user
        if (found.st_dev, found.st_ino) in visited:
            continue  # a link that leads back
        visited.add((found.st_dev, found.st_ino))
        for entry in entries:
            count += 1
            if count > LOG_FILES:
                return
            name = f"{inside}{entry.name}"
            try:
                if entry.is_file():
                    yield Path(entry.path), name
                elif level < depth and entry.is_dir():
                    waiting.append((Path(entry.path), f"{name}/", level + 1))
            except OSError:
                continue  # a circle of links


def newest_first(paths: Iterator[Path]) -> list[tuple[float, Path]]:
    """Return the files with the times of their last changes, the newest first."""
    found: list[tuple[float, Path]] = []
    for path in paths:
        try:
            found.append((path.stat().st_mtime, path))
        except OSError:
            continue  # it went meanwhile
    return sorted(found, reverse=True)


def is_scheme(words: str) -> bool:
    """Return whether *words* name a log by its agent: ``claude:latest``, ``codex:PROJECT``."""
    scheme, colon, rest = words.partition(":")
    return bool(colon and rest.strip()) and scheme in _BY_SCHEME and "\n" not in rest


def names_a_log(words: str) -> bool:
    """Return whether *words* are the path of something that exists, or name a log by its agent."""
    if "\n" in words or not words.strip():
        return False
    try:
        return os.path.lexists(Path(words).expanduser()) or is_scheme(words)
    except (OSError, ValueError, RuntimeError):  # too long, half a character, or ~ names no user
        return False


def resolve(words: str) -> Path:
    """Return the path of the log that *words* name, the newest of several.

    After the scheme stands ``latest``, a project (its path, or the last part of it), or the beginning of a session's
    id. Raises ``ProtocolError`` if there is none.
    """
    scheme, _, wanted = words.partition(":")
    home, wanted = _BY_SCHEME[scheme], wanted.strip()
    found = newest_first(home.files())
    if not found:
        places = ", ".join(str(folder) for folder in home.folders())
        msg = f"There is no log of {home.agent} in {name_in_line(places)}."
        raise ProtocolError(msg)
    if wanted == _LATEST:
        return found[0][1]
    for fits in (_is_project, _ends_project, _is_session):
        for _, path in found:
            if fits(path, wanted):
                return path
    names = list(dict.fromkeys(path.parent.name for _, path in found))
    shown = ", ".join(name_in_line(name) for name in names[:_NAMED])
    msg = f"{home.agent} has no project or session {name_in_line(wanted)!r}.{did_you_mean(wanted, names)} Newest: {shown}."
    raise ProtocolError(msg)


def _encoded(path: str) -> str:
    """Return the name of a project's folder, as Claude Code and Pi make it of the project's path."""
    return _OTHER.sub("-", path)


def _is_project(path: Path, wanted: str) -> bool:
    names = {_encoded(wanted), _encoded(str(Path(wanted).expanduser().absolute()))}
    return path.parent.name in names or path.parent.name.strip("-") in {name.strip("-") for name in names}


def _ends_project(path: Path, wanted: str) -> bool:
    return path.parent.name.strip("-").endswith(f"-{_encoded(wanted)}")


def _is_session(path: Path, wanted: str) -> bool:
    return session_id(path).startswith(wanted) or wanted in (path.stem, path.name)


def session_id(path: Path) -> str:
    """Return a session's id as its file, or the folder of the file, is called."""
    found = _UUID.search(path.stem) or _UUID.search(path.parent.name)
    return found[0] if found else path.stem


# The files of subagents.


def sides_of(found: Found, path: Path, agents: Mapping[str, str]) -> list[SideFile]:
    """Return the files of a log's subagents; *agents* are those that the log has named, with their calls."""
    finders = {"claude_code": _claude_sides, "codex": _codex_sides, "gemini_cli": _gemini_sides}
    finder = finders.get(found.dialect.name) if found.dialect is not None else None
    return finder(found, path, agents)[:_SIDES] if finder is not None else []


def _claude_sides(found: Found, path: Path, agents: Mapping[str, str]) -> list[SideFile]:
    del found, agents
    if path.name.startswith("agent-"):
        return []
    inner = path.with_suffix("") / "subagents"
    own = [each for each, _ in _walk(inner, 3) if fnmatchcase(each.name, "agent-*.jsonl")]
    beside = [
        each
        for each, name in _walk(path.parent, 0)
        if fnmatchcase(name, "agent-*.jsonl") and _has_session(each, path.stem)
    ]
    chosen = [each for each in sorted([*own, *beside]) if not each.name.startswith("agent-acompact-")]
    return [SideFile(each, each.stem.removeprefix("agent-"), _about(each)) for each in chosen]


def _codex_sides(found: Found, path: Path, agents: Mapping[str, str]) -> list[SideFile]:
    """Return the rollouts of the agents: in the folder of the day, or of the next one."""
    del found
    folders = [path.parent]
    with contextlib.suppress(ValueError, OverflowError):
        day = datetime.date(*map(int, path.parts[-4:-1])) + datetime.timedelta(days=1)
        folders.append(path.parents[3] / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}")
    files = [each for folder in (folders if agents else []) for each, _ in _walk(folder, 0)]
    return [
        SideFile(each, agent, {})
        for agent in agents
        for each in files
        if each != path and each.name.endswith(f"-{agent}.jsonl")
    ]


def _gemini_sides(found: Found, path: Path, agents: Mapping[str, str]) -> list[SideFile]:
    del agents
    session = next((value for entry in found.head if (value := get(entry, "sessionId"))), None)
    if not isinstance(session, str) or not session or "/" in session or session in (".", ".."):
        return []
    files = sorted(each for each, _ in _walk(path.parent / session, 0) if each.suffix == ".jsonl")
    return [SideFile(each, each.stem, {}) for each in files if each != path]


def _has_session(path: Path, session: str) -> bool:
    """Return whether an agent's file beside the sessions belongs to this session."""
    try:
        with open_to_read(path, "A log") as file:
            value = loaded(file.readline(LOG_HEAD_BYTES))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and value.get("sessionId") == session


def _about(path: Path) -> dict[str, str | None]:
    """Return the facts about a subagent in the file beside its log."""
    try:
        with open_to_read(path.with_suffix(".meta.json"), "A file") as file:
            facts: Any = json.loads(file.read(LOG_HEAD_BYTES))
    except (OSError, ValueError):
        return {}
    if not isinstance(facts, dict):
        return {}
    names = {"call_id": facts.get("toolUseId"), "agent_name": facts.get("agentType")}
    return {name: value for name, value in names.items() if isinstance(value, str) and value}
