"""parts: TODO docstring."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .events import Outcome, Usage

__all__ = ["ArtifactPart", "Part", "Progress", "Run", "TextPart", "ThinkingPart", "ToolPart", "ToolState"]

ToolState = Literal[
    "preparing", "running", "awaiting_approval", "ok", "error", "denied", "cancelled", "unfinished"
]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Part(_Value):
    run_id: str = ""
    message_id: str | None = None


class TextPart(_Part):
    """Markdown that the agent wrote."""

    kind: Literal["text"] = "text"
    part_id: str = "0"
    text: str = ""

    @property
    def key(self) -> str:
        """What identifies the part in every form of the view."""
        return _key("text", self.run_id, self.message_id, self.part_id)


class ThinkingPart(_Part):
    """What the model thought before it answered."""

    kind: Literal["thinking"] = "thinking"
    part_id: str = "0"
    text: str = ""

    @property
    def key(self) -> str:
        """What identifies the part in every form of the view."""
        return _key("thinking", self.run_id, self.message_id, self.part_id)


class Progress(_Value):
    """How far a tool says it is: ``progress`` of ``total``, in the tool's own units."""

    progress: float | None = None
    total: float | None = None
    message: str | None = None


class ToolPart(_Part):
    """A tool call: its arguments, what became of it, and its subagent's parts.

    ``args`` is the parsed value once the text is complete JSON, ``args_text`` what was
    written so far; ``started_at`` and ``finished_at`` are seconds since the epoch.
    """

    kind: Literal["tool"] = "tool"
    tool_call_id: str
    tool_name: str = ""
    args: Any = None
    args_text: str = ""
    state: ToolState = "preparing"
    output: Any = None
    error: str | None = None
    progress: Progress | None = None
    started_at: float | None = None
    finished_at: float | None = None
    children: tuple[Part, ...] = ()

    @property
    def key(self) -> str:
        """What identifies the part in every form of the view."""
        return _key("tool", self.run_id, self.tool_call_id)


class ArtifactPart(_Part):
    """A file, image or document; ``data`` is base64."""

    kind: Literal["artifact"] = "artifact"
    artifact_id: str
    action: str = "created"
    name: str | None = None
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    tool_call_id: str | None = None

    @property
    def key(self) -> str:
        """What identifies the part in every form of the view."""
        return _key("artifact", self.run_id, self.artifact_id)


Part = Annotated[TextPart | ThinkingPart | ToolPart | ArtifactPart, Field(discriminator="kind")]


class Run(_Value):
    """One request. ``parts`` is filled only for a subagent that no tool call is known of."""

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


def _key(*steps: str | None) -> str:
    # NUL cannot be told apart from nothing in a DOM attribute, "/" may be in any id: escape it.
    return "/".join("~" if s is None else s.replace("~", "~0").replace("/", "~1") for s in steps)
