"""Resume Strands' interrupts: ``vibe.approver("strands").stream(agent, prompt)``.

The code that interrupts decides what its response means, so each interrupt asks for words. A declined one is not
resumed: the agent stays interrupted, and runs no call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ...adapters.fields import get, ident, items, text
from ..questions import Question
from .asking import Asker, Call, code_of, json_of, quoted
from .resumer import Resumed

__all__ = ["StrandsApprover", "make"]


def make(asker: Asker) -> Any:
    """Return the resumer."""
    return StrandsApprover(asker)


class StrandsApprover:
    """Make sources for ``watch`` of an agent's runs."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def stream(self, agent: Any, prompt: Any, **options: Any) -> Resumed:
        """Return a run as a source for ``watch``; *options* are those of ``agent.stream_async``."""
        return _Run(self._asker, agent, prompt, options)


class _Run(Resumed):
    adapter = "strands"

    def __init__(self, asker: Asker, agent: Any, prompt: Any, options: dict[str, Any]) -> None:
        super().__init__(asker)
        self._agent = agent
        self._prompt = prompt
        self._options = options

    async def _events(self) -> AsyncIterator[Any]:
        prompt, calls = self._prompt, dict[str, Call]()
        while True:
            result: Any = None
            async for event in self._agent.stream_async(prompt, **self._options):
                asked = get(event, "tool_interrupt_event")
                for one in items(get(asked, "interrupts")):
                    calls[text(get(one, "id"))] = _call(get(asked, "tool_use"))
                result = get(event, "result") or result
                yield event
            waiting = items(get(result, "interrupts"))
            if not waiting:
                return
            self._wait_here()
            answers = await self._asker.answers(
                (_question(one), calls.get(text(get(one, "id"))), None) for one in waiting
            )
            if not all(answers):
                self._stay_interrupted()
                return
            prompt = [
                {"interruptResponse": {"interruptId": get(one, "id"), "response": answer.value}}
                for one, answer in zip(waiting, answers, strict=True)
            ]


def _call(tool: Any) -> Call:
    return Call(text(get(tool, "name")), ident(get(tool, "toolUseId")), get(tool, "input"))


def _question(interrupt: Any) -> Question:
    reason = get(interrupt, "reason")
    words = quoted(reason) if isinstance(reason, str) else json_of(reason)
    return Question(
        "question", f"The interrupt {code_of(text(get(interrupt, 'name')))} asks:\n\n{words or ''}"
    )
