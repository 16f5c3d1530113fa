"""Record events to a file of JSON Lines, and replay them.

Beside display on the path: the recorder writes the events that the registry delivers, with the registry's
ids; a replay is a source for ``watch``.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import anyio

from ._files import check_path, open_private, open_to_read
from ._foreign_words import clean_logger
from ._forks import renew_in_child
from .events import Custom, Event, read_event, to_json, with_time
from .exceptions import ClosedError, ProtocolError
from .registry import OVERTAKEN, Registration, Registry, get_registry

__all__ = ["Recorder", "Replay", "record", "replay"]


log = clean_logger("vibe_notebook")
_TIMED_BY: Final = "timed_by"
"""The field of a line whose event had no time of its own; a replay keeps its pace by the time, and drops it."""
_RECORDER: Final = "recorder"
LINE_BYTES: Final = 256 << 20
"""Bytes of one line: some events hold a large file, and a file of zeros has no line at all."""
_SPARE: Final = 16
"""Lines whose place a mark may take on a full disk."""
_HEAD_BYTES: Final = 100_000
"""Bytes at the beginning of a recording that tell its title: the first event starts a run."""
_MARK: Final = f'"{OVERTAKEN}":'.encode()
LONGEST_WAIT: Final = 86_400.0
"""Seconds: a time stamp may have any value, and no clock can wait for the largest."""


class Recorder:
    """Write events to a file: each line is complete, and on the disk at once. A new file is its owner's alone.

    Where the disk is full, the recorder leaves a mark in the place of the missing events: a ``gap`` event with their
    count. ``missing`` is that count.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.missing = 0
        self._lock = threading.Lock()
        self._file: int | None = open_private(self.path, "A recording")
        self._ends: deque[int] = deque([0], maxlen=_SPARE)  # of the last lines, for a mark on a full disk
        self._size = 0
        self._gap = 0  # events that the last mark counts
        self._gap_at = 0  # the place of that mark
        self._taps: list[Registration] = []
        renew_in_child(self)

    def renew(self) -> None:
        """Write nothing in the child of a fork: the file is the parent's."""
        self._lock = threading.Lock()
        self._taps, self._file = [], None

    def write(self, event: Event) -> None:
        """Append one event. An event without a time gets the present one, so that a replay can keep its pace.

        Raises ``OSError`` that names the file if the event is missing there.
        """
        line = to_json(event)
        if event.ts is None:
            line = f'{line[:-1]},"ts":{time.time()},"{_TIMED_BY}":"{_RECORDER}"}}'
        with self._lock:
            if self._file is None:
                return
            try:
                if self._gap:  # the disk may have room again: write the mark with the new count
                    self._replace_end(self._gap_at, f"{self._mark(event, self._gap)}\n{line}\n")
                    self._gap = 0
                else:
                    self._replace_end(self._ends[-1], f"{line}\n")
            except OSError as error:
                self.missing += 1
                self._leave_mark(event)
                raise OSError(
                    error.errno, f"The recording misses events: {error.strerror}", str(self.path)
                ) from None

    def _mark(self, event: Event, count: int) -> str:
        return to_json(
            Custom(agent_id=event.agent_id, run_id=event.run_id, name="gap", value={"missed": count})
        )

    def _replace_end(self, start: int, text: str) -> None:
        """Write *text* at *start*, to the end of the file. A failure leaves the file as it was up to *start*."""
        data = memoryview(text.encode())
        size = len(data)
        assert self._file is not None  # noqa: S101 - the callers check it
        try:
            if start < self._size:
                os.ftruncate(self._file, start)
            os.lseek(self._file, start, os.SEEK_SET)
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            self._size = start
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, start)
            raise
        self._size = start + size
        self._ends.append(self._size)

    def _leave_mark(self, event: Event) -> None:
        """Count the missing event in a mark at the end of the file. On a full disk it takes the place of the last lines."""
        if self._gap:
            self._gap += 1
            start = self._gap_at
        else:
            self._gap, start = 1, self._ends[-1]
        while True:
            try:
                self._replace_end(start, f"{self._mark(event, self._gap)}\n")
            except OSError:
                earlier = [end for end in self._ends if end < start]
                if not earlier:
                    self._gap_at = start
                    return
                start = earlier[-1]
                self._gap += 1
                self.missing += 1
            else:
                self._gap_at = start
                return

    def attach(self, registry: Registry, agent_id: str | None = None) -> Self:
        """Write the events that the registry delivers from now on, of one agent or of all."""
        self._taps.append(registry.tap(agent_id, self.write, placed=True))
        return self

    def close(self) -> None:
        """Stop writing, and close the file. Idempotent. A recording that misses events is named in the log."""
        for tap in self._taps:
            tap.close()
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # each line was written at once, and its failure reported
                os.close(file)
            if self.missing:
                log.warning("%s", self.missing_words)

    @property
    def missing_words(self) -> str:
        """Return a sentence about the missing events; "" without any."""
        if not self.missing:
            return ""
        events = "event" if self.missing == 1 else "events"
        return f"The recording {self.path} misses {self.missing:,} {events}: the disk was full, or failed."

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
    written, or that is a pipe or a device.
    """
    registry = registry or get_registry()
    if registry.closed:
        raise ClosedError("This registry is closed: there is nothing to record; use get_registry().")
    return Recorder(path).attach(registry, agent_id)


class _Overtaken:
    """Find the lines of a recording whose event arrived before an event of an earlier line."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.lines: set[int] = set()
        self.by_id: dict[Any, list[tuple[int, int]]] = {}
        """By the id of the earlier line's event, the numbers and offsets of the lines to read before it."""
        offset, first = 0, None
        for number, line in enumerate(lines, 1):
            place = _place(line) if first is None or _MARK in line else None
            if place is not None:
                number_of, by = place
                if by is not None and first is not None:
                    self.lines.add(number)
                    # A recording that began later lacks that event: its first event stands for it.
                    self.by_id.setdefault(max(by, first), []).append((number, offset))
                elif first is None:
                    first = number_of
            offset += len(line)


def _place(line: bytes) -> tuple[int, int | None] | None:
    """Return a line's id, and the id that its event was overtaken by; ``None`` for a line without an id."""
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
        return None
    ident, by = (facts.get("id"), facts.get(OVERTAKEN)) if isinstance(facts, dict) else (None, None)
    if not isinstance(ident, int):
        return None
    return ident, by if isinstance(by, int) and 0 < by < ident else None


class Replay:
    """Read a recording as a source of events, sync and async; each iteration starts at the beginning.

    ``speed`` 2 plays twice as fast; ``None`` or 0 does not wait at all. For a line that is
    not an event an iteration raises ``ProtocolError`` with the line's number, after the events before it; one that
    *skips_damage* collects the numbers of such lines in ``damaged``.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, speed: float | None = 1.0, skips_damage: bool = False
    ) -> None:
        if speed is not None and not speed >= 0:
            msg = f"speed={speed}: must be positive, or None for no waits."
            raise ValueError(msg)
        check_path(path, "A recording")
        self.path = Path(path)
        self.speed = speed
        self.damaged: list[int] = []
        self._skips_damage = skips_damage

    def __repr__(self) -> str:
        return f"replay({str(self.path)!r}, speed={self.speed})"

    @property
    def title(self) -> str | None:
        """Return the titles of the recorded views, else the agents' names; ``None`` for a file that tells none.

        Reads the beginning of the file.
        """
        names: dict[str, str] = {}
        for event in self._first_events():
            names[event.agent_id] = names.get(event.agent_id) or _shown_name(event)
        return ", ".join(dict.fromkeys(name or agent_id for agent_id, name in names.items())) or None

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
        """Yield all events, as the registry delivered them, without waits, in the order of their arrival."""
        for event in self._written():
            yield _as_delivered(event)

    def _first_events(self) -> Iterator[Event]:
        """Yield the events at the beginning of the file, up to a line that cannot be read."""
        with contextlib.suppress(OSError, ProtocolError), self._open() as file:
            while (line := file.readline(_HEAD_BYTES)) and file.tell() <= _HEAD_BYTES:
                if (event := self._read(line, 1)) is not None:
                    yield event

    def _written(self) -> Iterator[Event]:
        """Yield all events with their recorded times, without waits, in the order of their arrival.

        A recorder writes each event when the registry delivers it. Where an event that arrived later was delivered
        first, the line has its id as ``overtaken_by``.
        """
        with self._open() as file:
            overtaken = _Overtaken(self._lines(file))
            file.seek(0)
            for number, line in enumerate(self._lines(file), 1):
                if number not in overtaken.lines and (event := self._read(line, number)) is not None:
                    yield from self._with_overtaken([event], overtaken)
            while overtaken.by_id:  # no line has these ids
                waiting = self._earlier(next(iter(overtaken.by_id)), overtaken)
                yield from self._with_overtaken(waiting, overtaken)

    def _open(self) -> BinaryIO:
        return open_to_read(self.path, "A recording")

    def _lines(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield the lines; a file without line ends must not fill the memory."""
        number = 0
        while line := file.readline(LINE_BYTES + 1):
            number += 1
            if len(line) > LINE_BYTES:
                msg = f"{self.path}, line {number}: more than {LINE_BYTES:,} bytes, so this is no recording."
                raise ProtocolError(msg, line=number)
            yield line

    def _with_overtaken(self, waiting: list[Event], overtaken: _Overtaken) -> Iterator[Event]:
        """Yield the waiting events, the last one first, each after those that arrived before it."""
        while waiting:
            if waiting[-1].id in overtaken.by_id:
                waiting += self._earlier(waiting[-1].id, overtaken)
            else:
                yield waiting.pop()

    def _earlier(self, ident: Any, overtaken: _Overtaken) -> list[Event]:
        """Return the events to yield before the one with this id, the first one last."""
        found: list[Event] = []
        with self._open() as file:
            for number, offset in reversed(overtaken.by_id.pop(ident)):
                file.seek(offset)
                event = self._read(file.readline(), number)
                if event is not None:
                    (event.__pydantic_extra__ or {}).pop(OVERTAKEN, None)
                    found.append(event)
        return found

    def _read(self, line: bytes, number: int) -> Event | None:
        text = line.strip()
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        if not text:
            return None
        try:
            return read_event(text)
        except ProtocolError as error:
            if self._skips_damage:
                self.damaged.append(number)
                return None
            msg = f"{self.path}, line {number}: {error}"
            raise ProtocolError(msg, field=error.field, line=number) from None

    def _paced(self) -> Iterator[tuple[float, Event]]:
        """Yield (seconds to wait, event). Each wait counts from the start, so that delays do not add up."""
        began: tuple[float, float] | None = None
        for event in self._written():
            delay = 0.0
            if self.speed and event.ts is not None:
                began = began or (time.monotonic(), event.ts)
                delay = began[0] + (event.ts - began[1]) / self.speed - time.monotonic()
            yield min(delay, LONGEST_WAIT), _as_delivered(event)


def _as_delivered(event: Event) -> Event:
    """Return an event without the time that only its recorder gave it."""
    extra = event.__pydantic_extra__ or {}
    return with_time(event, None) if extra.pop(_TIMED_BY, None) == _RECORDER else event


def _shown_name(event: Event) -> str:
    """Return the title or the agent's name with which a run begins; "" for a subagent and any other event."""
    if event.type != "run_started" or event.parent_run_id or event.parent_tool_call_id:
        return ""
    return event.title or event.agent_name or ""


def replay(path: str | os.PathLike[str], *, speed: float | None = 1.0) -> Replay:
    """Play a recording: ``vibe.watch(vibe.replay("run.jsonl", speed=4))``.

    Raises ``ValueError`` for a negative *speed* and, as ``ProtocolError``, for a path that no file can have.
    """
    return Replay(path, speed=speed)
