"""Projects: named streams of events with many senders and many listeners, stored in a log.

The package stands beside the registry on the path of a delta. A publisher sends a kernel's events to a
project's log; ``vibe_notebook.server`` sends the log's events to followers over HTTP.
"""

from __future__ import annotations

from ._entry import Entry, Gap, parse_id
from ._listener import Listener
from ._log import EventLog, Project
from ._open_log import open_log
from ._publisher import Publisher, publish
from ._send import (
    send_agent_status,
    send_artifact_update,
    send_complete_message,
    send_message_object,
    send_message_part,
    send_project_update,
    send_stream_chunk,
    send_streaming_chunk,
    send_task_update,
    send_tool_call,
    send_tool_call_delta,
    send_tool_call_result,
    send_tool_call_start,
)
from ._stream import ProjectEventStream, event_stream_manager
from .history import load_history
from .messages import (
    ArtifactPart,
    ErrorPart,
    FilePart,
    ImagePart,
    Message,
    MessagePart,
    ReasoningPart,
    StepStartPart,
    StreamChunk,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

__all__ = [
    "ArtifactPart",
    "Entry",
    "ErrorPart",
    "EventLog",
    "FilePart",
    "Gap",
    "ImagePart",
    "Listener",
    "Message",
    "MessagePart",
    "Project",
    "ProjectEventStream",
    "Publisher",
    "ReasoningPart",
    "StepStartPart",
    "StreamChunk",
    "TextPart",
    "ToolCallPart",
    "ToolResultPart",
    "event_stream_manager",
    "load_history",
    "open_log",
    "parse_id",
    "publish",
    "send_agent_status",
    "send_artifact_update",
    "send_complete_message",
    "send_message_object",
    "send_message_part",
    "send_project_update",
    "send_stream_chunk",
    "send_streaming_chunk",
    "send_task_update",
    "send_tool_call",
    "send_tool_call_delta",
    "send_tool_call_result",
    "send_tool_call_start",
]
