"""Define the values of a transcript: its parts (text, thinking, tool, artifact) and its runs.

The reducer's part builders make these values from events; ``Transcript``, every form and the view show them.
They are plain and frozen: to read a value never changes it, and its JSON reads back equal.
"""

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
    """Hold Markdown that the agent wrote."""

    kind: Literal["text"] = "text"
    part_id: str = "0"
    text: str = ""

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
    ``written`` is the text that the tool wrote while it ran, once a result follows it: until then the text is the
    ``output``. ``started_at`` and ``finished_at`` are seconds since the epoch.
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
    started_at: float | None = None
    finished_at: float | None = None
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

    @property
    def key(self) -> str:
        """Return the key that identifies the part in every form and in the view."""
        return _key("artifact", self.run_id, self.artifact_id)


Part = Annotated[TextPart | ThinkingPart | ToolPart | ArtifactPart, Field(discriminator="kind")]


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


def _key(*steps: str | None) -> str:
    # A DOM attribute cannot tell NUL from nothing, so "/" separates the steps. Any id may contain "/": escape it.
    return "/".join("~" if s is None else s.replace("~", "~0").replace("/", "~1") for s in steps)
