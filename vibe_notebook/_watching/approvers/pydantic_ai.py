"""Answer pydantic-ai's deferred calls: ``Agent(…, capabilities=[vibe.approver("pydantic_ai")])``.

The SDK calls the capability with all calls of one model turn that wait. Calls that run outside of the agent stay the
application's.
"""

from __future__ import annotations

from typing import Any, Final

from ...adapters.fields import get, ident
from ...exceptions import AdapterError
from ...parts import Answer
from ..questions import Question
from .asking import Asker, Call, json_of, reason_of
from .sdk import args_of, module_of

__all__ = ["PydanticAIApprover", "make"]

_PACKAGE: Final = "pydantic-ai>=1.87"
"""The first version that asks within a run."""


def make(asker: Asker) -> Any:
    """Return the capability."""
    made = getattr(module_of("pydantic_ai.capabilities", _PACKAGE), "HandleDeferredToolCalls", None)
    if made is None:
        msg = f"This version of pydantic-ai cannot ask within a run: install {_PACKAGE}."
        raise AdapterError(msg)
    return made(handler=PydanticAIApprover(asker))


class PydanticAIApprover:
    """Ask for each call that waits, all at once."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def __call__(self, ctx: Any, requests: Any) -> Any:
        """Return the answers, in the SDK's form. The SDK calls this."""
        del ctx
        approvals = list(requests.approvals)
        questions = [call for call in requests.calls if self._is_question(requests, call)]
        asked = [
            *((self._approval(requests, call), self._call(call)) for call in approvals),
            *((self._question(call), self._call(call)) for call in questions),
        ]
        answers = await self._asker.decide(*asked)
        tools = module_of("pydantic_ai.tools", _PACKAGE)
        granted = {
            call.tool_call_id: self._verdict(tools, answer)
            for call, answer in zip(approvals, answers, strict=False)
        }
        told = {
            call.tool_call_id: self._told(answer)
            for call, answer in zip(questions, answers[len(approvals) :], strict=True)
        }
        return requests.build_results(approvals=granted, calls=told)

    @staticmethod
    def _is_question(requests: Any, call: Any) -> bool:
        kind = getattr(requests, "kind", None)  # older versions have none
        return callable(kind) and kind(call.tool_call_id) == "question"

    @staticmethod
    def _call(call: Any) -> Call:
        return Call(str(get(call, "tool_name")), ident(get(call, "tool_call_id")), args_of(get(call, "args")))

    @staticmethod
    def _approval(requests: Any, call: Any) -> Question:
        known = get(requests, "metadata")
        more = known.get(call.tool_call_id) if isinstance(known, dict) else None
        return Question("approval", json_of(more or None) or None)

    @staticmethod
    def _question(call: Any) -> Question:
        return Question("question", json_of(args_of(get(call, "args"))) or "The agent asks.")

    @staticmethod
    def _verdict(tools: Any, answer: Answer) -> Any:
        if answer.action == "accept":
            return tools.ToolApproved(override_args=None if answer.value is None else dict(answer.value))
        return tools.ToolDenied(reason_of(answer))

    @staticmethod
    def _told(answer: Answer) -> Any:
        if answer.action == "accept":
            return answer.value
        return module_of("pydantic_ai.exceptions", _PACKAGE).ToolFailed(reason_of(answer))
