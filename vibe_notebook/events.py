"""Define the seventeen event models, their envelope, their union and their JSON form.

First on the path of a delta: adapters, remote streams and ``live()`` make events; all other modules only read
them. Events are frozen. Fields of a newer peer that this version does not know survive a round trip. The model
makes every text and value valid when it makes the event, so no later module meets a value that it cannot send,
save or show. The model also bounds every field: an id beyond 1,000 characters ends in its hash, a longer name is
cut, a time beyond the year 9999 and a count beyond 2**53-1 become ``None``. It refuses an event whose ``seq``,
``sub`` or whole ``id`` needs more than 64 bits.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from ._event_copies import with_id, with_time
from ._event_fields import (
    Amount,
    Count,
    Display,
    Id,
    Json,
    Name,
    Number,
    Offset,
    Outcome,
    PartKind,
    PlanStatus,
    Text,
    Time,
    ToolStatus,
    Whole,
    options_of,
    plan_status,
    steps_of,
)
from ._json_values import bounded_repr
from .exceptions import ProtocolError

__all__ = [
    "EVENT_CLASSES",
    "Artifact",
    "Citation",
    "Custom",
    "Envelope",
    "Event",
    "Id",
    "InputAnswered",
    "InputRequested",
    "Json",
    "MessageFinished",
    "MessageStarted",
    "Name",
    "Number",
    "Option",
    "Outcome",
    "PartCompleted",
    "PartKind",
    "Plan",
    "PlanEntry",
    "PlanStatus",
    "RunFinished",
    "RunStarted",
    "Text",
    "TextDelta",
    "ThinkingDelta",
    "ToolCallDelta",
    "ToolFinished",
    "ToolProgress",
    "ToolStarted",
    "ToolStatus",
    "Usage",
    "first_edition",
    "is_skip",
    "not_valid",
    "parse_event",
    "read_event",
    "skip",
    "to_json",
    "with_id",
    "with_time",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())
    # A newer peer's fields may be hostile too.
    __pydantic_extra__: dict[str, Json] = Field(init=False)


class Usage(_Model):
    """Report the usage of a run or a message: tokens, and ``cost`` in US dollars."""

    input_tokens: Count = None
    output_tokens: Count = None
    cached_input_tokens: Count = None
    reasoning_tokens: Count = None
    cache_write_tokens: Count = None
    cost: Amount = None
    """US dollars."""
    model: Name | None = None
    provider: Name | None = None
    includes_children: bool = False
    """True if the counts of a run include those of its subagents."""


class Envelope(_Model):
    """Hold the fields that every event has: its agent, run and message, and its place in the order."""

    agent_id: Id
    """The agent whose view shows the event; a subagent's events carry the parent's id."""
    run_id: Id
    """One request; a subagent is a run with a parent."""
    message_id: Id | None = None
    """One model call."""
    seq: Whole | None = None
    """The number that the SOURCE gave its native event; ``None``: the event's arrival is its order."""
    sub: Whole = 0
    """The event's place among the events made from one native, which share its ``seq``."""
    counter: Id = ""
    """The name of the counter that ``seq`` belongs to; "" is the run's own."""
    id: Whole | Id | None = None
    """Delivery order and resume point; each registry and each log writes its own."""
    ts: Time = None
    """Seconds since the epoch; for display only, never for order."""
    derived: bool = False
    """True for a second-hand twin of deltas that a better source also sends."""


class RunStarted(Envelope):
    """Start a run: a request to an agent."""

    type: Literal["run_started"] = "run_started"
    agent_name: Name | None = None
    title: Name | None = None
    """The title of the view that showed the run, where it is not the agent's name."""
    parent_run_id: Id | None = None
    parent_tool_call_id: Id | None = None
    input: Json = None


class RunFinished(Envelope):
    """Finish a run: no call of it is left preparing or running.

    ``outcome``: ``cancelled`` includes the user's interrupt; ``interrupted`` is paused for an answer, and can resume.
    """

    type: Literal["run_finished"] = "run_finished"
    outcome: Outcome = "success"
    error: Text | None = None
    code: Name | None = None
    usage: Usage | None = None
    result: Json = None


class MessageStarted(Envelope):
    """Start a message: one model call."""

    type: Literal["message_started"] = "message_started"
    role: Name = "assistant"
    agent_name: Name | None = None


class TextDelta(Envelope):
    """Append text to a text part."""

    type: Literal["text_delta"] = "text_delta"
    part_id: Id = "0"
    delta: Text


class ThinkingDelta(Envelope):
    """Append text to a thinking part."""

    type: Literal["thinking_delta"] = "thinking_delta"
    part_id: Id = "0"
    delta: Text


class PartCompleted(Envelope):
    """Complete a part: ``text`` REPLACES the text that its deltas built."""

    type: Literal["part_completed"] = "part_completed"
    part_id: Id = "0"
    kind: PartKind = "text"
    text: Text


class MessageFinished(Envelope):
    """Finish a message: one model call."""

    type: Literal["message_finished"] = "message_finished"
    finish_reason: Name | None = None
    usage: Usage | None = None


class ToolCallDelta(Envelope):
    """Append to the argument text that the model is writing for a tool call."""

    type: Literal["tool_call_delta"] = "tool_call_delta"
    tool_call_id: Id
    tool_name: Name | None = None
    delta: Text = ""


class ToolStarted(Envelope):
    """Start a tool: ``args`` REPLACES the streamed argument text, ``None`` retains it.

    ``args_text`` is the JSON text of ``args`` where that text has more than the value: a number's digits, an escape, a
    key twice.
    """

    type: Literal["tool_started"] = "tool_started"
    tool_call_id: Id
    tool_name: Name | None = None
    args: Json = None
    args_text: Text | None = None
    display: Display = None


class ToolProgress(Envelope):
    """Report a running tool's progress: ``delta`` appends to its output, ``output`` replaces it."""

    type: Literal["tool_progress"] = "tool_progress"
    tool_call_id: Id
    delta: Text | None = None
    output: Json = None
    progress: Number | None = None
    total: Number | None = None
    message: Text | None = None
    state: Literal["running", "awaiting_approval"] | None = None
    display: Display = None


class ToolFinished(Envelope):
    """Finish a tool call with its result; a later one REPLACES it."""

    type: Literal["tool_finished"] = "tool_finished"
    tool_call_id: Id
    tool_name: Name | None = None
    status: ToolStatus = "ok"
    output: Json = None
    error: Text | None = None
    display: Display = None


class Artifact(Envelope):
    """Show a file, image or document; the same id REPLACES it. ``data`` is base64."""

    type: Literal["artifact"] = "artifact"
    artifact_id: Id
    action: Name = "created"
    name: Name | None = None
    media_type: Name | None = None
    data: Text | None = None
    url: Text | None = None
    tool_call_id: Id | None = None
    part_id: Id | None = None
    display: Display = None


class PlanEntry(_Model):
    """Hold one step of a plan, and its state."""

    text: Text
    status: Annotated[PlanStatus, BeforeValidator(plan_status)] = "pending"
    id: Id | None = None
    priority: Name | None = None


class Plan(Envelope):
    """Show the agent's plan; the same ``plan_id`` of a run REPLACES it in its first place."""

    type: Literal["plan"] = "plan"
    plan_id: Id = "plan"
    entries: Annotated[tuple[PlanEntry, ...], BeforeValidator(steps_of)] = ()
    tool_call_id: Id | None = None
    """The call that wrote the plan."""


class Citation(Envelope):
    """Name a source of a text; the same ``citation_id`` of a message REPLACES it. It may precede its text.

    ``start`` and ``end`` count code points of the part's final text; a place outside of the text, or reversed, makes
    no mark there.
    """

    type: Literal["citation"] = "citation"
    citation_id: Id
    part_id: Id = "0"
    url: Text | None = None
    title: Text | None = None
    quote: Text | None = None
    source: Text | None = None
    """The file or document."""
    start: Offset = None
    end: Offset = None


class Option(_Model):
    """Offer one answer to a request."""

    value: Json = None
    label: Text = ""


class InputRequested(Envelope):
    """Ask the user for an approval or an answer. ``message`` is Markdown, ``answer_schema`` JSON Schema."""

    type: Literal["input_requested"] = "input_requested"
    request_id: Id
    kind: Literal["approval", "question"] = "question"
    tool_call_id: Id | None = None
    message: Text | None = None
    answer_schema: Json = None
    """One object of flat fields, as in MCP's elicitation."""
    options: Annotated[tuple[Option, ...], BeforeValidator(options_of)] = ()
    default: Json = None
    expires_at: Time = None


class InputAnswered(Envelope):
    """Answer a request. An answer that precedes its request answers nothing."""

    type: Literal["input_answered"] = "input_answered"
    request_id: Id
    action: Literal["accept", "decline", "cancel"]
    value: Json = None
    """Of an approval: the changed arguments; ``None`` as asked."""
    reason: Text | None = None
    by: Name | None = None
    request_run_id: Id | None = None
    """The run of the request, if the answer comes in a later run."""


class Custom(Envelope):
    """Carry any other message of a protocol, by name; ``shown``: it is a line for the reader."""

    type: Literal["custom"] = "custom"
    name: Name
    value: Json = None
    tool_call_id: Id | None = None
    shown: bool = False


Event = Annotated[
    RunStarted
    | RunFinished
    | MessageStarted
    | TextDelta
    | ThinkingDelta
    | PartCompleted
    | MessageFinished
    | ToolCallDelta
    | ToolStarted
    | ToolProgress
    | ToolFinished
    | Artifact
    | Plan
    | Citation
    | InputRequested
    | InputAnswered
    | Custom,
    Field(discriminator="type"),
]
"""Any of the seventeen events; ``type`` is the discriminator."""
WRONG_NAME_LIMIT = 100
"""Characters of a wrong name that an error message repeats."""
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)
EVENT_CLASSES: frozenset[type] = frozenset(get_args(get_args(Event)[0]))
_TYPES: frozenset[str] = frozenset(cls.model_fields["type"].default for cls in EVENT_CLASSES)  # type: ignore[attr-defined]
_ENVELOPE: frozenset[str] = frozenset(Envelope.model_fields)
_SECOND_EDITION: Final = frozenset(("plan", "citation", "input_requested", "input_answered"))


def parse_event(obj: Event | dict[str, Any] | str | bytes | bytearray) -> Event:
    """Parse *obj*, an event (returned unchanged), a dict or JSON text, and return the event.

    Raises ``ProtocolError`` that names the wrong field.
    """
    if isinstance(obj, Envelope) and hasattr(obj, "type"):
        return obj
    if isinstance(obj, str | bytes | bytearray):
        obj = _loads(obj)
    if not isinstance(obj, dict):
        msg = f"An event is a JSON object, not {type(obj).__name__}."
        raise ProtocolError(msg)
    try:
        return _ADAPTER.validate_python(obj)
    except ValidationError as error:
        raise not_valid(error, obj.get("type")) from None


def read_event(obj: Event | dict[str, Any] | str | bytes | bytearray) -> Event:
    """Parse an event of a stream, as ``parse_event`` does; an unknown ``type`` becomes ``Custom(name=type, …)``."""
    if isinstance(obj, str | bytes | bytearray):
        obj = _loads(obj)
    if isinstance(obj, dict):
        kind = obj.get("type")
        if isinstance(kind, str) and kind not in _TYPES:
            envelope = {k: v for k, v in obj.items() if k in _ENVELOPE}
            value = {k: v for k, v in obj.items() if k not in _ENVELOPE and k != "type"}
            obj = {**envelope, "type": "custom", "name": kind, "value": value}
        elif kind == "custom":
            obj = _second_edition(obj)
    return parse_event(obj)


_FIRST_EDITION: Final = "vibe:"
"""Begins the name of a ``Custom`` that carries an event through a server of the first edition."""
_EDITION: Final = "edition"
"""A field of that ``Custom``: no adapter gives it to the events that an agent names itself."""
_CARRIED: Final = frozenset(("plan", "citation"))
"""The types that are read from such a ``Custom``. An answer to a request is read in no other form than its own."""


def _second_edition(obj: dict[str, Any]) -> dict[str, Any]:
    """Return the event that a ``Custom`` carries through a server of the first edition, else *obj*."""
    name, value = obj.get("name"), obj.get("value")
    if obj.get(_EDITION) != 2 or not isinstance(name, str) or not isinstance(value, dict):  # noqa: PLR2004
        return obj
    kind = name.removeprefix(_FIRST_EDITION)
    if not name.startswith(_FIRST_EDITION) or kind not in _CARRIED:
        return obj
    envelope = {k: v for k, v in obj.items() if k in _ENVELOPE}
    event = {**value, **envelope, "type": kind}
    try:
        parse_event(event)
    except ProtocolError:
        return obj  # not one of ours: shown as what it is
    return event


def first_edition(event: Event) -> Event:
    """Return *event* as a server of the first edition takes it: a new type as ``Custom(name="vibe:TYPE")``.

    ``read_event`` makes a plan or a citation of it again. A request and its answer stay a ``Custom``: such a server
    carries none.
    """
    if event.type not in _SECOND_EDITION:
        return event
    fields = event.model_dump(mode="json", exclude_defaults=True)
    envelope = {name: fields.pop(name) for name in _ENVELOPE if name in fields}
    fields.pop("type", None)
    name = f"{_FIRST_EDITION}{event.type}"
    return Custom.model_validate({**envelope, "name": name, "value": fields, _EDITION: 2})


def to_json(event: Event) -> str:
    """Return the event's only JSON form: ``type`` first, without fields at their defaults."""
    body = event.model_dump_json(exclude_defaults=True)
    return f'{{"type":"{event.type}",{body[1:]}'


def skip(agent_id: str, run_id: str, seq: int, **envelope: Any) -> Custom:
    """Return the event for a numbered native that shows nothing: it only advances the order."""
    return Custom(agent_id=agent_id, run_id=run_id, seq=seq, name="skip", **envelope)


def is_skip(event: Event) -> bool:
    """Return whether *event* only advances the order."""
    return event.type == "custom" and event.name == "skip" and event.seq is not None


def _loads(text: str | bytes | bytearray) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"This is not JSON ({error}); an event is one JSON object."
        raise ProtocolError(msg) from None


def not_valid(error: ValidationError, kind: Any) -> ProtocolError:
    """Return an error that names the wrong field of a *kind* event and repeats pydantic's message."""
    first = error.errors(include_url=False)[0]
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        known = ", ".join(sorted(_TYPES))
        return ProtocolError(f"type: {_short(kind)} is not an event type; one of {known}.", field="type")
    path = [str(step) for step in first["loc"]]
    if path and path[0] == kind:
        path = path[1:]
    if path[:1] == ["id"]:
        path = path[:1]  # the rest names the type that pydantic tried
    field = ".".join(path) or "type"
    return ProtocolError(f"{kind}.{_short(field)[1:-1]}: {first['msg']}.", field=field)


def _short(value: object) -> str:
    text = bounded_repr(value)
    return text if len(text) <= WRONG_NAME_LIMIT else f"{text[: WRONG_NAME_LIMIT - 1]}…"
