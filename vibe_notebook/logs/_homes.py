"""Find the logs of each agent on this machine, and the meaning of ``claude:latest``.

Beside the sources of this folder. A search never follows a circle of links, and visits ``LOG_FILES`` entries at most.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from .._forms.wording import name_in_line
from .._limits import LOG_FILES
from .._nearest import did_you_mean, nearest
from ..exceptions import ProtocolError, VibeNotebookError
from ._database import split_path, stored_sessions

__all__ = [
    "HOMES",
    "Home",
    "Place",
    "is_scheme",
    "names_a_log",
    "newest_first",
    "resolve",
    "session_id",
    "walk",
]

_LATEST: Final = "latest"
_NAMED: Final = 5
"""Projects that an error names."""
_OTHER: Final = re.compile(r"[^A-Za-z0-9]")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


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


def _opencode_databases() -> list[Path]:
    folder = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "opencode"
    return sorted(path for path, name in walk(folder, 0) if fnmatchcase(name, "opencode*.db"))


def _no_databases() -> list[Path]:
    return []


def _gemini() -> list[Path]:
    return [Path(os.environ.get("GEMINI_CLI_HOME") or "~").expanduser() / ".gemini" / "tmp"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Hold the time at which a log has changed, its path, and the name of its project's folder."""

    changed_at: float
    path: Path
    folder: str


@dataclass(frozen=True, slots=True)
class Home:
    """Hold the places of an agent's logs: folders, and patterns of the paths below them, or databases."""

    scheme: str
    agent: str
    folders: Callable[[], list[Path]]
    patterns: tuple[str, ...]
    excluded: str = ""
    """A pattern of the names of files that are no session."""
    databases: Callable[[], list[Path]] = _no_databases

    def session_of(self, path: Path) -> str:
        """Return the beginning of a session's id that tells it from others."""
        return session_id(path)[:13]

    def holds(self, path: Path) -> bool:
        """Return whether a log is one of this home."""
        return any(place in path.parents for place in (*self.folders(), *self.databases()))

    def places(self) -> Iterator[Place]:
        """Yield the logs, in no order. A session that stands in a database too is read there."""
        stored: set[str] = set()
        for database in self.databases():
            try:
                found = stored_sessions(database)
            except (OSError, VibeNotebookError):
                yield from _stood([database])  # the list says why it cannot be read
                continue
            stored |= {session.path.name for session in found}
            for session in found:
                yield Place(session.changed_at, session.path, _encoded(session.project))
        yield from _stood(path for path in self._files() if path.stem not in stored)

    def _files(self) -> Iterator[Path]:
        depth = max(pattern.count("/") for pattern in self.patterns)
        for folder in self.folders():
            for path, inner in walk(folder, depth):
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
        databases=_opencode_databases,
    ),
    Home("pi", "Pi", _under("PI_CODING_AGENT_DIR", "~/.pi/agent", "sessions"), ("*/*.jsonl",)),
    Home("inspect", "Inspect", _under("INSPECT_LOG_DIR", "logs", ""), ("*.eval", "*/*.eval")),
)
"""The homes of all agents, by scheme."""
_BY_SCHEME: Final = {home.scheme: home for home in HOMES}


def _fits(inner: str, pattern: str) -> bool:
    steps, wanted = inner.split("/"), pattern.split("/")
    return len(steps) == len(wanted) and all(map(fnmatchcase, steps, wanted))


def walk(folder: Path, depth: int) -> Iterator[tuple[Path, str]]:
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


def _stood(paths: Iterable[Path]) -> Iterator[Place]:
    for path in paths:
        try:
            changed_at = path.stat().st_mtime
        except OSError:
            continue  # it went meanwhile
        yield Place(changed_at, path, path.parent.name)


def newest_first(places: Iterable[Place]) -> list[Place]:
    """Return the logs, the one that has changed last first."""
    return sorted(places, reverse=True)


def is_scheme(words: str) -> bool:
    """Return whether *words* name a log by its agent: ``claude:latest``, ``codex:PROJECT``."""
    scheme, colon, rest = words.partition(":")
    return bool(colon and rest.strip()) and scheme in _BY_SCHEME and "\n" not in rest


def names_a_log(words: str) -> bool:
    """Return whether *words* are the path of something that exists, or name a log by its agent."""
    if "\n" in words or not words.strip():
        return False
    try:
        path = Path(words).expanduser()
        return os.path.lexists(path) or is_scheme(words) or bool(split_path(path)[1])
    except (OSError, ValueError, RuntimeError):  # too long, half a character, or ~ names no user
        return False


def meant_log(words: str) -> str | None:
    """Return the name of a log that *words*, which name none, were probably meant to be: ``cluade:latest``."""
    scheme, colon, rest = words.partition(":")
    found = nearest(scheme.strip(), _BY_SCHEME) if colon and rest.strip() and "\n" not in words else None
    return f"{found}:{nearest(rest.strip(), [_LATEST]) or rest.strip()}" if found is not None else None


def resolve(words: str) -> Path:
    """Return the path of the log that *words* name, the newest of several.

    After the scheme stands ``latest``, a project (its path, or the last part of it), or the beginning of a session's
    id. Raises ``ProtocolError`` if there is none.
    """
    scheme, _, wanted = words.partition(":")
    home, wanted = _BY_SCHEME[scheme], wanted.strip()
    found = newest_first(home.places())
    if not found:
        places = ", ".join(str(folder) for folder in home.folders())
        msg = f"There is no log of {home.agent} in {name_in_line(places)}."
        raise ProtocolError(msg)
    if wanted == _LATEST:
        return found[0].path
    for fits in (_is_project, _ends_project, _is_session):
        for place in found:
            if fits(place, wanted):
                return place.path
    names = list(dict.fromkeys(place.folder for place in found))
    shown = ", ".join(name_in_line(name) for name in names[:_NAMED])
    hint = did_you_mean(wanted, [_LATEST, *names])
    msg = f"{home.agent} has no project or session {name_in_line(wanted)!r}.{hint} Newest: {shown}."
    raise ProtocolError(msg)


def _encoded(path: str) -> str:
    """Return the name of a project's folder, as Claude Code and Pi make it of the project's path."""
    return _OTHER.sub("-", path)


def _is_project(place: Place, wanted: str) -> bool:
    names = {_encoded(wanted), _encoded(str(Path(wanted).expanduser().absolute()))}
    return place.folder in names or place.folder.strip("-") in {name.strip("-") for name in names}


def _ends_project(place: Place, wanted: str) -> bool:
    return place.folder.strip("-").endswith(f"-{_encoded(wanted)}")


def _is_session(place: Place, wanted: str) -> bool:
    path = place.path
    return session_id(path).startswith(wanted) or wanted in (path.stem, path.name)


def session_id(path: Path) -> str:
    """Return a session's id as its file, or the folder of the file, is called."""
    found = _UUID.search(path.stem) or _UUID.search(path.parent.name)
    return found[0] if found else path.stem
