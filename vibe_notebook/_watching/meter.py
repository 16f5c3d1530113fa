"""Count what a stream uses while it runs: tokens, cost, tool calls, and how full the model's context is.

Beside the pipeline, which passes every event of its stream. The header shows the count, and a budget holds it down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from .._forms.costs import Cost, add_costs, call_cost, run_cost
from .._forms.wording import name_in_line
from .._prices import context_window, table
from ..events import Event, Usage

__all__ = ["ENDED", "Meter"]

_WRITTEN: Final = {"text_delta": "delta", "thinking_delta": "delta", "tool_call_delta": "delta"}
"""The field of an event that holds new text of the model."""
_PER_TOKEN: Final = 4
"""Characters of a token, about: of English text with the tokenizers of 2024 and 2025."""


@dataclass(slots=True)
class _Run:
    """Hold what one run says about its usage."""

    parent: str | None = None
    usage: Usage | None = None
    calls: dict[str | None, tuple[Usage, Cost]] = field(default_factory=dict)
    characters: int = 0
    # Sums over the calls, kept as calls come: to sum them anew at each call would cost the square.
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    priced: int = 0
    unpriced: dict[str, int] = field(default_factory=dict)

    def put(self, call: str | None, usage: Usage, at: float | None) -> None:
        """Count a call; a later report of it REPLACES the earlier one."""
        if call in self.calls:
            self._add(*self.calls[call], -1)
        self.calls[call] = usage, call_cost(usage, at)
        self._add(*self.calls[call], 1)

    def _add(self, usage: Usage, cost: Cost, sign: int) -> None:
        self.tokens_in += sign * (usage.input_tokens or 0)
        self.tokens_out += sign * (usage.output_tokens or 0)
        if cost.usd is not None:
            self.usd += sign * cost.usd
            self.priced += sign
        if cost.unpriced is not None:
            left = self.unpriced.get(cost.unpriced, 0) + sign
            self.unpriced[cost.unpriced] = left
            if not left:
                del self.unpriced[cost.unpriced]

    def tokens(self) -> tuple[int, int]:
        """Return the tokens in and out."""
        own = self.usage
        if own is None:
            return self.tokens_in, self.tokens_out
        return max(own.input_tokens or 0, self.tokens_in), max(own.output_tokens or 0, self.tokens_out)

    def cost(self) -> Cost:
        """Return the cost of the run."""
        if self.usage is not None:
            return run_cost(self.usage, [(usage, cost) for usage, cost in self.calls.values()])
        return Cost(
            self.usd if self.priced else None,
            is_partial=bool(self.unpriced),
            unpriced=next(iter(self.unpriced), None),
        )


class Meter:
    """Count the usage of all runs of a stream, subagents included.

    A later report of the same call or run REPLACES the earlier one, and a run's own report the sum of its calls.
    """

    __slots__ = ("_calls", "_last", "_runs", "is_estimating", "requests", "run")

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], _Run] = {}
        self._calls: set[tuple[str, str, str]] = set()
        self._last: Usage | None = None
        self.is_estimating = False
        """True while text is counted: the source tells no usage before its end."""
        self.requests: dict[str, tuple[str, str, str | None]] = {}
        """The requests that wait for an answer: by id, the agent, the run and the call."""
        self.run: tuple[str, str] | None = None
        """The agent and run of the newest event of a top-level run."""

    def add(self, events: Iterable[Event]) -> bool:
        """Count events; return whether the usage has changed."""
        changed = False
        for event in events:
            kind = event.type
            if kind in _WRITTEN:
                if self.is_estimating:
                    self._of(event).characters += len(getattr(event, _WRITTEN[kind]) or "")
                    changed = True
            elif (change := _CHANGES.get(kind)) is not None:
                changed |= change(self, event)
        return changed

    @property
    def tool_calls(self) -> int:
        """Return how many tool calls have begun."""
        return len(self._calls)

    @property
    def tokens(self) -> int:
        """Return the tokens in and out; of a run that has not said any, about those of its text."""
        return sum(sum(run.tokens()) or self._estimate(run) for run in self._counted())

    @property
    def is_estimate(self) -> bool:
        """Return whether some of the tokens are counted from the text."""
        return self.is_estimating and any(not any(run.tokens()) and run.characters for run in self._counted())

    @property
    def cost(self) -> Cost:
        """Return the cost of all runs."""
        return add_costs(run.cost() for run in self._counted())

    def shown(self) -> dict[str, Any] | None:
        """Return what a header shows; ``None`` if nothing is known."""
        counts = [run.tokens() for run in self._counted()]
        cost = self.cost
        shown: dict[str, Any] = {
            "model": name_in_line(self._last.model) if self._last is not None else None,
            "input_tokens": sum(one[0] for one in counts) or None,
            "output_tokens": sum(one[1] for one in counts) or None,
            "cost": cost.usd,
            "is_partial": cost.is_partial if cost.usd is not None else None,
            "prices": table() if cost.usd is not None else None,
            "estimate": self.tokens if self.is_estimate else None,
            **self._context(),
        }
        known = {name: value for name, value in shown.items() if value}
        return known or None

    def _context(self) -> dict[str, Any]:
        last = self._last
        if last is None or not last.input_tokens:
            return {}
        window = context_window(last.model, last.provider)
        return {"context": last.input_tokens + (last.output_tokens or 0), "window": window} if window else {}

    def _estimate(self, run: _Run) -> int:
        return -(-run.characters // _PER_TOKEN) if self.is_estimating else 0

    def _counted(self) -> list[_Run]:
        """Return the runs whose usage is not within that of a run above them."""
        return [run for (agent_id, _), run in self._runs.items() if not self._is_included(agent_id, run)]

    def _is_included(self, agent_id: str, run: _Run) -> bool:
        seen: set[str] = set()
        above = run.parent
        while above is not None and above not in seen:
            seen.add(above)
            parent = self._runs.get((agent_id, above))
            if parent is None:
                return False
            if parent.usage is not None and parent.usage.includes_children:
                return True
            above = parent.parent
        return False

    def _of(self, event: Event) -> _Run:
        key = event.agent_id, event.run_id
        found = self._runs.get(key)
        if found is None:
            found = self._runs[key] = _Run()
            self.run = self.run or key
        return found

    def _started(self, event: Any) -> bool:
        run = self._of(event)
        run.parent = event.parent_run_id
        if run.parent is None:
            self.run = event.agent_id, event.run_id
        if self.is_estimating and isinstance(event.input, str):
            run.characters += len(event.input)
        return False

    def _message(self, event: Any) -> bool:
        if event.usage is None:
            return False
        run = self._of(event)
        run.put(event.message_id, event.usage, event.ts)
        if run.parent is None:  # a subagent has a context of its own
            self._last = event.usage
        return True

    def _finished(self, event: Any) -> bool:
        ended = (event.agent_id, event.run_id)
        has_left = event.outcome != "interrupted" and self._leave(lambda asked: asked[:2] == ended)
        if event.usage is None:
            return has_left
        run = self._of(event)
        run.usage = event.usage
        return True

    def _called(self, event: Any) -> bool:
        before = len(self._calls)
        self._calls.add((event.agent_id, event.run_id, event.tool_call_id))
        return len(self._calls) > before

    def _asked(self, event: Any) -> bool:
        self.requests[event.request_id] = event.agent_id, event.run_id, event.tool_call_id
        return True

    def _done(self, event: Any) -> bool:
        call = (event.agent_id, event.run_id, event.tool_call_id)
        return self._leave(lambda asked: asked == call)

    def _leave(self, is_over: Callable[[tuple[str, str, str | None]], bool]) -> bool:
        """Forget requests for which nothing waits any more."""
        over = [request_id for request_id, asked in self.requests.items() if is_over(asked)]
        for request_id in over:
            del self.requests[request_id]
        return bool(over)

    def _answered(self, event: Any) -> bool:
        self.requests.pop(event.request_id, None)
        return True


ENDED: Final = Meter()
"""The meter of all streams that have ended: hundreds of them may be held."""
_CHANGES: Final = {
    "run_started": Meter._started,  # noqa: SLF001 - the table of this class's own methods
    "message_finished": Meter._message,  # noqa: SLF001
    "run_finished": Meter._finished,  # noqa: SLF001
    "tool_started": Meter._called,  # noqa: SLF001
    "tool_finished": Meter._done,  # noqa: SLF001
    "input_requested": Meter._asked,  # noqa: SLF001
    "input_answered": Meter._answered,  # noqa: SLF001
}
