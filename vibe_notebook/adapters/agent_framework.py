"""Read Microsoft's agent-framework: the updates of an agent or a chat client, and the events of a workflow.

A workflow's ``output`` events hold the updates of its agents, which may work at once; one that holds a whole response
repeats what was streamed. Usage is a response's sum so far where its ``merge_mode`` is ``replace``, else it adds up.
Source: ``agent_framework._types``, ``agent_framework._workflows._events``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    InputRequested,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._citations import citation_fields
from ._fields import fields_of, get, ident, integer, items, json_text, parsed, plain, text
from ._files import file_in
from ._result_blocks import read_result

__all__ = ["AgentFrameworkAdapter", "matches"]

_UPDATES: Final = ("agent_response_update", "chat_response_update")
_RESPONSES: Final = ("agent_response", "chat_response")
_FIELDS: Final = {"contents", "role", "author_name", "response_id", "message_id"}
_RESPONSE_FIELDS: Final = {"messages", "response_id", "usage_details"}
_ORIGINS: Final = ("FRAMEWORK", "EXECUTOR")
_SILENT: Final = frozenset(
    (
        *("started", "status", "superstep_started", "superstep_completed"),
        *("executor_completed", "executor_bypassed"),
    )
)
"""Events of a workflow that name only a beginning or an end."""
_LINES: Final = frozenset(("warning", "error", "group_chat", "handoff_sent", "magentic_orchestrator"))


def matches(native: object) -> bool:
    """Return whether *native* is an update, a whole response, or an event of a workflow."""
    return _is_update(native) or _is_response(native) or _is_event(native)


def _is_update(native: object) -> bool:
    return text(get(native, "type")) in _UPDATES or (
        fields_of(native).keys() >= _FIELDS and not text(get(native, "type"))
    )


def _is_response(native: object) -> bool:
    kind = text(get(native, "type"))
    return kind in _RESPONSES or (not kind and fields_of(native).keys() >= _RESPONSE_FIELDS)


def _is_event(native: object) -> bool:
    return text(get(native, "origin")) in _ORIGINS and bool(text(get(native, "type")))


@dataclass
class _Message:
    id: str
    native_id: str | None
    author: str
    has_results: bool = False
    call: str | None = None
    """The id of the newest call, to which pieces without an id belong."""


class AgentFrameworkAdapter(Adapter):
    """Read one run of an agent, or of a workflow of agents."""

    name = "agent_framework"
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._messages: dict[str, _Message] = {}
        """The open message of each executor of a workflow; of a lone agent, that of ""."""
        self._seen: set[str] = set()
        """The SDK's ids of the messages that were streamed."""
        self._count = 0
        self._author = ""
        self._used: dict[str, dict[str, int]] = {}
        self._is_asked = False

    def _read(self, native: object) -> None:
        if _is_event(native):
            self._event(native, text(get(native, "type")))
        elif _is_update(native):
            self._update(native, "")
        elif _is_response(native):
            self._response(native, "")
        else:
            self.emit_unknown(native, ident(get(native, "type")))

    def _close(self) -> None:
        for place in list(self._messages):
            self._end_message(place)
        if self._used:
            counts: dict[str, Any] = {}
            for one in self._used.values():
                counts = _sum(counts, one)
            self._usage = Usage(**counts)

    # Workflows.

    def _event(self, native: object, kind: str) -> None:
        place, data = text(get(native, "executor_id")), get(native, "data")
        match kind:
            case "output" | "intermediate" | "data":
                self._output(data, place)
            case "executor_invoked":
                self._asked(data)
            case "request_info":
                self._request(native, data)
            case "failed":
                details = get(native, "details")
                code = ident(get(details, "error_type"))
                self.end("error", text(get(details, "message")) or code or "error", code)
            case "executor_failed":
                words = text(get(native, "details", "message"))
                self.emit_unknown(f"{place}: {words}" if place else words, kind, shown=True)
            case _ if kind in _LINES:
                words = str(data) if isinstance(data, BaseException) else plain(data)
                self.emit_unknown(words, kind, shown=True)
            case _ if kind not in _SILENT:
                self.emit_unknown(native, kind)

    def _output(self, data: object, place: str) -> None:
        if _is_update(data):
            self._update(data, place)
        elif _is_response(data):
            self._response(data, place)
        elif isinstance(data, list) and data and all(map(_is_message, data)):
            for message in data:
                self._whole(message, place)
        else:
            self._result = plain(data)
            if isinstance(data, str):
                self._begin(place, None, place)
                self.emit_text("text", "0", text(data))
                self._end_message(place)

    def _asked(self, data: object) -> None:
        """Emit what the user asked the workflow, once: the next executors get it too."""
        if not self._is_asked and isinstance(data, str):
            self.emit_turn(text(data))
        self._is_asked = True

    def _request(self, native: object, data: object) -> None:
        request = ident(get(native, "request_id")) or f"{self.run_id}:request"
        if text(get(data, "type")) == "function_approval_request":
            self._approval(data)
            return
        words = (
            text(data) or text(get(data, "prompt")) or text(get(data, "question")) or json_text(plain(data))
        )
        self.emit(InputRequested, request_id=request, message=words)
        self.end("interrupted")

    # Messages.

    def _update(self, native: object, place: str) -> None:
        author, native_id = text(get(native, "author_name")) or place, ident(get(native, "message_id"))
        contents = items(get(native, "contents"))
        is_empty = not contents or all(text(get(one, "type")) == "usage" for one in contents)
        if not is_empty:
            message = self._begin(place, native_id, author)
            if native_id is not None:
                self._seen.add(native_id)
            for content in contents:
                self._content(message, content, place)
        else:
            for content in contents:
                self._count_usage(content, place)
        reason = ident(get(native, "finish_reason"))
        if reason is not None and place in self._messages:
            self._end_message(place, finish_reason=reason)

    def _begin(self, place: str, native_id: str | None, author: str) -> _Message:
        message = self._messages.get(place)
        if message is not None:
            is_other = None not in (native_id, message.native_id) and native_id != message.native_id
            if is_other or message.has_results or author != message.author:
                self._end_message(place)
                message = None
        if message is None:
            if self._author not in ("", author):
                self._envelope = {}
                self.emit_unknown(author, "agent", shown=True)
            self._author = author or self._author
            message = self._messages[place] = _Message(f"{self.run_id}:{self._count}", native_id, author)
            self._count += 1
            self.begin_message(message.id)
        self._envelope = {"message_id": message.id}
        return message

    def _end_message(self, place: str, **fields: Any) -> None:
        message = self._messages.pop(place)
        self.end_message(message.id, **fields)

    def _response(self, native: object, place: str) -> None:
        for message in items(get(native, "messages")):
            self._whole(message, place)
        self._add_usage(get(native, "usage_details"), place, is_sum=True)

    def _whole(self, native: object, place: str) -> None:
        native_id, role = ident(get(native, "message_id")), text(get(native, "role"))
        if native_id in self._seen:
            return
        words = "".join(
            text(get(one, "text")) for one in items(get(native, "contents")) if get(one, "type") == "text"
        )
        if role in ("user", "system"):
            return  # the conversation so far
        message = self._begin(place, native_id, text(get(native, "author_name")) or place)
        for content in items(get(native, "contents")):
            if get(content, "type") != "text":
                self._content(message, content, place)
        self.emit_text("text", "0", words)
        if place in self._messages:
            self._end_message(place)

    # Contents.

    def _content(self, message: _Message, content: object, place: str) -> None:
        kind = text(get(content, "type"))
        is_whole = get(content, "merge_mode") == "replace"
        match kind:
            case "text" | "text_reasoning":
                emit = self.emit_whole if is_whole else self.emit_text
                emit("text" if kind == "text" else "thinking", "0", text(get(content, "text")))
                for annotation in items(get(content, "annotations")):
                    self._cite(annotation)
            case "function_call":
                self._call(message, content, is_whole=is_whole)
            case "function_approval_request":
                self._approval(content)
            case "usage":
                self._count_usage(content, place)
            case "error":
                self.end("error", text(get(content, "message")) or "error", ident(get(content, "error_code")))
            case _ if kind.endswith("_tool_call"):
                self._hosted_call(content)
            case _ if kind.endswith("_result"):
                message.has_results = True
                self._answer(content)
            case _ if (file := file_in(_with_media(content))) is not None:
                self._count += 1
                self.emit(Artifact, artifact_id=f"{message.id}:{self._count}", **file)
            case _:
                self.emit_unknown(content, kind)

    def _cite(self, annotation: object) -> None:
        regions = items(get(annotation, "annotated_regions"))
        place = (
            {name: integer(get(regions[0], f"{name}_index")) for name in ("start", "end")} if regions else {}
        )
        fields = citation_fields(annotation)
        if fields:
            fields |= {name: value for name, value in place.items() if value is not None}
        self.emit_citation("0", fields)

    def _call(self, message: _Message, content: object, *, is_whole: bool) -> None:
        call_id = ident(get(content, "call_id")) or message.call
        if call_id is None:
            self.emit_unknown(content, "function_call")
            return
        name, args = text(get(content, "name")) or None, get(content, "arguments")
        if call_id != message.call and name:
            self.announce_call(call_id, name)
        message.call = call_id
        if isinstance(args, str) and not is_whole:
            self.emit_args(call_id, name, text(args))
        elif args is not None:
            self.emit_rest_of_args(call_id, name, json_text(plain(args)))

    def _hosted_call(self, content: object) -> None:
        call_id = _call_id(content)
        if call_id is None:
            self.emit_unknown(content, ident(get(content, "type")))
            return
        name = text(get(content, "tool_name")) or text(get(content, "type")).removesuffix("_tool_call")
        args = next(
            (v for one in ("arguments", "inputs", "commands", "actions") if (v := get(content, one))), None
        )
        self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=parsed(args))

    def _approval(self, content: object) -> None:
        call = get(content, "function_call")
        call_id = ident(get(call, "call_id")) or ident(get(content, "id"))
        if call_id is None:
            self.emit_unknown(content, "function_approval_request")
            return
        name = text(get(call, "name")) or None
        self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=parsed(get(call, "arguments")))
        self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
        self.end("interrupted")

    def _answer(self, content: object) -> None:
        call_id = _call_id(content)
        if call_id is None:
            self.emit_unknown(content, ident(get(content, "type")))
            return
        found = (get(content, name) for name in ("result", "output", "outputs"))
        value = next((one for one in found if one is not None), None)
        result = read_result(value, list(map(_with_media, items(get(content, "items")))))
        fields: dict[str, Any] = {"tool_call_id": call_id}
        exception = get(content, "exception")
        if exception is not None:
            words = text(value) or text(exception) or type(exception).__name__
            fields |= {"status": "error", "error": words}
        elif value is None and not result.files and result.display is None:
            self.emit(ToolFinished, **fields)
            return
        self.emit_result(result, **fields)

    # Usage.

    def _count_usage(self, content: object, place: str) -> None:
        self._add_usage(get(content, "usage_details"), place, is_sum=get(content, "merge_mode") == "replace")

    def _add_usage(self, used: object, place: str, *, is_sum: bool) -> None:
        counts = {
            ours: count
            for ours, theirs in (
                ("input_tokens", "input_token_count"),
                ("output_tokens", "output_token_count"),
                ("cached_input_tokens", "cache_read_input_token_count"),
                ("reasoning_tokens", "reasoning_output_token_count"),
            )
            if (count := integer(get(used, theirs))) is not None
        }
        if counts:
            self._used[place] = counts if is_sum else _sum(self._used.get(place, {}), counts)


def _sum(counts: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    return {name: counts.get(name, 0) + more.get(name, 0) for name in {*counts, *more}}


def _is_message(native: object) -> bool:
    return bool(text(get(native, "role"))) and isinstance(get(native, "contents"), list)


def _call_id(content: object) -> str | None:
    return next(
        (found for name in ("call_id", "image_id", "id") if (found := ident(get(content, name)))), None
    )


def _with_media(content: object) -> Any:
    """Return a content that holds a file in the form in which others' blocks hold one."""
    uri = get(content, "uri")
    if text(get(content, "type")) not in ("data", "uri") or not isinstance(uri, str):
        return plain(content)
    return {"type": "file", "url": uri, "media_type": text(get(content, "media_type")) or None}
