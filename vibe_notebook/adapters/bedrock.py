"""Read Amazon Bedrock: ``converse_stream``, and ``invoke_model_with_response_stream`` of Claude.

An event is a dict with one key. The blocks of a message are numbered by ``contentBlockIndex``. The counts come after
the message's stop. The bytes of an ``invoke_model`` chunk are JSON: an event of Anthropic's API, or of Converse (Nova).
The application runs its own tools, and may feed in their results: as ``toolResult`` blocks (alone or in their user
message), as the reports of ``_tool_results``, or as our events. Source: the service model of botocore.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import Artifact

from ._citations import bedrock_citation
from ._converse import RAW, block_text, counts_in, result_in
from ._fields import fields_of, get, ident, integer, items, reason, text
from ._files import block_file, said
from .anthropic import AnthropicAdapter

__all__ = ["BedrockAdapter", "matches"]

_FAILURE: Final = "Exception"
"""The end of the names of the errors that the service sends as an event."""
_KINDS: Final = {*RAW} - {"metadata", "redactContent"}


def matches(native: object) -> bool:
    """Return whether *native* is an event of a stream, a whole response, or a tool's result."""
    if any(get(native, name) is not None for name in ("type", "event", "event_kind", "object")):
        return False
    fields = {name: value for name, value in fields_of(native).items() if value is not None}
    if len(fields) == 1:
        ((name, body),) = fields.items()
        if name == "metadata":
            return bool(counts_in(get(body, "usage")))
        if name == "chunk":
            return isinstance(get(body, "bytes"), bytes | str)
        if name == "toolResult":
            return ident(get(body, "toolUseId")) is not None
        return (name in _KINDS or name.endswith(_FAILURE)) and bool(fields_of(body))
    return _is_whole(native) or bool(_results_in(native))


def _is_whole(native: object) -> bool:
    """Return whether *native* is the response of ``converse``."""
    has_message = isinstance(get(native, "output", "message", "content"), list)
    return has_message and isinstance(get(native, "stopReason"), str)


def _results_in(native: object) -> list[Any]:
    """Return the results in a user message, or in a block that stands alone."""
    blocks = items(get(native, "content")) or [native]
    found = [get(block, "toolResult") for block in blocks]
    return [one for one in found if ident(get(one, "toolUseId")) is not None]


@dataclass
class _Pieces:
    """Hold the pieces of a block that is shown at its end: an image, or the result of the provider's tool."""

    start: object
    kind: str
    pieces: list[Any] = field(default_factory=list)


class BedrockAdapter(AnthropicAdapter):
    """Read one run: one request, or a loop of requests and tool calls."""

    name = "bedrock"
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._pieces: dict[int, _Pieces] = {}

    def _read(self, native: object) -> None:
        if (chunk := get(native, "chunk")) is not None:
            payload = _payload(get(chunk, "bytes"))
            if payload is None:
                self.emit_unknown(native, "chunk")
            elif not self._converse(payload):
                super()._read(payload)
        elif _is_whole(native):
            self._whole(native)
        elif results := _results_in(native):
            for one in results:
                self._answer(one)
            words, files = said(get(native, "content"))
            self.emit_turn(words, files)
        elif not self._converse(native):
            super()._read(native)

    def _converse(self, native: object) -> bool:
        """Read an event of Converse; return False for every other native."""
        failure, problem = next(
            ((k, v) for k, v in fields_of(native).items() if k.endswith(_FAILURE) and v is not None),
            ("", None),
        )
        if failure:
            words = text(get(problem, "message")) or text(get(problem, "Message")) or text(problem)
            self.end("error", words or failure, failure)
            return True
        kind = next((name for name in RAW if get(native, name) is not None), "")
        body = get(native, kind) if kind else None
        index = integer(get(body, "contentBlockIndex")) or 0
        match kind:
            case "messageStart":
                self._message_start(body)
            case "contentBlockStart":
                self._started(index, get(body, "start"))
            case "contentBlockDelta":
                self._grew(index, get(body, "delta"))
            case "contentBlockStop":
                self._stopped(index)
            case "messageStop":
                opened = self._open()
                opened.stop_reason = ident(get(body, "stopReason")) or opened.stop_reason
            case "metadata":
                self._open().counts |= counts_in(get(body, "usage"))
                self._message_over()
            case _:
                return False
        return True

    def _close(self) -> None:
        is_cut = self._message is not None and self._message.stop_reason is None
        super()._close()
        if is_cut:
            self.end("interrupted")

    def _message_over(self) -> None:
        for index in list(self._pieces):
            self._stopped(index)
        super()._message_over()

    # Blocks.

    def _started(self, index: int, start: object) -> None:
        self._open()
        if (call := get(start, "toolUse")) is not None:
            self._block_start(index, _call_block(call))
            return
        kind = next((name for name in ("toolResult", "image") if get(start, name) is not None), "")
        if kind:
            self._pieces[index] = _Pieces(get(start, kind), kind)
        elif fields_of(start):
            self.emit_unknown(start, "contentBlockStart")

    def _grew(self, index: int, delta: object) -> None:
        self._open()
        if index in self._pieces:
            found = get(delta, self._pieces[index].kind)
            self._pieces[index].pieces += items(found) or [found]
        elif words := text(get(delta, "text")):
            self._text(index, "text", words)
        elif (thinking := get(delta, "reasoningContent")) is not None:
            self._text(index, "thinking", text(get(thinking, "text")))
        elif (call := get(delta, "toolUse")) is not None:
            self._block_delta(index, {"type": "input_json_delta", "partial_json": get(call, "input")})
        elif (citation := get(delta, "citation")) is not None:
            self._source(index, bedrock_citation(citation))
        elif get(delta, "text") is None:
            self.emit_unknown(delta, "contentBlockDelta")

    def _text(self, index: int, kind: str, words: str) -> None:
        if words:
            self._text_block(index, kind)
            self._block_delta(index, {"type": f"{kind}_delta", kind: words})

    def _text_block(self, index: int, kind: str) -> None:
        """Begin a block of text or thinking, for which Converse sends no start."""
        if index not in self._open().blocks:
            self._block_start(index, {"type": kind})

    def _source(self, index: int, fields: dict[str, Any] | None) -> None:
        self._text_block(index, "text")
        sources = self._open().blocks[index].sources
        if fields is not None and fields not in sources:
            sources.append(fields)
            self.emit_citation(str(index), fields, len(sources) - 1)

    def _stopped(self, index: int) -> None:
        found = self._pieces.pop(index, None)
        if found is None:
            self._block_stop(index, None)
        elif found.kind == "toolResult":
            self._answer({**fields_of(found.start), "content": found.pieces})
        else:
            self._image(index, found)

    def _image(self, index: int, found: _Pieces) -> None:
        message = self._open()
        pieces = [_decoded(get(piece, "source", "bytes")) for piece in found.pieces]
        problem = next((text(get(one, "error", "message")) for one in found.pieces if get(one, "error")), "")
        if data := b"".join(pieces):
            media = f"image/{text(get(found.start, 'format')) or 'png'}"
            made = base64.b64encode(data).decode()
            name = f"{message.id}:{index}"
            self.emit(Artifact, artifact_id=name, part_id=str(index), media_type=media, data=made)
        else:
            self.emit_unknown({"image": found.pieces, "error": problem or None}, "image")

    # Whole responses, and results.

    def _whole(self, native: object) -> None:
        message = self._message_start(None)
        for i, block in enumerate(items(get(native, "output", "message", "content"))):
            thinking = text(get(block, "reasoningContent", "reasoningText", "text"))
            words = block_text(block)
            if (call := get(block, "toolUse")) is not None:
                self._block_start(i, _call_block(call))
            elif (result := get(block, "toolResult")) is not None:
                self._answer(result)
            elif words or thinking:
                self._text(i, "text" if words else "thinking", words or thinking)
                for citation in items(get(block, "citationsContent", "citations")):
                    self._source(i, bedrock_citation(citation))
            elif (file := block_file(block)) is not None:
                self.emit(Artifact, artifact_id=f"{message.id}:{i}", part_id=str(i), **file)
            elif get(block, "reasoningContent") is None:
                self.emit_unknown(block, "block")
            self._open()
            self._block_stop(i, None)
        message.stop_reason = ident(get(native, "stopReason"))
        message.counts |= counts_in(get(native, "usage"))
        self._message_over()

    def _answer(self, body: object) -> None:
        call_id = ident(get(body, "toolUseId"))
        if call_id is None:
            self.emit_unknown(body, "toolResult")
            return
        result = result_in(get(body, "content"))
        failed = text(get(body, "status")) == "error"
        fields = {"status": "error", "error": reason(result.output)} if failed else {}
        self._envelope = {}
        self.emit_result(result, tool_call_id=call_id, **fields)


def _call_block(call: object) -> dict[str, Any]:
    """Return a call as the block of Anthropic's API."""
    kind = "server_tool_use" if text(get(call, "type")) == "server_tool_use" else "tool_use"
    return {
        "type": kind,
        "id": get(call, "toolUseId"),
        "name": get(call, "name"),
        "input": get(call, "input"),
    }


def _payload(value: object) -> Any:
    """Return the JSON object in the bytes of a chunk, or in their base64; ``None`` without one."""
    raw: bytes | str = value if isinstance(value, bytes | str) else ""
    if isinstance(raw, str) and not raw.lstrip().startswith("{"):
        raw = _decoded(raw)
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _decoded(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value) if isinstance(value, str) else b""
    except (ValueError, binascii.Error):
        return b""
