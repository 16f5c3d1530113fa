"""What the origin's agents send: pieces of a step's text, messages and their parts."""

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
    # What a newer peer adds survives.
    model_config = ConfigDict(extra="allow")


class StreamChunk(_Model):
    """A piece of the text of one step."""

    step_id: str
    agent_name: str
    text: str
    is_final: bool = False
    token_count: int | None = None
    timestamp: datetime.datetime = Field(default_factory=_now)


class TextPart(_Model):
    """Text."""

    type: Literal["text"] = "text"
    text: str


class ToolCallPart(_Model):
    """A tool is called."""

    type: Literal["tool-call"] = "tool-call"
    toolCallId: str  # noqa: N815 - the wire's name
    toolName: str  # noqa: N815 - the wire's name
    args: Any = None


class ToolResultPart(_Model):
    """What the tool gave."""

    type: Literal["tool-result"] = "tool-result"
    toolCallId: str  # noqa: N815 - the wire's name
    toolName: str  # noqa: N815 - the wire's name
    result: Any = None
    isError: bool = False  # noqa: N815 - the wire's name


class ArtifactPart(_Model):
    """Something that was made."""

    type: Literal["artifact"] = "artifact"
    artifact: Any = None


class ImagePart(_Model):
    """An image: a URL, base64 or bytes."""

    type: Literal["image"] = "image"
    image: str | bytes = ""
    mimeType: str | None = None  # noqa: N815 - the wire's name


class FilePart(_Model):
    """A file: a URL, base64 or bytes."""

    type: Literal["file"] = "file"
    data: str | bytes = ""
    mimeType: str = "application/octet-stream"  # noqa: N815 - the wire's name


class StepStartPart(_Model):
    """A step begins."""

    type: Literal["step-start"] = "step-start"
    stepId: str  # noqa: N815 - the wire's name
    stepName: str | None = None  # noqa: N815 - the wire's name


class ReasoningPart(_Model):
    """What the model thought."""

    type: Literal["reasoning"] = "reasoning"
    content: str


class ErrorPart(_Model):
    """What went wrong."""

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
"""A part of a message, told by its ``type``."""


class Message(_Model):
    """One message of a conversation."""

    id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    parts: list[MessagePart] = Field(default_factory=list)
    timestamp: datetime.datetime = Field(default_factory=_now)
    metadata: dict[str, Any] = Field(default_factory=dict)
