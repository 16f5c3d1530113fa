"""Ids for agents whose source gives none: given where a watch or a handler makes its first event.

Beside ``_pipeline.py``, which uses it as ``_hook.py`` does.
"""

from __future__ import annotations

import itertools
import threading
import weakref

from .registry import Registry

__all__ = ["fresh_agent_id"]

_lock = threading.Lock()
_given: weakref.WeakKeyDictionary[Registry, set[str]] = weakref.WeakKeyDictionary()


def fresh_agent_id(registry: Registry) -> str:
    """An id that no agent of the registry has, nor another watch that has not said anything yet."""
    with _lock:
        given = _given.setdefault(registry, set())
        taken = given.union(registry.agents())
        name = next(name for n in itertools.count(1) if (name := f"agent-{n}") not in taken)
        given.add(name)
        return name
