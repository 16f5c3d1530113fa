"""Run vibex's own server, with its real app and stream; a program that prints its port.

This program replaces only the parts that need a model: the program claims that every agent exists, and
sends the events of vibex's core itself. To the first connection it sends half of a message, then the whole
message with a ``datetime`` inside, as the core does; the ``datetime`` kills the connection. To the next
connection it sends the rest.
"""

from __future__ import annotations

import asyncio
import datetime
import socket
from typing import Any

import uvicorn
from vibex.server import api, streaming

PROJECT = "proj1"


async def _exists(*_: Any, **__: Any) -> object:
    return object()


async def _wait_for_listener() -> None:
    while streaming.event_stream_manager.get_stream(PROJECT) is None:  # noqa: ASYNC110 - vibex has no event for it
        await asyncio.sleep(0.01)


async def _send() -> None:
    manager = streaming.event_stream_manager
    await _wait_for_listener()
    await manager.send_event(PROJECT, "message_start", {"message_id": "m1", "role": "assistant"})
    for index, words in ((0, ("Let me ", "check.")), (2, ("It is 18 °C.",))):
        for word in words:
            part = {"message_id": "m1", "part_index": index, "delta": word, "type": "text"}
            await manager.send_event(PROJECT, "part_delta", part)
        if index == 0:
            await streaming.send_tool_call_start(PROJECT, "c1", "get_weather", {"city": "Paris"})
            await streaming.send_tool_call_result(PROJECT, "c1", "get_weather", {"temp_c": 18})
    now = datetime.datetime.now(tz=datetime.UTC)
    message = {"id": "m1", "role": "assistant", "content": "", "parts": [], "timestamp": now}
    await manager.send_event(PROJECT, "message_complete", {"message": message})
    while manager.get_stream(PROJECT) is not None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await _wait_for_listener()
    await streaming.send_artifact_update(PROJECT, "report.md")
    await manager.send_event(PROJECT, "message_start", {"message_id": "m2", "role": "assistant"})
    last = {"message_id": "m2", "part_index": 0, "delta": " Bye.", "type": "text"}
    await manager.send_event(PROJECT, "part_delta", last)
    await streaming.send_project_update(PROJECT, "completed")


async def main() -> None:
    """Serve until killed."""
    api.get_xagent_service().get = _exists
    app = api.create_app()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    sending = asyncio.create_task(_send())
    print(f"port {listening.getsockname()[1]}", flush=True)  # noqa: T201 - for the test
    await server.serve([listening])
    await sending


if __name__ == "__main__":
    asyncio.run(main())
