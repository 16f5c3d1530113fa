"""Read instructor's partial models: ``create_partial`` yields the answer so far, a model that fills field by field.

The models are one display, a table that each replaces. A partial model is an object of the user's own class; a required
field without a value tells it from a whole one. In a recording, a partial model has its class's name beside it. Other
models, and those whose fields are all optional, need ``adapter="instructor"``. Source: ``instructor.dsl.partial``.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel

from vibe_notebook.events import Artifact

from ._base import Adapter
from ._fields import fields_of, get, ident, items, json_text, plain, text

__all__ = ["InstructorAdapter", "matches"]

_RECORDED: Final = {"response_model", "partial"}
_DEPTH: Final = 3
"""Levels of a model that have tables of their own; deeper values stand as JSON."""


def matches(native: object) -> bool:
    """Return whether *native* is a model that lacks a required field, or the recorded form of a partial model."""
    if isinstance(native, BaseModel):
        return _is_partial(native)
    return fields_of(native).keys() >= _RECORDED and bool(text(get(native, "response_model")))


def _is_partial(native: BaseModel) -> bool:
    kind = type(native)
    fields = kind.model_fields
    if kind.__name__.startswith("Partial"):  # earlier versions make a class for it
        return bool(fields) and all(field.default is None for field in fields.values())
    return any(
        field.is_required() and not _may_be_none(field.annotation) and vars(native).get(name) is None
        for name, field in fields.items()
    )


def _may_be_none(annotation: Any) -> bool:
    if annotation in (None, Any, object, type(None)):
        return True
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return is_union and any(map(_may_be_none, get_args(annotation)))


class InstructorAdapter(Adapter):
    """Read one structured answer, or several, one after the other."""

    name = "instructor"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._value: Any = None
        self._shown: Any = None
        self._count = 0

    def _read(self, native: object) -> None:
        if isinstance(native, BaseModel):
            name, value = type(native).__name__, plain(native)
        elif fields_of(native).keys() >= _RECORDED:
            name, value = text(get(native, "response_model")), plain(get(native, "partial"))
        else:
            self.emit_unknown(native, ident(get(native, "type")))
            return
        if not _grows(self._value, value):
            self._count += 1
        self._value = self._result = value
        if value != self._shown:
            self._shown = value
            display = {"text/markdown": table(value), "text/plain": json_text(value)}
            self.emit(
                Artifact,
                artifact_id=f"{self.run_id}:answer:{self._count}",
                part_id=f"answer:{self._count}",
                name=name.removeprefix("Partial") or None,
                media_type="application/json",
                display=display,
            )


def _grows(before: Any, now: Any) -> bool:
    """Return whether *now* may be *before* with more in it: a number and a choice may still become another."""
    if isinstance(before, str) and isinstance(now, str):
        return now.startswith(before)
    if isinstance(before, dict) and isinstance(now, dict):
        return all(name in now and _grows(value, now[name]) for name, value in before.items())
    if isinstance(before, list) and isinstance(now, list):
        return len(now) >= len(before) and all(map(_grows, before, now))
    return before is None or now is not None


def table(value: Any, depth: int = _DEPTH) -> str:
    """Return a structured value as Markdown: a table of its fields, and one for each list of objects in it."""
    if not isinstance(value, Mapping):
        return _cell(value)
    lists = {
        name: found
        for name, found in value.items()
        if depth and isinstance(found, list) and found and all(isinstance(one, Mapping) for one in found)
    }
    rows = [f"| {_cell(name)} | {_cell(one)} |" for name, one in value.items() if name not in lists]
    blocks = ["\n".join(["| | |", "| --- | --- |", *rows])] if rows else []
    for name, found in lists.items():
        columns = list(dict.fromkeys(str(column) for one in found for column in one))
        head = [f"| {' | '.join(map(_cell, columns))} |", f"| {' | '.join('---' for _ in columns)} |"]
        body = [f"| {' | '.join(_cell(one.get(column)) for column in columns)} |" for one in items(found)]
        blocks += [f"**{_cell(name)}**", "\n".join([*head, *body])]
    return "\n\n".join(blocks)


def _cell(value: Any) -> str:
    """Return a value as one cell: its text, without what Markdown reads as markup or as another cell."""
    if value is None:
        return ""
    words = value if isinstance(value, str) else json_text(value)
    for char in "\\`*_[]<>|$&#~!":
        words = words.replace(char, "\\" + char)
    return " ".join(words.split())
