"""Models of the messages that vibex's agents send: chunks of a step's text, messages and their parts.

``_send`` sends them to a project; ``history`` saves them in a task space.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ArtifactPart",
    "ErrorPart",
    "FilePart",
    "ImagePart",
    "Message",
    "MessagePart",
    "ReasoningPart",
    "StepStartPart",
    "StreamChunk",
    "TextPart",
    "ToolCallPart",
    "ToolResultPart",
]


def _now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.UTC)


class _Model(BaseModel):
    # A newer peer may add fields: they survive a read and a write.
    model_config = ConfigDict(extra="allow")


class StreamChunk(_Model):
    """Hold one chunk of the text of a step."""

    step_id: str
    agent_name: str
    text: str
    is_final: bool = False
    token_count: int | None = None
    timestamp: datetime.datetime = Field(default_factory=_now)


class TextPart(_Model):
    """Hold the text of a message."""

    type: Literal["text"] = "text"
    text: str


class ToolCallPart(_Model):
    """Hold the call of a tool."""

    type: Literal["tool-call"] = "tool-call"
    toolCallId: str  # noqa: N815 - the wire's name
    toolName: str  # noqa: N815 - the wire's name
    args: Any = None


class ToolResultPart(_Model):
    """Hold the result of a tool call."""

    type: Literal["tool-result"] = "tool-result"
    toolCallId: str  # noqa: N815 - the wire's name
    toolName: str  # noqa: N815 - the wire's name
    result: Any = None
    isError: bool = False  # noqa: N815 - the wire's name


class ArtifactPart(_Model):
    """Hold an artifact that an agent made."""

    type: Literal["artifact"] = "artifact"
    artifact: Any = None


class ImagePart(_Model):
    """Hold an image: a URL, base64 or bytes."""

    type: Literal["image"] = "image"
    image: str | bytes = ""
    mimeType: str | None = None  # noqa: N815 - the wire's name


class FilePart(_Model):
    """Hold a file: a URL, base64 or bytes."""

    type: Literal["file"] = "file"
    data: str | bytes = ""
    mimeType: str = "application/octet-stream"  # noqa: N815 - the wire's name


class StepStartPart(_Model):
    """Mark the start of a step."""

    type: Literal["step-start"] = "step-start"
    stepId: str  # noqa: N815 - the wire's name
    stepName: str | None = None  # noqa: N815 - the wire's name


class ReasoningPart(_Model):
    """Hold the model's reasoning."""

    type: Literal["reasoning"] = "reasoning"
    content: str


class ErrorPart(_Model):
    """Hold an error."""

    type: Literal["error"] = "error"
    error: str
    errorCode: str | None = None  # noqa: N815 - the wire's name


MessagePart = Annotated[
    TextPart
    | ToolCallPart
    | ToolResultPart
    | ArtifactPart
    | ImagePart
    | FilePart
    | StepStartPart
    | ReasoningPart
    | ErrorPart,
    Field(discriminator="type"),
]
"""A part of a message. Its ``type`` selects the model."""


class Message(_Model):
    """Hold one message of a conversation."""

    id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    parts: list[MessagePart] = Field(default_factory=list)
    timestamp: datetime.datetime = Field(default_factory=_now)
    metadata: dict[str, Any] = Field(default_factory=dict)
