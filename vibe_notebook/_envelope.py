"""What every event is made of: the envelope, usage, and fields that take anything.

Beside ``events.py``, which is the public face. Every text and value is made valid here, when
the event is made, so nothing further down meets what it cannot send, save or show.
"""

from __future__ import annotations

import hashlib
import math
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ._json import scrub, to_json_value
from ._limits import COUNT_LIMIT, ID_LIMIT, INT_LIMIT, NAME_LIMIT, TIME_LIMIT

__all__ = ["Envelope", "Id", "Json", "Name", "Number", "Outcome", "PartKind", "Text", "ToolStatus", "Usage"]

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
