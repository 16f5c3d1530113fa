"""Read Anthropic's Messages API: ``messages.create(stream=True)``, ``messages.stream()``, the tool runner.

A message consists of content blocks, numbered by ``index``. The ``stream()`` helper repeats each delta
as an event of its own (``text``, ``thinking``, ``input_json``): a derived twin. The application runs its
own tools, and may feed in their results: as the API's ``tool_result`` blocks (alone or in their user
message), as the reports of ``_tool_results``, or as our events. Source: the API's streaming reference,
``anthropic.types``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import MessageFinished, ToolStarted, Usage

from ._base import Adapter
from ._citations import citation_fields
from ._fields import camel, get, ident, integer, items, json_text, parsed, plain, reason, text
from ._result_blocks import Result, read_result
from ._tool_results import message_result, read_report
from .messages import Conversation

__all__ = ["AnthropicAdapter", "matches", "token_counts", "usage_from"]

_SERVER_CALLS: Final = frozenset(("server_tool_use", "mcp_tool_use"))
"""The calls that the provider runs, as soon as their input is complete."""
_CALLS: Final = _SERVER_CALLS | {"tool_use"}
_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
_RAW: Final = frozenset(
    (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
    )
)
_TWINS: Final = frozenset(("text", "thinking", "input_json"))
_QUIET: Final = frozenset(("ping", "signature", "citation", "compaction"))
_TEXTS: Final = {"text_delta": ("text", "text"), "thinking_delta": ("thinking", "thinking")}


def matches(native: object) -> bool:
    """Return whether *native* is an event of the API, a helper's twin, a message or a tool's result."""
    kind = text(get(native, "type"))
    if kind in _TWINS:
        return get(native, "snapshot") is not None
    if kind == "error":
        is_other = (
            integer(get(native, "sequence_number")) is not None
            or camel(native, "errorText") is not None
            or get(native, "session_id") is not None
        )
        return not is_other and isinstance(get(native, "error", "type"), str)
    if kind == "message":
        return text(get(native, "role")) == "assistant" and isinstance(
            get(native, "usage", "input_tokens"), int
        )
    return kind in _RAW or (kind == "tool_result" and ident(get(native, "tool_use_id")) is not None)


@dataclass
class _Block:
    kind: str
    call_id: str = ""
    name: str | None = None
    sources: list[dict[str, Any]] = field(default_factory=list)
    preset: str = ""
    """The whole input that came with the block's start: the call's arguments, unless deltas repeat them."""


@dataclass
class _Message:
    id: str
    native_id: str | None = None
    model: str | None = None
    blocks: dict[int, _Block] = field(default_factory=dict)
    latest: int = 0
    call_ids: dict[str, int] = field(default_factory=dict)
    """The block that has an id first."""
    counts: dict[str, int] = field(default_factory=dict)
    stop_reason: str | None = None


class AnthropicAdapter(Adapter):
    """Read one run: one request, or a loop of requests and tool calls."""

    name = "anthropic"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._last: _Message | None = None
        """The last finished message: a whole message may follow its deltas."""
        self._used: set[str] = set()
        self._count = 0
        self._list = Conversation(self)
        """Reads a list of messages, until the first streamed one: after that, a message repeats what was streamed."""

    def _read(self, native: object) -> None:
        kind = text(get(native, "type"))
        index = integer(get(native, "index"))
        match kind:
            case "message_start":
                self._message_start(get(native, "message"))
            case "content_block_start":
                self._block_start(index or 0, get(native, "content_block"))
            case "content_block_delta":
                self._block_delta(index or 0, get(native, "delta"))
            case "content_block_stop":
                self._block_stop(index or 0, get(native, "content_block"))
            case "message_delta":
                self._message_delta(native)
            case "message_stop":
                self._message_over()
            case "message":
                self._whole_message(native)
            case "error":
                problem = get(native, "error")
                code = ident(get(problem, "type"))
                self.end("error", text(get(problem, "message")) or code or "error", code)
            case _ if kind in _TWINS and get(native, "snapshot") is not None:
                self._twin(native, kind)
            case _ if kind not in _QUIET:
                self._app(native, kind)

    # Messages.

    def _open(self) -> _Message:
        # A watch may start in the middle of a message.
        message = self._message or self._message_start(None)
        self._envelope = {"message_id": message.id}
        return message

    def _message_start(self, body: object) -> _Message:
        self._message_over()
        self._forget_last()
        made, native_id = f"{self.run_id}:{self._count}", ident(get(body, "id"))
        self._count += 1
        is_used = native_id is None or native_id in self._used  # some servers give all messages the same id
        message = _Message(
            native_id if native_id and not is_used else made, native_id, ident(get(body, "model"))
        )
        self._used.add(message.id)
        message.counts |= token_counts(get(body, "usage"))
        self._message = message
        self.begin_message(message.id)
        return message

    def _message_delta(self, native: object) -> None:
        message = self._open()
        message.counts |= token_counts(
            get(native, "usage")
        )  # counts are cumulative; an event has only the changed ones
        message.stop_reason = ident(get(native, "delta", "stop_reason")) or message.stop_reason

    def _close(self) -> None:
        self._message_over()

    def _message_over(self) -> None:
        message, self._message = self._message, None
        if message is None:
            return
        self._envelope = {"message_id": message.id}
        usage = usage_from(message.counts, message.model)
        self.emit(MessageFinished, finish_reason=message.stop_reason, usage=usage)
        self._forget_last()
        self._last = message

    def _forget_last(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            self.streamed.forget(last.id)

    def _whole_message(self, body: object) -> None:
        streamed = self._message or self._last
        if streamed is not None and streamed.native_id == ident(get(body, "id")) and streamed.blocks:
            self._compare(streamed, body)
            return
        self._message_start(body)
        for i, block in enumerate(items(get(body, "content"))):
            self._block_start(i, block)
            self._block_stop(i, block)
        message = self._open()
        message.stop_reason = ident(get(body, "stop_reason")) or message.stop_reason
        self._message_over()

    def _compare(self, message: _Message, body: object) -> None:
        """Show what the whole of a message has, and its deltas had not."""
        self._envelope = {"message_id": message.id}
        for i, block in enumerate(items(get(body, "content"))):
            kind = text(get(block, "type"))
            if kind in ("text", "thinking") and (whole := text(get(block, kind))):
                self.emit_whole(kind, str(i), whole)
            elif kind in _CALLS and (known := message.blocks.get(i)) is not None and known.call_id:
                args = plain(get(block, "input"))
                written = self.streamed.read((message.id, "args", known.call_id))
                if args and parsed(written) != args:
                    self.emit(ToolStarted, tool_call_id=known.call_id, tool_name=known.name, args=args)

    # Blocks.

    def _block_start(self, index: int, body: object) -> None:
        message = self._open()
        kind = text(get(body, "type"))
        block = message.blocks[index] = _Block(kind)
        message.latest = index
        if kind in ("text", "thinking"):
            self.emit_text(kind, str(index), text(get(body, kind)))
        elif kind in _CALLS:
            native_id = ident(get(body, "id")) or f"{message.id}:{index}"
            is_own = (
                message.call_ids.setdefault(native_id, index) == index
            )  # some servers give all the same id
            block.call_id = native_id if is_own else f"{message.id}:{index}"
            block.name = text(get(body, "name")) or None
            # Streamed calls start with an empty input, whole calls with their full input; some servers do both.
            block.preset = json_text(get(body, "input") or None)
            self.emit_args(block.call_id, block.name, "")
            if block.call_id != native_id:
                self._call_ids.share(self.run_id, block.call_id, native_id)
        elif _is_server_result(kind):
            self._server_result(body)
        elif kind not in ("redacted_thinking", "compaction"):
            self.emit_unknown(body, kind)

    def _block_delta(self, index: int, delta: object) -> None:
        message = self._open()
        kind = text(get(delta, "type"))
        message.latest = index
        if kind in _TEXTS:
            part, name = _TEXTS[kind]
            self.emit_text(part, str(index), text(get(delta, name)))
        elif kind == "input_json_delta":
            self._args_delta(message, index, get(delta, "partial_json"))
        elif kind == "citations_delta":
            self._cited(message, index, get(delta, "citation"))
        elif kind not in ("signature_delta", "compaction_delta"):
            self.emit_unknown(delta, kind)

    def _cited(self, message: _Message, index: int, citation: object) -> None:
        """Show a source of a text block at once; its place is the whole block, whose end is not known yet."""
        fields = citation_fields(citation)
        sources = message.blocks.setdefault(index, _Block("text")).sources
        if fields is not None and fields not in sources:
            sources.append(fields)
            self.emit_citation(str(index), fields, len(sources) - 1)

    def _args_delta(self, message: _Message, index: int, delta: object) -> None:
        block = message.blocks.get(index)
        # Without the start of its block, the id of a call is unknown.
        if block is not None and block.call_id and text(delta):
            block.preset = ""
            self.emit_args(block.call_id, block.name, text(delta))

    def _block_stop(self, index: int, body: object) -> None:
        message = self._open()
        block = message.blocks.setdefault(index, _Block(text(get(body, "type"))))
        preset, block.preset = block.preset, ""
        if preset:
            self.emit_args(block.call_id, block.name, preset)
        if block.kind in ("text", "thinking"):
            if whole := text(get(body, block.kind)):  # only the helper repeats the whole text
                self.emit_whole(block.kind, str(index), whole)
            self._place_sources(message, index, body)
        elif block.kind in _SERVER_CALLS and block.call_id:
            args = parsed(self.streamed.read((message.id, "args", block.call_id)))
            self.emit(ToolStarted, tool_call_id=block.call_id, tool_name=block.name, args=args)

    def _place_sources(self, message: _Message, index: int, body: object) -> None:
        for citation in items(get(body, "citations")):
            self._cited(message, index, citation)
        length = len(self.streamed.read((message.id, "text", str(index))))
        for i, fields in enumerate(message.blocks[index].sources if length else ()):
            self.emit_citation(str(index), {**fields, "start": 0, "end": length}, i)

    def _twin(self, native: object, kind: str) -> None:
        message = self._open()
        self._envelope["derived"] = True
        if kind == "input_json":
            self._args_delta(message, message.latest, get(native, "partial_json"))
        else:
            self.emit_text(kind, str(message.latest), text(get(native, kind)))

    # Results.

    def _server_result(self, body: object) -> None:
        call_id = ident(get(body, "tool_use_id"))
        if call_id is None:
            self.emit_unknown(body, text(get(body, "type")))
        else:
            result, fields = _server_result(body)
            self.emit_result(result, tool_call_id=call_id, **fields)

    def _app(self, native: object, kind: str) -> None:
        report = read_report(native)
        results = [b for b in items(get(native, "content")) if text(get(b, "type")) == "tool_result"]
        if report is not None:
            self.emit_report(report)
        elif kind == "tool_result":
            self._tool_result(native)
        elif results and not kind:  # the user message of the next request
            for block in results:
                self._tool_result(block)
        elif kind or self._count or not self._list.read(native):
            self.emit_unknown(native, kind)

    def _tool_result(self, block: object) -> None:
        call_id = ident(get(block, "tool_use_id"))
        if call_id is None:
            self.emit_unknown(block, "tool_result")
            return
        result, fields = message_result(call_id, block, is_error=get(block, "is_error") is True)
        self.emit_result(result, **fields)


# Content blocks and counts of tokens, shared with the adapter of Claude's Agent SDK.


def _is_server_result(kind: str) -> bool:
    """Return whether a block of this kind is the result of a tool that the provider ran."""
    return kind.endswith("_tool_result")


def _server_result(block: object) -> tuple[Result, dict[str, Any]]:
    """Return the result, and the fields ``status`` and ``error``, of a call that the provider ran."""
    result = read_result(_readable(plain(get(block, "content"))))
    code = ident(get(result.output, "error_code"))
    if code is None and get(block, "is_error") is not True:
        return result, {}
    return result, {"status": "error", "error": code or reason(result.output)}


def token_counts(native: object) -> dict[str, int]:
    """Return the token counts that *native* has, by name."""
    return {name: value for name in _COUNTS if (value := integer(get(native, name))) is not None}


def usage_from(found: dict[str, int], model: str | None) -> Usage | None:
    """Return the usage of a message.

    The API token_counts tokens read from the cache, and written to it, beside the input tokens. Here they are
    part of the input tokens, as in the other SDKs.
    """
    inputs = [value for name, value in found.items() if name != "output_tokens"]
    fields: dict[str, Any] = {
        "input_tokens": sum(inputs) if inputs else None,
        "output_tokens": found.get("output_tokens"),
        "cached_input_tokens": found.get("cache_read_input_tokens"),
        "model": model,
    }
    return Usage(**fields) if found else None


def _readable(value: Any) -> Any:
    # Typed objects have null for absent fields. Only the next request needs the encrypted fields.
    if isinstance(value, dict):
        return {
            name: _readable(item)
            for name, item in value.items()
            if item is not None and not name.startswith("encrypted_")
        }
    return [_readable(item) for item in value] if isinstance(value, list) else value
