"""When to try again: pure, with the randomness passed in."""

from __future__ import annotations

import datetime
import email.utils
import time
from collections.abc import Callable
from typing import Final

__all__ = ["LONGEST", "Backoff", "retry_after"]

LONGEST: Final = 300.0
"""Seconds: whatever a server asks for, a reader does not wait longer."""
SHORTEST: Final = 0.01
"""Seconds: a server that says ``retry: 0`` and nothing else would keep a core busy, and itself."""
_GROWTH_LIMIT: Final = 30.0
"""Seconds up to which the wait doubles; a server may ask for more."""
_JITTER: Final = 0.1
"""Only ever added: a thousand clients must not come back at once, and none before it was asked to."""


class Backoff:
    """Doubles the wait with each try that brought nothing."""

    def __init__(self, base: float, random: Callable[[], float]) -> None:
        self.base = base
        self.tries = 0
        self._random = random

    def next(self, at_least: float | None = None) -> float:
        """Seconds to wait before the next try, which this counts."""
        wait = max(self.base, SHORTEST) * 2.0 ** min(self.tries, 30)
        wait = max(min(wait, _GROWTH_LIMIT), self.base, at_least or 0.0)
        self.tries += 1
        return min(wait, LONGEST) * (1 + _JITTER * self._random())

    def reset(self) -> None:
        """Something came: begin anew."""
        self.tries = 0


def retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Seconds of a ``Retry-After`` header, a number or a date; ``None`` for what is neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[-9:]) if len(text) <= 9 else LONGEST  # noqa: PLR2004 - a lifetime
    try:
        when = email.utils.parsedate_to_datetime(text)
        return max(when.replace(tzinfo=when.tzinfo or datetime.UTC).timestamp() - now(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
