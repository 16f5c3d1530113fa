"""What an agent says: thirteen event models, their union and their one JSON form.

First on the path of a delta: adapters, remote streams and ``live()`` make these, everything
below only reads them. They are frozen; fields of a newer peer that this version does not
know survive a round trip. Every field is bounded when the event is made: an id beyond 1,000 characters ends in its
hash and a name is cut; ``seq``, ``sub`` and a whole ``id`` have 64 bits or the event is refused; a time
beyond the year 9999 and a count beyond 2**53-1 are left out.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from ._json_values import bounded_repr, scrub, to_json_value
from ._limits import COUNT_LIMIT, ID_LIMIT, INT_LIMIT, NAME_LIMIT, TIME_LIMIT
from .exceptions import ProtocolError

__all__ = [
    "EVENT_CLASSES",
    "Artifact",
    "Custom",
    "Envelope",
    "Event",
    "Id",
    "Json",
    "MessageFinished",
    "MessageStarted",
    "Name",
    "Number",
    "Outcome",
    "PartCompleted",
    "PartKind",
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
    "is_skip",
    "not_valid",
    "parse_event",
    "read_event",
    "skip",
    "to_json",
    "with_id",
]


# What every event is made of: the envelope, usage, and fields that take anything.
#
# Beside ``events.py``, which is the public face. Every text and value is made valid here, when
# the event is made, so nothing further down meets what it cannot send, save or show.

Json = Annotated[Any, BeforeValidator(to_json_value)]
"""Any value; what is not JSON becomes a summary when the event is made."""
Text = Annotated[str, AfterValidator(scrub)]
"""Valid Unicode: half a surrogate pair, which no encoder takes, becomes U+FFFD."""


def _id(text: str) -> str:
    if len(text) <= ID_LIMIT:
        return scrub(text)
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return scrub(f"{text[: ID_LIMIT - len(mark) - 1]}…{mark}")


Id = Annotated[str, AfterValidator(_id)]
"""At most 1,000 characters: the end of a longer id becomes its hash, so that equal ids stay equal."""


def _name(text: str) -> str:
    return scrub(text if len(text) <= NAME_LIMIT else f"{text[: NAME_LIMIT - 1]}…")


Name = Annotated[str, AfterValidator(_name)]
"""At most 1,000 characters: a longer name is cut."""


def _float(value: Any) -> Any:
    return None if isinstance(value, int) and value.bit_length() > _FLOAT_BITS else value


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


_FLOAT_BITS: Final = 1_000
"""Bits of a whole number that a float surely takes."""
Number = Annotated[float | None, BeforeValidator(_float), AfterValidator(_finite)]
"""JSON has no NaN and no infinity: they become ``None``, as does what no float can hold."""


def _count(value: Any) -> Any:
    """Leave out a count that no provider bills: it must not cost the event."""
    return None if isinstance(value, int | float) and not 0 <= value <= COUNT_LIMIT else value


Count = Annotated[int | None, BeforeValidator(_count), AfterValidator(_count)]
"""Tokens, from 0 to 2**53-1; what is beyond becomes ``None``."""


def _time(value: float | None) -> float | None:
    return value if value is not None and 0 <= value < TIME_LIMIT else None


Time = Annotated[Number | None, AfterValidator(_time)]
"""Seconds since the epoch, up to the year 9999; what is beyond, or no number, becomes ``None``."""


def _amount(value: float | None) -> float | None:
    return value if value is not None and abs(value) <= COUNT_LIMIT else None


Amount = Annotated[Number | None, AfterValidator(_amount)]
"""A sum of money; what is beyond 2**53-1 becomes ``None``."""
Whole = Annotated[int, Field(ge=-INT_LIMIT, le=INT_LIMIT)]
"""A place in the order: 64 bits, or the event is refused."""
PartKind = Literal["text", "thinking"]
Outcome = Literal["success", "error", "cancelled", "interrupted"]
ToolStatus = Literal["ok", "error", "denied", "cancelled"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())
    # A newer peer's fields are as hostile as any.
    __pydantic_extra__: dict[str, Json] = Field(init=False)


class Usage(_Model):
    """What a run or a message cost. Counts are tokens, ``cost`` is in the provider's currency."""

    input_tokens: Count = None
    output_tokens: Count = None
    cached_input_tokens: Count = None
    reasoning_tokens: Count = None
    cost: Amount = None
    model: Name | None = None


class Envelope(_Model):
    """What every event carries: who says it, where it belongs, and its place in the order."""

    agent_id: Id
    """The view it belongs to; a subagent's events carry its parent's."""
    run_id: Id
    """One request; a subagent is a run with a parent."""
    message_id: Id | None = None
    """One model call."""
    seq: Whole | None = None
    """The number that the SOURCE gave its native event; ``None``: arrival is the order."""
    sub: Whole = 0
    """Tells apart the events made from one native, which share its ``seq``."""
    counter: Id = ""
    """Which count ``seq`` belongs to: "" is the run's own."""
    id: Whole | Id | None = None
    """Delivery order and resume point; each registry and each log writes its own."""
    ts: Time = None
    """Seconds since the epoch; for display only, never for order."""
    derived: bool = False
    """A second-hand twin of deltas that a better source also sends."""


class RunStarted(Envelope):
    """A request to an agent begins."""

    type: Literal["run_started"] = "run_started"
    agent_name: Name | None = None
    parent_run_id: Id | None = None
    parent_tool_call_id: Id | None = None
    input: Json = None


class RunFinished(Envelope):
    """A request ends; nothing of it is left preparing or running.

    ``cancelled`` covers the user's interrupt; ``interrupted`` is paused for an answer, resumable.
    """

    type: Literal["run_finished"] = "run_finished"
    outcome: Outcome = "success"
    error: Text | None = None
    code: Name | None = None
    usage: Usage | None = None
    result: Json = None


class MessageStarted(Envelope):
    """One model call begins."""

    type: Literal["message_started"] = "message_started"
    role: Name = "assistant"
    agent_name: Name | None = None


class TextDelta(Envelope):
    """More text of a part."""

    type: Literal["text_delta"] = "text_delta"
    part_id: Id = "0"
    delta: Text


class ThinkingDelta(Envelope):
    """More thinking of a part."""

    type: Literal["thinking_delta"] = "thinking_delta"
    part_id: Id = "0"
    delta: Text


class PartCompleted(Envelope):
    """The whole text of a part: REPLACES what its deltas built."""

    type: Literal["part_completed"] = "part_completed"
    part_id: Id = "0"
    kind: PartKind = "text"
    text: Text


class MessageFinished(Envelope):
    """One model call ends."""

    type: Literal["message_finished"] = "message_finished"
    finish_reason: Name | None = None
    usage: Usage | None = None


class ToolCallDelta(Envelope):
    """More of the argument text that the model is writing for a tool call."""

    type: Literal["tool_call_delta"] = "tool_call_delta"
    tool_call_id: Id
    tool_name: Name | None = None
    delta: Text = ""


class ToolStarted(Envelope):
    """A tool runs. ``args`` REPLACES the streamed argument text; ``None`` keeps it."""

    type: Literal["tool_started"] = "tool_started"
    tool_call_id: Id
    tool_name: Name | None = None
    args: Json = None


class ToolProgress(Envelope):
    """A running tool says something: ``delta`` appends to its output, ``output`` replaces it."""

    type: Literal["tool_progress"] = "tool_progress"
    tool_call_id: Id
    delta: Text | None = None
    output: Json = None
    progress: Number | None = None
    total: Number | None = None
    message: Text | None = None
    state: Literal["running", "awaiting_approval"] | None = None


class ToolFinished(Envelope):
    """A tool's result; a later one REPLACES it."""

    type: Literal["tool_finished"] = "tool_finished"
    tool_call_id: Id
    tool_name: Name | None = None
    status: ToolStatus = "ok"
    output: Json = None
    error: Text | None = None


class Artifact(Envelope):
    """A file, image or document; the same id REPLACES. ``data`` is base64."""

    type: Literal["artifact"] = "artifact"
    artifact_id: Id
    action: Name = "created"
    name: Name | None = None
    media_type: Name | None = None
    data: Text | None = None
    url: Text | None = None
    tool_call_id: Id | None = None
    part_id: Id | None = None


class Custom(Envelope):
    """Anything else a protocol says, by name."""

    type: Literal["custom"] = "custom"
    name: Name
    value: Json = None
    tool_call_id: Id | None = None


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
    | Custom,
    Field(discriminator="type"),
]
"""Any of the thirteen, told apart by ``type``."""
WRONG_NAME_LIMIT = 100
"""Characters of a wrong name that an error message repeats."""
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)
EVENT_CLASSES: frozenset[type] = frozenset(get_args(get_args(Event)[0]))
_TYPES: frozenset[str] = frozenset(cls.model_fields["type"].default for cls in EVENT_CLASSES)  # type: ignore[attr-defined]
_ENVELOPE: frozenset[str] = frozenset(Envelope.model_fields)


def parse_event(obj: Event | dict[str, Any] | str | bytes | bytearray) -> Event:
    """Make an event of *obj*: an event (returned as it is), a dict, or JSON text.

    Raises ``ProtocolError`` that names the field that is wrong.
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
    """Like ``parse_event``, for streams: an unknown ``type`` becomes ``Custom(name=type, …)``."""
    if isinstance(obj, str | bytes | bytearray):
        obj = _loads(obj)
    if isinstance(obj, dict):
        kind = obj.get("type")
        if isinstance(kind, str) and kind not in _TYPES:
            envelope = {k: v for k, v in obj.items() if k in _ENVELOPE}
            value = {k: v for k, v in obj.items() if k not in _ENVELOPE and k != "type"}
            obj = {**envelope, "type": "custom", "name": kind, "value": value}
    return parse_event(obj)


def to_json(event: Event) -> str:
    """The one JSON form: ``type`` first, fields at their defaults left out."""
    body = event.model_dump_json(exclude_defaults=True)
    return f'{{"type":"{event.type}",{body[1:]}'


def with_id(event: Event, id: int | str) -> Event:  # noqa: A002 - the field's name
    """Copy *event* with a registry's or a log's own ``id``.

    Pydantic's ``model_copy`` costs more than making the event (2.0 µs); this is a third of it.
    """
    copy = event.__class__.__new__(event.__class__)
    state = event.__dict__.copy()
    state["id"] = id
    put = object.__setattr__
    put(copy, "__dict__", state)
    put(copy, "__pydantic_fields_set__", {*event.__pydantic_fields_set__, "id"})
    put(copy, "__pydantic_extra__", event.__pydantic_extra__)
    put(copy, "__pydantic_private__", None)
    return copy


def skip(agent_id: str, run_id: str, seq: int, **envelope: Any) -> Custom:
    """Stand for a numbered native that shows nothing: it advances the order, no more."""
    return Custom(agent_id=agent_id, run_id=run_id, seq=seq, name="skip", **envelope)


def is_skip(event: Event) -> bool:
    """Whether *event* only advances the order."""
    return event.type == "custom" and event.name == "skip" and event.seq is not None


def _loads(text: str | bytes | bytearray) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"This is not JSON ({error}); an event is one JSON object."
        raise ProtocolError(msg) from None


def not_valid(error: ValidationError, kind: Any) -> ProtocolError:
    """Say what pydantic says of an event of that *kind*, and name the field."""
    first = error.errors(include_url=False)[0]
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        known = ", ".join(sorted(_TYPES))
        return ProtocolError(f"type: {_short(kind)} is not an event type; one of {known}.", field="type")
    path = [str(step) for step in first["loc"]]
    if path and path[0] == kind:
        path = path[1:]
    if path[:1] == ["id"]:
        path = path[:1]  # what follows names which of its types was tried
    field = ".".join(path) or "type"
    return ProtocolError(f"{kind}.{_short(field)[1:-1]}: {first['msg']}.", field=field)


def _short(value: object) -> str:
    text = bounded_repr(value)
    return text if len(text) <= WRONG_NAME_LIMIT else f"{text[: NAME_LIMIT - 1]}…"
