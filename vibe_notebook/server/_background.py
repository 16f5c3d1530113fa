"""A server in a thread: beside other code in a kernel, a test or a script.

On top of ``_serve``.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Collection
from types import TracebackType
from typing import Any, Final, Self

from ..exceptions import VibeNotebookError
from ..projects import EventLog, ProjectEventStream
from ._limits import Limits
from ._serve import Runner, app_for, bind

__all__ = ["BackgroundServer", "serve_in_background"]

_PATIENCE: Final = 30.0
"""Seconds in which the server must start, and in which it must stop."""


class BackgroundServer:
    """Run a server in a thread of its own. After the constructor returns, the server answers at ``url``.

    ``stop()`` and the end of a ``with`` block end the streams, the server and the thread.
    """

    def __init__(
        self, host: str, port: int, token: str | None, limits: Limits | None, **options: Any
    ) -> None:
        self._socket, self.url = bind(host, port, token)
        self._failure: BaseException | None = None
        self._is_ready = threading.Event()
        try:
            app = app_for(host, token, limits=limits, **options)
        except BaseException:
            self._socket.close()
            raise
        self._runner = Runner(app, limits or Limits(), self._is_ready.set)
        # In a copy of the context: the thread's output belongs to this cell.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name="vibe-notebook-server", daemon=True
        )
        self._thread.start()
        self._is_ready.wait(_PATIENCE)
        if self._failure is not None or not self._runner.started:
            self.stop()
            msg = f"The server did not start: {self._failure or f'no answer within {_PATIENCE:g} seconds'}."
            raise VibeNotebookError(msg) from self._failure

    def __repr__(self) -> str:
        return f"<server at {self.url}{'' if self.is_running else ', stopped'}>"

    @property
    def is_running(self) -> bool:
        """Return True while the server's thread runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop the server after the pending answers, and end its streams so that clients resume. Idempotent."""
        self._runner.should_exit = True
        self._thread.join(_PATIENCE)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._runner.run([self._socket])
        except BaseException as error:  # noqa: BLE001 - the constructor raises it
            self._failure = error
        finally:
            self._is_ready.set()


def serve_in_background(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    log: str | EventLog | ProjectEventStream = "memory:",
    token: str | None = None,
    cors: Collection[str] = (),
    limits: Limits | None = None,
    heartbeat: float = 15.0,
) -> BackgroundServer:
    """Start a server in a thread, and return it. The server runs until ``stop()``.

    ::

        with serve_in_background() as server:
            print(server.url)

    Port 0 stands for any free port. The other parameters are those of ``create_app``.

    Raises:
        VibeNotebookError: *host* is not a loopback address and *token* is None; or the server did not start.
        OSError: the port is in use.
        ValueError: *port* is no port, or *token* is empty.
    """
    return BackgroundServer(host, port, token, limits, log=log, cors=cors, heartbeat=heartbeat)
