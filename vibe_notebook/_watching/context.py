"""Name the stream whose code runs at present, so that a hook within it shows and asks in its view.

Beside ``transcribed``, below ``watch`` and ``live``. A watch enters it for each step of its source, a live view and a
handler for their block; tasks and threads that are started within, with a copy of the context, are within it too.
"""

from __future__ import annotations

import contextlib
import weakref
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .transcribed import Transcribed

__all__ = ["ContextToken", "current", "enter", "is_left_over", "leave"]

# Weak: the context of a task that goes on must not hold a stream that has ended.
_current: ContextVar[weakref.ref[Transcribed] | None] = ContextVar("vibe_notebook.current", default=None)
ContextToken = Token["weakref.ref[Transcribed] | None"]


def current() -> Transcribed | None:
    """Return the watch, live view or handler whose code runs at present; ``None`` outside of all, or after its end."""
    held = _current.get()
    found = None if held is None else held()
    return None if found is None or found.done() else found


def is_left_over() -> bool:
    """Return whether the present code began within a stream that has ended."""
    return _current.get() is not None and current() is None


def enter(shown: Transcribed) -> ContextToken:
    """Make *shown* the current one until ``leave`` gets the returned token."""
    return _current.set(weakref.ref(shown))


def leave(token: ContextToken) -> None:
    """Make the earlier one current again; nothing where a block ends in another context than it began."""
    with contextlib.suppress(ValueError):
        _current.reset(token)
