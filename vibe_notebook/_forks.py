"""Renew the package's locks and threads in the child of a fork.

At the bottom of the package. A child has only the thread that forked: a lock of another thread stays locked there for
ever, and the other threads do not exist. So each object with a lock or a thread renews them in the child, and what shows
or records the parent's work ends there. The core's locks are held during the fork, so that the child finds no half
change. In the parent nothing changes.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Lockable", "Renewable", "hold_during_fork", "in_child", "renew_in_child"]

PATIENCE: Final = 1.0
"""Seconds that a fork waits for the core's locks at most: a thread may hold one while it waits for the forking one."""


class Renewable(Protocol):
    """Describe an object with a lock or a thread."""

    def renew(self) -> None:
        """Replace the locks, and forget the threads, of the parent."""


class Lockable(Renewable, Protocol):
    """Describe an object whose lock is held during a fork."""

    @property
    def lock(self) -> threading.RLock:
        """Return the present lock."""


_renewed: weakref.WeakSet[Renewable] = weakref.WeakSet()
_locked: weakref.WeakSet[Lockable] = weakref.WeakSet()
_hooks: list[Callable[[], object]] = []


class _Held(threading.local):
    """Hold the locks that the forking thread has taken."""

    def __init__(self) -> None:
        self.locks: list[threading.RLock] = []


_held = _Held()


def renew_in_child(renewed: Renewable) -> None:
    """Call ``renew`` in each child of this process, as long as the object lives."""
    _renewed.add(renewed)


def hold_during_fork(locked: Lockable) -> None:
    """Hold the object's lock during a fork, and call ``renew`` in the child."""
    _locked.add(locked)
    _renewed.add(locked)


def in_child(hook: Callable[[], object]) -> None:
    """Call *hook* in each child of this process."""
    _hooks.append(hook)


def _before() -> None:
    until = time.monotonic() + PATIENCE
    for locked in list(_locked):
        lock = locked.lock
        if lock.acquire(timeout=max(0.0, until - time.monotonic())):
            _held.locks.append(lock)


def _after() -> None:
    while _held.locks:
        _held.locks.pop().release()


def _after_in_child() -> None:
    _after()
    for hook in _hooks:
        hook()
    for renewed in list(_renewed):
        renewed.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)
