"""``handler``: for SDKs that push their events into an object of yours.

At the top of the path, beside ``watch``; what all of them share is in ``_watching/handlers/base.py``.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from ...adapters.fields import get, ident
from ...events import ToolFinished, ToolStarted
from ...exceptions import AdapterError
from ...recording import Recorder
from ...registry import Registration, Registry, get_registry
from ..pipeline import Pipeline
from .base import Handler
from .langchain import LangChainHandler

if TYPE_CHECKING:
    from ...adapters import Adapter
    from ...events import Event

__all__ = ["LangChainHandler", "OpenAIAgentsHandler", "PydanticAIHandler", "StrandsHandler", "handler"]

_around: ContextVar[str | None] = ContextVar("vibe_notebook_pydantic_ai_run", default=None)
"""The run whose tools are at work: they inherit it, so a nested agent's events find their parent."""


class PydanticAIHandler(Handler):
    """``agent.run(prompt, event_stream_handler=vibe.handler("pydantic_ai"))``.

    A nested agent that is given the same handler is a run inside of the one whose tool runs it, and
    inside of the tool call where that can only be one: the only one at work, or the only one that
    was called with the nested agent's prompt.
    """

    adapter = "pydantic_ai"

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._working: dict[str, dict[str, Any]] = {}
        self._inside: dict[tuple[str, str], str] = {}

    async def __call__(self, ctx: Any, events: AsyncIterable[Any]) -> None:
        """Show the events of one model turn or its tool calls, as pydantic-ai hands them over."""
        key = str(getattr(ctx, "run_id", None) or "")
        with self._lock:
            self._begin()
            run = self._runs.get(key) or self._run(key, **self._ids(key, ctx))
        before = _around.set(key)
        try:
            async for event in events:
                self._take(run, event)
        finally:
            _around.reset(before)

    def _ids(self, key: str, ctx: Any) -> dict[str, Any]:
        ids: dict[str, Any] = {"run_id": key or None}
        name = getattr(getattr(ctx, "agent", None), "name", None)
        parent = self._runs.get(_around.get() or "")
        if isinstance(name, str):
            ids["agent_name"] = name
        if parent is None or _around.get() == key:
            return ids
        free = {
            call_id: args
            for call_id, args in self._working.get(parent.run_id, {}).items()
            if (parent.run_id, call_id) not in self._inside
        }
        prompt = getattr(ctx, "prompt", None)
        if len(free) > 1 and isinstance(prompt, str):
            free = {c: args for c, args in free.items() if isinstance(args, dict) and prompt in args.values()}
        call_id = next(iter(free)) if len(free) == 1 else None
        if call_id is not None:
            self._inside[parent.run_id, call_id] = key
        return {**ids, "parent_run_id": parent.run_id, "parent_tool_call_id": call_id}

    def _said(self, run: Adapter, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, ToolStarted):
                self._working.setdefault(run.run_id, {})[event.tool_call_id] = event.args
            elif isinstance(event, ToolFinished):
                self._working.get(run.run_id, {}).pop(event.tool_call_id, None)
                if (child := self._inside.get((run.run_id, event.tool_call_id))) is not None:
                    self._end(child)
        super()._said(run, events)


class OpenAIAgentsHandler(Handler):
    """``agent.as_tool(..., on_stream=vibe.handler("openai_agents"))``.

    Where the outer run is watched in the same registry, the nested one is shown inside of its tool
    call there, and has no view of its own.
    """

    adapter = "openai_agents"

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._registrations: list[Registration] = []

    def __call__(self, payload: Any) -> None:
        """Show one event of a nested agent, as the SDK hands it over."""
        call_id = ident(get(payload, "tool_call", "call_id"))
        name = ident(get(payload, "agent", "name"))
        key = call_id or name or ""
        with self._lock:
            if key not in self._runs:
                outer = self._outer(call_id)
                if outer and not self._begun:
                    self._pipeline.renderer = "none"
                self._run(key, agent_name=name, **outer)
            self._take(self._runs[key], get(payload, "event"))

    def close(self, error: BaseException | None = None) -> None:
        """End the runs that go on, and show the final form. Idempotent."""
        super().close(error)
        while self._registrations:
            self._registrations.pop().close()

    def _outer(self, call_id: str | None) -> dict[str, Any]:
        """The ids of a run inside of the watched one that made the call; none: nobody watches it."""
        registry = self._pipeline.registry
        for agent_id in reversed(registry.agents()) if call_id else ():
            with registry.reading(agent_id) as log:
                runs = log.ordered() if log is not None else []
                found = [run.run_id for run in runs if ("tool", None, call_id) in run.nodes and not run.ended]
            if found:
                self._registrations.append(registry.register(agent_id, on_tool_finished=self._over))
                ids = {"agent_id": agent_id, "parent_run_id": found[-1], "parent_tool_call_id": call_id}
                return {**ids, "run_id": f"{found[-1]}/{call_id}"}
        return {}

    def _over(self, event: Event) -> None:
        """End a nested run with the call that it works for."""
        run = self._runs.get(event.tool_call_id) if isinstance(event, ToolFinished) else None
        if run is not None and isinstance(event, ToolFinished) and run.parent_run_id == event.run_id:
            self._end(event.tool_call_id)


class StrandsHandler(Handler):
    """``Agent(callback_handler=vibe.handler("strands"))``."""

    adapter = "strands"

    def __call__(self, **event: Any) -> None:
        """Show one event, as the SDK hands it over: as keywords."""
        with self._lock:
            self._take(self._run(""), event)


_HANDLERS: Final[dict[str, type[Handler]]] = {
    "langchain": LangChainHandler,
    "langgraph": LangChainHandler,
    "openai_agents": OpenAIAgentsHandler,
    "pydantic_ai": PydanticAIHandler,
    "strands": StrandsHandler,
}


def handler(
    name: str,
    *,
    title: str | None = None,
    agent_id: str | None = None,
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
) -> Any:
    """Make an SDK's push-style hook; use it as a context manager, or once per cell.

    "pydantic_ai" makes an ``event_stream_handler``, "langchain" what goes into ``callbacks=[…]``,
    "openai_agents" an ``on_stream``, "strands" a ``callback_handler``. All are ``Hook``s: ``close()``,
    ``transcript``, ``show()``. Raises ``AdapterError`` for an SDK that has none: its stream is
    wrapped with ``watch``.
    """
    key = name.strip().lower().replace("-", "_")
    made = _HANDLERS.get(key)
    if made is None:
        known = ", ".join(_HANDLERS)
        msg = f"{name!r} has no push-style hook (there is one for: {known}); wrap its stream with vibe.watch."
        raise AdapterError(msg)
    return made(
        Pipeline(
            registry or get_registry(),
            agent_id=agent_id,
            title=title,
            adapter="",
            renderer=None if display else "none",
            record=record,
        )
    )
