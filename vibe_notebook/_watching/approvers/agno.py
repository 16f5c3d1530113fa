"""Resume agno's paused runs: ``vibe.approver("agno").stream(agent, input)``.

A call that needs a confirmation is asked as an approval, one that needs the user's words as a form. A call that the
application runs itself stays the application's: the run ends as interrupted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from ...adapters.fields import get, ident, items, text
from ...parts import Answer
from ..questions import Question
from .asking import Asker, Call, reason_of
from .resumer import Resumed

__all__ = ["AgnoApprover", "make"]

_TYPES: Final = {int: "integer", float: "number", bool: "boolean", str: "string"}


def make(asker: Asker) -> Any:
    """Return the resumer."""
    return AgnoApprover(asker)


class AgnoApprover:
    """Make sources for ``watch`` of an agent's or a team's runs."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def stream(self, agent: Any, input: Any, **options: Any) -> Resumed:  # noqa: A002 - the SDK's name
        """Return a run as a source for ``watch``; *options* are those of ``agent.arun``."""
        return _Run(self._asker, agent, input, options)


class _Run(Resumed):
    adapter = "agno"

    def __init__(self, asker: Asker, agent: Any, given: Any, options: dict[str, Any]) -> None:
        super().__init__(asker)
        self._agent = agent
        self._given = given
        self._options = {"stream_events": True, **options}

    async def _events(self) -> AsyncIterator[Any]:
        events = self._agent.arun(self._given, stream=True, yield_run_output=True, **self._options)
        while True:
            output: Any = None
            async for event in events:
                if type(event).__name__.endswith("RunOutput"):
                    output = event  # asked for by this source: it resumes by it
                else:
                    yield event
            waiting = [one for one in items(get(output, "requirements")) if not one.is_resolved()]
            asked = [_question(one) for one in waiting]
            if not waiting or None in asked:
                return
            self._wait_here()
            answers = await self._asker.answers(one for one in asked if one is not None)
            told = list(zip(waiting, answers, strict=True))
            if not all(answer or one.needs_confirmation for one, answer in told):
                self._stay_interrupted()
                return  # without the user's words the run stays paused
            for one, answer in told:
                _tell(one, answer)
            events = self._agent.acontinue_run(
                run_response=output,
                requirements=output.requirements,
                stream=True,
                yield_run_output=True,
                **self._options,
            )


def _question(need: Any) -> tuple[Question, Call, None] | None:
    tool = need.tool_execution
    call = Call(text(get(tool, "tool_name")), ident(get(tool, "tool_call_id")), get(tool, "tool_args"))
    if need.needs_confirmation:
        return Question("approval"), call, None
    if need.needs_user_feedback:
        return Question("question", "The agent asks:", schema=_choices(need.user_feedback_schema)), call, None
    if need.needs_user_input:
        return (
            Question("question", "The call needs your words:", schema=_fields(need.user_input_schema)),
            call,
            None,
        )
    return None


def _fields(wanted: Any) -> dict[str, Any]:
    left = [one for one in items(wanted) if get(one, "value") is None]
    fields = {
        text(get(one, "name")): {
            "type": _TYPES.get(get(one, "field_type"), "string"),
            "description": text(get(one, "description")),
        }
        for one in left
    }
    return {"type": "object", "properties": fields, "required": list(fields)}


def _choices(wanted: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for one in items(wanted):
        labels = [text(get(option, "label")) for option in items(get(one, "options"))]
        choice: dict[str, Any] = {"enum": labels} if labels else {"type": "string"}
        if get(one, "multi_select") is True:
            choice = {"type": "array", "items": choice}
        fields[text(get(one, "question"))] = choice
    return {"type": "object", "properties": fields, "required": list(fields)}


def _tell(need: Any, answer: Answer) -> None:
    """Give the answer to agno's own object. Only a yes confirms, and only a yes gives words."""
    tool = need.tool_execution
    if need.needs_confirmation:
        if not answer:
            need.reject(reason_of(answer))
            return
        if answer.value is not None:
            tool.tool_args = dict(answer.value)
        need.confirm()
    elif need.needs_user_feedback:
        need.provide_user_feedback(
            {key: value if isinstance(value, list) else [value] for key, value in _values(answer)}
        )
    else:
        need.provide_user_input(dict(_values(answer)))


def _values(answer: Answer) -> list[tuple[str, Any]]:
    return list(answer.value.items()) if isinstance(answer.value, Mapping) else []
