"""What every event is made of: the envelope, usage, and fields that take anything.

Beside ``events.py``, which is the public face. Every text and value is made valid here, when
the event is made, so nothing further down meets what it cannot send, save or show.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ._json import scrub, to_json_value

__all__ = ["Envelope", "Json", "Number", "Outcome", "PartKind", "Text", "ToolStatus", "Usage"]

Json = Annotated[Any, BeforeValidator(to_json_value)]
"""Any value; what is not JSON becomes a summary when the event is made."""

Text = Annotated[str, AfterValidator(scrub)]
"""Valid Unicode: half a surrogate pair, which no encoder takes, becomes U+FFFD."""


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


Number = Annotated[float, AfterValidator(_finite)]
"""JSON has no NaN and no infinity: they become ``None``."""

PartKind = Literal["text", "thinking"]
Outcome = Literal["success", "error", "cancelled", "interrupted"]
ToolStatus = Literal["ok", "error", "denied", "cancelled"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())
    # A newer peer's fields are as hostile as any.
    __pydantic_extra__: dict[str, Json] = Field(init=False)


class Usage(_Model):
    """What a run or a message cost. Counts are tokens, ``cost`` is in the provider's currency."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: Number | None = None
    model: Text | None = None


class Envelope(_Model):
    """What every event carries: who says it, where it belongs, and its place in the order."""

    agent_id: Text
    """The view it belongs to; a subagent's events carry its parent's."""
    run_id: Text
    """One request; a subagent is a run with a parent."""
    message_id: Text | None = None
    """One model call."""
    seq: int | None = None
    """The number that the SOURCE gave its native event; ``None``: arrival is the order."""
    sub: int = 0
    """Tells apart the events made from one native, which share its ``seq``."""
    counter: Text = ""
    """Which count ``seq`` belongs to: "" is the run's own."""
    id: int | Text | None = None
    """Delivery order and resume point; each registry and each log writes its own."""
    ts: Number | None = None
    """Seconds since the epoch; for display only, never for order."""
    derived: bool = False
    """A second-hand twin of deltas that a better source also sends."""
