"""Price a model's tokens, and tell its context window, by the table of the package ``genai-prices``.

At the bottom of the package. The extra ``prices`` installs the table; without it nothing has a price. The table is the
installed one: nothing here asks the network for a newer one.

Only an exact id of a model has a price, or an id with a date behind it: a table that guesses would be wrong in silence.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module, metadata
from typing import Any, Final

from ._limits import TIME_LIMIT

__all__ = ["context_window", "has_table", "is_flat", "is_priced", "price", "table"]

_MAKERS: Final = frozenset(
    ("anthropic", "openai", "google", "mistral", "cohere", "deepseek", "x-ai", "moonshotai", "zai")
)
"""Providers whose list price counts where the source does not say who serves the model: they make the models."""
_NAMES: Final = {
    "aws-bedrock": "aws",
    "azure-openai": "azure",
    "azure-ai-openai": "azure",
    "bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.gen-ai": "google",
    "gcp.vertex-ai": "google",
    "gemini": "google",
    "google-genai": "google",
    "google-gla": "google",
    "google-vertex": "google",
    "google-vertexai": "google",
    "grok": "x-ai",
    "mistral-ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "vertex": "google",
    "xai": "x-ai",
}
"""Names of providers as SDKs write them."""
_DATE: Final = re.compile(r"(?<=.)[-@](?:20\d\d-?[01]\d-?[0-3]\d)$")


def has_table() -> bool:
    """Return whether the price table is installed."""
    return _table() is not None


def table() -> str | None:
    """Return the name and version of the price table; ``None`` if none is installed."""
    return f"genai-prices {metadata.version('genai-prices')}" if has_table() else None


def is_priced(model: str | None, provider: str | None) -> bool:
    """Return whether the table has a price of the model."""
    return _find(model, provider) is not None


def context_window(model: str | None, provider: str | None = None) -> int | None:
    """Return the tokens that a call of the model can hold; ``None`` if the table does not tell."""
    found = _find(model, provider)
    window = found[1].context_window if found is not None else None
    return window if isinstance(window, int) else None


def is_flat(model: str | None, provider: str | None) -> bool:
    """Return whether a sum over several calls costs what the calls cost: no step of the price depends on a call's size."""
    found = _find(model, provider)
    if found is None:
        return False
    prices = found[1].prices
    variants = [getattr(one, "prices", one) for one in (prices if isinstance(prices, list) else [prices])]
    return not any("Tiered" in type(value).__name__ for one in variants for value in vars(one).values())


def price(
    model: str | None,
    provider: str | None,
    *,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_input_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    at: float | None = None,
) -> float | None:
    """Return the US dollars of one model call; ``None`` if the table has no price of it.

    *input_tokens* include the cached ones. *at* is the time of the call in seconds since the epoch: prices change.
    """
    found = _find(model, provider)
    package = _table()
    if found is None or package is None or (input_tokens is None and output_tokens is None):
        return None
    cached, written = cached_input_tokens or 0, cache_write_tokens or 0
    counts = {
        "input_tokens": max(input_tokens or 0, cached + written),
        "output_tokens": output_tokens or 0,
        "cache_read_tokens": cached,
        "cache_write_tokens": written,
    }
    when = datetime.fromtimestamp(at, UTC) if at is not None and 0 < at < TIME_LIMIT else datetime.now(UTC)
    try:
        made = found[1].calc_price(package.Usage(**counts), found[0], genai_request_timestamp=when)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None  # counts that no call can have: cached tokens beyond those of the input, for example
    return float(made.total_price)


@functools.cache
def _table() -> Any:
    try:
        return import_module("genai_prices")
    except ModuleNotFoundError:
        return None


@functools.lru_cache(maxsize=256)
def _find(model: str | None, provider: str | None) -> tuple[Any, Any] | None:
    """Return the table's provider and model."""
    package = _table()
    if package is None or not model:
        return None
    name, served_by = model.lower(), (provider or "").lower().replace("_", "-")
    served_by = _NAMES.get(served_by, served_by)
    for one in package.data_snapshot.get_snapshot().providers:
        if served_by:
            is_meant = one.id == served_by
        else:  # others serve a maker's models too, at their own prices
            is_meant = one.id in _MAKERS and one.model_match is not None and one.model_match.is_match(name)
        if is_meant and (found := _exact(one, name)) is not None:
            return one, found
    return None


def _exact(provider: Any, name: str) -> Any:
    found = provider.find_model(name)
    if found is None:
        return None
    base = _DATE.sub("", name)
    for known in (str(found.id), *_written(found.match)):
        if known in (name, base):
            return found
        if base != name and known.startswith(base) and name.startswith(known):
            return found  # the table's id has the beginning of the date
    return None


def _written(clause: Any) -> Iterator[str]:
    """Yield the ids that a model's rule writes out."""
    for field in ("equals", "starts_with"):
        if isinstance(value := getattr(clause, field, None), str):
            yield value
    for field in ("or_", "and_"):
        for inner in getattr(clause, field, None) or ():
            yield from _written(inner)
