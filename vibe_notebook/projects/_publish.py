"""From a kernel to a project: what a registry's agents do, for others to follow.

On top of the registry on one side, of a log or its server on the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..registry import Registry
from ._post import Desk, desk_for
from ._pump import Pump

if TYPE_CHECKING:
    from . import ProjectEventStream

__all__ = ["Publisher", "publish"]


class Publisher:
    """Sends what agents do until it is closed; made by ``publish``.

    It works in a thread of its own, and so goes on while a cell is busy.
    """

    def __init__(
        self, registry: Registry, desk: Desk, *, agent_id: str | None, buffer: int, closes: bool
    ) -> None:
        self._subscription = registry.subscribe(agent_id, after=0)
        self._pump = Pump(self._subscription, desk, buffer=buffer, closes=closes)
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        # In a copy of the context: what the thread shows belongs to this cell.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._work,), name="vibe-publish", daemon=True
        )
        self._thread.start()

    def __repr__(self) -> str:
        state = "at work" if self._thread.is_alive() else "closed"
        trouble = f", {self.error}" if self.error is not None else ""
        return f"<publisher: {self.sent} events sent, {self.pending} pending, {state}{trouble}>"

    @property
    def sent(self) -> int:
        """How many events were acknowledged."""
        return self._pump.sent

    @property
    def pending(self) -> int:
        """How many events were taken from the registry and are not acknowledged yet."""
        return self._pump.pending

    @property
    def error(self) -> Exception | None:
        """What went wrong for good, if anything did: something was not, or will not be, sent."""
        return self._pump.error

    def close(self, timeout: float = 10.0) -> None:
        """Send what was delivered until now, for at most *timeout* seconds, and stop. Idempotent.

        Warns (``RuntimeWarning``) if anything was not sent.
        """
        self._subscription.finish()
        self._thread.join(timeout)
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it has just come to its end
                self._loop.call_soon_threadsafe(self._cancel)
            self._thread.join(timeout)
        if self.error is not None:
            warnings.warn(f"Not all was published. {self.error}", RuntimeWarning, stacklevel=2)

    async def aclose(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - as close()
        """As ``close``, while the loop goes on."""
        await asyncio.to_thread(self.close, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _work(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - told by close() and in ``error``
            self._pump.fail_of(error)

    async def _main(self) -> None:
        self._task = asyncio.current_task()
        await self._pump.run()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def publish(
    registry: Registry,
    project_id: str,
    url: str | ProjectEventStream,
    *,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    agent_id: str | None = None,
    buffer: int = 10_000,
    close_project: bool = False,
) -> Publisher:
    """Send what a registry's agents do to a project, until the returned publisher is closed.

    ::

        with publish(vibe.get_registry(), "trip", "http://localhost:8000"):
            await vibe.watch(agent.run_stream_events("…"))

    *url* is a server's, with the bearer *token* it wants; or a log's (``sqlite:///…``,
    ``redis://…``), or a ``ProjectEventStream``. It begins with what the registry still has. While the
    other side does not answer, up to *buffer* events wait here and as many as the registry keeps
    there; what is lost beyond is told in ``error``, and to those who follow. With *agent_id* only that
    agent's events are sent; with *close_project* the project is closed after the last.

    Raises ``MissingExtraError`` where *url* needs an extra that is missing, ``ClosedError`` for a closed
    registry, ``ValueError`` for a *url* that is none of these.
    """
    desk = desk_for(url, project_id, headers=headers, token=token)
    return Publisher(registry, desk, agent_id=agent_id, buffer=buffer, closes=close_project)
