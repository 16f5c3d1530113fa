"""Order, retain and deliver the events of all agents, from any thread.

Events come here from adapters, remote streams and ``live()``. Ordering and the reducer stand below; display,
recording, projects and watching stand above.
"""

from __future__ import annotations

from ._agent import Hold, Stats, Watcher
from ._callbacks import OVERTAKEN, Callback, Registration
from ._default import get_registry
from ._registry import Registry
from ._subscriptions import Subscription

__all__ = [
    "OVERTAKEN",
    "Callback",
    "Hold",
    "Registration",
    "Registry",
    "Stats",
    "Subscription",
    "Watcher",
    "get_registry",
]
