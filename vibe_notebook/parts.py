"""Define the values of a transcript: its parts, messages, turns and runs.

The reducer's part builders make these values from events; ``Transcript``, every form and the view show them.
They are plain and frozen: to read a value never changes it, and its JSON reads back equal.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ._event_fields import Display
from .events import Option, Outcome, PlanEntry, Usage

__all__ = [
    "Answer",
    "ArtifactPart",
    "CitationValue",
    "CustomPart",
    "InputPart",
    "Message",
    "Part",
    "PlanPart",
    "Progress",
    "RequestValue",
    "Role",
    "Run",
    "TextPart",
    "ThinkingPart",
    "ToolPart",
    "ToolState",
    "Turn",
    "role_of",
]

Role = Literal["user", "assistant", "system", "tool"]

ToolState = Literal[
    "preparing", "running", "awaiting_approval", "ok", "error", "denied", "cancelled", "unfinished"
]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


_ROLES: dict[str, Role] = {
    "developer": "system",
    "function": "tool",
    "human": "user",
    "system": "system",
    "tool": "tool",
    "user": "user",
}


def role_of(name: str | None) -> Role:
    """Return the role that an SDK's name for it means; an unknown name is the assistant's."""
    return _ROLES.get((name or "").lower(), "assistant")


class _Part(_Value):
    """Hold what all parts have; the times are the least and the greatest ``ts`` of the part's events."""

    run_id: str = ""
    message_id: str | None = None
    role: Role = "assistant"
    started_at: float | None = None
    finished_at: float | None = None


class CitationValue(_Value):
    """Hold a source of a text; ``start`` and ``end`` are code points of the text, ``None`` without a place in it."""

    citation_id: str
    url: str | None = None
    title: str | None = None
    quote: str | None = None
    source: str | None = None
    start: int | None = None
    end: int | None = None


class Answer(_Value):
    """Hold the answer to a request; ``value`` of an approval: the changed arguments, ``None`` as asked."""

    action: Literal["accept", "decline", "cancel"]
    value: Any = None
    reason: str | None = None
    by: str | None = None

    def __bool__(self) -> bool:
        """Return whether the answer is a yes."""
        return self.action == "accept"


class RequestValue(_Value):
    """Hold a request of an agent, and its answer; ``is_open``: it waits for one.

    The times are seconds since the epoch. A request without an answer that is not open ended with its run.
    """

    request_id: str
    kind: Literal["approval", "question"] = "question"
    message: str | None = None
    answer_schema: Any = None
    options: tuple[Option, ...] = ()
    default: Any = None
    expires_at: float | None = None
    answer: Answer | None = None
    is_open: bool = True
    asked_at: float | None = None
    answered_at: float | None = None


class TextPart(_Part):
    """Hold Markdown that the agent wrote."""

    kind: Literal["text"] = "text"
    part_id: str = "0"
    text: str = ""
    citations: tuple[CitationValue, ...] = ()

    @property
    def key(self) -> str:
        """Return the key that identifies the part in every form and in the view."""
        return _key("text", self.run_id, self.message_id, self.part_id)


class ThinkingPart(_Part):
    """Hold the model's thoughts before its answer."""

    kind: Literal["thinking"] = "thinking"
    part_id: str = "0"
    text: str = ""

    @property
    def key(self) -> str:
        """Return the key that identifies the part in every form and in the view."""
        return _key("thinking", self.run_id, self.message_id, self.part_id)


class Progress(_Value):
    """Hold the progress that a tool reports: ``progress`` of ``total``, in the tool's own units."""

    progress: float | None = None
    total: float | None = None
    message: str | None = None


class ToolPart(_Part):
    """Hold a tool call: its arguments, state and result, and its subagents' parts in ``children``.

    ``args`` is the parsed value once the argument text is complete JSON, ``args_text`` the argument text so far;
    ``executed_at`` is the ``ts`` of its first start, after its arguments were written. ``plan_id`` names the plan
    that the call wrote. ``written`` is the text that the tool wrote while it ran, once a result follows it: until then
    the text is the ``output``.
    """

    kind: Literal["tool"] = "tool"
    tool_call_id: str
    tool_name: str = ""
    args: Any = None
    args_text: str = ""
    state: ToolState = "preparing"
    output: Any = None
    written: str = ""
    error: str | None = None
    progress: Progress | None = None
    executed_at: float | None = None
    display: Display = None
    request: RequestValue | None = None
    plan_id: str | None = None
    children: tuple[Part, ...] = ()

    @property
    def key(self) -> str:
        """Return the key that identifies the part in every form and in the view."""
        return _key("tool", self.run_id, self.tool_call_id)


class ArtifactPart(_Part):
    """Hold a file, image or document; ``data`` is base64."""

    kind: Literal["artifact"] = "artifact"
    artifact_id: str
    action: str = "created"
    name: str | None = None
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    tool_call_id: str | None = None
    display: Display = None

    @property
    def key(self) -> str:
        """Return the key that identifies the part in every form and in the view."""
        return _key("artifact", self.run_id, self.artifact_id)


class PlanPart(_Part):
    """Hold the agent's plan in its last state."""

    kind: Literal["plan"] = "plan"
    plan_id: str = "plan"
    entries: tuple[PlanEntry, ...] = ()
    tool_call_id: str | None = None

    @property
    def key(self) -> str:
        """Return the key that identifies the part in every form and in the view."""
        return _key("plan", self.run_id, self.plan_id)


class InputPart(_Part):
    """Hold a request without a tool call; a call's own request is the call's ``request``."""

    kind: Literal["input"] = "input"
    request: RequestValue

    @property
    def key(self) -> str:
        """Return the key that identifies the part in every form and in the view."""
        return _key("input", self.run_id, self.request.request_id)


class CustomPart(_Part):
    """Hold a line that the agent's author emitted for the reader."""

    kind: Literal["custom"] = "custom"
    custom_id: str
    name: str = ""
    value: Any = None
    tool_call_id: str | None = None

    @property
    def key(self) -> str:
        """Return the key that identifies the part in every form and in the view."""
        return _key("custom", self.run_id, self.custom_id)


Part = Annotated[
    TextPart | ThinkingPart | ToolPart | ArtifactPart | PlanPart | InputPart | CustomPart,
    Field(discriminator="kind"),
]


class Message(_Value):
    """Hold one message of a run: a model call, or what the user said.

    ``first_at`` is the time of its first word; ``model``, ``provider`` and ``usage`` are those of a model call.
    """

    message_id: str
    run_id: str
    role: Role = "assistant"
    model: str | None = None
    provider: str | None = None
    usage: Usage | None = None
    finish_reason: str | None = None
    started_at: float | None = None
    first_at: float | None = None
    finished_at: float | None = None


class Turn(_Value):
    """Hold what the user said, and all parts up to the next turn; ``input`` is ``None`` in a turn without a beginning.

    ``input`` is the text of the user's message, whose parts are among ``parts`` too, or the input of the run.
    """

    input: Any = None
    run_ids: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


class Run(_Value):
    """Hold one request; ``parts`` is filled only for a subagent without a known tool call."""

    run_id: str
    agent_name: str | None = None
    parent_run_id: str | None = None
    parent_tool_call_id: str | None = None
    input: Any = None
    outcome: Outcome | None = None
    error: str | None = None
    code: str | None = None
    usage: Usage | None = None
    result: Any = None
    parts: tuple[Part, ...] = ()


def _steers(message_id: str | None) -> bool:
    """Return whether a message of the user came to a run at work: it begins a turn, and does not replace the input."""
    return message_id is not None and message_id.startswith("steer-")


def _is_said(part: Part) -> bool:
    """Return whether a part is what the user said to begin a run."""
    return part.role == "user" and not _steers(part.message_id)


def _key(*steps: str | None) -> str:
    # A DOM attribute cannot tell NUL from nothing, so "/" separates the steps. Any id may contain "/": escape it.
    return "/".join("~" if s is None else s.replace("~", "~0").replace("/", "~1") for s in steps)
