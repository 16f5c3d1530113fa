"""Read OpenAI's Responses API: ``responses.create(stream=True)`` and ``responses.stream()``.

A run holds several responses. Each response numbers its events from 0 (``sequence_number``): our events
carry that number, with the response's id as the counter. Events may arrive twice or late. The
application runs its own tools, and may feed in their results: as the API's ``function_call_output``
dicts, as the reports of ``_tool_results``, or as our events. Source: the API's streaming reference,
``openai.types.responses``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    Custom,
    MessageFinished,
    MessageStarted,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    skip,
)

from ._base import Adapter
from ._call_ids import drop_oldest
from ._citations import citation_fields
from ._fields import get, ident, integer, items, json_text, parsed, text, usage_of
from ._files import said
from ._openai_items import (
    SERVER_TOOLS,
    args_of,
    call_id_of,
    images_of,
    name_of,
    outcome_of,
    part_of,
    picture,
)
from ._tool_results import finish_report, read_report

__all__ = ["OpenAIResponsesAdapter", "matches"]

_TEXTS: Final = ("output_text", "refusal", "reasoning_summary_text", "reasoning_text")
_QUIET: Final = frozenset(
    ("", "audio", "audio.transcript", "mcp_list_tools", "shell_call_command", "shell_call_output_content"),
)
"""The topics of events that only repeat the finished item, or the event before them."""
_ARGS: Final = {
    "function_call_arguments": "arguments",
    "mcp_call_arguments": "arguments",
    "custom_tool_call_input": "input",
    "code_interpreter_call_code": "code",
}
RESPONSES: Final = 64
"""Responses of a run that the adapter retains at most, with their items: events of older ones come no more."""
NUMBERS: Final = 10_000
"""Digests of a response's numbered events that the adapter retains at most."""


def matches(native: object) -> bool:
    """Return whether *native* is a Responses event, or the output of a tool in the API's own form."""
    kind = text(get(native, "type"))
    if kind == "error":
        return integer(get(native, "sequence_number")) is not None
    return kind.startswith("response.") or (
        kind.endswith("call_output") and ident(get(native, "call_id")) is not None
    )


@dataclass
class _Response:
    key: str
    """The response's id, or an id made here: for a stream resumed in the middle, for an id that begins anew."""
    id: str | None = None
    is_over: bool = False
    call_ids: dict[str, str] = field(default_factory=dict)
    """The item that has a call id first."""
    numbers: dict[int, int] | None = field(default_factory=dict)
    """A digest of the event with each number; ``None`` of a server whose numbers tell nothing."""


@dataclass
class _Item:
    response: _Response
    call_id: str = ""
    name: str | None = None
    is_known: bool = False
    is_started: bool = False
    is_done: bool = False
    is_whole: bool = False
    """The whole arguments are shown, so the adapter ignores late deltas of them."""


class OpenAIResponsesAdapter(Adapter):
    """Read one run: one request, or a loop of requests and tool calls."""

    name = "openai_responses"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._response: _Response | None = None
        self._responses: dict[str, _Response] = {}
        self._items: dict[str, _Item] = {}
        self._retained: list[_Response] = []
        self._response_count = 0
        self._places: dict[tuple[str, int | None], str] = {}
        self._awaiting: dict[str, None] = {}
        self._is_app_next = False
        """The application has reported something since the last event of the API."""

    def native_result(self, source: object, native: Any) -> Any:
        """Return the last response, whose id the next request can name."""
        del source
        response = get(native, "response")
        return native if response is None else response

    def _read(self, native: object) -> None:
        kind = text(get(native, "type"))
        if not kind.startswith("response.") and kind != "error":
            self._is_app_next = True
            self._app(native, kind)
            return
        kind = kind.removeprefix("response.")
        if kind == "steer" or kind.startswith("steer."):
            self._steered(native, kind.removeprefix("steer").removeprefix("."))
            return
        item_id = ident(get(native, "item_id")) or ident(get(native, "item", "id"))
        seq = integer(get(native, "sequence_number"))
        response = self._response_of(native, item_id, kind, seq)
        self._is_app_next = False
        self._envelope = {"message_id": response.key}
        if seq is not None and not _tells_nothing(response, seq, native, kind):
            self._envelope |= {"seq": seq, "counter": response.key}
        else:
            seq = None
        self._event(native, kind, response, item_id or f"{get(native, 'output_index')}")
        if seq is not None and not self._out:
            self._out.append(skip(self.agent_id, self.run_id, **self._envelope))

    def _close(self) -> None:
        if self._awaiting:
            self.end("interrupted")

    def _event(self, native: object, kind: str, response: _Response, item_id: str) -> None:  # noqa: C901, PLR0912 - one flat table of the protocol's types
        topic, _, verb = kind.rpartition(".")
        place = response.key, integer(get(native, "output_index"))
        if item_id not in self._items:  # some servers give an item several ids, but one place
            item_id = self._places.setdefault(place, item_id) if place[1] is not None else item_id
        call = self._items.get(item_id)
        match topic, verb:
            case "", "created":
                self._asked(get(native, "response"))
                self.emit(MessageStarted)
            case "", "completed" | "failed" | "incomplete" | "cancelled":
                self._response_done(get(native, "response"), verb, response)
            case "", "error":
                problem = get(native, "error") or native
                code = ident(get(problem, "code"))
                self.end("error", text(get(problem, "message")) or code or "error", code)
            case _, "delta" if topic in _TEXTS:
                self.emit_text(*part_of(native, topic, item_id), text(get(native, "delta")))
            case _, "done" if topic in _TEXTS:
                whole = get(native, "refusal" if topic == "refusal" else "text")
                self._whole(native, topic, item_id, whole)
            case "content_part" | "reasoning_summary_part", "added" | "done":
                self._content(native, item_id, get(native, "part"))
            case "output_text.annotation", "added":
                _, part_id = part_of(native, "output_text", item_id)
                fields = citation_fields(get(native, "annotation"))
                self.emit_citation(part_id, fields, integer(get(native, "annotation_index")))
            case "audio.transcript", "delta":
                self.emit_text("text", "audio", text(get(native, "delta")))
            case "output_item", "added" | "done":
                self._item(get(native, "item"), item_id, response, is_done=verb == "done")
            case _, "delta" if topic in _ARGS:
                self._args_delta(call, text(get(native, "delta")))
            case _, "done" if topic in _ARGS:
                self._args_whole(call, json_text(get(native, _ARGS[topic])))
            case "shell_call_output_content", "delta":
                output = text(get(native, "delta", "stdout")) + text(get(native, "delta", "stderr"))
                if output and call is not None and call.is_known:
                    self.emit(ToolProgress, tool_call_id=call.call_id, delta=output)
            case "image_generation_call", "partial_image":
                fields = picture(get(native, "partial_image_b64"), get(native, "output_format"))
                self._image(call, item_id, fields)
            case _, _ if topic in SERVER_TOOLS:
                self._server_state(topic, self._items.setdefault(item_id, _Item(response)), item_id)
            case _ if topic not in _QUIET:
                self.emit_unknown(native, kind if kind == "error" else f"response.{kind}")

    # Responses. Few events name their response, and a resumed stream starts in the middle of a response.

    def _response_of(
        self, native: object, item_id: str | None, kind: str = "", seq: int | None = None
    ) -> _Response:
        response_id = ident(get(native, "response", "id"))
        known = self._responses.get(response_id or "")
        if known is not None and kind == "created" and known.is_over and (seq is None or self._is_app_next):
            known = self._response = _Response(f"{response_id}#{self._response_count}", response_id)
            self._responses[response_id or ""] = known
            self._retain(known)
        if known is not None:
            return known
        item = self._items.get(item_id or "") if response_id is None else None
        if item is not None and not self._begins_anew(item, native, kind, seq):
            return item.response
        response = self._response
        if response is None or (response_id is not None and response.id is not None):
            response = _Response(response_id or f"{self.run_id}:{self._response_count}")
            self._retain(response)
        if response_id is not None:
            response.id = response_id
            self._responses[response_id] = response
        self._response = response
        return response

    def _asked(self, body: object) -> None:
        """Show the user's newest words, if the response repeats its input."""
        given = get(body, "input")
        last = items(given)[-1:]
        if isinstance(given, str):
            self.emit_turn(text(given))
        elif last and get(last[0], "role") == "user":
            self.emit_turn(*said(get(last[0], "content")), message_id=ident(get(last[0], "id")))

    def _steered(self, native: object, state: str) -> None:
        """Show what the user adds to a running response, and as a line what becomes of it.

        The line has no number: no other event can count as the line's repeat.
        """
        if not state:
            self._asked(native)
            return
        steer, problem = get(native, "steer"), get(native, "error")
        why = text(get(problem, "message")) or ident(get(problem, "code")) or ident(get(native, "reason"))
        given = get(steer, "input")
        parts = [said(get(one, "content"))[0] for one in items(given)]
        words = text(given) or "\n".join(filter(None, parts))
        line = ": ".join(filter(None, (state, why, words)))
        self.emit(Custom, name="steer", value=line, shown=True)
        seq = integer(get(native, "sequence_number"))
        response = self._responses.get(ident(get(steer, "previous_response_id")) or "") or self._response
        if seq is None or response is None or _tells_nothing(response, seq, native, f"steer.{state}"):
            return
        place: dict[str, Any] = {"message_id": response.key, "seq": seq, "counter": response.key}
        self._out.append(skip(self.agent_id, self.run_id, **place))

    def _retain(self, response: _Response) -> None:
        """Retain a response; forget the older half of them if they are too many."""
        self._response_count += 1
        self._retained.append(response)
        if len(self._retained) > RESPONSES:
            self._retained = self._retained[-RESPONSES // 2 :]
            keys = {each.key for each in self._retained}
            self._responses = {name: one for name, one in self._responses.items() if one.key in keys}
            self._items = {name: one for name, one in self._items.items() if one.response.key in keys}
            self._places = {place: name for place, name in self._places.items() if place[0] in keys}

    def _begins_anew(self, item: _Item, native: object, kind: str, seq: int | None) -> bool:
        """Return whether an event begins another item with the id of *item*, and forget *item* then."""
        now = self._response
        if (
            kind != "output_item.added"
            or not item.is_done
            or now is None
            or now is item.response
            or now.is_over
        ):
            return False
        is_next = seq is None or seq > max(now.numbers or (-1,))
        if not is_next and (item.response.numbers or {}).get(seq or 0) == _digest(native, kind):
            return False  # a duplicate
        self._items = {key: one for key, one in self._items.items() if one is not item}
        return True

    def _response_done(self, body: object, verb: str, response: _Response) -> None:
        status = verb
        for i, item in enumerate(items(get(body, "output"))):
            item_id = self._places.get((response.key, i)) or ident(get(item, "id")) or str(i)
            if not self._items.setdefault(item_id, _Item(response)).is_done:
                self._item(item, item_id, response, is_done=True)
        code = ident(get(body, "error", "code"))
        if status == "failed":
            self.end("error", text(get(body, "error", "message")) or code or "The response failed.", code)
        elif status == "cancelled":
            self.end("cancelled")
        elif status == "incomplete":
            status = code = ident(get(body, "incomplete_details", "reason")) or status
        usage = usage_of(
            get(body, "usage"),
            cached=("input_tokens_details", "cached_tokens"),
            reasoning=("output_tokens_details", "reasoning_tokens"),
            model=ident(get(body, "model")),
        )
        self.emit(MessageFinished, finish_reason=status, usage=usage)
        if (
            verb == "incomplete" and status != "steered"
        ):  # else the user added input, and the next one continues
            self._last_problem = {
                "outcome": "error",
                "error": f"The response is incomplete: {code}.",
                "code": code,
            }
        self.streamed.forget(response.key)
        response.is_over = True

    # Text and thinking.

    def _whole(self, native: object, topic: str, item_id: str, whole: object) -> None:
        if isinstance(whole, str) and whole:
            self.emit_whole(*part_of(native, topic, item_id), text(whole))

    def _content(self, native: object, item_id: str, content: object) -> None:
        kind = text(get(content, "type")).replace("summary_text", "reasoning_summary_text")
        if kind in _TEXTS:
            self._whole(native, kind, item_id, get(content, "refusal" if kind == "refusal" else "text"))
        for i, annotation in enumerate(items(get(content, "annotations"))):
            self.emit_citation(part_of(native, "output_text", item_id)[1], citation_fields(annotation), i)

    # Tool calls. Only the item links its id to the call's id.

    def _item(self, item: object, item_id: str, response: _Response, *, is_done: bool) -> None:
        kind = text(get(item, "type"))
        state = self._items.setdefault(item_id, _Item(response))
        if kind.endswith("_call"):
            self._call(item, item_id, state, is_done=is_done)
        elif is_done and kind in ("message", "reasoning"):
            for field, index in (("summary", "summary_index"), ("content", "content_index")):
                for i, content in enumerate(items(get(item, field))):
                    self._content({index: i}, item_id, content)
        elif is_done and kind == "mcp_approval_request":
            self._awaiting[item_id] = None
            self.emit_rest_of_args(item_id, name_of(item), args_of(item))
            self.emit(ToolProgress, tool_call_id=item_id, state="awaiting_approval")
        elif is_done and kind.endswith("_output") and ident(get(item, "call_id")) is not None:
            self.emit_report(finish_report(item))
        elif is_done:
            self.emit_unknown(item, kind)
        state.is_done = state.is_done or is_done

    def _call(self, item: object, item_id: str, call: _Item, *, is_done: bool) -> None:
        is_new, call.is_known = not call.is_known, True
        native_id, call.name = call_id_of(item) or item_id, name_of(item)
        is_own = call.response.call_ids.setdefault(native_id, item_id) == item_id
        call.call_id = native_id if is_own else f"{call.response.key}:{item_id}"
        self._awaiting.pop(call.call_id, None)
        is_server = text(get(item, "type")) in SERVER_TOOLS
        if is_server and (is_new or not is_done):
            self._tool_started(call)
        elif is_new or not is_done:
            self.emit_args(call.call_id, call.name, "")
        if is_new and not is_own:  # two calls of a response with one id
            self._call_ids.share(self.run_id, call.call_id, native_id)
        if not is_done:
            return
        self._args_whole(call, args_of(item))
        if is_server:
            result, fields = outcome_of(item)
            self.emit_result(result, tool_call_id=call.call_id, tool_name=call.name, **fields)
            for i, fields in enumerate(images_of(item)):
                self._image(call, f"{item_id}:{i}" if i else item_id, fields)

    def _tool_started(self, call: _Item) -> None:
        call.is_started = True
        self.emit(ToolStarted, tool_call_id=call.call_id, tool_name=call.name)

    def _server_state(self, topic: str, call: _Item, item_id: str) -> None:
        if not call.is_started:
            call.call_id, call.name = call.call_id or item_id, call.name or topic.removesuffix("_call")
            self._tool_started(call)

    def _args_delta(self, call: _Item | None, delta: str) -> None:
        # An unknown call has no id yet. Its item repeats the whole arguments at the end.
        if delta and call is not None and call.is_known and not call.is_whole:
            self.emit_args(call.call_id, call.name, delta)

    def _args_whole(self, call: _Item | None, whole: str) -> None:
        if not whole or call is None or not call.is_known or call.is_whole:
            return
        call.is_whole = True
        if not self.emit_rest_of_args(call.call_id, call.name, whole):
            # Deltas are missing in the middle. Only ToolStarted replaces streamed arguments.
            self.emit(ToolStarted, tool_call_id=call.call_id, tool_name=call.name, args=parsed(whole))

    def _image(self, call: _Item | None, artifact_id: str, fields: dict[str, Any]) -> None:
        call_id = call.call_id if call is not None and call.is_known else artifact_id
        self.emit(Artifact, artifact_id=artifact_id, tool_call_id=call_id, **fields)

    # The application's reports about its tools.

    def _app(self, native: object, kind: str) -> None:
        report = read_report(native)
        request = ident(get(native, "approval_request_id"))
        if kind == "mcp_approval_response" and request is not None:
            self._awaiting.pop(request, None)
            if get(native, "approve") is False:
                why = text(get(native, "reason")) or None
                self.emit(ToolFinished, tool_call_id=request, status="denied", error=why)
            else:
                self.emit(ToolProgress, tool_call_id=request, state="running")
        elif report is not None:
            self.emit_report(report)
        elif kind.endswith("_output") and ident(get(native, "call_id")) is not None:
            self.emit_report(finish_report(native))
        else:
            self.emit_unknown(native, kind)


def _digest(native: object, kind: str) -> int:
    fields = ("item_id", "output_index", "content_index", "summary_index", "delta", "text", "arguments")
    values = [get(native, name) for name in fields]
    ids = (ident(get(native, "item", "id")), ident(get(native, "response", "id")))
    return hash((kind, *ids, *(value for value in values if isinstance(value, str | int))))


def _tells_nothing(response: _Response, seq: int, native: object, kind: str) -> bool:
    """Return whether the response's numbers repeat for different events: some servers send only zeros."""
    if response.numbers is not None:
        digest = _digest(native, kind)
        if response.numbers.setdefault(seq, digest) != digest:
            response.numbers = None
        else:
            drop_oldest(response.numbers, NUMBERS)
    return response.numbers is None
