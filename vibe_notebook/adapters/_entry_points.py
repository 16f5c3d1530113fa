"""Adapters that other packages ship, found by their entry points.

Used by ``adapters``. An entry point in the group ``vibe_notebook.adapters`` names a module with
``matches`` and one ``Adapter`` of its own, or that class in it; it is loaded when it is first needed.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from ._base import Adapter

__all__ = ["GROUP", "Shipped", "load", "shipped"]

GROUP = "vibe_notebook.adapters"
log = logging.getLogger("vibe_notebook")

Shipped = tuple[type[Adapter], Callable[[object], bool]]
"""An adapter's class, and what knows its natives."""


def shipped() -> dict[str, EntryPoint]:
    """Return the entry points by the names of their adapters, none of them loaded."""
    return _shipped(tuple(sys.path))


@cache  # reading what is installed took 25 ms, before the first event of each watch
def _shipped(_path: tuple[str, ...]) -> dict[str, EntryPoint]:
    return {entry.name.lower().replace("-", "_"): entry for entry in entry_points(group=GROUP)}


@cache  # so that what is broken is reported once
def load(entry: EntryPoint) -> Shipped | Exception:
    """Return what *entry* stands for, or why there is none: a broken package harms no other."""
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
