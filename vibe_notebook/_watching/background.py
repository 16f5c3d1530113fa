"""A watch that nobody awaits: consumed on the running loop, or in a thread.

Beside ``_watching/watch.py``; the line form of the magic uses it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial

from .watch import Watch

__all__ = ["start"]

log = logging.getLogger("vibe_notebook")

_tasks: set[asyncio.Task[None]] = set()


def start(made: Watch) -> None:
    """Consume it in the background: on the running loop or, a sync source, in a thread.

    What goes wrong is shown in the view and logged; it is not raised anywhere. Raises
    ``ConsumedError`` if it has a consumer, and what its recording or output raises.
    """
    made.claim()
    made.is_consumed_by_magic = True
    made.begin()
    run: Callable[[], object] = partial(_in_thread, made)
    if made.is_async:
        try:
            task = asyncio.get_running_loop().create_task(_in_background(made))
        except RuntimeError:
            run = partial(_in_own_loop, made)  # a plain terminal has no loop between its cells
        else:
            _tasks.add(task)  # the loop holds tasks weakly
            task.add_done_callback(_tasks.discard)
            return
    # In a copy of the context: what the thread shows belongs to this cell.
    context = contextvars.copy_context()
    try:
        threading.Thread(target=context.run, args=(run,), name="vibe-watch", daemon=True).start()
    except RuntimeError:
        run()  # no threads here (WebAssembly): the cell waits instead


async def _in_background(made: Watch) -> None:
    with contextlib.suppress(asyncio.CancelledError), _logging(made):
        await made.consume()


def _in_own_loop(made: Watch) -> None:
    asyncio.run(_in_background(made))


def _in_thread(made: Watch) -> None:
    with _logging(made):
        made.consume_sync()


@contextlib.contextmanager
def _logging(made: Watch) -> Iterator[None]:
    try:
        yield
    except Exception:
        # Shown in the view already: on standard error it could land in another cell.
        level = logging.DEBUG if made.is_shown else logging.ERROR
        log.log(level, "The stream of %r failed", made.title, exc_info=True)
