"""Accept the answer to a request only from the desk at which it is asked.

Beside ``_intake.py``. An event with an answer reaches a registry from any code: a stream that holds our own events, a
recording, a follower. The view must not show it as the answer of a request that still waits.
"""

from __future__ import annotations

import threading
from itertools import islice
from typing import Final

from .._foreign_words import clean_logger
from .._forks import renew_in_child
from ..events import Event, InputAnswered, InputRequested

__all__ = ["ReservedAnswers"]

log = clean_logger("vibe_notebook")

KEPT: Final = 10_000
"""Requests whose desks are known: 4 MB."""
_Key = tuple[str, str, str]
_SAID: Final = ("action", "value", "reason", "by")


class ReservedAnswers:
    """Hold the requests that wait at a desk, each with the only answer that is accepted for it, once it has one."""

    def __init__(self) -> None:
        self._given: dict[_Key, InputAnswered | None] = {}
        self._lock = threading.Lock()
        renew_in_child(self)

    def renew(self) -> None:
        """Replace the lock in the child of a fork."""
        self._lock = threading.Lock()

    def reserve(self, event: InputRequested | InputAnswered) -> None:
        """Reserve the answer of a request for its desk, or name the answer that the desk gives. A desk calls this."""
        with self._lock:
            if isinstance(event, InputRequested):
                self._given[event.agent_id, event.run_id, event.request_id] = None
                if len(self._given) > KEPT:
                    for key in list(islice(self._given, KEPT // 2)):
                        del self._given[key]
            elif (key := _key_of(event)) in self._given:
                self._given[key] = event

    def accepts(self, event: Event) -> bool:
        """Return False, and log it, for an answer that its desk has not given."""
        if not isinstance(event, InputAnswered):
            return True
        key = _key_of(event)
        with self._lock:
            is_reserved, given = key in self._given, self._given.get(key)
        if not is_reserved or (given is not None and _said(given) == _said(event)):
            return True
        log.warning(
            "An answer to the request %r did not come from its view, and is left out", event.request_id
        )
        return False


def _key_of(event: InputAnswered) -> _Key:
    return event.agent_id, event.request_run_id or event.run_id, event.request_id


def _said(event: InputAnswered) -> list[object]:
    return [getattr(event, name) for name in _SAID]
