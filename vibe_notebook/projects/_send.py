"""The functions of vibex's API that send events to a project, one for each event type.

Names, parameters and payloads are those of vibex: its clients read these events. All functions send to
``event_stream_manager``.
"""

from __future__ import annotations

import datetime
import os
from typing import Any, TypeVar

import anyio.to_thread

from . import _stream
from .history import Gathering, append_message
from .messages import Message, StreamChunk

__all__ = [
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

Path = str | os.PathLike[str]
M = TypeVar("M", Message, StreamChunk)

_gathering = Gathering()


async def send_agent_status(project_id: str, agent_id: str, status: str, progress: float = 0) -> None:
    """Send an agent's status and its progress (0 to 100)."""
    payload = {**_agent(agent_id), "status": status, "progress": progress}
    await _send(project_id, "agent_status", payload)


async def send_project_update(project_id: str, status: str, result: Any = None) -> None:
    """Send a project's status and result."""
    payload = {"project_id": project_id, "status": status, "result": result}
    await _send(project_id, "project_update", payload)


async def send_task_update(project_id: str, status: str, result: Any = None) -> None:
    """Send the status and result of a project's task."""
    payload = {"project_id": project_id, "status": status, "result": result, "timestamp": _now()}
    await _send(project_id, "task_update", payload)


async def send_artifact_update(
    project_id: str, artifact_name: str, action: str = "created", metadata: dict[str, Any] | None = None
) -> None:
    """Send the news that an artifact was created, changed or removed."""
    payload = {
        "project_id": project_id,
        "artifact_name": artifact_name,
        "action": action,
        "metadata": metadata,
        "timestamp": _now(),
    }
    await _send(project_id, "artifact_update", payload)


async def send_tool_call(
    project_id: str,
    agent_id: str,
    tool_name: str,
    parameters: Any,
    result: Any = None,
    status: str = "pending",
) -> None:
    """Send the status of a tool call."""
    payload = {
        **_agent(agent_id),
        "tool_name": tool_name,
        "parameters": parameters,
        "result": result,
        "status": status,
    }
    await _send(project_id, "tool_call", payload)


async def send_streaming_chunk(project_id: str, taskspace_path: Path, chunk: StreamChunk) -> None:
    """Send a chunk of a step's text; the final chunk also saves the whole message in the task space.

    Raises:
        OSError: the message could not be saved. The chunk was sent all the same.
    """
    chunk = _model(StreamChunk, chunk)
    payload = {
        "step_id": chunk.step_id,
        "agent_name": chunk.agent_name,
        "text": chunk.text,
        "is_final": chunk.is_final,
        "token_count": chunk.token_count,
        "timestamp": chunk.timestamp,
    }
    complete = _gathering.add(taskspace_path, chunk)
    try:
        for taskspace, message in complete:
            await anyio.to_thread.run_sync(append_message, taskspace, message)
    finally:
        await _send(project_id, "message_chunk", payload)


async def send_complete_message(project_id: str, taskspace_path: Path, message: Message) -> None:
    """Send a whole message, and save it in the task space.

    Raises:
        OSError: the message could not be saved. The message was sent all the same.
    """
    message = _model(Message, message)
    payload = {
        "message_id": message.id,
        "role": message.role,
        "content": message.content,
        "timestamp": message.timestamp,
    }
    try:
        await anyio.to_thread.run_sync(append_message, taskspace_path, message)
    finally:
        await _send(project_id, "complete_message", payload)


async def send_message_object(project_id: str, message: Message) -> None:
    """Send a message with all its parts, without saving it."""
    message = _model(Message, message)
    payload = {
        "id": message.id,
        "role": message.role,
        "content": message.content,
        "parts": message.parts,
        "timestamp": message.timestamp,
        "metadata": message.metadata,
    }
    await _send(project_id, "message", payload)


async def send_message_part(project_id: str, message_id: str, part: Any) -> None:
    """Send one part of a message: a part model or its dict."""
    await _send(project_id, "message_part", {"message_id": message_id, "part": part, "timestamp": _now()})


async def send_stream_chunk(
    project_id: str,
    chunk: str,
    message_id: str,
    is_final: bool = False,  # noqa: FBT001, FBT002 - vibex's parameters
    error: str | None = None,
) -> None:
    """Send a chunk of a message's text."""
    payload: dict[str, Any] = {
        "message_id": message_id,
        "chunk": chunk,
        "is_final": is_final,
        "timestamp": _now(),
    }
    if error is not None:
        payload["error"] = error
    await _send(project_id, "stream_chunk", payload)


async def send_tool_call_start(project_id: str, tool_call_id: str, tool_name: str, args: Any) -> None:
    """Send the start of a tool call."""
    payload = {"tool_call_id": tool_call_id, "tool_name": tool_name, "args": args, "timestamp": _now()}
    await _send(project_id, "tool_call_start", payload)


async def send_tool_call_delta(project_id: str, tool_call_id: str, args_delta: Any) -> None:
    """Send a chunk of a tool call's arguments."""
    payload = {"tool_call_id": tool_call_id, "args_delta": args_delta, "timestamp": _now()}
    await _send(project_id, "tool_call_delta", payload)


async def send_tool_call_result(
    project_id: str,
    tool_call_id: str,
    tool_name: str,
    result: Any,
    is_error: bool = False,  # noqa: FBT001, FBT002 - vibex's parameters
) -> None:
    """Send the result of a tool call."""
    payload = {
        "tool_call_id": tool_call_id,
        "tool_name": tool_name,
        "result": result,
        "is_error": is_error,
        "timestamp": _now(),
    }
    await _send(project_id, "tool_call_result", payload)


async def _send(project_id: str, event_type: str, payload: dict[str, Any]) -> None:
    # Read at each call: a caller who replaces the instance replaces it for these functions too.
    await _stream.event_stream_manager.send_event(project_id, event_type, payload)


def _agent(agent_id: str) -> dict[str, str]:
    """Return the agent's id under both names that vibex's clients read."""
    return {"xagent_id": agent_id, "agent_id": agent_id}


def _now() -> str:
    return datetime.datetime.now(tz=datetime.UTC).isoformat()


def _model(kind: type[M], value: Any) -> M:
    if isinstance(value, kind):
        return value
    dump = getattr(value, "model_dump", None)
    return kind.model_validate(dump() if callable(dump) else value)
