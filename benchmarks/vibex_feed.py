"""Run vibex's own server, which sends COUNT events to its first listener; a program for vibex's Python."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import uvicorn
from vibex.server import api, streaming

PROJECT = "p"


async def _exists(*_: Any, **__: Any) -> object:
    return object()


async def _send(count: int) -> None:
    manager = streaming.event_stream_manager
    while manager.get_stream(PROJECT) is None:  # noqa: ASYNC110 - vibex has no event for it
        await asyncio.sleep(0.01)
    await manager.send_event(PROJECT, "message_start", {"message_id": "m1", "role": "assistant"})
    for n in range(count):
        part = {"message_id": "m1", "part_index": 0, "delta": f"word {n} of it ", "type": "text"}
        await manager.send_event(PROJECT, "part_delta", part)


async def main() -> None:
    """Serve until killed."""
    api.get_xagent_service().get = _exists
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(api.create_app(), log_level="critical"))
    sending = asyncio.create_task(_send(int(sys.argv[1])))
    print(f"port {listening.getsockname()[1]}", flush=True)
    await server.serve([listening])
    await sending


if __name__ == "__main__":
    asyncio.run(main())
