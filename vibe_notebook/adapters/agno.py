"""Read agno: ``agent.arun(…, stream=True, stream_events=True)``, its teams and workflows.

Each event has its kind in ``event`` and its run in ``run_id``; the kinds of a team begin with "Team".
The members of a team stream into the team's stream. A member is a run inside the team's run, under the
call that delegated to the member's id. agno reports a failed tool twice. agno does not mark the start of
a message. Without ``stream_events``, agno does not report model requests either: then a tool call ends
the message. Source: ``agno.run``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    ToolProgress,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._citations import citation_fields
from ._fields import fields_of, get, ident, integer, items, json_text, number, plain, text
from ._files import as_base64, said
from ._result_blocks import read_result
from ._subagents import Subagents

__all__ = ["AgnoAdapter", "matches"]

_TOOLS: Final = ("ToolCallStarted", "ToolCallCompleted", "ToolCallError")
_KINDS: Final = frozenset(
    (
        *_TOOLS,
        *(f"Run{verb}" for verb in ("Started", "Content", "ContentCompleted", "IntermediateContent")),
        *(f"Run{verb}" for verb in ("Completed", "Error", "Cancelled", "Paused", "Continued")),
        *(f"ModelRequest{verb}" for verb in ("Started", "Completed")),
        *(f"Reasoning{verb}" for verb in ("Started", "ContentDelta", "Step", "Completed")),
        *(f"Workflow{verb}" for verb in ("Started", "Completed", "Paused", "Cancelled", "Error")),
    )
)
_QUIET: Final = frozenset(("RunContentCompleted", "RunContinued", "ReasoningStarted"))
_ENVELOPE: Final = frozenset(
    (
        *("event", "created_at", "run_id", "parent_run_id", "session_id", "tool_call_id"),
        *(
            "agent_id",
            "agent_name",
            "team_id",
            "team_name",
            "workflow_id",
            "workflow_name",
            "workflow_run_id",
        ),
        *("step_id", "step_name", "step_index", "nested_depth", "content_type"),
    )
)
"""The fields that all events have."""
_DELEGATIONS: Final = ("delegate_task_to_member", "delegate_task_to_members")
_MEDIA: Final = {"images": "image/png", "videos": "video/mp4", "audio": "audio/wav", "files": None}
_OVER: Final = frozenset(
    f"{owner}{verb}" for owner in ("Run", "Workflow") for verb in ("Completed", "Error", "Cancelled")
)


def _kind(native: object) -> str:
    return text(get(native, "event")).removeprefix("Team")


def matches(native: object) -> bool:
    """Return whether *native* is an event of agno.

    Other SDKs have such words in another field, or have no run.
    """
    return _kind(native) in _KINDS and any(
        isinstance(get(native, name), str)
        for name in ("run_id", "agent_id", "team_id", "workflow_id", "agent_name", "session_id")
    )


class AgnoAdapter(Adapter):
    """Read one run of an agent, a team or a workflow; the runs of members are inside it."""

    name = "agno"
    tells_usage = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._own_id: str | None = None
        self._subagents = Subagents(self, AgnoAdapter)
        self._delegated: dict[str, str | None] = {}
        """The ids of the members, by the id of the call that waits for the member."""
        self._linked: set[str] = set()
        self._message: str | None = None
        self._messages = 0
        self._has_requests = False
        self._streamed_kinds: set[str] = set()
        self._calls = 0
        self._unnamed: dict[str, str] = {}
        """The ids made here for calls without an id, by the name of their tool."""

    def _read(self, native: object) -> None:
        run_id = ident(get(native, "run_id")) or ident(get(native, "workflow_run_id"))
        if self._own_id is None and _kind(native) in _KINDS:
            self._own_id = run_id
            named = (text(get(native, name)) for name in ("agent_name", "team_name", "workflow_name"))
            self.agent_name = self.agent_name or next((name for name in named if name), None)
        if run_id is None or self._own_id in (run_id, None):
            self._event(native, _kind(native))
        else:
            self._member(run_id, native)

    def _event(self, native: object, kind: str) -> None:
        self._envelope = {"message_id": self._message} if self._message else {}
        match kind:
            case "RunStarted" | "WorkflowStarted":
                self._envelope = {}
                self.start()
                self._asked(native)
            case "ModelRequestStarted":
                self._has_requests = True
                self._message_start()
            case "ModelRequestCompleted":
                self._message_end(_usage(native, ident(get(native, "model"))))
            case "RunContent" | "RunIntermediateContent" | "ReasoningContentDelta":
                self._content(native)
            case "ReasoningStep":
                # The event repeats all steps so far. Streamed deltas have shown them already.
                if "thinking" not in self._streamed_kinds:
                    self._message_start(is_needed=True)
                    self.emit_whole("thinking", "steps", text(get(native, "reasoning_content")))
            case _ if kind in _TOOLS:
                self._tool(native, kind)
            case "RunPaused" | "WorkflowPaused":
                self._paused(native)
            case _ if kind in _OVER:
                self._ended(native, kind)
            case "CustomEvent":
                self._custom(native)
            case _ if kind not in _QUIET and kind != "ReasoningCompleted":
                self.emit_unknown(native, kind or None, tool_call_id=ident(get(native, "tool_call_id")))

    def _custom(self, native: object) -> None:
        """Show an event of the author's own class as a line, without the fields that all events have."""
        fields = fields_of(plain(native))
        own = {name: value for name, value in fields.items() if name not in _ENVELOPE and value is not None}
        name, call_id = text(get(native, "name")) or "CustomEvent", ident(get(native, "tool_call_id"))
        self.emit_unknown(own, name, tool_call_id=call_id, shown=True)

    def _close(self) -> None:
        self._message_end(None)
        self._envelope = {}
        self._out += self._subagents.end_all(**self._outcome)

    def _asked(self, native: object) -> None:
        """Show the run's input, if the event tells it."""
        given = next((one for name in ("run_input", "input") if (one := get(native, name)) is not None), None)
        inner = get(given, "input_content")
        words, files = said(given if inner is None else inner)
        self.emit_turn(words, files)

    # Members.

    def _member(self, run_id: str, native: object) -> None:
        self.start()
        member_id = ident(get(native, "agent_id")) or ident(get(native, "team_id"))
        ids: dict[str, Any] = {}
        if run_id not in self._subagents:
            ids = {
                "parent_tool_call_id": ident(get(native, "parent_tool_call_id")) or self._call_for(member_id)
            }
        self._out += self._subagents.feed(run_id, native, **ids)
        if _kind(native) in _OVER:
            self._out += self._subagents.end(run_id)

    def _call_for(self, member_id: str | None) -> str | None:
        """Return the call that waits for this member, else a call that waits for any member."""
        waiting = [call for call, member in self._delegated.items() if member == member_id and member_id]
        waiting = [call for call in waiting if call not in self._linked] or waiting
        waiting = waiting or [call for call, member in self._delegated.items() if member is None]
        if not waiting:
            return None
        self._linked.add(waiting[0])
        return waiting[0]

    # Messages.

    def _message_start(self, *, is_needed: bool = False) -> None:
        if is_needed and self._message is not None:
            return
        self._message_end(None)
        self._message = f"{self.run_id}:{self._messages}"
        self._messages += 1
        self.begin_message(self._message, agent_name=self.agent_name)

    def _message_end(self, usage: Usage | None) -> None:
        message, self._message = self._message, None
        if message is not None:
            self.end_message(message, usage=usage)

    def _content(self, native: object) -> None:
        content, thought = get(native, "content"), text(get(native, "reasoning_content"))
        image, citations = get(native, "image"), get(native, "citations")
        if content in (None, "") and not thought and image is None and citations is None:
            return
        self._message_start(is_needed=True)
        if thought:
            self._streamed_kinds.add("thinking")
            self.emit_text("thinking", "0", thought)
        if content not in (None, ""):
            self._streamed_kinds.add("text")
            self.emit_text("text", "0", json_text(content))
        for kind, name in (("urls", "url"), ("documents", "file_name")):
            for one in items(get(citations, kind)):
                fields = {"source" if kind == "documents" else "url": get(one, name)}
                names = {name: get(one, name) for name in ("title", "document_title", "cited_text")}
                self.emit_citation("0", citation_fields({**fields, **names}))
        if (file := _file(image, "images")) is not None:
            self.emit(Artifact, artifact_id=f"{self._message}:image:0", **file)

    # Tools.

    def _tool(self, native: object, kind: str) -> None:
        tool = get(native, "tool")
        name = text(get(tool, "tool_name")) or None
        call_id = self._call_id(tool, name, is_new=kind == "ToolCallStarted")
        self._envelope = {}
        if not self._has_requests:  # no event reports the end of the model's message
            self._message_end(None)
            self._envelope = {}
        if kind == "ToolCallStarted":
            if name in _DELEGATIONS:
                self._delegated[call_id] = ident(get(tool, "tool_args", "member_id"))
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=plain(get(tool, "tool_args")))
            return
        self._delegated.pop(call_id, None)
        media = [(topic, _file(one, topic)) for topic in _MEDIA for one in items(get(native, topic))]
        blocks = [{"type": "file", **file} for _, file in media if file is not None and "data" in file]
        result, why = read_result(get(tool, "result"), blocks), text(get(native, "error"))
        fields = {"tool_call_id": call_id, "tool_name": name}
        if kind == "ToolCallError" or get(tool, "tool_call_error") is True:
            error = why or json_text(result.output) or None
            denied = get(tool, "confirmed") is False
            fields |= {"status": "denied" if denied else "error", "error": error}
            result = result if result.output is not None else result._replace(output=error)
        self.emit_result(result, **fields)
        for i, (topic, file) in enumerate(media):
            if file is not None and "url" in file:
                self.emit(Artifact, artifact_id=f"{call_id}:{topic}:{i}", tool_call_id=call_id, **file)

    def _call_id(self, tool: object, name: str | None, *, is_new: bool) -> str:
        call_id = ident(get(tool, "tool_call_id"))
        if call_id is not None:
            return call_id
        if is_new or (name or "") not in self._unnamed:
            self._calls += 1
            self._unnamed[name or ""] = f"{self.run_id}:call:{self._calls}"
        return self._unnamed[name or ""]

    def _paused(self, native: object) -> None:
        for tool in items(get(native, "tools")):
            call_id = ident(get(tool, "tool_call_id"))
            if call_id is None or get(tool, "result") is not None:
                continue
            args = plain(get(tool, "tool_args"))
            self._envelope = {}
            name = text(get(tool, "tool_name")) or None
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)
            self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
        self.end("interrupted")

    # The end.

    def _ended(self, native: object, kind: str) -> None:
        content = get(native, "content")
        if kind.endswith("Error"):
            code = ident(get(native, "error_type"))
            why = json_text(content) or text(get(native, "error")) or code or "error"
            self.end("error", why, code)
        elif kind.endswith("Cancelled"):
            self.end("cancelled")
        elif "text" not in self._streamed_kinds and content not in (None, "") and kind == "RunCompleted":
            self._message_start(is_needed=True)  # the text was not streamed
            self.emit_text("text", "0", json_text(content))
        metrics = get(native, "metrics")
        self._usage = _usage(metrics, _model(metrics)) or self._usage
        if content is not None and not isinstance(content, str):
            self._result = plain(content)
        self._message_end(None)


def _file(media: object, topic: str) -> dict[str, Any] | None:
    """Return the artifact fields of an image, a film, a sound or a file of agno; ``None`` without a content."""
    url, content = ident(get(media, "url")), get(media, "content")
    kind = ident(get(media, "mime_type")) or _MEDIA[topic]
    if url is not None:
        return {"media_type": kind, "url": url}
    data = as_base64(content) if isinstance(content, str | bytes) and content else None
    return None if data is None else {"media_type": kind, "data": data}


def _model(metrics: object) -> str | None:
    names = {ident(get(one, "id")) for one in items(get(metrics, "details", "model"))}
    return names.pop() if len(names) == 1 else None


def _usage(native: object, model: str | None) -> Usage | None:
    fields: dict[str, Any] = {
        "input_tokens": integer(get(native, "input_tokens")),
        "output_tokens": integer(get(native, "output_tokens")),
        "cached_input_tokens": integer(get(native, "cache_read_tokens")),
        "reasoning_tokens": integer(get(native, "reasoning_tokens")),
        "cost": number(get(native, "cost")),
    }
    return Usage(**fields, model=model) if any(value is not None for value in fields.values()) else None
