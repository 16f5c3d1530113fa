"""Sum the cost of runs: what the SDK says, else the price of each model call; and say it with the tokens.

Beside ``turns.py``: pure but for the price table, which ``_prices.py`` reads. A transcript, the live header and a budget
sum here, so all say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from .._limits import COUNT_LIMIT
from .._prices import is_flat, price
from .wording import Document, in_line

if TYPE_CHECKING:
    from ..events import Usage
    from ..parts import Message, Run

__all__ = ["Cost", "add_costs", "call_cost", "cost_of", "run_cost", "usage_text"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Hold US dollars; ``usd`` is ``None`` if nothing is known, and ``is_partial`` if some calls have no price."""

    usd: float | None = None
    is_partial: bool = False
    unpriced: str | None = None
    """A model without a price."""


NOTHING: Final = Cost()


def usage_text(document: Document) -> str:
    """Return tokens, cost and model of a document on one line; "" if none of them is known."""
    usage, cost = document.usage, document.cost
    if usage is None:
        return ""
    counts = [
        (usage.input_tokens, "tokens in", usage.cached_input_tokens, "cached"),
        (usage.output_tokens, "tokens out", usage.reasoning_tokens, "reasoning"),
    ]
    words = [
        f"{count:,} {word}" + (f" ({part:,} {part_word})" if part and 0 < part <= COUNT_LIMIT else "")
        for count, word, part, part_word in counts
        if count is not None and 0 <= count <= COUNT_LIMIT
    ]
    if cost is not None:
        words.append(f"{'at least ' if document.cost_is_partial else ''}${cost:.4g}")
    if usage.model:
        words.append(in_line(usage.model, 60))
    return " · ".join(words)


def run_cost(run: Usage | None, calls: Sequence[tuple[Usage, Cost]]) -> Cost:
    """Return the cost of one run: its own *run* usage, and that of its model *calls* with their costs."""
    if run is not None and run.cost is not None and run.cost >= 0:
        return Cost(run.cost)
    costs = [cost for _, cost in calls]
    if run is not None and not calls:
        # A sum over calls of an unknown size has a price only if no step depends on the size.
        costs = [call_cost(run, None)] if is_flat(run.model, run.provider) else [_unknown(run)]
    elif run is not None and _tokens(run) > sum(_tokens(usage) for usage, _ in calls):
        costs.append(_unknown(run))  # some calls did not say what they used
    return add_costs(costs)


def add_costs(costs: Iterable[Cost]) -> Cost:
    """Return the sum; it is partial if one summand is unknown or partial."""
    found = [cost for cost in costs if cost is not NOTHING]
    known = [cost.usd for cost in found if cost.usd is not None]
    return Cost(
        sum(known) if known else None,
        is_partial=any(cost.is_partial for cost in found),
        unpriced=next((cost.unpriced for cost in found if cost.unpriced), None),
    )


def cost_of(runs: Sequence[Run], messages: Sequence[Message]) -> Cost:
    """Return the cost of all runs; a run that includes its subagents' usage counts for them too."""
    calls: dict[str, list[tuple[Usage, Cost]]] = {}
    for message in messages:
        if message.usage is not None:
            calls.setdefault(message.run_id, []).append(
                (message.usage, call_cost(message.usage, message.started_at))
            )
    by_id = {run.run_id: run for run in runs}
    counted = [run for run in runs if not _is_included(run, by_id)]
    cost = add_costs(run_cost(run.usage, calls.get(run.run_id, [])) for run in counted)
    # A run that was stopped, or failed, often says nothing: it has cost something.
    is_silent = any(
        run.outcome in ("cancelled", "error") and run.usage is None and run.run_id not in calls
        for run in counted
    )
    return replace(cost, is_partial=True) if is_silent and cost.usd is not None else cost


def _is_included(run: Run, by_id: dict[str, Run]) -> bool:
    seen = {run.run_id}
    parent = by_id.get(run.parent_run_id or "")
    while parent is not None and parent.run_id not in seen:
        if parent.usage is not None and parent.usage.includes_children:
            return True
        seen.add(parent.run_id)
        parent = by_id.get(parent.parent_run_id or "")
    return False


def call_cost(usage: Usage, at: float | None) -> Cost:
    """Return the cost of one model call at a time in seconds since the epoch."""
    if usage.cost is not None and usage.cost >= 0:  # a negative one is no cost
        return Cost(usage.cost)
    dollars = price(
        usage.model,
        usage.provider,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        at=at,
    )
    return _unknown(usage) if dollars is None else Cost(dollars)


def _unknown(usage: Usage) -> Cost:
    return (
        Cost(None, is_partial=True, unpriced=usage.model or "a model without a name")
        if _tokens(usage)
        else NOTHING
    )


def _tokens(usage: Usage) -> int:
    return (usage.input_tokens or 0) + (usage.output_tokens or 0)
