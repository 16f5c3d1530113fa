"""Put a hostile text into every field that a stranger controls, of every event: the fields come from the models."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final, get_args

from pydantic.fields import FieldInfo

from vibe_notebook import events as ev

__all__ = ["CLASSES", "FIELDS", "PROSE", "fields_of", "filled", "story", "stranger_fields"]

CLASSES: Final[list[type[Any]]] = sorted(ev.EVENT_CLASSES, key=lambda cls: cls.__name__)
PROSE: Final = frozenset(("delta", "text", "error", "message", "data"))
"""Fields of several lines: all others of a stranger's texts are names, addresses and ids, of one line."""


LISTED: Final[tuple[type[Any], ...]] = (ev.PlanEntry, ev.Option)
"""The models of which an event holds a list."""


def _listed(cls: type[Any], name: str) -> type[Any]:
    """Return the model of which the field *name* holds a list."""
    return next(each for each in LISTED if each.__name__ in str(cls.model_fields[name].annotation))


def _kind(field: FieldInfo) -> str | None:
    """Return the kind of a field that can hold a stranger's text; ``None`` for numbers and fixed words."""
    found: set[Any] = set()
    remaining: list[Any] = [field.annotation]
    while remaining:
        each = remaining.pop()
        arguments = get_args(each)
        if arguments and not isinstance(arguments[0], str):  # the words of a Literal are no types
            remaining += arguments
        elif not arguments:
            found.add(each)
    if Any in found:
        return "value"
    if ev.Usage in found:
        return "usage"
    if found & set(LISTED):
        return "list"
    return "text" if str in found else None


def stranger_fields(cls: type[Any]) -> dict[str, str]:
    """Return the fields of an event class that can hold a stranger's text, each with its kind."""
    kinds = {name: _kind(field) for name, field in cls.model_fields.items()}
    return {name: kind for name, kind in kinds.items() if kind} | {"a_new_field": "other"}


def _names() -> Iterator[tuple[str, str]]:
    for cls in CLASSES:
        for name, kind in stranger_fields(cls).items():
            if kind == "usage":
                texts = [each for each, kind in stranger_fields(ev.Usage).items() if kind != "other"]
                yield from ((cls.__name__, f"{name}.{each}") for each in [*texts, "a_new_field"])
            elif kind == "list":
                each_cls = _listed(cls, name)
                texts = [each for each, kind in stranger_fields(each_cls).items() if kind == "text"]
                yield from ((cls.__name__, f"{name}.{each}") for each in texts)
            elif kind == "value":
                # A display has known types as its keys: it drops all others.
                places = ("value",) if name == "display" else ("key", "value")
                yield from ((cls.__name__, f"{name} ({place})") for place in places)
            elif kind == "other":
                yield from ((cls.__name__, f"a new field's {place}") for place in ("name", "value"))
            else:
                yield cls.__name__, name


FIELDS: Final[tuple[tuple[str, str], ...]] = tuple(_names())
"""Every field of every event class that holds a payload in a story."""


def filled(cls: type[Any], text: str, prose: str | None = None, **chosen: Any) -> Any:
    """Make an event with *text* in every field of a stranger but those of *chosen*; *prose* in those of prose."""
    values: dict[str, Any] = {}
    prose = text if prose is None else prose
    for name, kind in stranger_fields(cls).items():
        match kind:
            case "text":
                values[name] = prose if name in PROSE else text
            case "value":
                values[name] = {prose: [prose, {prose: prose}]}
            case "list":
                values[name] = [filled(_listed(cls, name), text)]
            case "usage":
                values[name] = filled(ev.Usage, text, input_tokens=1)
            case _:
                # Beside a new name the stranger's own: no model has a name of half a surrogate pair.
                is_new = text not in cls.model_fields and text.isascii()
                values |= dict.fromkeys([text] if is_new else [], text) | {"a_new_field": text}
    # model_validate, not keywords: the text may be "self".
    return cls.model_validate(values | chosen)


def fields_of(event: Any, text: str) -> set[tuple[str, str]]:
    """Return the fields of an event that hold *text*, by the names of ``FIELDS``."""
    name = type(event).__name__
    found: set[tuple[str, str]] = set()
    for field, value in {**dict(event), **(event.__pydantic_extra__ or {})}.items():
        is_new = field not in type(event).model_fields
        if isinstance(value, ev.Usage):
            found |= {(name, f"{field}.{each}") for each, word in value if text == word}
            found |= {(name, f"{field}.a_new_field")} & {
                (name, f"{field}.{each}") for each in value.model_extra or {}
            }
        elif isinstance(value, tuple):
            found |= {(name, f"{field}.{each}") for one in value for each, word in one if text == word}
        elif is_new:
            found |= {(name, "a new field's name")} if field == text else set()
            found |= {(name, "a new field's value")} if value == text else set()
        elif isinstance(value, dict):
            found |= {(name, f"{field} (key)")} if text in value else set()
            found |= (
                {(name, f"{field} (value)")}
                if text in str(list(value.values())) or value.get(text)
                else set()
            )
        elif value == text:
            found.add((name, field))
    return found


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def story(text: str, prose: str | None = None) -> list[ev.Event]:
    """Return a run with *text* in every field of every event, in parts of every kind and state.

    With *prose*, *text* is only in the names, and *prose* in the texts of several lines.
    """

    def make(cls: type[Any], **chosen: Any) -> ev.Event:
        made: ev.Event = filled(cls, text, prose, ts=1.0, **chosen)
        return made

    main: dict[str, Any] = {"parent_run_id": None, "parent_tool_call_id": None}
    one, two, three, four = (f"{text}{number}" for number in range(1, 5))
    return [
        make(ev.RunStarted, **main),
        make(ev.MessageStarted),
        make(ev.TextDelta),
        make(ev.ThinkingDelta),
        make(ev.PartCompleted, kind="text", part_id=one),
        make(ev.PartCompleted, kind="thinking", part_id=one),
        make(ev.ToolCallDelta),
        make(ev.PartCompleted, kind="args"),
        make(ev.ToolStarted),
        make(ev.ToolProgress, progress=1, total=3),
        make(ev.ToolProgress, tool_call_id=one, output=text if prose is None else prose),
        make(ev.ToolCallDelta, tool_call_id=two),
        make(ev.ToolStarted, tool_call_id=two, args=None),
        make(ev.ToolProgress, tool_call_id=two, output=None, progress=None, total=None),
        make(ev.ToolProgress, tool_call_id=three, output=None, state="awaiting_approval"),
        make(ev.ToolFinished, status="error"),
        make(ev.ToolFinished, tool_call_id=two, error=None),
        make(
            ev.ToolFinished,
            tool_call_id=four,
            error=None,
            output={"columns": [text, {text: text}], "rows": [[text, [text]]], "total": 9},
        ),
        make(ev.Artifact),
        make(ev.Artifact, artifact_id=one, media_type="image/svg+xml", data=_encoded(text), url=None),
        make(ev.Artifact, artifact_id=two, media_type="image/png", url=f"https://a.example/{text}"),
        make(ev.Artifact, artifact_id=three, tool_call_id=None, part_id=None),
        make(ev.Custom),
        make(ev.RunStarted, run_id=one, parent_run_id=text, parent_tool_call_id=text),
        make(ev.TextDelta, run_id=one, part_id=three),
        make(ev.RunFinished, run_id=one, outcome="error"),
        make(ev.RunStarted, run_id=two, parent_run_id=text, parent_tool_call_id=None),
        make(ev.TextDelta, run_id=two, part_id=four),
        make(ev.RunStarted, run_id=three),  # of a call and a run that nobody knows
        make(ev.RunFinished, run_id=two, outcome="error"),
        make(ev.Plan, tool_call_id=None),
        make(ev.Plan, plan_id=one, tool_call_id=one),
        make(ev.Plan, plan_id=two),
        make(ev.Citation),
        make(ev.Citation, citation_id=one, end=1, url=f"https://a.example/{text}"),
        make(ev.Citation, citation_id=two, part_id=two),
        make(ev.InputRequested),
        make(ev.InputAnswered, action="accept"),
        make(ev.InputRequested, request_id=one, tool_call_id=None),
        make(ev.InputAnswered, request_id=one, request_run_id=None, action="decline"),
        make(ev.InputRequested, request_id=two, tool_call_id=three),
        make(ev.Custom, shown=True),
        make(ev.MessageStarted, message_id=one, role="user"),
        make(ev.TextDelta, message_id=one),
        make(ev.MessageStarted, message_id=two, role="system"),
        make(ev.TextDelta, message_id=two),
        make(ev.MessageFinished),
        make(ev.RunFinished, outcome="error"),
    ]
