"""Consume a watch in the background: on the running loop, or in a thread.

Above ``_watching/watch.py``; the line form of the magic uses it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial

from .._foreign_words import clean_logger
from .watch import Watch

__all__ = ["start"]

log = clean_logger("vibe_notebook")

_tasks: set[asyncio.Task[None]] = set()


def start(made: Watch) -> None:
    """Consume a watch in the background: on the running loop or, a sync source, in a thread.

    The view shows an error of the stream, and the log has it; no caller gets it. Raises ``ConsumedError``
    if the watch has a consumer, and the errors of its recording and of its output.
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
    # In a copy of the context: the displays of the thread belong to this cell.
    context = contextvars.copy_context()
    try:
        threading.Thread(target=context.run, args=(run,), name="vibe-watch", daemon=True).start()
    except RuntimeError:
        run()  # no threads here (WebAssembly): the cell waits instead


async def _in_background(made: Watch) -> None:
    with contextlib.suppress(asyncio.CancelledError), _logging_failure(made):
        await made.consume()


def _in_own_loop(made: Watch) -> None:
    asyncio.run(_in_background(made))


def _in_thread(made: Watch) -> None:
    with _logging_failure(made):
        made.consume_sync()


@contextlib.contextmanager
def _logging_failure(made: Watch) -> Iterator[None]:
    try:
        yield
    except Exception:
        # The view shows the error already: on standard error it could land in another cell.
        level = logging.DEBUG if made.is_shown else logging.ERROR
        log.log(level, "The stream of %r failed", made.title, exc_info=True)
