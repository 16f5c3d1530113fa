"""Compute the time until the next try, for ``_event_source``. Pure: the caller passes the randomness in."""

from __future__ import annotations

import datetime
import email.utils
import time
from collections.abc import Callable
from typing import Final

__all__ = ["LONGEST", "Backoff", "retry_after"]

LONGEST: Final = 300.0
"""Seconds: a reader waits no longer, even if the server asks for more."""
SHORTEST: Final = 0.01
"""Seconds: after ``retry: 0`` alone, the client would keep a core of its own and of the server busy."""
_GROWTH_LIMIT: Final = 30.0
"""Seconds up to which the delay doubles; a server may ask for more."""
_JITTER: Final = 0.1
"""Largest share added to a delay, so that a thousand clients do not come back at once.

Only added, never subtracted: no client comes back before the time that the server asked for.
"""


class Backoff:
    """Double the delay after each try without an event."""

    def __init__(self, base: float, random: Callable[[], float]) -> None:
        self.base = base
        self.tries = 0
        self._random = random

    def next(self, at_least: float | None = None) -> float:
        """Return the delay before the next try, in seconds, and count that try."""
        delay = max(self.base, SHORTEST) * 2.0 ** min(self.tries, 30)
        delay = max(min(delay, _GROWTH_LIMIT), self.base, at_least or 0.0)
        self.tries += 1
        return min(delay, LONGEST) * (1 + _JITTER * self._random())

    def reset(self) -> None:
        """Start again from the base: an event has arrived."""
        self.tries = 0


def retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Return the seconds of a ``Retry-After`` header, which holds a number or a date; else ``None``."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[-9:]) if len(text) <= 9 else LONGEST  # noqa: PLR2004 - ten digits are a lifetime
    try:
        date = email.utils.parsedate_to_datetime(text)
        return max(date.replace(tzinfo=date.tzinfo or datetime.UTC).timestamp() - now(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
