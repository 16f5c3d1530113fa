"""How a connection is doing, in one value that a view can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

__all__ = ["State", "Status"]

State = Literal["connecting", "live", "reconnecting", "ended", "refused"]


@dataclass(frozen=True, slots=True)
class Status:
    """``str()`` of it is a line for a person.

    ``delay`` is the seconds until try number ``attempt``; ``resumed`` the events that had come when
    the connection was resumed (``None``: it never had to be); ``reason`` says why it was lost, or
    refused.
    """

    state: State = "connecting"
    delay: float | None = None
    attempt: int = 0
    resumed: int | None = None
    reason: str | None = None

    def __str__(self) -> str:
        match self.state:
            case "connecting" if self.attempt > 1:
                said = f"connecting (try {self.attempt})"
            case "connecting":
                said = "connecting"
            case "live" if self.resumed is not None:
                said = f"live, resumed after {self.resumed:,} event{'s' * (self.resumed != 1)}"
            case "live" | "ended":
                said = self.state
            case "reconnecting":
                said = f"reconnecting in {_seconds(self.delay or 0)} (try {self.attempt})"
            case "refused":
                said = "refused"
            case _:
                assert_never(self.state)
        return f"{said}: {self.reason}" if self.reason else said


def _seconds(delay: float) -> str:
    return f"{delay:.0f} s" if delay >= 1 else f"{delay:.1f} s"
