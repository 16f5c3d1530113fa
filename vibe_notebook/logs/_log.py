"""``Log``: an agent's log as a source of our events, for ``watch`` and ``load``.

On top of this folder's sources, which yield entries, and of the readers, which make events of them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import anyio
import anyio.lowlevel

from .._files import check_path, open_to_read
from .._forms.wording import name_in_line
from .._limits import LOG_HEAD_BYTES, LOG_POLL_SECONDS
from ..events import Custom, Event
from ..exceptions import AdapterError, ProtocolError
from ..recording import Replay
from ._database import split_path
from ._dialects import Found
from ._feeding import Feeder, damage_words
from ._homes import is_scheme, meant_log, resolve, session_id
from ._opened import one_session, several_files, tell_file
from ._sides import SideFinder
from ._sources import DocumentSource, LineSource, Source

__all__ = ["Log"]

_TURN_SECONDS: Final = 0.02
"""Seconds for which an async iteration may keep the event loop."""


class _Pause:
    """Mark the end of the entries that are there now."""


_PAUSE: Final = _Pause()


class Log:
    """Read an agent's log as events, sync and async; each iteration starts at the beginning.

    *path* is a file, or names a log: ``claude:latest``, ``codex:latest``, ``claude:PROJECT``. A session of a database has
    the database's path with its id behind it; the database alone means its newest session. With *follow* an iteration
    does not end with the file but waits for more, until ``close``.

    Raises ``OSError`` for a path that is no file, ``ProtocolError`` for a name that means no log, ``AdapterError`` for
    the database of an unknown program.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        follow: bool = False,
        agent_id: str | None = None,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        given = os.fspath(path)
        check_path(given, "A log")
        named = isinstance(given, str) and is_scheme(given) and not Path(given).exists()
        if isinstance(given, str) and not named and (meant := meant_log(given)) and not Path(given).exists():
            msg = f"There is no file {name_in_line(given)!r}, and no agent of this name. Did you mean {name_in_line(meant)!r}?"
            raise ProtocolError(msg)
        self.path = resolve(given) if named else Path(given).expanduser()
        self.follow = follow
        self.bytes_read = 0
        """Bytes that the last iteration has read."""
        self._agent_id = agent_id
        self._wait = wait
        self._closed = threading.Event()
        self._found: Found | None = None
        self._file = split_path(self.path)[0]
        with open_to_read(self._file, "A log") as file:  # raises for a folder, a pipe, a missing file
            self.path = one_session(self.path, file.read(LOG_HEAD_BYTES))

    def __repr__(self) -> str:
        return f"Log({str(self.path)!r}, follow={self.follow})"

    @property
    def found(self) -> Found:
        """Return the kind and the dialect of the log. Raises ``ProtocolError`` and ``AdapterError``."""
        if self._found is None:
            with open_to_read(self._file, "A log") as file:
                is_whole = os.fstat(file.fileno()).st_size <= LOG_HEAD_BYTES
                head = file.read(LOG_HEAD_BYTES)
            self._found = tell_file(self._file, head, is_whole=is_whole)
        return self._found

    @property
    def title(self) -> str:
        """Return the session's title, or its first words, as far as the first and last 64 KB show them."""
        from ._sessions import glance  # noqa: PLC0415 - it reads logs itself

        seen = glance(self.path)
        return seen.title or seen.first_words or self.path.stem

    def close(self) -> None:
        """End the iterations that follow the log. Any thread may call this."""
        self._closed.set()

    def __iter__(self) -> Iterator[Event]:
        for step in self._steps():
            if isinstance(step, _Pause):
                (self._wait or self._closed.wait)(LOG_POLL_SECONDS)
            else:
                yield step

    async def __aiter__(self) -> AsyncIterator[Event]:
        turned = time.monotonic()
        for step in self._steps():
            if isinstance(step, _Pause):
                await anyio.sleep(LOG_POLL_SECONDS)
                turned = time.monotonic()
                continue
            yield step
            # A long log must not keep other tasks from running.
            if time.monotonic() - turned > _TURN_SECONDS:
                await anyio.lowlevel.checkpoint()
                turned = time.monotonic()

    def _steps(self) -> Iterator[Event | _Pause]:
        """Yield the events, and a pause wherever the log has no more for now."""
        self._closed.clear()
        while (found := self._found_now()) is None:
            yield _PAUSE
            if self._closed.is_set():
                return
        if found.kind == "recording" and not self.follow:
            yield from self._replayed()
        elif found.kind == "transcript":
            msg = f"{self.path.name} is a saved transcript, and has no events: read it with vibe.load(path)."
            raise ProtocolError(msg)
        else:
            yield from self._read(found)

    def _found_now(self) -> Found | None:
        """Return the kind of the log; ``None`` while the first line of one that is followed is not whole."""
        try:
            return self.found
        except (ProtocolError, AdapterError):
            with open_to_read(self._file, "A log") as file:
                head = file.read(LOG_HEAD_BYTES)
            if self.follow and b"\n" not in head.lstrip() and len(head) < LOG_HEAD_BYTES:
                return None
            raise

    def _replayed(self) -> Iterator[Event | _Pause]:
        replay = Replay(self.path, speed=None, skips_damage=True)
        last: Event | None = None
        for event in replay.events():
            yield (last := event)
        if replay.damaged and last is not None:
            words = damage_words(len(replay.damaged), [f"line {line:,}" for line in replay.damaged[:3]])
            yield Custom(agent_id=last.agent_id, run_id=last.run_id, name="log", value=words, shown=True)

    def _read(self, found: Found) -> Iterator[Event | _Pause]:
        feeder = Feeder(found, run_id=session_id(self.path), agent_id=self._agent_id, follows=self.follow)
        source = self._source(found, feeder)
        try:
            while True:
                for item in source.poll(follows=self.follow):
                    self.bytes_read = source.bytes_read
                    yield from feeder.feed(item)
                    if self._closed.is_set():
                        break
                if not self.follow or self._closed.is_set():
                    break
                yield _PAUSE
        finally:
            source.close()
        yield from feeder.finish()

    def _source(self, found: Found, feeder: Feeder) -> Source:
        if found.dialect is None:
            return LineSource(self.path)
        if (source := several_files(found, self.path, feeder)) is not None:
            return source
        if found.kind == "document":
            return DocumentSource(self.path, found.dialect)
        return LineSource(
            self.path, found.dialect.reader, SideFinder(found, self.path, lambda: feeder.agents)
        )
