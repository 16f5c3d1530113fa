"""Answer an agent of the Agent Client Protocol: ``request_permission = vibe.approver("acp")`` of your client.

A yes takes the agent's option to allow the call once, a no its option to reject it once. Where the agent has no such
option to allow, its options are asked as a choice: a yes to one call never allows further ones.
"""

from __future__ import annotations

from typing import Any, Final

from ...adapters.fields import camel, ident, items, plain, text
from ...parts import Answer
from ..questions import Question
from .asking import Asker, Call, quoted
from .sdk import module_of

__all__ = ["ACPApprover", "make"]

_KINDS: Final = {
    "allow_once": "allow once",
    "allow_always": "allow ALWAYS",
    "reject_once": "reject once",
    "reject_always": "reject ALWAYS",
}


def make(asker: Asker) -> Any:
    """Return the hook."""
    return ACPApprover(asker)


class ACPApprover:
    """Ask whether a call may run."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def __call__(self, *given: Any, **named: Any) -> Any:
        """Return the permission, in the SDK's form. The SDK calls this; the order of the arguments is its version's."""
        options, tool = _arguments(given, named)
        once = _first(options, "allow_once")
        call = Call(text(camel(tool, "title")), ident(camel(tool, "toolCallId")), None)
        words = quoted(text(camel(tool, "title")))
        if once is not None:
            question = Question("approval", words, takes_args=False)
        else:
            choices = [{"value": ident(camel(one, "optionId")), "label": _label(one)} for one in options]
            question = Question("question", words, tuple(choices))
        (answer,) = await self._asker.decide((question, call))
        return _outcome(options, once, answer)


def _arguments(given: tuple[Any, ...], named: dict[str, Any]) -> tuple[list[Any], Any]:
    """Return the options and the call, of an object with both or of arguments in any order."""
    options, tool = named.get("options"), named.get("tool_call")
    for one in given:
        if isinstance(one, list | tuple):
            options = one
        elif (found := camel(one, "toolCall")) is not None:
            options, tool = camel(one, "options"), found
        elif not isinstance(one, str):
            tool = one
    return items(options), tool


def _first(options: list[Any], kind: str) -> Any:
    return next((one for one in options if _kind(one) == kind), None)


def _kind(option: Any) -> str:
    kind = camel(option, "kind")
    return text(getattr(kind, "value", kind))


def _label(option: Any) -> str:
    """Return an option's words: what it does, as the protocol says, before the agent's own name of it."""
    return f"{_KINDS.get(_kind(option), 'unknown')} ({text(plain(camel(option, 'name')))})"


def _outcome(options: list[Any], once: Any, answer: Answer) -> Any:
    schema = module_of("acp.schema", "agent-client-protocol")
    chosen: Any = None
    if answer and once is not None:
        chosen = ident(camel(once, "optionId"))
    elif answer:
        chosen = answer.value
    elif answer.action == "decline":
        chosen = ident(camel(_first(options, "reject_once"), "optionId"))
    if chosen is None:
        outcome = schema.DeniedOutcome(outcome="cancelled")
    else:
        outcome = schema.AllowedOutcome(option_id=chosen, outcome="selected")
    return schema.RequestPermissionResponse(outcome=outcome)
