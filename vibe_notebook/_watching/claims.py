"""Name the runs that a watch or a handler shows, so that nothing shows them a second time.

Beside ``context.py``, which knows the code that runs within a watch. Some SDKs start a run before its stream is watched:
the ids of such runs are claimed here, and an automatic view of such a run steps back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice
from types import FrameType
from typing import Final

from .._forks import in_child
from ..adapters.fields import get, ident

__all__ = ["claim", "claim_source", "is_claimed", "on_claim"]

_KEPT: Final = 10_000
"""Runs whose ids are known: 1 MB."""
_FRAMES: Final = ("ag_frame", "gi_frame")

_lock: threading.Lock = threading.Lock()
_claimed: dict[str, None] = {}
_listeners: list[Callable[[str], object]] = []


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - in the child of a fork
    _lock = threading.Lock()


in_child(_renew_lock)


def claim(run: str | None) -> None:
    """Claim the run with this id, for a view that shows it; nothing for ``None``."""
    if run is None:
        return
    with _lock:
        if run in _claimed:
            return
        if len(_claimed) >= _KEPT:
            for old in list(islice(_claimed, _KEPT // 2)):
                del _claimed[old]
        _claimed[run] = None
        listeners = list(_listeners)
    for listener in listeners:
        listener(run)


def claim_source(source: object) -> None:
    """Claim the run of a source that has begun already.

    A streamed run of openai-agents has a trace; pydantic-ai's ``result.stream_text()`` is a generator of a result that
    knows its run.
    """
    owner = next(
        (found for name in _FRAMES if (found := _self_of(getattr(source, name, None))) is not None), None
    )
    for one in (source, owner):
        if type(one).__module__.partition(".")[0] in ("agents", "pydantic_ai"):
            claim(ident(get(one, "trace", "trace_id")))
            claim(ident(get(one, "run_id")))


def _self_of(frame: object) -> object:
    """Return the object whose method a generator's frame runs."""
    return frame.f_locals.get("self") if isinstance(frame, FrameType) else None


def is_claimed(run: str | None) -> bool:
    """Return whether a view shows the run with this id."""
    return run in _claimed


def on_claim(listener: Callable[[str], object]) -> None:
    """Call *listener* with the id of each run that is claimed from now on."""
    with _lock:
        _listeners.append(listener)
