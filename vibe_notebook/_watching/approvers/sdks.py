"""``approver``: answer what an SDK's agent waits for, in its live view.

At the top of the path, beside ``watch`` and ``handler``. Each SDK has a file of its own in this folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..._nearest import did_you_mean
from ...exceptions import AdapterError
from ..transcribed import Transcribed
from . import acp, agno, claude_agent_sdk, google_adk, langgraph, mcp, openai_agents, pydantic_ai, strands
from .asking import Asker

__all__ = ["approver"]

_APPROVERS: Final[dict[str, Callable[[Asker], Any]]] = {
    "acp": acp.make,
    "agno": agno.make,
    "claude_agent_sdk": claude_agent_sdk.make,
    "google_adk": google_adk.make,
    "langgraph": langgraph.make,
    "mcp": mcp.make,
    "openai_agents": openai_agents.make,
    "pydantic_ai": pydantic_ai.make,
    "strands": strands.make,
}
_ALIASES: Final = {"langchain": "langgraph"}


def approver(name: str, run: Transcribed | None = None) -> Any:
    """Make an SDK's hook, or its resumer, that asks the user in the live view.

    A *hook* is given to the SDK, which calls it: "pydantic_ai" an entry of ``capabilities=[…]``. A *resumer* makes a
    source for ``watch``: ``vibe.watch(vibe.approver("langgraph").stream(graph, input, config))``. It asks in *run*,
    else in the stream whose code asks.

    Raises ``AdapterError`` for an SDK that cannot wait.
    """
    key = name.strip().lower().replace("-", "_")
    made = _APPROVERS.get(_ALIASES.get(key, key))
    if made is None:
        known = ", ".join(_APPROVERS)
        msg = f"{name!r} has no approver (there is one for: {known}).{did_you_mean(key, _APPROVERS)}"
        raise AdapterError(msg)
    return made(Asker(_ALIASES.get(key, key), run))
