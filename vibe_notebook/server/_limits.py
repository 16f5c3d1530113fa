"""The limits of one server, and the counts that enforce them: open streams, projects, events a second.

Below ``_routes``. Only the server's event loop uses this module.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ._errors import Refused

__all__ = ["KnownProjects", "Limits", "OpenStreams", "RateLimiter"]

_RATED_PROJECTS: Final = 10_000
"""Projects whose rate is held; beyond it the oldest is dropped, and this project has its whole burst again."""


SEND_COST: Final = 50e-6
"""Seconds of processor time for one send to one listener, about: measured for both ends of the loopback."""

LONGEST_PAUSE: Final = 0.05
"""Seconds that a stream waits after a send, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Set the limits of a server. Beyond them the server answers 413 (too large), 429 (slow down) or 503 (full)."""

    body_bytes: int = 4 * 1024 * 1024
    """Bytes of one request's body, at most; beyond it 413."""
    events_per_request: int = 1_000
    """Events of one request, at most; beyond it 413."""
    listeners: int = 10_000
    """Open streams of the server, at most; beyond it 503."""
    listeners_per_project: int = 2_000
    """Open streams of one project, at most; beyond it 429."""
    projects: int = 10_000
    """Projects that receive events, at most; beyond it 503 for a project that the log does not have yet. A log in
    memory bounds each project itself: its largest size is this bound times *projects*."""
    events_per_second: float | None = 20_000.0
    """Events a second to one project, and twice as many in one burst; beyond it 429. ``None``: no limit."""
    stream_seconds: float | None = None
    """Seconds after which the server ends a stream, so that its client resumes, perhaps at another server."""
    send_seconds: float = 30.0
    """Seconds for which a client may read nothing; then the server drops its connection."""
    head_bytes: int = 32 * 1024
    """Bytes of a request's address and headers, at most; beyond it 431. This limit and the following ones hold for
    ``serve`` and ``serve_in_background``; another ASGI server has its own."""
    head_seconds: float = 10.0
    """Seconds in which a request's address and headers must arrive, and for which a connection may be silent; then the server
    closes it."""
    body_seconds: float = 60.0
    """Seconds in which a request's body must arrive; then 408."""
    waiting_connections: int = 4_000
    """Connections without a stream and without a whole request, at most, and at most a quarter of the process's open
    files; beyond it the server closes those that have waited longest."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not value > 0:
                msg = f"Limits({name}={value}): the value must be positive."
                raise ValueError(msg)


class Closable(Protocol):
    """Receive a project's events until ``close``."""

    def close(self) -> None:
        """End the listener."""


class OpenStreams:
    """Count the open streams, and refuse those beyond the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._listeners: dict[Closable, str] = {}
        self._counts: Counter[str] = Counter()
        self.closing = False

    def __len__(self) -> int:
        return len(self._listeners)

    def count(self, project_id: str) -> int:
        """Return the number of this server's open streams of a project."""
        return self._counts[project_id]

    def pause(self) -> float:
        """Return the seconds that a stream waits after a send, so that sends leave time for requests."""
        return min(LONGEST_PAUSE, SEND_COST * len(self._listeners))

    def check_open(self) -> None:
        """Check that the server does not shut down.

        Raises:
            Refused: 503 while the server shuts down.
        """
        if self.closing:
            raise Refused(503, "The server is shutting down; try again.", retry_after=1)

    def check(self, project_id: str) -> None:
        """Check that the limits allow one more stream of a project.

        Raises:
            Refused: 503 if the server is full or shuts down, 429 if the project is full.
        """
        self.check_open()
        if len(self._listeners) >= self._limits.listeners:
            raise Refused(503, "The server has no room for more streams; try again later.", retry_after=5)
        if self._counts[project_id] >= self._limits.listeners_per_project:
            raise Refused(429, "This project has no room for more streams; try again later.", retry_after=5)

    def add(self, project_id: str, listener: Closable) -> None:
        """Count a listener."""
        self._listeners[listener] = project_id
        self._counts[project_id] += 1

    def remove(self, listener: Closable) -> None:
        """End a listener, and stop counting it. Idempotent."""
        project_id = self._listeners.pop(listener, None)
        if project_id is not None:
            self._counts[project_id] -= 1
            if not self._counts[project_id]:
                del self._counts[project_id]
        listener.close()

    def close(self) -> None:
        """End every stream, and refuse new ones. The clients resume at the next server."""
        self.closing = True
        for listener in list(self._listeners):
            listener.close()


class KnownProjects:
    """Hold the names of the projects that received events here. The class drops none, as the log drops none."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._names: set[str] = set()

    def admit(self, project_id: str) -> bool:
        """Add a project; return False if it is a new one beyond the limit."""
        if project_id not in self._names:
            if len(self._names) >= self._limits.projects:
                return False
            self._names.add(project_id)
        return True


class RateLimiter:
    """Limit each project by a token bucket: *rate* events a second, and a burst of twice as many."""

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (events, time)

    def admit(self, project_id: str, count: int) -> None:
        """Admit *count* events of a project.

        Raises:
            Refused: 429, with the seconds until the project's next try.
        """
        if self._rate is None:
            return
        now = self._clock()
        spent, then = self._spent.pop(project_id, (0.0, now))
        spent = max(0.0, spent - (now - then) * self._rate)
        burst = 2 * self._rate
        # A request larger than the burst passes when the bucket is full: otherwise it could never pass.
        if spent and spent + count > burst:
            self._store(project_id, spent, now)
            wait = (min(spent, spent + count - burst)) / self._rate
            raise Refused(
                429, "This project receives events too fast; slow down.", retry_after=math.ceil(wait)
            )
        self._store(project_id, spent + count, now)

    def _store(self, project_id: str, spent: float, now: float) -> None:
        self._spent[project_id] = (spent, now)
        if len(self._spent) > _RATED_PROJECTS:
            self._spent.popitem(last=False)
