"""``handler``: make an object for SDKs that push their events into one.

At the top of the path, beside ``watch``; ``_watching/handlers/base.py`` has the shared part.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from ...adapters.fields import get, ident
from ...events import ToolFinished, ToolStarted
from ...exceptions import AdapterError
from ...recording import Recorder
from ...registry import Registration, Registry, get_registry
from ..claims import claim
from ..pipeline import Pipeline
from .base import Handler
from .crewai import CrewAIHandler
from .langchain import LangChainHandler
from .mcp import MCPHandler
from .spans import OpenAIAgentsTracesHandler, OtelHandler

if TYPE_CHECKING:
    from ...adapters import Adapter
    from ...events import Event

__all__ = [
    "CrewAIHandler",
    "LangChainHandler",
    "OpenAIAgentsHandler",
    "PydanticAIHandler",
    "StrandsHandler",
    "handler",
]

_outer_run: ContextVar[str | None] = ContextVar("vibe_notebook_pydantic_ai_run", default=None)
"""Id of the run whose tools work: a tool inherits this variable, so a nested agent's events find their parent."""


class PydanticAIHandler(Handler):
    """Accept events: ``agent.run(prompt, event_stream_handler=vibe.handler("pydantic_ai"))``.

    A nested agent with the same handler is a run inside of the run whose tool runs it. It is inside of the tool
    call where only one call fits: the only open call, or the only one that has the nested agent's prompt as an
    argument.
    """

    adapter = "pydantic_ai"

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._open_calls: dict[str, dict[str, Any]] = {}
        self._nested_runs: dict[tuple[str, str], str] = {}

    async def __call__(self, ctx: Any, events: AsyncIterable[Any]) -> None:
        """Show the events of one model turn or of its tool calls. pydantic-ai calls this."""
        key = str(getattr(ctx, "run_id", None) or "")
        with self._turn():
            self._begin()
            run = self._runs.get(key) or self._run(key, **self._ids(key, ctx))
        claim(key or None)
        before = _outer_run.set(key)
        try:
            async for event in events:
                self._accept(run, event)
        finally:
            _outer_run.reset(before)

    def _ids(self, key: str, ctx: Any) -> dict[str, Any]:
        ids: dict[str, Any] = {"run_id": key or None}
        name = getattr(getattr(ctx, "agent", None), "name", None)
        parent = self._runs.get(_outer_run.get() or "")
        if isinstance(name, str):
            ids["agent_name"] = name
        if parent is None or _outer_run.get() == key:
            return ids
        free = {
            call_id: args
            for call_id, args in self._open_calls.get(parent.run_id, {}).items()
            if (parent.run_id, call_id) not in self._nested_runs
        }
        prompt = getattr(ctx, "prompt", None)
        if len(free) > 1 and isinstance(prompt, str):
            free = {c: args for c, args in free.items() if isinstance(args, dict) and prompt in args.values()}
        call_id = next(iter(free)) if len(free) == 1 else None
        if call_id is not None:
            self._nested_runs[parent.run_id, call_id] = key
        return {**ids, "parent_run_id": parent.run_id, "parent_tool_call_id": call_id}

    def _dispatch(self, run: Adapter, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, ToolStarted):
                self._open_calls.setdefault(run.run_id, {})[event.tool_call_id] = event.args
            elif isinstance(event, ToolFinished):
                self._open_calls.get(run.run_id, {}).pop(event.tool_call_id, None)
                if (child := self._nested_runs.get((run.run_id, event.tool_call_id))) is not None:
                    self._end(child)
        super()._dispatch(run, events)


class OpenAIAgentsHandler(Handler):
    """Accept events: ``agent.as_tool(..., on_stream=vibe.handler("openai_agents"))``.

    Where the same registry shows the outer run, the nested run is inside of its tool call there, and has no view
    of its own.
    """

    adapter = "openai_agents"

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._registrations: list[Registration] = []

    def __call__(self, payload: Any) -> None:
        """Show one event of a nested agent. The SDK calls this."""
        call_id = ident(get(payload, "tool_call", "call_id"))
        name = ident(get(payload, "agent", "name"))
        key = call_id or name or ""
        with self._turn():
            if key not in self._runs:
                outer = self._outer_ids(call_id)
                if outer and not self._begun:
                    self._pipeline.renderer = "none"
                self._run(key, agent_name=name, **outer)
            self._accept(self._runs[key], get(payload, "event"))

    def close(self, error: BaseException | None = None) -> None:
        """End the open runs, and show the final form. Idempotent."""
        super().close(error)
        while self._registrations:
            self._registrations.pop().close()

    def _outer_ids(self, call_id: str | None) -> dict[str, Any]:
        """Return the ids of a run inside of the watched run that made the call; {} without such a run."""
        registry = self._pipeline.registry
        for agent_id in reversed(registry.agents()) if call_id else ():
            with registry.reading(agent_id) as log:
                runs = log.ordered() if log is not None else []
                found = [run.run_id for run in runs if ("tool", None, call_id) in run.nodes and not run.ended]
            if found:
                self._registrations.append(registry.register(agent_id, on_tool_finished=self._end_nested))
                ids = {"agent_id": agent_id, "parent_run_id": found[-1], "parent_tool_call_id": call_id}
                return {**ids, "run_id": f"{found[-1]}/{call_id}"}
        return {}

    def _end_nested(self, event: Event) -> None:
        """End a nested run together with its tool call."""
        run = self._runs.get(event.tool_call_id) if isinstance(event, ToolFinished) else None
        if run is not None and isinstance(event, ToolFinished) and run.parent_run_id == event.run_id:
            self._end(event.tool_call_id)


class StrandsHandler(Handler):
    """Accept events: ``Agent(callback_handler=vibe.handler("strands"))``."""

    adapter = "strands"

    def __call__(self, **event: Any) -> None:
        """Show one event. The SDK passes its fields as keywords."""
        with self._turn():
            self._accept(self._run(""), event)


class HaystackHandler(Handler):
    """Accept chunks: ``Agent(streaming_callback=vibe.handler("haystack"))``, or of a generator or a run."""

    adapter = "haystack"

    def __call__(self, chunk: Any) -> None:
        """Show one chunk. Haystack calls this."""
        with self._lock:
            self._accept(self._run(""), chunk)


class GitHubCopilotHandler(Handler):
    """Accept events: ``session.on(vibe.handler("github_copilot"))``."""

    adapter = "github_copilot"

    def __call__(self, event: Any) -> None:
        """Show one event. The SDK calls this."""
        with self._lock:
            self._accept(self._run(""), event)


class OpenHandsHandler(Handler):
    """Accept events: ``Conversation(agent, callbacks=[vibe.handler("openhands")])``."""

    adapter = "openhands"

    def __call__(self, event: Any) -> None:
        """Show one event. The SDK calls this."""
        with self._lock:
            self._accept(self._run(""), event)


class BrowserUseHandler(Handler):
    """Accept steps: ``Agent(register_new_step_callback=hook, register_done_callback=hook)``.

    ``agent.run(on_step_end=hook)`` brings the results of each step's actions when it ends; the callback at the end has
    those of all steps.
    """

    adapter = "browser_use"

    def __call__(self, state: Any, output: Any = None, number: int | None = None) -> _Done:
        """Show one step, the newest results of an agent, or those in a whole history. The SDK calls this."""
        step = {"state": state, "model_output": output, "step_number": number}
        found = getattr(state, "history", None) or []
        is_agent = not isinstance(found, list)
        steps = list(getattr(found, "history", None) or []) if is_agent else found
        natives = [step] if output is not None else steps[-1:] if is_agent else steps
        with self._lock:
            for native in natives:
                self._accept(self._run(""), native)
        return _Done()


class _Done:
    """Be awaited by an SDK that awaits its hooks."""

    def __await__(self) -> Iterator[None]:
        yield from ()


_HANDLERS: Final[dict[str, type[Handler]]] = {
    "browser_use": BrowserUseHandler,
    "crewai": CrewAIHandler,
    "github_copilot": GitHubCopilotHandler,
    "haystack": HaystackHandler,
    "langchain": LangChainHandler,
    "langgraph": LangChainHandler,
    "mcp": MCPHandler,
    "openai_agents": OpenAIAgentsHandler,
    "openai_agents_traces": OpenAIAgentsTracesHandler,
    "openhands": OpenHandsHandler,
    "otel": OtelHandler,
    "otel_spans": OtelHandler,
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

    "pydantic_ai" makes an ``event_stream_handler``, "langchain" an entry of ``callbacks=[…]``, "openai_agents"
    an ``on_stream``, "strands" a ``callback_handler``, "crewai" a block around ``crew.kickoff()``, "haystack" a
    ``streaming_callback``, "mcp" a client's callbacks, "browser_use" and
    "openhands" an agent's, "github_copilot" a session's, "otel" a span processor, "openai_agents_traces" a trace
    processor. All have ``close()``, ``transcript`` and ``show()``.
    Raises ``AdapterError`` for an SDK without a hook: wrap its stream with ``watch``.
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
