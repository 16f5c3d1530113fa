"""A registry's subscriptions: what they read from, and how they are woken.

Part of the registry; ``changed`` is a condition on the registry's lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from .subscription import Subscription

if TYPE_CHECKING:
    from ._ring import Cursor, Ring
    from .events import Event

__all__ = ["Readers"]


class Readers:
    """All that read from one ring. ``missed`` is told, under the lock, how many events a reader lost."""

    def __init__(self, changed: threading.Condition, ring: Ring, missed: Callable[[str, int], None]) -> None:
        self.changed = changed
        self._ring = ring
        self._missed = missed
        self.open: dict[Subscription, None] = {}
        """Those that have not come to their end; to be read only."""

    def add(self, agent_id: str | None, after: int | None) -> Subscription:
        """Under the lock: a new reader."""
        subscription = Subscription(self, self._ring.cursor(agent_id, after))
        self.open[subscription] = None
        return subscription

    def read(self, cursor: Cursor, limit: int) -> tuple[int | None, list[tuple[int, Event]]]:
        """Under the lock: the next rows."""
        missed, rows = self._ring.read(cursor, limit)
        if missed and cursor.agent_id is not None:
            self._missed(cursor.agent_id, missed)
        return missed, rows

    def drop(self, subscription: Subscription) -> None:
        """Forget one that is closed or has come to its end."""
        with self.changed:
            subscription.end()
            self.open.pop(subscription, None)
            wakers = subscription.take_wakers()
            self.changed.notify_all()
        for waker in wakers:
            waker()

    def end(self, agent_id: str | None) -> None:
        """Under the lock: let an agent's readers, or all, end after what is there; ``wake`` them after."""
        for subscription in self.open:
            if agent_id is None or subscription.agent_id == agent_id:
                subscription.end()

    def wake(self) -> None:
        """Outside of the lock: there is something to read."""
        with self.changed:
            wakers = [waker for subscription in self.open for waker in subscription.take_wakers()]
            self.changed.notify_all()
        for waker in wakers:
            waker()
