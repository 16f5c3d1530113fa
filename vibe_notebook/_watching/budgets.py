"""Hold a run within a budget: ``watch(stream, budget=vibe.Budget(usd=0.5, seconds=300))``.

Above the meter, which counts; beside the pipeline, which passes it the events. Over a limit the stream is cancelled, or
the user is asked for as much again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final, Protocol

from .._prices import has_table
from ..events import Event
from ..exceptions import MissingExtraError, NotSupportedError
from ..parts import Answer
from .meter import Meter
from .questions import Question
from .requests import Desk, Pending

__all__ = ["Budget", "Spending", "open_question"]

_LIMITS: Final = ("usd", "tokens", "seconds", "tool_calls")
_LONGEST: Final = threading.TIMEOUT_MAX / 2


@dataclass(frozen=True)
class Budget:
    """Limit what a watched run may use; ``None`` is no limit.

    *usd* is dollars, by the SDK's own cost or the list price of the model (extra ``prices``); *tokens* counts those in
    and out; *seconds* stands still while a request waits for an answer; *tool_calls* counts calls that begin. Subagents
    count too. Over a limit the run is cancelled with the code ``budget``; with *ask* the user may give as much again.
    Raises ``ValueError`` for a limit that is no number of 0 or more, and for a budget without one.
    """

    usd: float | None = None
    tokens: int | None = None
    seconds: float | None = None
    tool_calls: int | None = None
    ask: bool = False

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in _LIMITS):
            msg = f"This budget has no limit: give {', '.join(_LIMITS)}."
            raise ValueError(msg)
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name not in _LIMITS or value is None:
                continue
            kinds = int if one.name in ("tokens", "tool_calls") else int | float
            if isinstance(value, bool) or not isinstance(value, kinds) or not value >= 0:
                msg = f"{one.name}={value!r}: give a {'whole ' if kinds is int else ''}number of 0 or more."
                raise ValueError(msg)


class Stream(Protocol):
    """Describe the stream that a budget ends: a pipeline."""

    desk: Desk
    on_stop: Callable[[], object] | None

    def report(self, text: str) -> None:
        """Show a line."""


class Spending:
    """Compare what a *stream* uses with its budget. Any thread may call this."""

    def __init__(self, budget: Budget, meter: Meter, stream: Stream) -> None:
        if budget.usd is not None and not has_table():
            raise MissingExtraError("A budget in dollars", "prices")
        self._budget = budget
        self._meter = meter
        self._stream = stream
        self._limits: dict[str, float] = {
            name: value for name in _LIMITS if (value := getattr(budget, name)) is not None
        }
        self._lock = threading.Lock()
        self._begun: float | None = None
        self._timer: threading.Timer | None = None
        self._waited = 0.0
        self._waiting_since: float | None = None
        self._is_over = False
        self._is_asking = False
        self._has_said = False
        self._words: str | None = None
        self.question: Pending | None = None
        """The newest request to go on: the next step of the source waits for it."""

    def check_source(self, adapter: str, *, tells_usage: bool) -> None:
        """Raise ``NotSupportedError`` if the dollars of this source are known at its end only."""
        if tells_usage or self._is_over:
            return
        if self._budget.usd is not None:
            msg = (
                f"budget: usd={self._budget.usd:g} cannot be held: a stream of {adapter} tells its usage at its end, "
                "if at all. Use tokens=, seconds= or tool_calls=."
            )
            raise NotSupportedError(msg)
        self._meter.is_estimating = self._budget.tokens is not None

    def begin(self) -> None:
        """Start the clock; a budget of nothing ends the stream before its first step."""
        self._begun = time.monotonic()
        empty = [name for name in ("usd", "tokens", "seconds") if self._limits.get(name) == 0]
        if empty:
            self._end(f"The budget of {_words(empty[0], 0)} allows no step.")
        else:
            self._wind()

    def end(self) -> None:
        """Stop the clock."""
        with self._lock:
            self._is_over = True
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def check(self) -> None:
        """Compare the meter with the limits, after it has changed."""
        self._count_waiting()
        if "usd" in self._limits and not self._has_said and (model := self._meter.cost.unpriced):
            self._has_said = True
            self._stream.report(
                f"The budget of {_words('usd', self._limits['usd'])} does not count {model}: no price is known for it."
            )
        for name in ("usd", "tokens", "tool_calls"):
            if name in self._limits and self._spent(name) > self._limits[name]:
                self._go_over(name)
                return

    def _spent(self, name: str) -> float:
        if name == "usd":
            return self._meter.cost.usd or 0
        if name == "seconds":
            return self._limits["seconds"] - self._left()
        return self._meter.tokens if name == "tokens" else self._meter.tool_calls

    def _count_waiting(self) -> None:
        """Stop the clock while a request waits."""
        now, was_waiting = time.monotonic(), False
        with self._lock:
            if self._meter.requests:
                self._waiting_since = self._waiting_since or now
            elif self._waiting_since is not None:
                was_waiting = True
                self._waited += now - self._waiting_since
                self._waiting_since = None
        if was_waiting:
            self._wind()

    def _left(self) -> float:
        """Return the seconds that are left."""
        now = time.monotonic()
        waited = self._waited + (now - self._waiting_since if self._waiting_since is not None else 0)
        return self._limits["seconds"] - (now - (self._begun or now) - waited)

    def _wind(self) -> None:
        """Set the timer to the time that is left."""
        if "seconds" not in self._limits:
            return
        with self._lock:
            if self._is_over:
                return
            if self._timer is not None:
                self._timer.cancel()
            timer = threading.Timer(min(max(self._left(), 0), _LONGEST), self._ring)
            timer.daemon = True
            self._timer = timer
        timer.start()

    def _ring(self) -> None:
        with self._lock:
            if self._is_over or self._waiting_since is not None:
                return  # the answer winds it again
            is_early = self._left() > 0
        if is_early:
            self._wind()
        else:
            self._go_over("seconds")

    def _go_over(self, name: str) -> None:
        with self._lock:
            if self._is_over or self._is_asking:
                return
            run = self._meter.run if self._budget.ask else None
            self._is_asking, self._is_over = run is not None, run is None
        words = f"The budget of {_words(name, self._limits[name])} is used up{self._used(name)}."
        if run is None:
            self._end(words)
            return

        def answered(answer: Answer) -> None:
            self._is_asking = False
            if not answer:
                self._end(words)
                return
            self._limits[name] = max(
                self._limits[name] + (getattr(self._budget, name) or 1), self._spent(name)
            )
            self._wind()
            self.check()

        question = Question("approval", f"{words} Go on with as much again?")
        asked = self._stream.desk.ask(question, run, then=answered)
        if not asked.done():  # else its answer may have asked about another limit
            self.question = asked

    def _used(self, name: str) -> str:
        if name == "seconds":
            return ""
        spent = self._spent(name)
        if name == "tool_calls":
            return f" ({spent:,.0f} begun)"
        is_about = name == "tokens" and self._meter.is_estimate
        return f" ({'≈' if is_about else ''}{_words(name, spent)})"

    def _end(self, words: str) -> None:
        self.end()
        self._words = words
        if self._stream.on_stop is not None:
            self._stream.on_stop()

    def name_end(self, events: list[Event]) -> list[Event]:
        """Return the end of the stream, with the reason where this budget has cancelled it."""
        if self._words is None:
            return events
        return [
            event.model_copy(update={"code": "budget", "error": self._words})
            if event.type == "run_finished" and event.outcome == "cancelled"
            else event
            for event in events
        ]


def open_question(spending: Spending | None) -> Pending | None:
    """Return the request to go on, if one is open."""
    question = spending.question if spending is not None else None
    return None if question is None or question.done() else question


def _words(name: str, value: float) -> str:
    if name == "usd":
        return f"${value:.4g}"
    if name == "seconds":
        return f"{value:g} s"
    return f"{value:,.0f} {'tool call' if name == 'tool_calls' and value == 1 else name.replace('_', ' ')}"
