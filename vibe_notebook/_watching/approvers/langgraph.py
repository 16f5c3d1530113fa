"""Resume LangGraph's interrupts: ``vibe.approver("langgraph").stream(graph, input, config)``.

A graph that waits has interrupts in its state. All open ones are asked together, and resumed together by their ids. A
node runs again from its top at each resume. An interrupt of LangChain's HumanInTheLoopMiddleware asks for a decision
about each of its calls. A declined question is not resumed: the graph stays at its checkpoint.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

from ...adapters.fields import get, ident
from ...exceptions import AdapterError
from ...parts import Answer
from ..questions import Question
from .asking import Asker, Call, json_of, reason_of
from .resumer import Resumed
from .sdk import module_of

__all__ = ["LangGraphApprover", "make"]

_MODES: Final = ("messages", "updates")


def make(asker: Asker) -> Any:
    """Return the resumer."""
    return LangGraphApprover(asker)


class LangGraphApprover:
    """Make sources for ``watch`` of a graph's runs."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def stream(self, graph: Any, input: Any, config: Any = None, **options: Any) -> Resumed:  # noqa: A002 - the SDK's name
        """Return a run of *graph* as a source for ``watch``; *options* are those of ``graph.astream``.

        The graph needs a checkpointer. Without a thread in *config*, the run gets one of its own.
        """
        return _Run(self._asker, graph, input, config, options)


class _Run(Resumed):
    adapter = "langgraph"

    def __init__(self, asker: Asker, graph: Any, given: Any, config: Any, options: dict[str, Any]) -> None:
        super().__init__(asker)
        self._graph = graph
        self._given = given
        self._config = config or {"configurable": {"thread_id": uuid.uuid4().hex}}
        self._options = {"stream_mode": list(_MODES), **options}

    async def _events(self) -> AsyncIterator[Any]:
        given, left = self._given, set[str]()
        while True:
            is_asking = False
            async for native in self._graph.astream(given, self._config, **self._options):
                is_asking |= _asks(native)
                yield native
            waiting = {
                key: one
                for one in await self._interrupts(is_asking=is_asking)
                if (key := ident(get(one, "id")))
            }
            waiting = {key: one for key, one in waiting.items() if key not in left}
            if not waiting:
                return
            self._wait_here()
            answers = await self._answers(waiting)
            left |= {key for key, answer in answers.items() if answer is None}
            given = {key: answer[0] for key, answer in answers.items() if answer is not None}
            if not given:
                self._stay_interrupted()
                return
            given = module_of("langgraph.types", "langgraph").Command(resume=given)

    async def _interrupts(self, *, is_asking: bool) -> list[Any]:
        try:
            state = await self._graph.aget_state(self._config)
        except ValueError as error:  # no checkpointer
            if is_asking:
                msg = "The graph waits for an answer, and has no checkpointer to go on from: compile it with one."
                raise AdapterError(msg) from error
            return []
        found = getattr(state, "interrupts", None)  # older versions have only those of each task
        if found is None:
            found = [one for task in state.tasks for one in task.interrupts]
        return list(found)

    async def _answers(self, waiting: dict[str, Any]) -> dict[str, tuple[Any] | None]:
        """Return what resumes each interrupt; ``None`` for one that is not to go on."""
        asked = {key: _questions(key, one) for key, one in waiting.items()}
        rest = iter(await self._asker.answers(one for each in asked.values() for one in each))
        return {
            key: _resume(get(waiting[key], "value"), [next(rest) for _ in each])
            for key, each in asked.items()
        }


def _asks(native: Any) -> bool:
    """Return whether an event of the stream holds an interrupt."""
    chunk = native[-1] if isinstance(native, tuple) and native else native
    return isinstance(chunk, dict) and "__interrupt__" in chunk


def _actions(value: Any) -> list[Any]:
    found = get(value, "action_requests")
    return list(found) if isinstance(found, list | tuple) else []


def _questions(key: str, interrupt: Any) -> list[tuple[Question, Call | None, str]]:
    """Return what an interrupt asks, each with the id under which the adapter has shown it."""
    value = get(interrupt, "value")
    actions = _actions(value)
    ids = [key] if len(actions) < 2 else [f"{key}:{number}" for number in range(len(actions))]  # noqa: PLR2004
    if actions:
        calls = [Call(str(get(one, "name")), None, get(one, "args")) for one in actions]
        return [(Question("approval"), call, each) for call, each in zip(calls, ids, strict=True)]
    words = value if isinstance(value, str) else json_of(value)
    schema = get(interrupt, "response_schema")
    return [(Question("question", words or "The graph waits.", schema=schema), None, key)]


def _resume(value: Any, answers: list[Answer]) -> tuple[Any] | None:
    actions = _actions(value)
    if not actions:
        return (answers[0].value,) if answers[0] else None
    return ({"decisions": [_decision(*pair) for pair in zip(actions, answers, strict=True)]},)


def _decision(action: Any, answer: Answer) -> dict[str, Any]:
    if answer.action != "accept":
        return {"type": "reject", "message": reason_of(answer)}
    if answer.value is None:
        return {"type": "approve"}
    return {"type": "edit", "edited_action": {"name": get(action, "name"), "args": dict(answer.value)}}
