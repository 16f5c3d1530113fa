"""Read Ollama: ``chat(…, stream=True)``, ``generate(…, stream=True)``, and whole responses.

A message ends with the chunk that is ``done`` and has the counts. Calls come whole, mostly without an id. The
application runs its own tools, and may feed in their results: as the API's ``role: tool`` messages, which name the
tool, as the reports of ``_tool_results``, or as our events. Source: ``ollama._types``, the API's reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vibe_notebook.events import Artifact, Usage

from ._base import Adapter
from ._fields import get, ident, integer, items, json_text, plain, text
from ._files import as_base64, raster_of
from ._tool_results import message_result, read_report

__all__ = ["OllamaAdapter", "matches"]

_OTHERS: Final = ("type", "event", "event_kind", "object", "choices", "candidates")
"""The fields that other SDKs' natives have, and these never."""


def matches(native: object) -> bool:
    """Return whether *native* is a response, its chunk, or a tool's message that names the tool."""
    if any(get(native, name) is not None for name in _OTHERS):
        return False
    return _is_response(native) or _is_answer(native)


def _is_response(native: object) -> bool:
    if not isinstance(get(native, "done"), bool) or not text(get(native, "model")):
        return False
    names = ("response", "thinking", "image")
    return bool(text(get(native, "message", "role"))) or any(isinstance(get(native, n), str) for n in names)


def _is_answer(native: object) -> bool:
    is_named = bool(text(get(native, "tool_name"))) and isinstance(get(native, "content"), str)
    return is_named and text(get(native, "role")) == "tool" and get(native, "tool_call_id") is None


@dataclass
class _Message:
    id: str
    calls: int = 0
    files: int = 0


class OllamaAdapter(Adapter):
    """Read one run: one request, or a loop of requests and tool calls."""

    name = "ollama"
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._count = 0
        self._waiting: dict[str, list[str]] = {}
        """The calls that wait for their result, by the tool's name."""

    def _read(self, native: object) -> None:
        if not get(native, "type") and _is_response(native):
            self._response(native)
        elif _is_answer(native) or (
            text(get(native, "role")) == "tool" and ident(get(native, "tool_call_id"))
        ):
            self._answer(native)
        elif (report := read_report(native)) is not None:
            self._close()
            self._drop(report.fields["tool_call_id"])
            self.emit_report(report)
        elif error := get(native, "error"):
            self.end("error", text(error) or text(get(error, "message")) or "error")
        else:
            self.emit_unknown(native, ident(get(native, "type")))

    def _response(self, native: object) -> None:
        message = self._open()
        body = get(native, "message")
        source = native if body is None else body
        self.emit_text("thinking", "0", text(get(source, "thinking")))
        self.emit_text("text", "0", text(get(source, "response" if body is None else "content")))
        for call in items(get(body, "tool_calls")):
            self._call(message, call)
        for image in (*items(get(body, "images")), get(native, "image")):
            self._image(message, image)
        if get(native, "done") is True:
            self._close(finish_reason=ident(get(native, "done_reason")), usage=_usage(native))

    def _open(self) -> _Message:
        if self._message is None:
            self._message = _Message(f"{self.run_id}:{self._count}")
            self._count += 1
            self.begin_message(self._message.id)
        self._envelope = {"message_id": self._message.id}
        return self._message

    def _close(self, **fields: Any) -> None:
        message, self._message = self._message, None
        if message is not None:
            self.end_message(message.id, **fields)
        self._envelope = {}

    def _image(self, message: _Message, image: object) -> None:
        value = get(image, "value") if get(image, "value") is not None else image
        data = as_base64(value) if isinstance(value, str | bytes) and value else None
        if data is not None:
            message.files += 1
            name = f"{message.id}:image:{message.files}"
            self.emit(Artifact, artifact_id=name, media_type=raster_of(data) or "image/png", data=data)

    # Tool calls.

    def _call(self, message: _Message, native: object) -> None:
        name = text(get(native, "function", "name"))
        call_id = ident(get(native, "id")) or f"{message.id}:{message.calls}"
        message.calls += 1
        self._waiting.setdefault(name, []).append(call_id)
        self.announce_call(call_id, name)
        self.emit_rest_of_args(call_id, name, json_text(plain(get(native, "function", "arguments")) or {}))

    def _answer(self, native: object) -> None:
        self._close()
        name, call_id = text(get(native, "tool_name")), ident(get(native, "tool_call_id"))
        waiting = self._waiting.get(name)
        if call_id is None and waiting:
            call_id = waiting.pop(0)
        elif call_id is not None:
            self._drop(call_id)
        if call_id is None:
            self.emit_unknown(native, name)
            return
        result, fields = message_result(call_id, native, is_error=False)
        self.emit_result(result, **{**fields, "tool_name": name or fields["tool_name"]})

    def _drop(self, call_id: str) -> None:
        for calls in self._waiting.values():
            if call_id in calls:
                calls.remove(call_id)


def _usage(native: object) -> Usage | None:
    counts: dict[str, Any] = {
        "input_tokens": integer(get(native, "prompt_eval_count")),
        "output_tokens": integer(get(native, "eval_count")),
    }
    if counts["input_tokens"] is None and counts["output_tokens"] is None:
        return None
    return Usage(**counts, model=text(get(native, "model")) or None)
