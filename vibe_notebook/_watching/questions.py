"""Define what an agent asks: a caller's question, and the request that waits. Below ``requests.py``, which holds them."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from .._json_values import to_json_value
from .._limits import TIME_LIMIT
from ..events import InputRequested, Option

__all__ = ["Question", "Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """Describe what an agent asks; ``tool`` is the name of the call that waits, ``expires_at`` seconds since the epoch."""

    request_id: str
    run_id: str
    agent_id: str
    kind: Literal["approval", "question"] = "question"
    tool: str | None = None
    message: str | None = None
    answer_schema: Any = None
    options: tuple[Option, ...] = ()
    default: Any = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Hold what a caller wants to ask. ``timeout`` is seconds; ``schema`` JSON Schema or a pydantic model."""

    kind: Literal["approval", "question"]
    message: str | None = None
    options: tuple[Any, ...] = ()
    schema: Any = None
    default: Any = None
    timeout: float | None = None
    takes_args: bool = True
    """False for an approval whose SDK cannot run the call with changed arguments."""
    request_id: str | None = None
    is_shown: bool = False
    """True if an adapter has shown the request: only its answer is new."""

    def event(
        self, agent_id: str, run_id: str, tool_call_id: str | None
    ) -> tuple[InputRequested, type[BaseModel] | None]:
        """Return the request, and the model of which its answer is an instance. Raises ``ValueError``."""
        if self.timeout is not None and not self.timeout >= 0:
            msg = f"timeout={self.timeout!r}: give seconds, 0 or more."
            raise ValueError(msg)
        if self.kind == "approval" and self.default not in (None, "decline", "cancel"):
            msg = f"default={self.default!r}: an approval's default is 'decline' or 'cancel', never a yes."
            raise ValueError(msg)
        schema = self.schema
        model = schema if isinstance(schema, type) and issubclass(schema, BaseModel) else None
        event = InputRequested(
            agent_id=agent_id,
            run_id=run_id,
            request_id=self.request_id or uuid.uuid4().hex,
            kind=self.kind,
            tool_call_id=tool_call_id,
            message=self.message,
            answer_schema=to_json_value(model.model_json_schema() if model else schema),
            options=self.options,
            default=to_json_value(self.default),
            expires_at=None if self.timeout is None else min(time.time() + self.timeout, TIME_LIMIT - 1),
        )
        return event, model
