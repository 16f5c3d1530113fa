"""How an error names a source that cannot be watched as it is: its SDK, and what makes a stream there.

Pure; used by ``_sources.py``. No SDK is imported: an object says by its module whose it is.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

__all__ = ["hint", "source_name", "type_name"]

_SDKS: Final = {
    "acp": ("agent-client-protocol", "the updates that your Client.session_update gets"),
    "agents": ("openai-agents", "Runner.run_streamed(agent, prompt)"),
    "agno": ("agno", "agent.arun(prompt, stream=True, stream_events=True)"),
    "anthropic": ("anthropic", "client.messages.create(..., stream=True)"),
    "claude_agent_sdk": ("claude-agent-sdk", "query(prompt=..., options=...) or client.receive_response()"),
    "google.adk": ("google-adk", "runner.run_async(...)"),
    "langchain": ("langchain", 'agent.astream(..., stream_mode=["messages", "updates"])'),
    "langchain_core": ("langchain", "model.astream(...)"),
    "langgraph": ("langgraph", 'graph.astream(..., stream_mode=["messages", "updates"])'),
    "llama_index": ("llama-index", "agent.run(user_msg=...)"),
    "openai": ("openai", "client.responses.create(..., stream=True)"),
    "pydantic_ai": ("pydantic-ai", "agent.run_stream_events(prompt)"),
    "smolagents": ("smolagents", "agent.run(task, stream=True)"),
    "strands": ("strands", "agent.stream_async(prompt)"),
}
"""By the module: the SDK's name, and what makes a stream in it."""
_FRAMES: Final = ("ag_frame", "gi_frame", "cr_frame")


def type_name(source: Any) -> str:
    """Return the name of the source's class."""
    return type(source).__qualname__


def source_name(source: Any) -> str:
    """Return what an error calls the source: "AsyncStream (openai)", "Agent.stream_async() (strands)"."""
    found = _sdk(source)
    if found is None:
        return type_name(source)
    name = getattr(source, "__qualname__", None) or type_name(source)
    return f"{name}{'()' if _frame_module(source) else ''} ({found[0]})"


def hint(source: Any) -> str:
    """Return how the SDK of a source that is no stream makes one, as a sentence, or nothing."""
    found = _sdk(source)
    return f" {found[0]} makes one with {found[1]}." if found else ""


def _sdk(source: Any) -> tuple[str, str] | None:
    # A class or function says itself where it is from, anything else by its class.
    own = getattr(source, "__module__", "") if isinstance(source, type) or inspect.isroutine(source) else ""
    steps = str(own or _frame_module(source) or type(source).__module__).split(".")
    return _SDKS.get(steps[0]) or _SDKS.get(".".join(steps[:2]))


def _frame_module(source: Any) -> str:
    """The module of the function that made a generator or coroutine, while it has not ended."""
    if not (inspect.isasyncgen(source) or inspect.isgenerator(source) or inspect.iscoroutine(source)):
        return ""
    frame = next((frame for name in _FRAMES if (frame := getattr(source, name, None)) is not None), None)
    return str(frame.f_globals.get("__name__", "")) if frame is not None else ""
