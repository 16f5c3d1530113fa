"""Load the adapters that other packages ship, by their entry points.

``adapters`` asks this module for every name that is not its own. An entry point in the group
``vibe_notebook.adapters`` names a module with ``matches`` and one ``Adapter`` subclass, or that class.
The module loads an entry point at its first use.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from .._foreign_words import clean_logger
from ._base import Adapter

__all__ = ["GROUP", "Shipped", "load", "shipped"]

GROUP = "vibe_notebook.adapters"
log = clean_logger("vibe_notebook")

Shipped = tuple[type[Adapter], Callable[[object], bool]]
"""The class of an adapter, and the function that recognises its natives."""


def shipped() -> dict[str, EntryPoint]:
    """Return the entry points by the names of their adapters, without loading one."""
    return _shipped(tuple(sys.path))


@cache  # to list the installed entry points took 25 ms, before the first event of each watch
def _shipped(_path: tuple[str, ...]) -> dict[str, EntryPoint]:
    return {entry.name.lower().replace("-", "_"): entry for entry in entry_points(group=GROUP)}


@cache  # so that the log names a broken adapter once
def load(entry: EntryPoint) -> Shipped | Exception:
    """Load *entry*; return the error of a broken package, so that other adapters still work."""
    try:
        found = entry.load()
        module = found if isinstance(found, ModuleType) else inspect.getmodule(found)
        return _class_in(found), module.matches  # type: ignore[union-attr]
    except Exception as error:
        package = entry.dist.name if entry.dist else entry.value
        log.exception("The adapter %r of %s cannot be loaded and is left out.", entry.name, package)
        return error


def _class_in(found: object) -> type[Adapter]:
    if isinstance(found, ModuleType):
        kinds = [kind for kind in vars(found).values() if _is_adapter(kind)]
        own = [kind for kind in kinds if kind.__module__ == found.__name__]
        found = own[0] if len(own) == 1 else None
    if not _is_adapter(found):
        msg = "The entry point must name a module with one Adapter in it, or that class."
        raise TypeError(msg)
    return found  # type: ignore[return-value]


def _is_adapter(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Adapter) and kind is not Adapter
