"""Define the types of the events' fields: each makes its value valid and bounded when the event is made.

Below ``events.py``, which alone uses most of them.
"""

from __future__ import annotations

import hashlib
import math
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from ._bundles import clean_bundle
from ._json_values import scrub, to_json_value
from ._limits import COUNT_LIMIT, ID_LIMIT, INT_LIMIT, NAME_LIMIT, OPTIONS_LIMIT, PLAN_LIMIT, TIME_LIMIT

__all__ = [
    "Amount",
    "Count",
    "Display",
    "Id",
    "Json",
    "Name",
    "Number",
    "Offset",
    "Outcome",
    "PartKind",
    "PlanStatus",
    "Text",
    "Time",
    "ToolStatus",
    "Whole",
    "options_of",
    "plan_status",
    "steps_of",
]


Json = Annotated[Any, BeforeValidator(to_json_value)]
"""Any value; a value that is not JSON becomes a summary when the event is made."""
Text = Annotated[str, AfterValidator(scrub)]
"""Valid Unicode: half a surrogate pair, which no encoder accepts, becomes U+FFFD."""


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
"""Bits of a whole number that any float can hold."""
Number = Annotated[float | None, BeforeValidator(_float), AfterValidator(_finite)]
"""A finite number; NaN, infinity (JSON has neither) and numbers beyond a float become ``None``."""


def _count(value: Any) -> Any:
    """Return ``None`` for a count that no provider bills: a wrong count must not cost the event."""
    return None if isinstance(value, int | float) and not 0 <= value <= COUNT_LIMIT else value


Count = Annotated[int | None, BeforeValidator(_count), AfterValidator(_count)]
"""Tokens, from 0 to 2**53-1; a number beyond becomes ``None``."""


def _time(value: float | None) -> float | None:
    return value if value is not None and 0 <= value < TIME_LIMIT else None


Time = Annotated[Number | None, AfterValidator(_time)]
"""Seconds since the epoch, up to the year 9999; a value beyond, or no number, becomes ``None``."""


def _amount(value: float | None) -> float | None:
    return value if value is not None and abs(value) <= COUNT_LIMIT else None


Amount = Annotated[Number | None, AfterValidator(_amount)]
"""A sum of money; a sum beyond 2**53-1 becomes ``None``."""
Whole = Annotated[int, Field(ge=-INT_LIMIT, le=INT_LIMIT)]
"""A place in the order; the model refuses one beyond 64 bits."""


def _offset(value: Any) -> Any:
    return value if isinstance(value, int) and 0 <= value <= COUNT_LIMIT else None


Offset = Annotated[int | None, BeforeValidator(_offset)]
"""A place in a text, in code points; anything else than a count becomes ``None``."""
Display = Annotated[dict[str, Any] | None, BeforeValidator(clean_bundle)]
"""A bundle ``{mime type: value}`` as Jupyter's outputs have it, binary as base64; ``None`` retains the one before.

Unknown types go, and what is beyond ``display_limit``; no bundle refuses its event."""
PlanStatus = Literal["pending", "in_progress", "completed", "cancelled"]


def plan_status(value: Any) -> Any:
    """Return the status that *value* means: an unknown one is a step that is not done."""
    name = value.strip().lower().replace("-", "_").replace(" ", "_") if isinstance(value, str) else ""
    return _PLAN_WORDS.get(name, "pending")


_PLAN_WORDS: Final[dict[str, PlanStatus]] = {
    "active": "in_progress",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "complete": "completed",
    "completed": "completed",
    "deleted": "cancelled",
    "done": "completed",
    "in_progress": "in_progress",
    "pending": "pending",
    "running": "in_progress",
    "skipped": "cancelled",
}
PartKind = Literal["text", "thinking", "args"]
"""``args``: the argument text of the tool call whose id is the event's ``part_id``."""
Outcome = Literal["success", "error", "cancelled", "interrupted"]
ToolStatus = Literal["ok", "error", "denied", "cancelled"]


def steps_of(value: Any) -> Any:
    """Return at most 500 steps; the last one counts the others. A string is a step without a state."""
    if not isinstance(value, list | tuple):
        return value
    steps = [_step_of(step) for step in value[:PLAN_LIMIT]]
    if len(value) > PLAN_LIMIT:
        steps[-1] = {"text": f"… {len(value) - PLAN_LIMIT + 1:,} more steps"}
    return steps


def _step_of(step: Any) -> Any:
    """Return a step with its words under ``text``, whichever of the usual names they have."""
    if isinstance(step, str):
        return {"text": step}
    if not isinstance(step, dict) or "text" in step:
        return step
    words = next((step[name] for name in _STEP_WORDS if isinstance(step.get(name), str)), None)
    return step if words is None else {**step, "text": words}


_STEP_WORDS: Final = ("content", "step", "title", "description", "task", "name")


def options_of(value: Any) -> Any:
    """Return at most 100 options; a plain value is its own label."""
    if not isinstance(value, list | tuple):
        return value
    return [
        {"value": one, "label": str(one)} if isinstance(one, str | int | float) else one
        for one in value[:OPTIONS_LIMIT]
    ]
