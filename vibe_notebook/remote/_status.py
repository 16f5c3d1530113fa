"""Describe a connection's state in one value. A view shows the value beside the stream's title."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

__all__ = ["State", "Status"]

State = Literal["connecting", "live", "reconnecting", "ended", "refused"]


@dataclass(frozen=True, slots=True)
class Status:
    """Hold a connection's state. ``str()`` of a status is a line for a person.

    ``delay`` is the time until try number ``attempt``, in seconds. ``resumed`` is the number of
    events before the latest resume (``None``: the stream never had to resume). ``reason`` is the
    cause of a lost or refused connection.
    """

    state: State = "connecting"
    delay: float | None = None
    attempt: int = 0
    resumed: int | None = None
    reason: str | None = None

    def __str__(self) -> str:
        match self.state:
            case "connecting" if self.attempt > 1:
                line = f"connecting (try {self.attempt})"
            case "connecting":
                line = "connecting"
            case "live" if self.resumed is not None:
                line = f"live, resumed after {self.resumed:,} event{'s' * (self.resumed != 1)}"
            case "live" | "ended":
                line = self.state
            case "reconnecting":
                line = f"reconnecting in {_format_seconds(self.delay or 0)} (try {self.attempt})"
            case "refused":
                line = "refused"
            case _:
                assert_never(self.state)
        return f"{line}: {self.reason}" if self.reason else line


def _format_seconds(delay: float) -> str:
    return f"{delay:.0f} s" if delay >= 1 else f"{delay:.1f} s"
