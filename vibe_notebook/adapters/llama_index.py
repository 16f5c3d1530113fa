"""Read llama-index: ``handler.stream_events()`` of an agent or a workflow of agents.

Only their class tells the kind of its events, and JSON has no class: the adapter recognises events by
their fields. A model's turn runs from ``AgentInput`` to ``AgentOutput``. The calls in ``AgentStream``
are snapshots. Some models give a call a new id in each snapshot, so the adapter identifies a call by its
place in the list. The last ``AgentOutput`` repeats all calls of the run. Source:
``llama_index.core.agent.workflow``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import (
    Custom,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._citations import citation_fields
from ._fields import get, ident, integer, items, json_text, plain, text
from ._files import block_file
from ._result_blocks import read_result

__all__ = ["LlamaIndexAdapter", "matches"]

_PACKAGES: Final = ("llama_index.", "workflows.")
_OTHERS: Final = ("event", "event_kind", "object", "sessionUpdate", "session_update")
"""The fields in which other SDKs store the kind of an event."""


def _body(native: object) -> object:
    """Return the event inside the envelope of a workflow server; a bare event as it is."""
    name = text(get(native, "qualified_name"))
    inner = get(native, "value")
    return inner if name.startswith(_PACKAGES) and isinstance(inner, Mapping) else native


def _kind(body: object) -> str:
    if isinstance(get(body, "current_agent_name"), str):
        if isinstance(get(body, "delta"), str):
            return "stream"
        if isinstance(get(body, "input"), list):
            return "input"
        return "output" if get(body, "response") is not None else ""
    if ident(get(body, "tool_id")) is not None and isinstance(get(body, "tool_name"), str):
        if get(body, "tool_output") is not None:
            return "result"
        return "call" if get(body, "tool_kwargs") is not None else ""
    if isinstance(get(body, "step_name"), str) and get(body, "exception") is not None:
        return "failed"
    if isinstance(get(body, "timeout"), int | float) and isinstance(get(body, "active_steps"), list):
        return "timed_out"
    return ""


def _is_live(native: object) -> bool:
    return any(
        cls.__module__.startswith(_PACKAGES) and cls.__name__ == "Event" for cls in type(native).__mro__
    )


def _is_of_author(native: object) -> bool:
    """Return whether *native* is an event that the workflow's author has defined, and no start or end of a run."""
    if text(get(native, "qualified_name")):  # in the envelope of a workflow server
        return True
    names = {cls.__name__ for cls in type(native).__mro__ if cls.__module__.startswith(_PACKAGES)}
    is_own = type(native).__module__.startswith(_PACKAGES)
    return "Event" in names and not is_own and not names & {"StartEvent", "StopEvent"}


def matches(native: object) -> bool:
    """Return whether *native* is an event of a workflow, or has the fields of an agent's event."""
    if not isinstance(native, Mapping):
        return _is_live(native)
    body = _body(native)
    if body is not native:
        return True
    is_other = any(isinstance(get(native, name), str) for name in (*_OTHERS, "type"))
    return not is_other and _kind(native) in ("stream", "input", "output", "call", "result")


class LlamaIndexAdapter(Adapter):
    """Read one run of an agent, or of several agents that hand over to each other."""

    name = "llama_index"
    has_think_tags = True
    cancellations = frozenset(("WorkflowCancelledByUser",))

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._messages = 0
        self._has_turn = False
        self._agent: str | None = None
        self._streamed_kinds: set[str] = set()
        self._ids: dict[str, str] = {}
        """The first id of each call, by the id that natives use for the call now."""
        self._snapshots: list[tuple[str, str | None]] = []
        self._pending: dict[str, Any] = {}
        """The arguments so far of the calls that the model still writes."""
        self._finished: set[str] = set()

    def _read(self, native: object) -> None:
        body = _body(native)
        match _kind(body):
            case "input":
                self._message_end(None)
                self._asked(body)
                self._open_message(body)
            case "stream":
                self._stream(body)
            case "output":
                self._output(body)
            case "call":
                self._started(body)
            case "result":
                self._result_of(body)
            case "failed":
                problem = get(body, "exception")
                self._failed(problem)
            case "timed_out":
                self.end("error", f"Timed out after {get(body, 'timeout'):g} s.", "timeout")
            case _:
                self._read_other(native, body)

    def _read_other(self, native: object, body: object) -> None:
        if type(native).__name__ == "WorkflowCancelledEvent":
            self.end("cancelled")
        elif isinstance(structured := get(body, "result", "structured_response"), Mapping):
            self._result = plain(structured)
        elif get(body, "result", "current_agent_name") is None:
            name = text(get(native, "qualified_name")).rpartition(".")[2] or text(get(native, "type"))
            if body is native:
                self.emit_unknown(native, name or None, shown=_is_of_author(native))
            else:
                self.emit(Custom, name=name, value=plain(body))

    def _failed(self, problem: object) -> None:
        if isinstance(problem, BaseException):
            self._end_by_exception(problem)
            return
        name = text(get(problem, "exception_type")).rpartition(".")[2]
        message = text(get(problem, "exception_message"))
        self.end("error", f"{name}: {message}" if name and message else name or message or "error")

    def _close(self) -> None:
        self._emit_pending_args()
        self._message_end(None)

    # Messages.

    def _open_message(self, body: object) -> None:
        """Open a message of the agent in *body*, unless a message is open."""
        self._start_of(body)
        if self._message is None:
            self._message = f"{self.run_id}:{self._messages}"
            self._messages += 1
            self.begin_message(self._message, agent_name=self._agent)
        self._envelope = {"message_id": self._message}

    def _start_of(self, body: object) -> None:
        """Start the run under the name of the agent in *body*."""
        self._agent = text(get(body, "current_agent_name")) or self._agent
        if not self._is_started:
            self.agent_name = self.agent_name or self._agent
            self._envelope = {}
            self.start()

    def _asked(self, body: object) -> None:
        """Show the user's newest words, which each turn of the model has in its input."""
        self._start_of(body)
        asked = [one for one in items(get(body, "input")) if _role_in(one) == "user"]
        blocks = items(get(asked[-1], "blocks")) if asked else []
        lines = [line for block in blocks if (line := text(get(block, "text")))]
        words = "\n".join(lines) or (text(get(asked[-1], "content")) if asked else "")
        if not self._has_turn:
            self._has_turn = True
            self._envelope = {}
            self.emit_turn(words, [file for block in blocks if (file := _image(block)) is not None])

    def _message_end(self, usage: Usage | None) -> None:
        message, self._message = self._message, None
        if message is not None:
            self.end_message(message, usage=usage)
        self._streamed_kinds.clear()
        self._snapshots.clear()
        # With some models, a call's id is its tool's name: the same id in the next turn is another call.
        self._ids = {native: own for native, own in self._ids.items() if own not in self._finished}

    def _stream(self, body: object) -> None:
        self._open_message(body)
        for kind, name in (("thinking", "thinking_delta"), ("text", "delta")):
            if delta := text(get(body, name)):
                self._streamed_kinds.add(kind)
                self.emit_text(kind, "0", delta)
        for i, call in enumerate(items(get(body, "tool_calls"))):
            self._snapshot(i, call)

    def _output(self, body: object) -> None:
        self._open_message(body)
        response = get(body, "response")
        blocks = items(get(response, "blocks"))
        thought = "".join(
            text(get(block, "content")) for block in blocks if get(block, "block_type") == "thinking"
        )
        words = "".join(text(get(block, "text")) for block in blocks) or text(get(response, "content"))
        for kind, whole in (("thinking", thought), ("text", words)):
            if kind not in self._streamed_kinds:  # an agent that reasons in text has a shorter text here
                self.emit_text(kind, "0", whole)
        for block in blocks:
            if get(block, "block_type") == "citation":
                quote = text(get(block, "cited_content", "text"))
                names = {name: get(block, name) for name in ("title", "source")}
                self.emit_citation("0", citation_fields({**names, "cited_text": quote}))
        if isinstance(structured := get(body, "structured_response"), Mapping):
            self._result = plain(structured)
        self._emit_pending_args()
        self._message_end(_usage(get(response, "additional_kwargs")))

    # Tools.

    def _snapshot(self, place: int, call: object) -> None:
        native, name = ident(get(call, "tool_id")), text(get(call, "tool_name")) or None
        if native is None:
            return
        if native not in self._ids and place < len(self._snapshots) and self._snapshots[place][1] == name:
            self._ids[native] = self._snapshots[place][0]
        is_new = native not in self._ids
        call_id = self._id(native)
        if is_new:
            self._snapshots.append((call_id, name))
            self.emit_args(call_id, name, "")
        if call_id not in self._finished:
            self._pending[call_id] = get(call, "tool_kwargs")

    def _id(self, native: str) -> str:
        if native not in self._ids:
            is_used = native in self._finished or native in self._ids.values()
            self._ids[native] = f"{native}:{self._messages}" if is_used else native
        return self._ids[native]

    def _emit_pending_args(self) -> None:
        """Emit the arguments of the written calls that have not started."""
        pending, self._pending = self._pending, {}
        for call_id, args in pending.items():
            if args:
                self.emit_args(call_id, None, json_text(args))

    def _started(self, body: object) -> None:
        call_id = self._id(ident(get(body, "tool_id")) or "")
        self._pending.pop(call_id, None)
        name, args = text(get(body, "tool_name")) or None, plain(get(body, "tool_kwargs"))
        self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)

    def _result_of(self, body: object) -> None:
        call_id = self._id(ident(get(body, "tool_id")) or "")
        self._pending.pop(call_id, None)
        self._finished.add(call_id)
        found = get(body, "tool_output")
        words = "\n".join(line for block in items(get(found, "blocks")) if (line := text(get(block, "text"))))
        raw = get(found, "raw_output")
        words_alone = words or text(get(found, "content")) or text(found)
        result = read_result(words_alone if raw is None else raw, get(found, "blocks"))
        fields = {"tool_call_id": call_id, "tool_name": text(get(body, "tool_name")) or None}
        if get(found, "is_error") is True:
            fields |= {"status": "error", "error": words or json_text(result.output)}
        self.emit_result(result, **fields)


def _image(block: object) -> dict[str, Any] | None:
    """Return the artifact fields of an image block; ``None`` for other blocks."""
    if get(block, "block_type") != "image":
        return None
    url, media = get(block, "url"), ident(get(block, "image_mimetype"))
    return block_file(
        {"type": "image", "data": get(block, "image"), "url": str(url or ""), "mime_type": media}
    )


def _role_in(message: object) -> str:
    role = get(message, "role")
    return text(getattr(role, "value", role))


def _usage(native: object) -> Usage | None:
    """Return the usage of a turn, if the provider's package passes the counts on."""
    found = [
        next((count for name in names if (count := integer(get(native, name))) is not None), None)
        for names in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
    ]
    if found == [None, None]:
        return None
    return Usage(input_tokens=found[0], output_tokens=found[1])
