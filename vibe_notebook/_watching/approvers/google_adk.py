"""Resume Google's ADK: ``vibe.approver("google_adk").stream(runner, user_id=…, session_id=…, new_message=…)``.

The SDK asks for each confirmation by a call of its own, and gets all answers of one invocation in one message.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from ...adapters.fields import camel, get, ident, items, text
from ...parts import Answer
from ..questions import Question
from .asking import Asker, Call, json_of, quoted
from .resumer import Resumed
from .sdk import module_of

__all__ = ["GoogleADKApprover", "make"]

_REQUEST: Final = "adk_request_confirmation"


def make(asker: Asker) -> Any:
    """Return the resumer."""
    return GoogleADKApprover(asker)


class GoogleADKApprover:
    """Make sources for ``watch`` of a runner's runs."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def stream(self, runner: Any, *, new_message: Any, **options: Any) -> Resumed:
        """Return a run as a source for ``watch``; *options* are those of ``runner.run_async``."""
        return _Run(self._asker, runner, new_message, options)


class _Run(Resumed):
    adapter = "google_adk"

    def __init__(self, asker: Asker, runner: Any, message: Any, options: dict[str, Any]) -> None:
        super().__init__(asker)
        self._runner = runner
        self._message = message
        self._options = options

    async def _events(self) -> AsyncIterator[Any]:
        message = self._message
        while True:
            waiting: dict[str, Any] = {}
            async for event in self._runner.run_async(new_message=message, **self._options):
                for call in map(_call_in, items(get(event, "content", "parts"))):
                    if get(call, "name") == _REQUEST and (key := ident(get(call, "id"))):
                        waiting[key] = get(call, "args")
                yield event
            if not waiting:
                return
            self._wait_here()
            answers = await self._asker.answers(_question(args) for args in waiting.values())
            message = _message(dict(zip(waiting, answers, strict=True)))


def _call_in(part: Any) -> Any:
    return camel(part, "functionCall")


def _question(args: Any) -> tuple[Question, Call, None]:
    call, wanted = camel(args, "originalFunctionCall"), camel(args, "toolConfirmation")
    words = "\n\n".join(filter(None, (quoted(text(get(wanted, "hint"))), json_of(get(wanted, "payload")))))
    name = text(get(call, "name"))
    return Question("approval", words or None), Call(name, ident(get(call, "id")), get(call, "args")), None


def _message(answers: dict[str, Answer]) -> Any:
    types = module_of("google.genai.types", "google-genai")
    parts = [
        types.Part(
            function_response=types.FunctionResponse(
                id=key,
                name=_REQUEST,
                response={"confirmed": bool(answer), **({"payload": answer.value} if answer.value else {})},
            )
        )
        for key, answer in answers.items()
    ]
    return types.Content(role="user", parts=parts)
