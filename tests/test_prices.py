"""A model call costs what the installed table says, for an exact id only; a transcript sums its calls."""

from __future__ import annotations

import pytest
from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from vibe_notebook import _prices
from vibe_notebook.events import MessageFinished, RunFinished, RunStarted, Usage
from vibe_notebook.registry import Registry
from vibe_notebook.transcript import Transcript


def price(model: str | None, provider: str | None = None, **counts: int | None) -> float | None:
    given: dict[str, int | None] = {"input_tokens": 1_000_000, "output_tokens": 0, **counts}
    return _prices.price(model, provider, **given)


def listed(model: str, provider: str, **counts: int) -> float:
    given = {"input_tokens": 1_000_000, "output_tokens": 0, **counts}
    return float(calc_price(PricedUsage(**given), model, provider_id=provider).total_price)


@pytest.mark.parametrize(
    ("model", "provider", "base"),
    [
        ("gpt-4o", None, "gpt-4o"),
        ("gpt-4o-2024-08-06", None, "gpt-4o"),
        ("GPT-4o", "openai", "gpt-4o"),
        ("claude-sonnet-4-5-20250929", None, "claude-sonnet-4-5"),
        ("claude-sonnet-4-20250514", "anthropic", "claude-sonnet-4-0"),
        ("gemini-2.5-flash", "google-gla", "gemini-2.5-flash"),
    ],
)
def test_an_exact_id_has_its_price_also_with_a_date(model: str, provider: str | None, base: str) -> None:
    maker = (
        {"g": "openai", "c": "anthropic"}[model.lower()[0]] if not model.startswith("gemini") else "google"
    )
    assert price(model, provider) == pytest.approx(listed(base, maker))


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        (None, "openai"),
        ("", None),
        ("gpt-4o-my-finetune", None),
        ("gpt-4o-2024", None),
        ("claude-sonnet-4-5-turbo", "anthropic"),
        ("gemini-2.5-pro-experimental-of-mine", None),
        ("llama3.2", None),
        ("gpt-4o", "ollama"),
        ("gpt-4o", "a-proxy-nobody-knows"),
        ("claude-sonnet-4-5", "openai"),
        ("scripted-model", None),
    ],
)
def test_no_other_id_has_a_price(model: str | None, provider: str | None) -> None:
    assert price(model, provider) is None
    assert not _prices.is_priced(model, provider)


def test_cached_tokens_are_part_of_the_input_and_cheaper() -> None:
    with_cache = price("gpt-4o", cached_input_tokens=500_000)
    assert with_cache == pytest.approx(listed("gpt-4o", "openai", cache_read_tokens=500_000))
    assert with_cache < price("gpt-4o")  # type: ignore[operator]


def test_counts_that_no_call_can_have_have_a_price_of_the_larger_count_or_none() -> None:
    assert price("gpt-4o", input_tokens=10, cached_input_tokens=20) == pytest.approx(
        listed("gpt-4o", "openai", input_tokens=20, cache_read_tokens=20)
    )


def _transcript(*usages: Usage | None, run: Usage | None = None) -> Transcript:
    registry = Registry()
    registry.dispatch(RunStarted(agent_id="a", run_id="r"))
    for number, usage in enumerate(usages):
        registry.dispatch(MessageFinished(agent_id="a", run_id="r", message_id=str(number), usage=usage))
    registry.dispatch(RunFinished(agent_id="a", run_id="r", outcome="success", usage=run))
    return registry.transcript("a")


CALL = Usage(input_tokens=1000, output_tokens=100, model="gpt-4o")


def test_a_transcript_sums_the_prices_of_its_calls() -> None:
    one = price("gpt-4o", input_tokens=1000, output_tokens=100)
    found = _transcript(CALL, CALL)
    assert one is not None
    assert found.cost == pytest.approx(2 * one)
    assert not found.cost_is_partial


def test_the_cost_of_the_sdk_has_precedence() -> None:
    assert _transcript(CALL, run=Usage(cost=0.5)).cost == 0.5
    assert _transcript(CALL.model_copy(update={"cost": 0.25})).cost == 0.25


def test_a_call_without_a_price_makes_the_cost_partial_and_alone_makes_none() -> None:
    other = Usage(input_tokens=10, model="a-model-of-mine")
    found = _transcript(CALL, other)
    assert found.cost == price("gpt-4o", input_tokens=1000, output_tokens=100)
    assert found.cost_is_partial
    assert _transcript(other).cost is None


def test_nothing_said_is_no_cost_and_nothing_partial() -> None:
    found = _transcript(None)
    assert found.cost is None
    assert not found.cost_is_partial


def test_a_sum_over_calls_has_a_price_only_if_no_step_depends_on_the_size() -> None:
    assert _transcript(run=CALL).cost == price("gpt-4o", input_tokens=1000, output_tokens=100)
    tiered = _transcript(run=CALL.model_copy(update={"model": "gemini-2.5-pro"}))
    assert tiered.cost is None
    assert tiered.cost_is_partial


def test_calls_that_say_less_than_their_run_make_the_cost_partial() -> None:
    assert _transcript(CALL, run=Usage(input_tokens=5000, output_tokens=100)).cost_is_partial


def test_a_run_that_includes_its_subagents_counts_once() -> None:
    registry = Registry()
    registry.dispatch(RunStarted(agent_id="a", run_id="r"))
    registry.dispatch(RunStarted(agent_id="a", run_id="child", parent_run_id="r"))
    registry.dispatch(RunFinished(agent_id="a", run_id="child", outcome="success", usage=Usage(cost=0.1)))
    whole = Usage(cost=0.3, includes_children=True)
    registry.dispatch(RunFinished(agent_id="a", run_id="r", outcome="success", usage=whole))
    assert registry.transcript("a").cost == 0.3


def test_without_the_table_nothing_has_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_prices, "_table", lambda: None)
    _prices._find.cache_clear()
    try:
        assert _transcript(CALL).cost is None
        assert _prices.context_window("gpt-4o") is None
        assert _prices.table() is None
    finally:
        _prices._find.cache_clear()


def test_a_stopped_run_that_said_nothing_makes_the_cost_of_others_partial() -> None:
    registry = Registry()
    registry.dispatch(RunStarted(agent_id="a", run_id="r"))
    registry.dispatch(RunFinished(agent_id="a", run_id="r", outcome="success", usage=Usage(cost=0.1)))
    registry.dispatch(RunStarted(agent_id="a", run_id="stopped"))
    registry.dispatch(RunFinished(agent_id="a", run_id="stopped", outcome="cancelled"))
    found = registry.transcript("a")
    assert (found.cost, found.cost_is_partial) == (0.1, True)
