"""Tests of the functions of vibex's API: names, parameters, event types and payloads are vibex's."""

from __future__ import annotations

import datetime
import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.projects.listening import receive
from vibe_notebook import projects
from vibe_notebook.projects import (
    ErrorPart,
    FilePart,
    ImagePart,
    Message,
    ProjectEventStream,
    ReasoningPart,
    StepStartPart,
    StreamChunk,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    _stream,
    load_history,
)

pytestmark = pytest.mark.anyio

WHEN = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
WHEN_TEXT = "2026-11-21T00:00:00+00:00"
NOW = object()
"""The moment of sending."""

TABLE: dict[str, str] = {
    "send_agent_status": "project_id, agent_id, status, progress=0",
    "send_project_update": "project_id, status, result=None",
    "send_task_update": "project_id, status, result=None",
    "send_artifact_update": "project_id, artifact_name, action='created', metadata=None",
    "send_tool_call": "project_id, agent_id, tool_name, parameters, result=None, status='pending'",
    "send_streaming_chunk": "project_id, taskspace_path, chunk",
    "send_complete_message": "project_id, taskspace_path, message",
    "send_message_object": "project_id, message",
    "send_message_part": "project_id, message_id, part",
    "send_stream_chunk": "project_id, chunk, message_id, is_final=False, error=None",
    "send_tool_call_start": "project_id, tool_call_id, tool_name, args",
    "send_tool_call_delta": "project_id, tool_call_id, args_delta",
    "send_tool_call_result": "project_id, tool_call_id, tool_name, result, is_error=False",
}


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> ProjectEventStream:
    """Replace the stream of the process."""
    made = ProjectEventStream()
    monkeypatch.setattr(_stream, "event_stream_manager", made)
    return made


@pytest.mark.parametrize("name", TABLE)
def test_the_parameters_have_vibexs_names_order_and_defaults(name: str) -> None:
    function = getattr(projects, name)
    assert inspect.iscoroutinefunction(function)
    texts = []
    for parameter in inspect.signature(function).parameters.values():
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        has_default = parameter.default is not inspect.Parameter.empty
        texts.append(f"{parameter.name}={parameter.default!r}" if has_default else parameter.name)
    assert ", ".join(texts) == TABLE[name]


MESSAGE = Message(
    id="m", role="assistant", content="hi", parts=[TextPart(text="hi")], timestamp=WHEN, metadata={"a": 1}
)
PART = {"type": "text", "text": "hi"}

CASES: list[tuple[str, tuple[Any, ...], str, dict[str, Any]]] = [
    (
        "send_agent_status",
        ("a", "working"),
        "agent_status",
        {"xagent_id": "a", "agent_id": "a", "status": "working", "progress": 0},
    ),
    (
        "send_project_update",
        ("done", {"n": 1}),
        "project_update",
        {"project_id": "p", "status": "done", "result": {"n": 1}},
    ),
    (
        "send_task_update",
        ("done",),
        "task_update",
        {"project_id": "p", "status": "done", "result": None, "timestamp": NOW},
    ),
    (
        "send_artifact_update",
        ("plot.png",),
        "artifact_update",
        {
            "project_id": "p",
            "artifact_name": "plot.png",
            "action": "created",
            "metadata": None,
            "timestamp": NOW,
        },
    ),
    (
        "send_tool_call",
        ("a", "search", {"q": 1}),
        "tool_call",
        {
            "xagent_id": "a",
            "agent_id": "a",
            "tool_name": "search",
            "parameters": {"q": 1},
            "result": None,
            "status": "pending",
        },
    ),
    (
        "send_message_object",
        (MESSAGE,),
        "message",
        {
            "id": "m",
            "role": "assistant",
            "content": "hi",
            "parts": [PART],
            "timestamp": WHEN_TEXT,
            "metadata": {"a": 1},
        },
    ),
    (
        "send_message_part",
        ("m", TextPart(text="hi")),
        "message_part",
        {"message_id": "m", "part": PART, "timestamp": NOW},
    ),
    ("send_message_part", ("m", PART), "message_part", {"message_id": "m", "part": PART, "timestamp": NOW}),
    (
        "send_stream_chunk",
        ("te", "m"),
        "stream_chunk",
        {"message_id": "m", "chunk": "te", "is_final": False, "timestamp": NOW},
    ),
    (
        "send_stream_chunk",
        ("", "m", True, "boom"),
        "stream_chunk",
        {"message_id": "m", "chunk": "", "is_final": True, "error": "boom", "timestamp": NOW},
    ),
    (
        "send_tool_call_start",
        ("c", "search", {"q": 1}),
        "tool_call_start",
        {"tool_call_id": "c", "tool_name": "search", "args": {"q": 1}, "timestamp": NOW},
    ),
    (
        "send_tool_call_delta",
        ("c", '{"q'),
        "tool_call_delta",
        {"tool_call_id": "c", "args_delta": '{"q', "timestamp": NOW},
    ),
    (
        "send_tool_call_result",
        ("c", "search", [1], True),
        "tool_call_result",
        {"tool_call_id": "c", "tool_name": "search", "result": [1], "is_error": True, "timestamp": NOW},
    ),
]


async def sent(
    manager: ProjectEventStream, send: Callable[..., Any], *args: Any
) -> tuple[str, dict[str, Any]]:
    listener = manager.create_stream("p")
    await send("p", *args)
    (event,) = await receive(listener, 1)
    return event["event"], json.loads(event["data"])


@pytest.mark.parametrize(("name", "args", "event", "payload"), CASES, ids=[case[0] for case in CASES])
async def test_the_payload_is_vibexs(
    manager: ProjectEventStream, name: str, args: tuple[Any, ...], event: str, payload: dict[str, Any]
) -> None:
    before = datetime.datetime.now(tz=datetime.UTC)
    sent_event, sent_payload = await sent(manager, getattr(projects, name), *args)
    assert sent_event == event
    if payload.get("timestamp") is NOW:
        moment = datetime.datetime.fromisoformat(sent_payload.pop("timestamp"))
        assert before <= moment <= datetime.datetime.now(tz=datetime.UTC)
        payload = {key: value for key, value in payload.items() if key != "timestamp"}
    assert sent_payload == payload


async def test_each_chunk_of_a_step_is_sent_and_the_final_chunk_saves_the_message(
    manager: ProjectEventStream, tmp_path: Path
) -> None:
    chunk = StreamChunk(step_id="s", agent_name="a", text="Hel", token_count=2, timestamp=WHEN)
    event, payload = await sent(manager, projects.send_streaming_chunk, tmp_path, chunk)
    assert event == "message_chunk"
    assert payload == {
        "step_id": "s",
        "agent_name": "a",
        "text": "Hel",
        "is_final": False,
        "token_count": 2,
        "timestamp": WHEN_TEXT,
    }
    assert load_history(tmp_path) == []
    other = StreamChunk(step_id="t", agent_name="b", text="other")
    await projects.send_streaming_chunk("p", tmp_path, other)
    await projects.send_streaming_chunk(
        "p", tmp_path, chunk.model_copy(update={"text": "lo", "is_final": True})
    )
    (message,) = load_history(tmp_path)
    assert (message.role, message.content) == ("assistant", "Hello")


async def test_a_complete_message_is_sent_and_saved_at_once(
    manager: ProjectEventStream, tmp_path: Path
) -> None:
    event, payload = await sent(manager, projects.send_complete_message, str(tmp_path), MESSAGE)
    assert event == "complete_message"
    assert payload == {"message_id": "m", "role": "assistant", "content": "hi", "timestamp": WHEN_TEXT}
    assert load_history(tmp_path) == [MESSAGE]


async def test_a_message_object_is_not_saved(
    manager: ProjectEventStream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await projects.send_message_object("p", MESSAGE)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - pathlib blocks in async code, says ruff


async def test_a_failed_save_raises_in_the_sender_and_listeners_still_get_the_event(
    manager: ProjectEventStream, tmp_path: Path
) -> None:
    listener = manager.create_stream("p")
    (tmp_path / "history").write_text("a file where the folder should be")
    final = StreamChunk(step_id="s", agent_name="a", text="x", is_final=True)
    with pytest.raises(OSError, match="history"):
        await projects.send_complete_message("p", tmp_path, MESSAGE)
    with pytest.raises(OSError, match="history"):
        await projects.send_streaming_chunk("p", tmp_path, final)
    assert [event["event"] for event in await receive(listener, 2)] == ["complete_message", "message_chunk"]


async def test_parallel_calls_of_one_tool_keep_their_ids(manager: ProjectEventStream) -> None:
    listener = manager.create_stream("p")
    for call in ("c1", "c2"):
        await projects.send_tool_call_start("p", call, "search", {"for": call})
    for call in ("c2", "c1"):
        await projects.send_tool_call_result("p", call, "search", f"of {call}")
    payloads = [json.loads(event["data"]) for event in await receive(listener, 4)]
    assert [payload["tool_call_id"] for payload in payloads] == ["c1", "c2", "c2", "c1"]
    assert [payload["result"] for payload in payloads[2:]] == ["of c2", "of c1"]


PARTS: list[Any] = [
    TextPart(text="t"),
    ToolCallPart(toolCallId="c", toolName="n", args={"a": 1}),
    ToolResultPart(toolCallId="c", toolName="n", result=[1], isError=True),
    projects.ArtifactPart(artifact={"name": "x"}),
    ImagePart(image="aGk=", mimeType="image/png"),
    FilePart(data="aGk=", mimeType="text/plain"),
    StepStartPart(stepId="s", stepName="first"),
    ReasoningPart(content="hm"),
    ErrorPart(error="boom", errorCode="E1"),
]


async def test_every_kind_of_part_arrives_unchanged(manager: ProjectEventStream) -> None:
    kinds = [
        "text",
        "tool-call",
        "tool-result",
        "artifact",
        "image",
        "file",
        "step-start",
        "reasoning",
        "error",
    ]
    assert [part.type for part in PARTS] == kinds
    message = Message(role="assistant", parts=PARTS)
    _, payload = await sent(manager, projects.send_message_object, message)
    assert Message.model_validate(payload).parts == PARTS
    assert payload["parts"][1] == {"type": "tool-call", "toolCallId": "c", "toolName": "n", "args": {"a": 1}}
