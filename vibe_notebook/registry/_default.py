"""Hold the process-wide registry: the only global state of the package.

On top of the registry, for callers who name none.
"""

from __future__ import annotations

import threading

from .._forks import in_child
from ._registry import Registry

__all__ = ["get_registry"]

_default: Registry | None = None
_default_lock = threading.Lock()


def _renew_default_lock() -> None:
    global _default_lock  # noqa: PLW0603 - in the child of a fork
    _default_lock = threading.Lock()


in_child(_renew_default_lock)


def get_registry() -> Registry:
    """Return the process-wide registry of the magic and the widget; replace a closed one."""
    global _default  # noqa: PLW0603 - the one global of the package, by design
    with _default_lock:
        if _default is None or _default.closed:
            _default = Registry()
        return _default
