"""What ``break`` leaves of an ``async for`` under trio, closed as asyncio's loop closes it: at once, and in silence.

Beside ``_steps.py``. Trio closes a generator that is dropped too, but cancelled from the first and with a
``ResourceWarning``, which is right for code that could have said ``aclosing`` and wrong for a watch: it
settles when its iterator goes.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any, Final

import anyio

__all__ = ["closed_when_left"]

log = logging.getLogger("vibe_notebook")

PATIENCE: Final = 10
"""Seconds that the end of trio's run waits for what was left."""


def closed_when_left(steps: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
    """Return *steps*, which its loop closes when it is dropped, or under trio what sees to that."""
    trio = sys.modules.get("trio")
    return steps if trio is None or not trio.lowlevel.in_trio_run() else _OnTrio(steps, trio)


class _OnTrio(AsyncIterator[Any]):
    def __init__(self, steps: AsyncGenerator[Any, None], trio: Any) -> None:
        self._steps = steps
        self._spawn = trio.lowlevel.spawn_system_task
        self._schedule = trio.lowlevel.current_trio_token().run_sync_soon

    def __anext__(self) -> Awaitable[Any]:
        return self._steps.__anext__()

    def aclose(self) -> Awaitable[None]:
        """Close the generator."""
        return self._steps.aclose()

    def __del__(self) -> None:
        if getattr(self._steps, "ag_frame", None) is None:
            return  # it has ended
        # The scheduled call holds the generator, so trio does not see it dropped.
        with contextlib.suppress(Exception):  # the run is over, and trio has closed it
            self._schedule(self._spawn, _close, self._steps)


async def _close(steps: AsyncGenerator[Any, None]) -> None:
    try:
        with anyio.move_on_after(PATIENCE, shield=True):
            await steps.aclose()
    except BaseException:  # a system task that raises ends all of trio
        log.debug("What was left of a watch failed to close", exc_info=True)
