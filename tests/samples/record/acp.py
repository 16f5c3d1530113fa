"""Record ACP's updates between an agent and a client of its SDK, joined by a socket.

The agent follows a script, because the SDK has no agent of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import acp
from acp import schema

from .recorder import Runs

PERMISSION = [
    schema.PermissionOption(option_id="yes", name="Allow", kind="allow_once"),
    schema.PermissionOption(option_id="no", name="Reject", kind="reject_once"),
]


def result(text: str) -> list[Any]:
    """Return the content of a tool call."""
    return [acp.tool_content(acp.text_block(text))]


def weather(city: str, call_id: str) -> Any:
    """Return a call that has not begun."""
    args = {"city": city, "unit": "C"}
    return acp.start_tool_call(call_id, "get_weather", kind="fetch", status="pending", raw_input=args)


class Scripted(acp.Agent):
    """Send thinking, text, two calls with results in reverse order, and a call that needs permission."""

    def __init__(self, conn: Any) -> None:
        self.conn = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:  # type: ignore[override]
        """Return the protocol version."""
        return schema.InitializeResponse(protocol_version=protocol_version)

    async def new_session(self, **_: Any) -> schema.NewSessionResponse:  # type: ignore[override]
        """Open the one session."""
        return schema.NewSessionResponse(session_id="s1")

    async def prompt(self, **_: Any) -> schema.PromptResponse:  # type: ignore[override]
        """Send the scripted updates."""

        async def send(update: Any) -> None:
            await self.conn.session_update("s1", update)

        sky = {"city": "Paris", "temp_c": 18, "sky": "sunny ☀️"}
        await send(acp.update_agent_thought_text("The user wants two cities. "))
        await send(acp.update_agent_thought_text("I should call get_weather once per city."))
        await send(acp.update_agent_message_text("Let me "))
        await send(acp.update_agent_message_text("check both cities."))
        await send(weather("Paris", "call_paris"))
        await send(weather("Atlantis", "call_atlantis"))
        await send(acp.update_tool_call("call_paris", status="in_progress"))
        failed = result("no such city: Atlantis")
        await send(acp.update_tool_call("call_atlantis", status="failed", content=failed))
        await send(acp.update_tool_call("call_paris", status="completed", raw_output=sky))
        note = acp.start_tool_call("call_note", "Write note.md", kind="edit", status="pending")
        await send(note)
        asked = schema.ToolCallUpdate(tool_call_id="call_note", title="Write note.md")
        await self.conn.request_permission(session_id="s1", tool_call=asked, options=PERMISSION)
        diff = [acp.tool_diff_content("note.md", "18 °C")]
        await send(acp.update_tool_call("call_note", status="in_progress"))
        await send(acp.update_tool_call("call_note", status="completed", content=diff))
        await send(
            acp.update_agent_message_text("Paris is 18 °C and sunny; **Atlantis** could not be found.")
        )
        used = schema.Usage(total_tokens=180, input_tokens=120, output_tokens=60)
        return schema.PromptResponse(stop_reason="end_turn", usage=used)


class Watcher(acp.Client):
    """Put the agent's updates into a queue."""

    def __init__(self, queue: asyncio.Queue[Any]) -> None:
        self.queue = queue

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        """Enqueue an update."""
        await self.queue.put(schema.SessionNotification(session_id=session_id, update=update))

    async def request_permission(
        self, session_id: str, tool_call: Any, options: Any, **_: Any
    ) -> schema.RequestPermissionResponse:
        """Enqueue the request, and allow the call."""
        asked = schema.RequestPermissionRequest(session_id=session_id, tool_call=tool_call, options=options)
        await self.queue.put(asked)
        chosen = schema.AllowedOutcome(outcome="selected", option_id="yes")
        return schema.RequestPermissionResponse(outcome=chosen)


async def prompted() -> AsyncIterator[Any]:
    """Yield all natives that a client receives for one prompt."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    watcher = Watcher(queue)  # type: ignore[abstract]  # the script needs only these methods
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    agent_reader, agent_writer = await asyncio.open_connection(sock=theirs)
    async with contextlib.AsyncExitStack() as stack:
        agent = acp.AgentSideConnection(Scripted, agent_writer, agent_reader, listening=True)
        client = acp.ClientSideConnection(watcher, writer, reader)
        stack.push_async_callback(agent.close)
        stack.push_async_callback(client.close)
        await client.initialize(protocol_version=1)
        await client.new_session(cwd="/", mcp_servers=[])
        task = asyncio.ensure_future(client.prompt(session_id="s1", prompt=[acp.text_block("Weather?")]))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        while (native := await queue.get()) is not None:
            yield native
        yield await task
    writer.close()
    agent_writer.close()


PACKAGES = ("agent-client-protocol",)
RUNS: Runs = {"acp": ("Client.session_update, of an agent that a script speaks for", prompted)}
