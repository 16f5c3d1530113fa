"""Answer Claude's Agent SDK: ``ClaudeAgentOptions(can_use_tool=vibe.approver("claude_agent_sdk"))``.

The SDK calls the hook for the calls that its permission rules do not decide, and for Claude's own questions. It warns,
with ``CanUseToolShadowedWarning``, where ``allowed_tools`` or the permission mode allow calls that the hook never sees.
"""

from __future__ import annotations

from typing import Any, Final

from ...adapters.fields import get, ident, items, text
from ...parts import Answer
from ..questions import Question
from .asking import Asker, Call, quoted, reason_of
from .sdk import module_of

__all__ = ["ClaudeApprover", "make"]

_QUESTIONS: Final = "AskUserQuestion"
_CHOSEN: Final = "answers"
"""Field of the form with the chosen labels of a question that takes several."""


def make(asker: Asker) -> Any:
    """Return the hook."""
    return ClaudeApprover(asker)


class ClaudeApprover:
    """Ask whether a call may run, or what Claude itself asks."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def __call__(self, tool_name: str, given: dict[str, Any], context: Any = None) -> Any:
        """Return the permission, in the SDK's form. The SDK calls this."""
        call = Call(tool_name, ident(get(context, "tool_use_id")), given)
        if tool_name == _QUESTIONS and (asked := items(get(given, "questions"))):
            return await self._told(asked, given, call)
        (answer,) = await self._asker.decide((Question("approval", _words(context)), call))
        if answer:
            return _allowed(None if answer.value is None else dict(answer.value))
        return _denied(answer)

    async def _told(self, asked: list[Any], given: dict[str, Any], call: Call) -> Any:
        # One call has one request beside it: its further questions stand by themselves.
        calls = [call, *[Call(call.name)] * (len(asked) - 1)]
        answers = await self._asker.decide(*zip(map(_question, asked), calls, strict=True))
        if refused := [answer for answer in answers if not answer]:
            return _denied(refused[0])
        told = {
            text(get(one, "question")): _chosen(answer.value)
            for one, answer in zip(asked, answers, strict=True)
        }
        return _allowed({**given, "answers": told})


def _question(one: Any) -> Question:
    """Return one of Claude's questions, whose answers are the labels of its options."""
    labels = [text(get(option, "label")) for option in items(get(one, "options"))]
    about = [
        f"- {text(get(option, 'label'))}: {text(get(option, 'description'))}"
        for option in items(get(one, "options"))
        if get(option, "description")
    ]
    words = quoted("\n".join([text(get(one, "question")), *about]))
    if get(one, "multiSelect") is True and labels:
        schema = {
            "type": "object",
            "properties": {_CHOSEN: {"type": "array", "items": {"enum": labels}}},
            "required": [_CHOSEN],
        }
        return Question("question", words, schema=schema)
    return Question("question", words, tuple(labels))


def _chosen(value: Any) -> str:
    """Return the chosen labels in the form that Claude gets them."""
    return ", ".join(value[_CHOSEN]) if isinstance(value, dict) else str(value)


def _words(context: Any) -> str | None:
    said = [text(get(context, name)) for name in ("title", "description", "decision_reason", "blocked_path")]
    return quoted("\n".join(filter(None, said)))


def _allowed(changed: dict[str, Any] | None) -> Any:
    return module_of("claude_agent_sdk", "claude-agent-sdk").PermissionResultAllow(updated_input=changed)


def _denied(answer: Answer) -> Any:
    return module_of("claude_agent_sdk", "claude-agent-sdk").PermissionResultDeny(message=reason_of(answer))
