"""Read Vercel's AI SDK: the UI message stream, as its server's JSON or a Python server's objects.

``_as_chunk`` turns the parts of ``fullStream`` into the same chunks. A UI message holds several steps, and
the ids of texts repeat from step to step. So the adapter makes a message of each step. Arrival is the
order. Source: the AI SDK's stream protocol, ``UIMessageChunk``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    MessageFinished,
    PartCompleted,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._fields import camel, fields_of, get, ident, integer, plain, reason, text
from ._files import from_url
from ._result_blocks import read_result

__all__ = ["VercelAIUIAdapter", "matches"]

_PARTS: Final = frozenset(
    ("tool-call", "tool-result", "tool-error", "tool-input-end", "source", "ping", "raw")
)
"""The kinds that only ``fullStream`` has."""

_TEXTS: Final = {"text": "text", "reasoning": "thinking"}
_KINDS: Final = frozenset(
    [
        *(f"{topic}-{verb}" for topic in _TEXTS for verb in ("start", "delta", "end")),
        *(f"tool-input-{verb}" for verb in ("start", "delta", "available", "error")),
        *(f"tool-output-{verb}" for verb in ("available", "error", "denied")),
        *("tool-approval-request", "tool-approval-response", "source-url", "source-document"),
        *("reasoning-file", "start", "start-step", "finish-step", "reset-step", "finish", "message-metadata"),
    ]
)
_QUIET: Final = frozenset(("text-start", "text-end", "reasoning-start", "reasoning-end", "message-metadata"))
_INCOMPLETE: Final = frozenset(("length", "content-filter"))


def matches(native: object) -> bool:
    """Return whether *native* belongs to a UI message stream, or to a ``fullStream``."""
    kind = text(get(native, "type"))
    if kind == "error":
        return isinstance(camel(native, "errorText"), str) and get(native, "sequence_number") is None
    if kind == "file" and get(native, "file") is None:
        return ident(get(native, "url")) is not None and camel(native, "mediaType") is not None
    if kind.startswith("data-"):
        return get(native, "data") is not None
    if _is_part(native):
        return True
    return kind in _KINDS or (kind == "abort" and get(native, "messages") is None)


class VercelAIUIAdapter(Adapter):
    """Read one UI message: the answer to one request, with all of its steps."""

    name = "vercel_ai_ui"
    tells_usage = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._name: str | None = None
        self._step: str | None = None
        self._steps = 0
        self._files = 0
        self._parts: dict[tuple[str, str], None] = {}
        self._names: dict[tuple[str, str], str] = {}
        """The part of each id of the source: after its end, an id that starts again is another part."""
        self._over: set[tuple[str, str]] = set()
        self._awaiting: dict[str, str] = {}
        self._sources: list[dict[str, Any]] = []

    def _read(self, native: object) -> None:
        native = _as_chunk(native)
        kind = text(get(native, "type"))
        topic, _, verb = kind.rpartition("-")
        self._envelope = {} if self._step is None else {"message_id": self._step}
        match kind:
            case "start":
                self._name = ident(camel(native, "messageId"))
                self.start()
            case "start-step":
                self._step_start()
            case "finish-step":
                self._close_step(native)
            case "reset-step":
                self._step_reset()
            case "finish":
                self._finished(native)
            case "abort":
                self.end("cancelled")
            case "error":
                self.end("error", text(camel(native, "errorText")) or "error")
            case _ if topic in _TEXTS and verb in ("start", "delta", "end"):
                self._text(_TEXTS[topic], ident(get(native, "id")) or "0", verb, text(get(native, "delta")))
            case _ if kind.startswith("tool-") and kind in _KINDS:
                self._tool(native, kind)
            case "file" | "reasoning-file":
                self._file(native, kind)
            case "source-url" | "source-document":
                self._source(native)
            case _ if kind in _QUIET or kind in _PARTS or text(native) == "[DONE]":
                self._metadata(native)
            case _:
                self.emit_unknown(native, kind)

    def _text(self, kind: str, native_id: str, verb: str, delta: str) -> None:
        key = kind, native_id
        if verb == "end":
            self._over.add(key)
            return
        if key in self._over:
            self._over.discard(key)
            self._names[key] = f"{native_id}#{len(self._parts) + 1}"
        if verb == "delta":
            self._step_start(is_needed=True)
            part_id = self._names.get(key, native_id)
            self._parts[kind, part_id] = None
            self.emit_text(kind, part_id, delta)

    # Steps.

    def _step_start(self, *, is_needed: bool = False) -> None:
        if is_needed and self._step is not None:
            return
        self._close_step()
        self._step = f"{self._name or self.run_id}:{self._steps}"
        self._steps += 1
        self.begin_message(self._step)

    def _close_step(self, native: object = None) -> None:
        step, self._step = self._step, None
        if step is not None:
            self._envelope = {"message_id": step}
            self._cite()
            self._parts.clear()
            self._names.clear()
            self._over.clear()
            self._envelope = {"message_id": step}
            reason = ident(camel(native, "finishReason"))
            self.emit(MessageFinished, finish_reason=reason, usage=_usage(get(native, "usage")))
            self.streamed.forget(step)

    def _step_reset(self) -> None:
        """Clear the texts of the step, which the SDK tries again."""
        for kind, part_id in self._parts:
            self.streamed.replace(self._key(kind, part_id), "")
            self.emit(PartCompleted, part_id=part_id, kind=kind, text="")

    def _close(self) -> None:
        self._close_step()
        if self._awaiting:
            self.end("interrupted")

    def _finished(self, native: object) -> None:
        self._close_step()
        self._metadata(native)
        why = text(camel(native, "finishReason"))
        if why in _INCOMPLETE:
            self.end("error", f"The message is incomplete: {why}.", why)
        elif why == "error":
            self.end("error", "error")

    def _metadata(self, native: object) -> None:
        # The application chooses the form of the metadata; the SDK's examples use this form.
        counts = get(camel(native, "messageMetadata"), "usage") or camel(native, "totalUsage")
        self._usage = _usage(counts) or self._usage

    # Tools.

    def _tool(self, native: object, kind: str) -> None:
        call_id = ident(camel(native, "toolCallId"))
        if kind == "tool-approval-response":
            self._approved(native)
            return
        if call_id is None:
            self.emit_unknown(native, kind)
            return
        name = text(camel(native, "toolName")) or None
        why = text(camel(native, "errorText")) or None
        ended = {"tool_call_id": call_id, "tool_name": name}
        match kind:
            case "tool-input-start":
                self._step_start(is_needed=True)
                self.announce_call(call_id, name)
            case "tool-input-delta":
                self.emit_args(call_id, name, text(camel(native, "inputTextDelta")))
            case "tool-input-available":
                self.emit(ToolStarted, **ended, args=plain(get(native, "input")))
            case "tool-input-error":
                self.emit(ToolStarted, **ended, args=plain(get(native, "input")))
                self.emit(ToolFinished, **ended, status="error", output=why, error=why)
            case "tool-output-error":
                self.emit(ToolFinished, **ended, status="error", output=why, error=why)
            case "tool-output-denied":
                self._stop_waiting(call_id)
                self.emit(ToolFinished, **ended, status="denied")
            case "tool-output-available":
                self._output(native, call_id, ended)
            case "tool-approval-request":
                self._awaiting[ident(camel(native, "approvalId")) or call_id] = call_id
                self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")

    def _output(self, native: object, call_id: str, ended: dict[str, Any]) -> None:
        result = read_result(get(native, "output"))
        if get(native, "preliminary") is True:
            self.emit(ToolProgress, tool_call_id=call_id, **result.fields)
        else:
            self._stop_waiting(call_id)
            self.emit_result(result, **ended)

    def _stop_waiting(self, call_id: str) -> None:
        self._awaiting = {key: one for key, one in self._awaiting.items() if one != call_id}

    def _approved(self, native: object) -> None:
        call_id = self._awaiting.pop(ident(camel(native, "approvalId")) or "", None)
        if call_id is None:
            self.emit_unknown(native, "tool-approval-response")
        elif get(native, "approved") is False:
            why = text(get(native, "reason")) or None
            self.emit(ToolFinished, tool_call_id=call_id, status="denied", error=why)
        else:
            self.emit(ToolProgress, tool_call_id=call_id, state="running")

    # Files and sources.

    def _source(self, native: object) -> None:
        """Hold a source until its step has a text: the stream does not tell the text that the source belongs to."""
        self._step_start(is_needed=True)
        names = {"url": get(native, "url"), "title": get(native, "title"), "source": get(native, "filename")}
        fields = {name: found for name, value in names.items() if (found := text(value))}
        source_id = ident(camel(native, "sourceId"))
        if not fields and source_id:
            fields = {"source": source_id}
        if fields and fields not in self._sources:
            self._sources.append(fields)

    def _cite(self) -> None:
        texts = [part_id for kind, part_id in self._parts if kind == "text"]
        for fields in self._sources:
            self.emit_citation(texts[-1] if texts else "0", fields)
        self._sources = []

    def _file(self, native: object, kind: str) -> None:
        url, media = ident(get(native, "url")), ident(camel(native, "mediaType"))
        name = text(get(native, "filename")) or None
        artifact_id = f"file:{self._files}"
        self._files += 1
        if url is None:
            self.emit_unknown(native, kind)
            return
        fields: dict[str, Any] = from_url(url)
        fields |= {"media_type": media} if media else {}
        self.emit(Artifact, artifact_id=artifact_id, name=name, **fields)


def _usage(native: object) -> Usage | None:
    if native is None:
        return None
    cached = camel(get(native, "inputTokenDetails") or {}, "cacheReadTokens")
    reasoning = camel(get(native, "outputTokenDetails") or {}, "reasoningTokens")
    fields: dict[str, Any] = {
        "input_tokens": integer(camel(native, "inputTokens")),
        "output_tokens": integer(camel(native, "outputTokens")),
        "cached_input_tokens": integer(camel(native, "cachedInputTokens") if cached is None else cached),
        "reasoning_tokens": integer(camel(native, "reasoningTokens") if reasoning is None else reasoning),
    }
    return Usage(**fields)


# Parts of ``fullStream``. Source: the SDK's type ``TextStreamPart``.


def _is_part(native: object) -> bool:
    """Return whether *native* is a part of ``fullStream``, and no chunk."""
    kind = text(get(native, "type"))
    if kind in ("tool-call", "tool-result", "tool-error"):
        return ident(camel(native, "toolCallId")) is not None
    if kind in ("file", "reasoning-file"):
        return camel(get(native, "file"), "mediaType") is not None
    if kind == "source":
        return isinstance(camel(native, "sourceType"), str)
    return kind == "tool-input-end" and ident(get(native, "id")) is not None


def _as_chunk(native: object) -> object:
    """Return the chunk that equals a part of ``fullStream``; other natives as they are.

    Both streams share most of their kinds, but not the fields.
    """
    match text(get(native, "type")):
        case "text-delta" | "reasoning-delta" if isinstance(get(native, "text"), str):
            return {**fields_of(native), "delta": get(native, "text")}
        case "tool-input-start" | "tool-input-delta" if camel(native, "toolCallId") is None:
            ids = {"toolCallId": get(native, "id"), "toolName": camel(native, "toolName")}
            return {**fields_of(native), **ids, "inputTextDelta": get(native, "delta")}
        case "tool-call":
            is_invalid = get(native, "invalid") is True
            return _tool(native, "tool-input-error" if is_invalid else "tool-input-available")
        case "tool-result":
            return _tool(native, "tool-output-available")
        case "tool-error":
            return _tool(native, "tool-output-error")
        case "tool-approval-request" if (call := camel(native, "toolCall")) is not None:
            return {**fields_of(native), "toolCallId": camel(call, "toolCallId")}
        case "error" if camel(native, "errorText") is None:
            return {"type": "error", "errorText": _why(get(native, "error"))}
        case "source":
            kind = text(camel(native, "sourceType"))
            return {**fields_of(native), "type": f"source-{kind}", "sourceId": get(native, "id")}
        case "file" | "reasoning-file" if (file := get(native, "file")) is not None:
            return {"type": get(native, "type"), **_file(file)}
        case _:
            return native


def _tool(native: object, kind: str) -> dict[str, Any]:
    fields = {**fields_of(native), "type": kind}
    # Version 4 of the SDK has other field names.
    fields.setdefault("input", get(native, "args"))
    fields.setdefault("output", get(native, "result"))
    return fields | {"errorText": _why(get(native, "error"))}


def _why(error: object) -> str:
    # JSON.stringify drops the message of an Error.
    return text(error) or text(get(error, "message")) or reason(error or None) or "error"


def _file(file: object) -> dict[str, Any]:
    media = ident(camel(file, "mediaType"))
    data = text(get(file, "base64")) or text(get(file, "base64Data"))
    url = f"data:{media or ''};base64,{data}" if data else ident(get(file, "url"))
    return {"url": url, "mediaType": media}
