"""An SDK's stream in, our events out: one SDK, one file, one class.

First on the path of a delta. An adapter reads attributes or dict keys and never imports its SDK,
so it works on live objects and on their JSON alike, with whatever version is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from vibe_notebook.exceptions import AdapterError

from ._base import Adapter

__all__ = ["Adapter", "detect", "get", "names"]

_CLASSES: Final = {
    "anthropic": "AnthropicAdapter",
    "events": "EventsAdapter",
    "openai_responses": "OpenAIResponsesAdapter",
    "pydantic_ai": "PydanticAIAdapter",
    "text": "TextAdapter",
}
"""Each name is that of its module."""

_ALIASES: Final = {"openai": "openai_responses"}


def get(name: str, **ids: Any) -> Adapter:
    """Make an adapter for one run of the stream that *name* stands for.

    *ids* are those of ``Adapter``. Case does not matter, nor does "-" for "_".
    Raises ``AdapterError`` for a name that is not there.
    """
    key = str(name).strip().lower().replace("-", "_")
    key = _ALIASES.get(key, key)
    if key not in _CLASSES:
        msg = f"There is no adapter {name!r}; one of: {', '.join(names())}."
        raise AdapterError(msg)
    adapter: Adapter = getattr(_module(key), _CLASSES[key])(**ids)
    return adapter


def detect(native: object) -> str:
    """Name the adapter that reads *native*, the first thing that a stream yields.

    Raises ``AdapterError`` if none does, or more than one: it never guesses.
    """
    fits = [name for name in names() if _module(name).matches(native)]
    if len(fits) == 1:
        return fits[0]
    kind = f"{type(native).__module__}.{type(native).__qualname__}"
    known = f"more than one adapter reads it ({', '.join(fits)})" if fits else "no adapter knows it"
    msg = f"The stream yields {kind}, and {known}. Pass adapter=, one of: {', '.join(names())}."
    raise AdapterError(msg)


def names() -> list[str]:
    """Return the names that ``get`` takes, sorted."""
    return sorted(_CLASSES)


def _module(name: str) -> Any:
    return import_module(f"{__name__}.{name}")
