"""Record A2A's stream, made of the SDK's own messages: a task, its statuses, an artifact in pieces, a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from a2a.types.a2a_pb2 import (
    Artifact,
    Message,
    Part,
    Role,
    StreamResponse,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)

from .recorder import Runs

IDS = {"task_id": "t1", "context_id": "c1"}


def status(state: Any, words: str = "", message_id: str = "") -> Any:
    """Return an update of the task's status, perhaps with a message of the agent."""
    said = Message(message_id=message_id, role=Role.ROLE_AGENT, parts=[Part(text=words)]) if words else None
    return StreamResponse(
        status_update=TaskStatusUpdateEvent(**IDS, status=TaskStatus(state=state, message=said))
    )


def artifact(native_id: str, *parts: Any, append: bool = False) -> Any:
    """Return an update of an artifact."""
    made = Artifact(artifact_id=native_id, name=native_id, parts=parts)
    return StreamResponse(artifact_update=TaskArtifactUpdateEvent(**IDS, artifact=made, append=append))


async def run() -> AsyncIterator[Any]:
    """Yield the responses of one task."""
    asked = Message(message_id="m0", role=Role.ROLE_USER, parts=[Part(text="Weather in Paris?")])
    yield StreamResponse(
        task=Task(
            id="t1", context_id="c1", status=TaskStatus(state=TaskState.TASK_STATE_SUBMITTED), history=[asked]
        )
    )
    yield status(TaskState.TASK_STATE_WORKING, "I look at the sky.", "m1")
    yield artifact("answer", Part(text="Paris is 18 °C "))
    yield artifact("answer", Part(text="and sunny."), append=True)
    yield artifact("map", Part(raw=b"\x89PNG", media_type="image/png", filename="map.png"))
    yield status(TaskState.TASK_STATE_COMPLETED)


PACKAGES = ("a2a-sdk",)
RUNS: Runs = {"a2a": ("the responses of client.send_message(…), constructed", run)}
