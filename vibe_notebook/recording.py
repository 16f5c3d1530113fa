"""Record events to a file of JSON Lines, and replay them.

Beside display on the path: the recorder writes the events that the registry delivers, with the registry's
ids; a replay is a source for ``watch``.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

import anyio

from .events import Event, read_event, to_json
from .exceptions import ClosedError, ProtocolError
from .registry import Registration, Registry, get_registry

__all__ = ["Recorder", "Replay", "record", "replay"]


LONGEST_WAIT: Final = 86_400.0
"""Seconds: a time stamp may have any value, and no clock can wait for the largest."""


class Recorder:
    """Write events to a file: each line is complete, and flushed at once."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._file: TextIO | None = self.path.open("w", encoding="utf-8", newline="\n")
        self._taps: list[Registration] = []

    def write(self, event: Event) -> None:
        """Append one event. An event without a time gets the present one, so that a replay can keep its pace."""
        line = to_json(event if event.ts is not None else event.model_copy(update={"ts": time.time()}))
        with self._lock:
            if self._file is not None:
                self._file.write(line + "\n")
                self._file.flush()

    def attach(self, registry: Registry, agent_id: str | None = None) -> Self:
        """Write the events that the registry delivers from now on, of one agent or of all."""
        self._taps.append(registry.tap(agent_id, self.write))
        return self

    def close(self) -> None:
        """Stop writing, and close the file. Idempotent."""
        for tap in self._taps:
            tap.close()
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def record(
    path: str | os.PathLike[str], *, agent_id: str | None = None, registry: Registry | None = None
) -> Recorder:
    """Record agents' events until ``close``: ``with vibe.record("run.jsonl"): ...``.

    The recorder writes the events of one agent or of all, from the given or the default registry. It replaces
    an existing file. Raises ``ClosedError`` for a closed registry, ``OSError`` for a path that cannot be
    written.
    """
    registry = registry or get_registry()
    if registry.closed:
        raise ClosedError("This registry is closed: there is nothing to record; use get_registry().")
    return Recorder(path).attach(registry, agent_id)


class Replay:
    """Read a recording as a source of events, sync and async; each iteration starts at the beginning.

    ``speed`` 2 plays twice as fast; ``None`` or 0 does not wait at all. For a line that is
    not an event an iteration raises ``ProtocolError`` with the line's number, after the events before it.
    """

    def __init__(self, path: str | os.PathLike[str], *, speed: float | None = 1.0) -> None:
        if speed is not None and not speed >= 0:
            msg = f"speed={speed}: must be positive, or None for no waits."
            raise ValueError(msg)
        self.path = Path(path)
        self.speed = speed

    def __repr__(self) -> str:
        return f"replay({str(self.path)!r}, speed={self.speed})"

    def __iter__(self) -> Iterator[Event]:
        for delay, event in self._paced():
            if delay > 0:
                time.sleep(delay)
            yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        for delay, event in self._paced():
            # Also with a delay of 0: a burst must not keep other tasks from running.
            await anyio.sleep(max(delay, 0))
            yield event

    def events(self) -> Iterator[Event]:
        """Yield all events, without waits."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = line.strip()
                if number == 1:
                    text = text.removeprefix(b"\xef\xbb\xbf")
                if not text:
                    continue
                try:
                    yield read_event(text)
                except ProtocolError as error:
                    msg = f"{self.path}, line {number}: {error}"
                    raise ProtocolError(msg, field=error.field, line=number) from None

    def _paced(self) -> Iterator[tuple[float, Event]]:
        """Yield (seconds to wait, event). Each wait counts from the start, so that delays do not add up."""
        began: tuple[float, float] | None = None
        for event in self.events():
            delay = 0.0
            if self.speed and event.ts is not None:
                began = began or (time.monotonic(), event.ts)
                delay = began[0] + (event.ts - began[1]) / self.speed - time.monotonic()
            yield min(delay, LONGEST_WAIT), event


def replay(path: str | os.PathLike[str], *, speed: float | None = 1.0) -> Replay:
    """Play a recording: ``vibe.watch(vibe.replay("run.jsonl", speed=4))``.

    Raises ``ValueError`` for a negative *speed*.
    """
    return Replay(path, speed=speed)
