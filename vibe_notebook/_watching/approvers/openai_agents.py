"""Resume openai-agents' interruptions: ``vibe.approver("openai_agents").stream(agent, input)``.

All calls that wait are asked together; the run goes on from its state once each has its answer.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Any

from ...adapters.fields import get, ident
from ..questions import Question
from .asking import Asker, Call, reason_of
from .resumer import Resumed
from .sdk import args_of, module_of

__all__ = ["OpenAIAgentsApprover", "make"]


def make(asker: Asker) -> Any:
    """Return the resumer."""
    return OpenAIAgentsApprover(asker)


class OpenAIAgentsApprover:
    """Make sources for ``watch`` of an agent's runs."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def stream(self, agent: Any, input: Any, **options: Any) -> Resumed:  # noqa: A002 - the SDK's name
        """Return a run as a source for ``watch``; *options* are those of ``Runner.run_streamed``."""
        return _Run(self._asker, agent, input, options)


class _Run(Resumed):
    adapter = "openai_agents"

    def __init__(self, asker: Asker, agent: Any, given: Any, options: dict[str, Any]) -> None:
        super().__init__(asker)
        self._agent = agent
        self.input = given
        self._options = options

    async def _events(self) -> AsyncIterator[Any]:
        runner = module_of("agents", "openai-agents").Runner
        given = self.input
        while True:
            self.result = result = runner.run_streamed(self._agent, given, **self._options)
            try:
                async for event in result.stream_events():
                    yield event
            finally:
                if not result.is_complete:
                    done = result.cancel()
                    if inspect.isawaitable(done):
                        await done
            if not (waiting := list(result.interruptions)):
                return
            self._wait_here(result)
            answers = await self._asker.answers(
                (Question("approval", takes_args=False), _call(one), None) for one in waiting
            )
            given = result.to_state()
            for one, answer in zip(waiting, answers, strict=True):
                if answer:
                    given.approve(one)
                else:
                    _reject(given, one, reason_of(answer))


def _reject(state: Any, item: Any, why: str) -> None:
    if "rejection_message" in inspect.signature(state.reject).parameters:
        state.reject(item, rejection_message=why)
    else:  # an older version
        state.reject(item)


def _call(item: Any) -> Call:
    raw = get(item, "raw_item")
    name = get(item, "tool_name") or get(raw, "name") or get(raw, "type") or "?"
    given = get(raw, "arguments")
    return Call(str(name), ident(get(raw, "call_id")) or ident(get(raw, "id")), args_of(given))
