"""Read OpenAI's Chat Completions, also of other servers: ``create(stream=True)`` and ``.stream()``.

A message consists of the deltas of one completion ``id``. The adapter shows only the first choice. The
``.stream()`` helper repeats each delta as an event of its own: a derived twin. The API has no field for
thinking; some servers add ``reasoning_content`` or ``reasoning``. The application runs its own tools,
and may feed in their results: as the API's ``role: tool`` messages, as the reports of ``_tool_results``,
or as our events. Source: the API's reference, ``openai.types.chat``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import (
    MessageFinished,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._citations import citation_fields
from ._fields import get, ident, integer, items, json_text, parsed, text, usage_of
from ._tool_results import message_result, read_report
from .messages import Conversation

__all__ = ["OpenAIChatAdapter", "matches"]

_OBJECTS: Final = frozenset(("chat.completion.chunk", "chat.completion", "text_completion"))
_CHOICE: Final = ("delta", "message", "text", "finish_reason")
_TWINS: Final = frozenset(
    (
        "content.delta",
        "content.done",
        "refusal.delta",
        "refusal.done",
        "tool_calls.function.arguments.delta",
        "tool_calls.function.arguments.done",
        "logprobs.content.delta",
        "logprobs.content.done",
        "logprobs.refusal.delta",
        "logprobs.refusal.done",
    )
)
_REFUSAL: Final = frozenset(
    ("error", "code", "status", "message", "request_id", "object", "id", "created", "model")
)
_REASONING: Final = ("reasoning_content", "reasoning")


def matches(native: object) -> bool:
    """Return whether *native* is a completion, its chunk, an event of the helper, or a tool's message."""
    if _is_completion(native) or _is_refusal(native):
        return True
    kind = text(get(native, "type"))
    if kind == "chunk":
        return _is_completion(get(native, "chunk"))
    is_answer = (
        not kind and text(get(native, "role")) == "tool" and ident(get(native, "tool_call_id")) is not None
    )
    return is_answer or kind in _TWINS


def _is_completion(native: object) -> bool:
    kind = get(native, "object")
    if kind is None or kind == "":  # some servers leave it out, or empty
        choices = get(native, "choices")
        if not isinstance(choices, list) or text(get(native, "type")):
            return False
        if not choices:  # a first chunk of filters, or a last one of usage
            return get(native, "usage") is not None or get(native, "prompt_filter_results") is not None
        return any(get(choices[0], name) is not None for name in _CHOICE)
    return text(kind) in _OBJECTS


def _is_refusal(native: object) -> bool:
    """Return whether *native* is only an error, as a server sends it in the place of a chunk."""
    if not isinstance(native, Mapping) or not set(native) <= _REFUSAL:
        return False
    error = native.get("error")
    return bool(text(error) or text(get(error, "message")))


@dataclass
class _Call:
    id: str
    native_id: str | None
    name: str | None = None


@dataclass
class _Message:
    id: str
    native_id: str | None
    model: str | None = None
    calls: dict[int, _Call] = field(default_factory=dict)
    call_ids: set[str] = field(default_factory=set)
    finish_reason: str | None = None
    usage: Usage | None = None
    is_finished: bool = False


class OpenAIChatAdapter(Adapter):
    """Read one run: one request, or a loop of requests and tool calls."""

    name = "openai_chat"
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._count = 0
        self._used: set[str] = set()
        self._list = Conversation(self)
        """Reads a list of messages, until the first completion: after that, a message repeats what was streamed."""

    def _read(self, native: object) -> None:
        kind = text(get(native, "type"))
        chunk = get(native, "chunk") if kind == "chunk" else native
        if kind in _TWINS:
            self._twin(native, kind)
        elif _is_completion(chunk) or (not kind and get(chunk, "choices") is not None):
            self._chunk(chunk)
        elif _is_refusal(chunk):
            self._problem(get(chunk, "error"))
        else:
            self._app(native, kind)

    # Messages.

    def _chunk(self, chunk: object) -> None:
        self._problem(get(chunk, "error"))
        choices = items(get(chunk, "choices"))
        choice = next((one for one in choices if (integer(get(one, "index")) or 0) == 0), None)
        if choice is not None:
            message = self._open(chunk, get(choice, "delta"))
            self._problem(get(choice, "error"))
            if get(choice, "delta") is not None:
                self._delta(message, get(choice, "delta"))
            elif get(choice, "message") is not None:
                self._whole(message, get(choice, "message"))
            else:  # the older API of completions
                self.emit_text("text", "0", text(get(choice, "text")))
            message.finish_reason = ident(get(choice, "finish_reason")) or message.finish_reason
            for name in ("delta", "message"):
                for annotation in items(get(choice, name, "annotations")):
                    self.emit_citation("0", citation_fields(annotation))
            # Perplexity repeats its sources in every chunk.
            found = items(get(chunk, "search_results")) or [
                {"url": url} for url in items(get(chunk, "citations"))
            ]
            for source in found:
                self.emit_citation("0", citation_fields(source))
        current = self._message
        if current is None or get(chunk, "usage") is None:
            return
        # Some servers repeat the usage so far in every chunk.
        current.usage = _usage(get(chunk, "usage"), current.model)
        if current.finish_reason is not None:
            self._finish_message(current)

    def _open(self, chunk: object, delta: object = None) -> _Message:
        message, native_id = self._message, ident(get(chunk, "id"))
        if message is None or self._is_next(message, native_id, delta):
            self._close()
            made = f"{self.run_id}:{self._count}"
            is_used = native_id is None or native_id in self._used
            message = _Message(native_id if native_id and not is_used else made, native_id)
            message.model = ident(get(chunk, "model"))
            self._message = message
            self._used.add(message.id)
            self._count += 1
            self.begin_message(message.id)
        self._envelope = {"message_id": message.id}
        return message

    @staticmethod
    def _is_next(message: _Message, native_id: str | None, delta: object) -> bool:
        if native_id is None or native_id == message.native_id:
            # Some servers give all completions the same id.
            fields = ("content", *_REASONING, "tool_calls")
            is_over = message.is_finished or message.finish_reason is not None
            has_news = any(get(delta, name) for name in fields)
            return is_over and (
                has_news or (not message.is_finished and text(get(delta, "role")) == "assistant")
            )
        # Other servers give each chunk of a completion another id.
        return message.finish_reason is not None or text(get(delta, "role")) == "assistant"

    def _finish_message(self, message: _Message) -> None:
        # The usage comes after the last choice, or not at all.
        if not message.is_finished:
            message.is_finished = True
            self._envelope = {"message_id": message.id}
            self.emit(MessageFinished, finish_reason=message.finish_reason, usage=message.usage)

    def _close(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._finish_message(message)
            self.streamed.forget(message.id)

    def _problem(self, error: object) -> None:
        if error is not None:  # from a server between the model and the client
            code = ident(get(error, "code"))
            self.end("error", text(get(error, "message")) or text(error) or code or "error", code)

    # Deltas, and whole messages: of completions without a stream, or after the deltas of the same message.

    def _delta(self, message: _Message, delta: object) -> None:
        for kind, part, value in _texts_in(delta):
            self.emit_text(kind, part, value)
        self._calls_in(message, delta)

    def _whole(self, message: _Message, body: object) -> None:
        wholes: dict[tuple[str, str], str] = {}
        for kind, part, value in _texts_in(body):
            wholes[kind, part] = wholes.get((kind, part), "") + value
        for (kind, part), whole in wholes.items():
            if self.streamed.read((message.id, kind, part)):
                self.emit_whole(kind, part, whole)
            else:
                self.emit_text(kind, part, whole)
        known = {call.native_id: call for call in message.calls.values() if call.native_id}
        calls = items(get(body, "tool_calls"))
        rest = [call for call in calls if (ident(get(call, "id")) or "") not in known]
        for native in calls:
            call = known.get(ident(get(native, "id")) or "")
            if call is not None:
                function = get(native, "function") or get(native, "custom")
                self._whole_args(call, _args_in(function))
        self._calls_in(message, {"tool_calls": rest, "function_call": get(body, "function_call")})

    def _whole_args(self, call: _Call, whole: str) -> None:
        written = self.streamed.read((self._envelope.get("message_id"), "args", call.id))
        is_same = parsed(written) == parsed(whole)
        if whole and not is_same and not self.emit_rest_of_args(call.id, call.name, whole):
            self.emit(ToolStarted, tool_call_id=call.id, tool_name=call.name, args=parsed(whole))

    def _calls_in(self, message: _Message, delta: object) -> None:
        for i, call in enumerate(items(get(delta, "tool_calls"))):
            place = integer(get(call, "index"))
            self._call(message, i if place is None else place, call)
        legacy = get(delta, "function_call")
        if legacy is not None:
            self._call(message, -1, {"function": legacy})

    def _call(self, message: _Message, index: int, native: object) -> None:
        function = get(native, "function") or get(native, "custom")
        call_id, name, delta = (
            ident(get(native, "id")),
            text(get(function, "name")) or None,
            _args_in(function),
        )
        call = message.calls.get(index)
        is_new = call is None or self._is_other(message, call, call_id, name, delta)
        if call is None or is_new:
            call = message.calls[index] = _Call(self._fresh_id(message, call_id, index), call_id)
        # Some servers name the call after the beginning of its arguments.
        is_named_late = not is_new and name is not None and call.name is None
        call.name = call.name or name
        if delta or is_new or is_named_late:
            self.emit_args(call.id, call.name, delta)
        if call_id is not None and (call.native_id is None or is_new):
            call.native_id = call_id
            if call_id != call.id:
                self._call_ids.share(self.run_id, call.id, call_id)

    def _is_other(
        self, message: _Message, call: _Call, call_id: str | None, name: str | None, delta: str
    ) -> bool:
        """Return whether a piece begins another call at the place of *call*: some servers have one place for all."""
        if call_id is not None and call.native_id is not None and call_id != call.native_id:
            return name is not None
        if name is None or call.name is None:
            return False
        if name != call.name:
            return True
        # The same name: in every piece of one call, or of a next call.
        written = self.streamed.read((message.id, "args", call.id))
        return bool(delta) and isinstance(parsed(written), dict)

    @staticmethod
    def _fresh_id(message: _Message, call_id: str | None, index: int) -> str:
        """Return the call's own id, unless another call of the message has it; else one made of its place."""
        name, count = call_id or f"{message.id}:{index}", 1
        while name in message.call_ids:
            count += 1
            name = f"{message.id}:{index}.{count}"
        message.call_ids.add(name)
        return name

    # The helper's twins.

    def _twin(self, native: object, kind: str) -> None:
        topic, _, verb = kind.rpartition(".")
        message = self._open(None)
        part = {"content": "0", "refusal": "refusal"}.get(topic)
        if part is not None and verb == "done":
            if whole := text(get(native, topic)):
                self.emit_whole("text", part, whole)
        elif part is not None:
            self._envelope["derived"] = True
            self.emit_text("text", part, text(get(native, "delta")))
        elif topic == "tool_calls.function.arguments":
            self._args_twin(message, native, verb)

    def _args_twin(self, message: _Message, native: object, verb: str) -> None:
        index = integer(get(native, "index")) or 0
        name = text(get(native, "name")) or None
        # Only the repeated chunk, which may be absent, has the call's id.
        call = message.calls.get(index) or _Call(f"{message.id}:{index}", None, name)
        if verb == "delta":
            self._envelope["derived"] = True
            self.emit_args(call.id, call.name, text(get(native, "arguments_delta")))
        else:
            self.emit_rest_of_args(call.id, call.name, text(get(native, "arguments")))

    # The application's reports about its tools.

    def _app(self, native: object, kind: str) -> None:
        report = read_report(native)
        call_id = ident(get(native, "tool_call_id"))
        if report is None and (kind or call_id is None or get(native, "role") != "tool"):
            if self._count or not self._list.read(native):
                self.emit_unknown(native, kind)
            return
        self._finish_answered()
        if report is not None:
            self.emit_report(report)
            return
        result, fields = message_result(call_id or "", native, is_error=False)
        self.emit_result(result, **fields)

    def _finish_answered(self) -> None:
        """Finish the message whose tools run: no usage will follow."""
        message = self._message
        if message is not None and message.finish_reason is not None:
            self._finish_message(message)
        self._envelope = {}


def _texts_in(body: object) -> Iterator[tuple[str, str, str]]:
    """Yield the kind, the part and the text of each text in a delta or a message."""
    yield "thinking", "0", next((found for name in _REASONING if (found := text(get(body, name)))), "")
    content = get(body, "content")
    yield "text", "0", text(content)
    for part in items(content):  # Mistral sends a list of parts
        inner = items(get(part, "thinking"))
        yield "thinking", "0", "".join(text(get(one, "text")) for one in inner)
        yield "text", "0", text(get(part, "text"))
    yield "text", "refusal", text(get(body, "refusal"))


def _args_in(function: object) -> str:
    args = get(function, "arguments")
    return json_text(get(function, "input") if args is None else args)


def _usage(native: object, model: str | None) -> Usage | None:
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    counts = {ours: get(native, theirs) for ours, theirs in names.items()}
    details = {
        "cached": get(native, "prompt_tokens_details", "cached_tokens"),
        "reasoning": get(native, "completion_tokens_details", "reasoning_tokens"),
        "cost": get(native, "cost"),
    }
    return usage_of(counts | details, cached=("cached",), reasoning=("reasoning",), model=model)
