"""Read MCP: calls of tools with their progress, a server's log, and its requests for input.

The natives are the protocol's messages, as objects or as JSON; ``vibe.handler("mcp")`` makes them of a client's
callbacks. A progress token is the id of its request. Source: the specification of MCP, ``mcp.types``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import InputAnswered, InputRequested, ToolProgress, ToolStarted

from ._base import Adapter
from ._fields import camel, fields_of, get, ident, number, parsed, plain, reason, text
from ._result_blocks import read_content

__all__ = ["MCPAdapter", "matches"]

_METHODS: Final = frozenset(
    ("elicitation/create", "notifications/message", "notifications/progress", "tools/call")
)
_LEVELS: Final = frozenset(("debug", "info", "notice"))
"""Levels that need no word before their line."""


def matches(native: object) -> bool:
    """Return whether *native* is a message of the protocol that this adapter shows."""
    native = get(native, "root") or native
    return text(get(native, "method")) in _METHODS and get(native, "params") is not None


class MCPAdapter(Adapter):
    """Read one client's session, or a part of it."""

    name = "mcp"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._calls: dict[str, str | None] = {}
        """The tools of the open calls, by the ids of their requests."""
        self._requests: set[str] = set()
        self._count = 0

    def _read(self, native: object) -> None:
        native = get(native, "root") or native
        method, params, native_id = (
            text(get(native, "method")),
            get(native, "params"),
            ident(get(native, "id")),
        )
        match method:
            case "tools/call":
                call_id, name = native_id or self._fresh("call"), text(get(params, "name")) or None
                self._calls[call_id] = name
                args = parsed(get(params, "arguments"))
                self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)
            case "notifications/progress":
                self._progress(params)
            case "notifications/message":
                level, data = text(get(params, "level")), plain(get(params, "data"))
                words = data if level in _LEVELS or not isinstance(data, str) else f"{level}: {data}"
                self.emit_unknown(words, text(get(params, "logger")) or "log", shown=True)
            case "elicitation/create":
                self._request(native_id or self._fresh("request"), params)
            case "" if native_id in self._calls or native_id in self._requests:
                self._response(str(native_id), native)
            case "" if _is_failure(native):
                self.end("error", _words(native), ident(get(native, "error", "code")))
            case _:
                self.emit_unknown(native, method or None)

    def _fresh(self, kind: str) -> str:
        self._count += 1
        return f"{self.run_id}:{kind}:{self._count}"

    def _progress(self, params: object) -> None:
        call_id = ident(camel(params, "progressToken"))
        if call_id is None:
            self.emit_unknown(params, "notifications/progress")
            return
        if call_id not in self._calls:  # the request was not seen
            self._calls[call_id] = None
            self.emit(ToolStarted, tool_call_id=call_id)
        self.emit(
            ToolProgress,
            tool_call_id=call_id,
            progress=number(get(params, "progress")),
            total=number(get(params, "total")),
            message=text(get(params, "message")) or None,
        )

    def _request(self, request: str, params: object) -> None:
        words, url = text(get(params, "message")), text(get(params, "url"))
        self._requests.add(request)
        self.emit(
            InputRequested,
            request_id=request,
            message=f"{words}\n\n{url}".strip() or None,
            answer_schema=plain(camel(params, "requestedSchema")),
        )

    def _response(self, native_id: str, native: object) -> None:
        result, error = get(native, "result"), get(native, "error")
        if error is None and result is None:
            self.end("error", _words(native))
        # The server and the client number their requests each for itself: the result tells which it answers.
        is_answer = native_id not in self._calls or get(result, "action") is not None
        if native_id in self._requests and is_answer:
            self._requests.discard(native_id)
            action = text(get(result, "action"))
            action = action if action in ("accept", "decline") else "cancel"
            value = plain(get(result, "content"))
            why = None if result is not None else _words(native)
            self.emit(InputAnswered, request_id=native_id, action=action, value=value, reason=why)
            return
        fields: dict[str, Any] = {"tool_call_id": native_id, "tool_name": self._calls.pop(native_id)}
        content = get(result, "content")
        output = read_content(content, camel(result, "structuredContent"))
        if result is None or error is not None:
            words = _words(native)
            fields |= {"status": "error", "error": words}
            output = read_content(words)
        elif camel(result, "isError") is True:
            fields |= {"status": "error", "error": text(output.output) or "error"}
        self.emit_result(output, **fields)


def _is_failure(native: object) -> bool:
    """Return whether *native* is the error of an unseen request, or a response that says nothing."""
    if get(native, "error") is not None:
        return True
    names = {name for name, value in fields_of(native).items() if value is not None}
    return "id" in names and names <= {"id", "jsonrpc"}


def _words(native: object) -> str:
    """Return the words of a response without a result."""
    error = get(native, "error")
    if error is None:
        return "The response has neither a result nor an error."
    return text(get(error, "message")) or text(error) or reason(error)
