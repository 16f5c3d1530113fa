"""Recognise a plan by its shape: a list of steps, each with its words and its state.

Agents write their plan with a tool of their own (``TodoWrite``, ``update_plan``, ``write_todos``); some protocols have
a message for it. The names differ, the shape does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from vibe_notebook._limits import PLAN_LIMIT

from ._fields import get, ident, items, plain, text

__all__ = [
    "TaskList",
    "entries_of",
    "others_in",
    "patched",
    "plan_in",
    "read_steps",
    "speaks_of_plan",
    "steps_in",
]

_SURE: Final = ("todos", "plan", "steps", "tasks", "todo_list", "todoList")
_LISTS: Final = (*_SURE, "entries", "items")
_WORDS: Final = ("content", "text", "title", "step", "description", "task", "name")
_STATES: Final = ("status", "state")
_DONE: Final = ("done", "completed", "is_done", "checked")
_OTHERS: Final = 5
"""The entries without words that are named."""
_OTHER: Final = 60
"""Characters of such an entry."""
_CHECK: Final = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+\[(.)\]\s+(\S.*)")
"""A line of a checklist in Markdown."""
_CHECKS: Final = {" ": "pending", "x": "completed", "X": "completed", "-": "cancelled"}
"""The states of a checklist's marks; any other mark is a step in work."""
_TASK: Final = re.compile(r"#(\w+)")
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD: Final = re.compile(r"[^a-z]+")
_SPEAKS: Final = frozenset(
    (
        *("plan", "plans", "todo", "todos", "todowrite", "todolist", "checklist", "tasklist", "tasklists"),
        *("updatetasks", "writetasks", "settasks", "managetasks"),
    )
)


def plan_in(tool_name: str, args: object) -> list[dict[str, Any]] | None:
    """Return the steps in the whole arguments of a call; ``None`` unless name and arguments are those of a plan."""
    return steps_in(args, _LISTS) if speaks_of_plan(tool_name) else None


def steps_in(value: object, names: tuple[str, ...] = _SURE) -> list[dict[str, Any]] | None:
    """Return the steps in a value that has a list of steps, or is one; ``None`` for other values."""
    if not isinstance(value, Mapping):
        return entries_of(value)
    lists = (entries_of(get(value, name)) for name in names)
    return next((found for found in lists if found is not None), None)


def entries_of(value: object) -> list[dict[str, Any]] | None:
    """Return the fields of the steps in a list; ``None`` for other lists. An empty list is an empty plan.

    An entry without words is left out, beside steps.
    """
    if isinstance(value, str):
        return _checklist(value)
    if not isinstance(value, list | tuple):
        return None
    worded = [one for one in items(value) if _words_of(one)]
    entries = [_entry(one) for one in worded]
    is_plan = all(entries) and (worded or not value)
    return [entry for entry in entries if entry is not None] if is_plan else None


def read_steps(value: object) -> tuple[list[dict[str, Any]], str]:
    """Return the steps in the list that a protocol says to be a plan, and a sentence that names the other entries.

    A string is a step without a state, and so is an entry that has only words.
    """
    steps: list[dict[str, Any]] = []
    others: list[tuple[int, object]] = []
    for number, one in enumerate(items(value), 1):
        words = text(one) or _words_of(one)
        if words:
            steps.append(_entry(one) or {"text": words})
        else:
            others.append((number, one))
    named = ", ".join(f"{number} ({_beginning(one)})" for number, one in others[:_OTHERS])
    named += ", …" if len(others) > _OTHERS else ""
    return steps, f"Steps of the plan without words: {named}." if others else ""


def others_in(value: object) -> str:
    """Return the sentence that names the entries which ``steps_in`` leaves out of a value's plan."""
    lists = [value] if not isinstance(value, Mapping) else [get(value, name) for name in _SURE]
    found = next((one for one in lists if isinstance(one, list) and entries_of(one) is not None), None)
    return read_steps(found)[1]


def _beginning(value: object) -> str:
    words = json.dumps(plain(value), ensure_ascii=False)
    return words if len(words) <= _OTHER else f"{words[: _OTHER - 1]}…"


def _checklist(words: str) -> list[dict[str, Any]] | None:
    """Return the steps of a checklist in Markdown, which Copilot's agents write; ``None`` for other texts."""
    found = [_CHECK.fullmatch(line) for line in words.splitlines() if line.strip()]
    steps = [{"text": one[2], "status": _CHECKS.get(one[1], "in_progress")} for one in found if one]
    return steps if steps and len(steps) == len(found) else None


class TaskList:
    """Build the plan of an agent that writes each step by a call of its own: Claude's ``TaskCreate``, ``TaskUpdate``."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[str, Any]] = {}
        """The steps by the id of their task; by that of their call, as long as the task's id is not known."""

    def start(self, call_id: str, name: str | None, args: object) -> list[dict[str, Any]] | None:
        """Return the plan that a call has changed; ``None`` for every other call."""
        subject, task = text(get(args, "subject")), ident(get(args, "taskId"))
        if name == "TaskCreate" and subject and len(self._steps) < PLAN_LIMIT:
            self._steps.setdefault(call_id, {"text": subject, "status": "pending"})
        elif name == "TaskUpdate" and task in self._steps:
            changes = {"text": subject, "status": text(get(args, "status"))}
            self._steps[task] |= {field: value for field, value in changes.items() if value}
        else:
            return None
        return self._plan()

    def finish(self, call_id: str, status: str, output: object) -> list[dict[str, Any]] | None:
        """Give the step of a call the id that the call's result tells; return the plan if the call has failed."""
        step = self._steps.get(call_id)
        if step is None:
            return None
        if status != "ok":
            del self._steps[call_id]
            return self._plan()
        found = _TASK.search(output) if isinstance(output, str) else None
        task = ident(get(output, "task", "id")) or (found[1] if found else str(len(self._steps)))
        self._steps = {task if one is step else name: one for name, one in self._steps.items()}
        return None

    def _plan(self) -> list[dict[str, Any]]:
        return [dict(step) for step in self._steps.values()]


def _entry(value: object) -> dict[str, Any] | None:
    words = _words_of(value)
    state = next((found for name in _STATES if (found := _name(get(value, name)))), "")
    done = next((found for name in _DONE if isinstance(found := get(value, name), bool)), None)
    if not words or (not state and done is None):
        return None
    status = state or ("completed" if done else "pending")
    entry = {
        "text": words,
        "status": status,
        "id": ident(get(value, "id")),
        "priority": _name(get(value, "priority")),
    }
    return {name: field for name, field in entry.items() if field}


def _words_of(value: object) -> str:
    return next((found for name in _WORDS if (found := text(get(value, name)))), "")


def _name(value: object) -> str:
    return text(getattr(value, "value", value))


def speaks_of_plan(name: str) -> bool:
    """Return whether a tool's name says that the tool writes a plan, a list of todos or a list of tasks."""
    words = [word for word in _WORD.split(_CAPITAL.sub("_", name).lower()) if word]
    pairs = {"".join(pair) for pair in pairwise(words)}
    return bool(_SPEAKS & {*words, *pairs}) or words == ["tasks"]


def patched(value: Any, patch: object) -> Any:
    """Return *value* changed by a JSON patch; an operation that does not fit changes nothing."""
    value = plain(value)
    for one in items(patch):
        path = [step.replace("~1", "/").replace("~0", "~") for step in text(get(one, "path")).split("/")[1:]]
        if not path:
            value = plain(get(one, "value")) if get(one, "op") in ("add", "replace") else value
            continue
        place = value
        for step in path[:-1]:
            place = _at(place, step)
        _apply(place, path[-1], text(get(one, "op")), plain(get(one, "value")))
    return value


def _at(place: Any, step: str) -> Any:
    if isinstance(place, dict):
        return place.get(step)
    return (
        place[_index(step, len(place))]
        if isinstance(place, list) and _index(step, len(place)) < len(place)
        else None
    )


def _index(step: str, size: int) -> int:
    """Return the index that a step of a path names; *size* for any other step."""
    is_number = step.isascii() and step.isdecimal() and len(step) <= len(str(size))
    return min(int(step), size) if is_number else size


def _apply(place: Any, step: str, operation: str, value: Any) -> None:
    if isinstance(place, dict):
        if operation == "remove":
            place.pop(step, None)
        elif operation in ("add", "replace"):
            place[step] = value
    elif isinstance(place, list):
        index = _index(step, len(place))
        if operation == "add":
            place.insert(index, value)
        elif index < len(place) and operation == "remove":
            del place[index]
        elif index < len(place) and operation == "replace":
            place[index] = value
