"""How much one server takes: the numbers, the listeners' seats, the projects, and the pace of what is sent.

Below the routes. Used only from the server's event loop.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ._errors import Refused

__all__ = ["Limits", "Names", "Pace", "Seats"]

_KNOWN: Final = 10_000
"""Projects whose pace is remembered; one that is forgotten has its whole burst again."""


SEND_COST: Final = 50e-6
"""Seconds of processor time for one send to one listener, about: measured on both ends of the loopback."""

LONGEST_PAUSE: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server takes; beyond it answers 413 (too large), 429 (slow down) or 503 (full)."""

    body_bytes: int = 4 * 1024 * 1024
    """Bytes of one request's body: 413."""
    events_per_request: int = 1_000
    """Events of one request: 413."""
    listeners: int = 10_000
    """Open streams in all: 503."""
    listeners_per_project: int = 2_000
    """Open streams of one project: 429."""
    projects: int = 10_000
    """Projects that are sent to; beyond it, to one that the log does not have: 503. What the log keeps of each
    is the log's own bound, so times this it is the most that a log in memory can come to."""
    events_per_second: float | None = 20_000.0
    """Events sent to one project, twice as many at once: 429. ``None``: as many as the log takes."""
    stream_seconds: float | None = None
    """Seconds after which a stream ends, so that its client resumes, elsewhere perhaps."""
    send_seconds: float = 30.0
    """Seconds for which a listener may take nothing before its connection is dropped."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not value > 0:
                msg = f"Limits({name}={value}): must be positive."
                raise ValueError(msg)


class Closing(Protocol):
    """What sits: a listener of a project."""

    def close(self) -> None:
        """End it."""


class Seats:
    """Who listens, and whether there is room for one more."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken: dict[Closing, str] = {}
        self._of: Counter[str] = Counter()
        self.closing = False

    def __len__(self) -> int:
        return len(self._taken)

    def of(self, project_id: str) -> int:
        """How many listen to a project here."""
        return self._of[project_id]

    def pause(self) -> float:
        """Seconds that a stream waits after it has sent: so long that sending leaves time for all else."""
        return min(LONGEST_PAUSE, SEND_COST * len(self._taken))

    def check_open(self) -> None:
        """Raise ``Refused`` (503) while the server shuts down."""
        if self.closing:
            raise Refused(503, "The server is shutting down; try again.", retry_after=1)

    def check(self, project_id: str) -> None:
        """Raise ``Refused`` where there is no seat."""
        self.check_open()
        if len(self._taken) >= self._limits.listeners:
            raise Refused(503, "The server has no room for more streams; try again later.", retry_after=5)
        if self._of[project_id] >= self._limits.listeners_per_project:
            raise Refused(429, "This project has no room for more streams; try again later.", retry_after=5)

    def take(self, project_id: str, listener: Closing) -> None:
        """Seat a listener."""
        self._taken[listener] = project_id
        self._of[project_id] += 1

    def free(self, listener: Closing) -> None:
        """End a listener, whose seat is free then. Idempotent."""
        project_id = self._taken.pop(listener, None)
        if project_id is not None:
            self._of[project_id] -= 1
            if not self._of[project_id]:
                del self._of[project_id]
        listener.close()

    def end(self) -> None:
        """End every stream, and let nobody in any more: clients resume when there is a server again."""
        self.closing = True
        for listener in list(self._taken):
            listener.close()


class Names:
    """Which projects are sent to here. None is forgotten, since the log does not forget any."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._names: set[str] = set()

    def take(self, project_id: str) -> bool:
        """Whether it is one of them, or may be, as there is room."""
        if project_id not in self._names:
            if len(self._names) >= self._limits.projects:
                return False
            self._names.add(project_id)
        return True


class Pace:
    """Token buckets, one a project: *rate* events a second on the long run, twice that at once."""

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (how much, when)

    def take(self, project_id: str, count: int) -> None:
        """Let *count* events pass, or raise ``Refused`` (429) that says when to try again."""
        if self._rate is None:
            return
        now = self._clock()
        spent, then = self._spent.pop(project_id, (0.0, now))
        spent = max(0.0, spent - (now - then) * self._rate)
        burst = 2 * self._rate
        # A request larger than any burst passes once nothing is owed, or it never would.
        if spent and spent + count > burst:
            self._put(project_id, spent, now)
            wait = (min(spent, spent + count - burst)) / self._rate
            raise Refused(429, "This project gets events too fast; slow down.", retry_after=math.ceil(wait))
        self._put(project_id, spent + count, now)

    def _put(self, project_id: str, spent: float, now: float) -> None:
        self._spent[project_id] = (spent, now)
        if len(self._spent) > _KNOWN:
            self._spent.popitem(last=False)
