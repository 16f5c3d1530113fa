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
            else:
                self._given |= {key: event for key in _keys_of(event) if key in self._given}

    def accepts(self, event: Event) -> bool:
        """Return False, and log it, for an answer that its desk has not given."""
        if not isinstance(event, InputAnswered):
            return True
        with self._lock:
            reserved = [self._given[key] for key in _keys_of(event) if key in self._given]
        if all(given is not None and _said(given) == _said(event) for given in reserved):
            return True
        log.warning(
            "An answer to the request %r did not come from its view, and is left out", event.request_id
        )
        return False


def _keys_of(event: InputAnswered) -> set[_Key]:
    """Return the requests that the reducer may take an answer for: that of its own run, and that of the run it names."""
    runs = {event.run_id, event.request_run_id or event.run_id}
    return {(event.agent_id, run_id, event.request_id) for run_id in runs}


def _said(event: InputAnswered) -> list[object]:
    return [getattr(event, name) for name in _SAID]
