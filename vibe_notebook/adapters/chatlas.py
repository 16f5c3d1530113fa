"""Read chatlas: ``chat.stream(…, content="all")``, which yields text as strings, and contents for the rest.

The text adapter gives a stream that begins with a string to this adapter at its first content. Source:
``chatlas._content``.
"""

from __future__ import annotations

from typing import Any

from vibe_notebook.events import Artifact, ToolStarted

from ._base import Adapter
from ._fields import get, ident, json_text, parsed, plain, text
from ._result_blocks import read_result

__all__ = ["ChatlasAdapter", "matches"]


def matches(native: object) -> bool:
    """Return whether *native* is a content of chatlas."""
    kind = text(get(native, "content_type"))
    match kind:
        case "text":
            return isinstance(get(native, "text"), str) and not get(native, "role")
        case "thinking" | "thinking_delta":
            return isinstance(get(native, "thinking"), str)
        case "tool_request":
            return ident(get(native, "id")) is not None
        case "tool_result":
            return ident(get(native, "request", "id")) is not None
        case "image_inline" | "image_remote":
            return get(native, "url") is not None or get(native, "data") is not None
    return False


class ChatlasAdapter(Adapter):
    """Read one chat: a message of the model ends with its calls."""

    name = "chatlas"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._count = 0
        self._has_calls = False

    def _read(self, native: object) -> None:
        if isinstance(native, str):
            if (
                native.strip() or not self._has_calls
            ):  # a blank line stands between the results and the answer
                self._open(is_text=True)
                self.emit_text("text", "0", text(native))
        elif not matches(native):
            self.emit_unknown(native, ident(get(native, "content_type")) or ident(get(native, "type")))
        else:
            self._content(native, text(get(native, "content_type")))

    def _close(self) -> None:
        self._end_message()

    def _open(self, *, is_text: bool) -> None:
        if is_text and self._has_calls:
            self._end_message()
        if self._message is None:
            self._message = f"{self.run_id}:chat:{self._count}"
            self._count += 1
            self.begin_message(self._message)
        self._envelope = {"message_id": self._message}

    def _end_message(self) -> None:
        message, self._message, self._has_calls = self._message, None, False
        self.end_message(message)

    def _content(self, native: object, kind: str) -> None:
        if kind == "tool_request":
            self._request(native)
        elif kind == "tool_result":
            self._result_of(native)
        elif kind in ("thinking", "thinking_delta"):
            self._open(is_text=True)
            emit = self.emit_text if kind == "thinking_delta" else self.emit_whole
            emit("thinking", "0", text(get(native, "thinking")))
        elif kind == "text":
            self._open(is_text=True)
            self.emit_text("text", "0", text(get(native, "text")))
        else:
            self._open(is_text=True)
            self._count += 1
            data, media = text(get(native, "data")), text(get(native, "image_content_type")) or None
            place = {"data": data} if data else {"url": text(get(native, "url")) or None}
            self.emit(Artifact, artifact_id=f"{self.run_id}:file:{self._count}", media_type=media, **place)

    def _request(self, native: object) -> None:
        call_id, name = str(ident(get(native, "id"))), text(get(native, "name")) or None
        self._open(is_text=False)
        self._has_calls = True
        self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=parsed(get(native, "arguments")))

    def _result_of(self, native: object) -> None:
        request, error = get(native, "request"), get(native, "error")
        call_id, name = str(ident(get(request, "id"))), text(get(request, "name")) or None
        fields: dict[str, Any] = {"tool_call_id": call_id, "tool_name": name}
        value = get(native, "value")
        if error is not None:
            words = str(error) if isinstance(error, BaseException) else text(error) or json_text(plain(error))
            fields |= {"status": "error", "error": text(words)}
            value = words if value is None else value
        self.emit_result(read_result(value), **fields)
