"""Record MCP's messages: the calls of a client to a server in the same process, and the server's notifications."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from mcp import types
from mcp.client.client import Client
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from ._chat import weather
from .recorder import Runs

server = MCPServer("weather")


@server.tool()
async def get_weather(city: str, unit: str, ctx: Context) -> dict[str, Any]:
    """Return the weather, with progress."""
    await ctx.report_progress(1, 2, f"Asking {city}")
    await ctx.report_progress(2, 2)
    try:
        return weather(city, unit)
    except LookupError as error:
        raise ToolError(str(error)) from error


async def run() -> AsyncIterator[Any]:
    """Yield two requests, the progress of each, and the responses."""
    natives: list[Any] = []

    def noted(method: str, params: Any, **fields: Any) -> None:
        natives.append({"jsonrpc": "2.0", "method": method, "params": params, **fields})

    async with Client(server) as client:
        for number, city in enumerate(("Paris", "Atlantis"), 1):
            arguments = {"city": city, "unit": "C"}
            noted("tools/call", {"name": "get_weather", "arguments": arguments}, id=number)

            async def progress(
                done: float, total: float | None, message: str | None, of: int = number
            ) -> None:
                made = types.ProgressNotificationParams(
                    progress_token=of, progress=done, total=total, message=message
                )
                noted(
                    "notifications/progress", made.model_dump(mode="json", by_alias=True, exclude_none=True)
                )

            result = await client.call_tool("get_weather", arguments, progress_callback=progress)
            found = result.model_dump(mode="json", by_alias=True, exclude_none=True)
            natives.append({"jsonrpc": "2.0", "id": number, "result": found})
    for native in natives:
        yield native


PACKAGES = ("mcp",)
RUNS: Runs = {"mcp": ("Client.call_tool(progress_callback=…)", run)}
