"""Accept the callbacks of an MCP client: the progress of a tool, the server's log, its requests for input.

Beside ``_watching/handlers/sdks.py``. A progress callback is not told its call; ``call_tool`` is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ...adapters.fields import get
from ...exceptions import AdapterError
from .base import Handler

__all__ = ["MCPHandler"]

_FORM = 4
"""Arguments of FastMCP's handler of requests: the message, the type of the answer, the parameters, the context."""


class MCPHandler(Handler):
    """Accept callbacks: ``session.call_tool(name, args, progress_callback=vibe.handler("mcp"))``.

    The handler is a client's ``logging_callback`` and ``elicitation_callback`` too. ``call_tool(session, name, args)``
    calls a tool, and shows its arguments, progress and result as one call.
    """

    adapter = "mcp"

    def __init__(self, pipeline: Any) -> None:
        super().__init__(pipeline)
        self._count = 0
        self._progress: tuple[str, float] | None = None
        """The call of the progress that came last, and how far it was."""

    async def __call__(self, *given: Any) -> Any:
        """Show one callback. The client calls this."""
        if given and isinstance(given[0], int | float):
            self._show_progress(*given)
        elif len(given) == 1:
            self._show("notifications/message", given[0])
        elif len(given) == _FORM:
            return self._ask({"message": given[0], "requestedSchema": get(given[2], "requested_schema")})
        else:
            return self._ask(given[-1] if given else None)
        return None

    async def call_tool(self, session: Any, name: str, arguments: Any = None, **options: Any) -> Any:
        """Call a tool of a session, show the call, and return its result."""
        call = self._fresh("call")
        self._show("tools/call", {"name": name, "arguments": arguments}, call)

        async def progress(done: float, total: float | None = None, message: str | None = None) -> None:
            self._show_progress(done, total, message, call)

        try:
            result = await session.call_tool(name, arguments, progress_callback=progress, **options)
        except Exception as error:
            self._feed({"id": call, "error": {"message": f"{type(error).__name__}: {error}"}})
            raise
        self._feed({"id": call, "result": result})
        return result

    def elicitation(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        """Return a client's ``elicitation_callback`` that shows each request, and what *ask* answers."""

        async def asked(*given: Any) -> Any:
            request = self._request(given[-1] if given else None)
            answer = ask(*given)
            answer = await answer if inspect.isawaitable(answer) else answer
            self._feed({"id": request, "result": answer})
            return answer

        return asked

    def _ask(self, params: Any) -> Any:
        """Show a request that stays open; the server gets "cancel", for nobody can answer it here."""
        self._request(params)
        try:
            kinds = import_module("mcp.types")
        except ModuleNotFoundError as error:
            msg = 'vibe.handler("mcp") answers a request for input with a class of the package mcp: install that.'
            raise AdapterError(msg) from error
        return kinds.ElicitResult(action="cancel")

    def _request(self, params: Any) -> str:
        request = self._fresh("request")
        self._show("elicitation/create", params if params is not None else {}, request)
        return request

    def _show_progress(self, done: float, total: Any = None, message: Any = None, call: str = "") -> None:
        if not call:
            last = self._progress
            call = last[0] if last is not None and done >= last[1] else self._fresh("call")
            self._progress = call, done
        params = {"progressToken": call, "progress": done, "total": total, "message": message}
        self._show("notifications/progress", params)

    def _fresh(self, kind: str) -> str:
        with self._lock:
            self._count += 1
            return f"{kind}:{self._count}"

    def _show(self, method: str, params: Any, native_id: str | None = None) -> None:
        native = {"method": method, "params": params}
        self._feed(native if native_id is None else {**native, "id": native_id})

    def _feed(self, native: dict[str, Any]) -> None:
        with self._lock:
            self._accept(self._run(""), native)
