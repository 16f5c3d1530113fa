"""Read browser-use: the steps of an agent, as its callbacks and its history give them.

A step is the model's output and the browser's state before it. The results of a step's actions come once more with the
step, from the agent when the step ends or from the history at the end. The newest screenshot replaces the one before.
Source: ``browser_use.agent.views``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import Artifact, MessageFinished, Plan, ToolStarted

from ._base import Adapter
from ._fields import fields_of, get, ident, integer, items, plain, text
from ._files import as_base64
from ._result_blocks import read_result

__all__ = ["BrowserUseAdapter", "matches"]

_FIELDS: Final = {"model_output", "state"}
_OUTPUT: Final = ("next_goal", "memory", "evaluation_previous_goal", "thinking")


def matches(native: object) -> bool:
    """Return whether *native* is a step of a history, or the step that a handler got."""
    if not fields_of(native).keys() >= _FIELDS or get(native, "state", "url") is None:
        return False
    output = get(native, "model_output")
    is_step = isinstance(get(output, "action"), list) and fields_of(output).keys() >= {"next_goal"}
    return is_step or (output is None and isinstance(get(native, "result"), list))


class BrowserUseAdapter(Adapter):
    """Read one run of an agent."""

    name = "browser_use"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._shown: dict[int, list[tuple[str, str]]] = {}
        """The id and the name of each action, by the number of its step."""
        self._answered: set[str] = set()

    def _read(self, native: object) -> None:
        if not matches(native):
            self.emit_unknown(native, ident(get(native, "type")))
            return
        number = integer(get(native, "step_number"))
        number = integer(get(native, "metadata", "step_number")) if number is None else number
        number = len(self._shown) + 1 if number is None else number
        if number not in self._shown:
            self._step(number, get(native, "model_output"), get(native, "state"))
        for i, result in enumerate(items(get(native, "result"))):
            self._answer(number, i, result)

    def _step(self, number: int, output: object, state: object) -> None:
        message = f"{self.run_id}:{number}"
        self.begin_message(message)
        thoughts = (text(get(output, name)) for name in ("thinking", "evaluation_previous_goal", "memory"))
        self.emit_text("thinking", "0", "\n\n".join(filter(None, thoughts)))
        self.emit_text("text", "0", text(get(output, "next_goal")))
        calls = self._shown[number] = []
        for i, action in enumerate(items(get(output, "action"))):
            name, args = _action(action)
            calls.append((f"{message}:{i}", name))
            self.emit(ToolStarted, tool_call_id=f"{message}:{i}", tool_name=name or None, args=args)
        self._plan(output)
        self.emit(MessageFinished)
        self.streamed.forget(message)
        shot = get(state, "screenshot")
        data = as_base64(shot) if isinstance(shot, str) and shot else None
        if data:
            title = text(get(state, "title")) or text(get(state, "url")) or None
            place = {"artifact_id": f"{self.run_id}:screenshot", "part_id": "screenshot"}
            self._envelope = {}
            self.emit(Artifact, **place, name=title, media_type="image/png", data=data)

    def _plan(self, output: object) -> None:
        steps = [words for one in items(get(output, "plan_update")) if (words := text(one))]
        now = integer(get(output, "current_plan_item")) or 0
        if steps:
            states = ("completed", "in_progress", "pending")
            entries = [
                {"content": words, "status": states[(i >= now) + (i > now)]} for i, words in enumerate(steps)
            ]
            self.emit(Plan, entries=entries)

    def _answer(self, number: int, index: int, result: object) -> None:
        calls = self._shown.get(number, [])
        call_id, name = calls[index] if index < len(calls) else (f"{self.run_id}:{number}:{index}", "")
        if call_id in self._answered:
            return
        self._answered.add(call_id)
        self._envelope = {}
        error, found = text(get(result, "error")), text(get(result, "extracted_content"))
        words = found or text(get(result, "long_term_memory"))
        fields: dict[str, Any] = {"tool_call_id": call_id, "tool_name": name or None}
        if error:
            fields |= {"status": "error", "error": error}
        self.emit_result(read_result(words or error or None), **fields)
        if get(result, "is_done") is True:
            self._result = words or None
            if get(result, "success") is False:
                self.end("error", words or "The agent did not reach its goal.")


def _action(action: object) -> tuple[str, Any]:
    """Return the name and the arguments of an action, a model with one field that is set."""
    for name, value in fields_of(get(action, "root") or action).items():
        if value is not None:
            return name, plain(value)
    return "", None
