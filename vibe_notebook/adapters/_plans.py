"""Recognise a plan by its shape: a list of steps, each with its words and its state.

Agents write their plan with a tool of their own (``TodoWrite``, ``update_plan``, ``write_todos``); some protocols have
a message for it. The names differ, the shape does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from ._fields import get, ident, items, plain, text

__all__ = ["entries_of", "patched", "plan_in", "speaks_of_plan", "steps_in"]

_SURE: Final = ("todos", "plan", "steps", "tasks", "todo_list", "todoList")
_LISTS: Final = (*_SURE, "entries", "items")
_WORDS: Final = ("content", "text", "title", "step", "description", "task", "name")
_STATES: Final = ("status", "state")
_DONE: Final = ("done", "completed", "is_done", "checked")
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
    """Return the fields of the steps in a list; ``None`` for other lists. An empty list is an empty plan."""
    if not isinstance(value, list | tuple):
        return None
    entries = [_entry(one) for one in items(value)]
    return [entry for entry in entries if entry is not None] if all(entries) else None


def _entry(value: object) -> dict[str, Any] | None:
    words = next((found for name in _WORDS if (found := text(get(value, name)))), "")
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
