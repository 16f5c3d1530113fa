"""An SDK's stream in, our events out: one SDK, one file, one class.

First on the path of a delta. An adapter reads attributes or dict keys and never imports its SDK,
so it works on live objects and on their JSON alike, with whatever version is installed. Other packages
add theirs by an entry point in the group ``vibe_notebook.adapters`` (see docs/adapters.md).
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final

from vibe_notebook.exceptions import AdapterError

from ._base import Adapter
from ._entry_points import Shipped, load, shipped

__all__ = ["Adapter", "choose", "detect", "get", "is_open", "names"]

_CLASSES: Final = {
    "acp": "ACPAdapter",
    "agno": "AgnoAdapter",
    "agui": "AGUIAdapter",
    "anthropic": "AnthropicAdapter",
    "claude_agent_sdk": "ClaudeAgentSDKAdapter",
    "events": "EventsAdapter",
    "google_adk": "GoogleADKAdapter",
    "jido": "JidoAdapter",
    "langgraph": "LangGraphAdapter",
    "llama_index": "LlamaIndexAdapter",
    "openai_agents": "OpenAIAgentsAdapter",
    "openai_chat": "OpenAIChatAdapter",
    "openai_responses": "OpenAIResponsesAdapter",
    "pydantic_ai": "PydanticAIAdapter",
    "smolagents": "SmolagentsAdapter",
    "strands": "StrandsAdapter",
    "text": "TextAdapter",
    "vercel_ai_ui": "VercelAIUIAdapter",
    "vibex": "VibexAdapter",
}
"""Each name is that of its module."""

_ALIASES: Final = {
    "ag_ui": "agui",
    "langchain": "langgraph",
    "openai": "openai_responses",
    "vercel": "vercel_ai_ui",
}

log = logging.getLogger("vibe_notebook")

_FAMILIES: Final = {"openai": ("openai_responses", "openai_chat")}
"""One name for several streams: which one it is, the first native tells."""


def get(name: str, **ids: Any) -> Adapter:
    """Make an adapter for one run of the stream that *name* stands for.

    *ids* are those of ``Adapter``. Case does not matter, nor does "-" for "_".
    Raises ``AdapterError`` for a name that is not there.
    """
    key = _key(name)
    key = _ALIASES.get(key, key)
    if key not in names():
        msg = f"There is no adapter {name!r}; one of: {', '.join(names())}."
        raise AdapterError(msg)
    found = _found(key)
    if isinstance(found, Exception):
        msg = f"The adapter {name!r} cannot be loaded ({found}). Mend or uninstall the package that has it."
        raise AdapterError(msg) from found
    return found[0](**ids)


def choose(name: str, *natives: object) -> str:
    """Name the adapter that *name* means for a stream that begins with *natives*.

    "auto", and a name that stands for several streams ("openai"), are decided by ``detect``; any
    other is what ``get`` makes of it. Raises ``AdapterError`` like both.
    """
    key = _key(name)
    if key == "auto":
        return detect(*natives)
    return _detect(natives, _FAMILIES[key]) if key in _FAMILIES else get(name).name


def is_open(name: str) -> bool:
    """Whether ``choose`` looks at the natives to say what *name* means."""
    return _key(name) == "auto" or _key(name) in _FAMILIES


def detect(*natives: object) -> str:
    """Name the adapter that reads *natives*, the first few things that a stream yields.

    What no adapter knows is passed over; text counts only where it comes first. Raises
    ``AdapterError`` if none reads them, or more than one: it never guesses.
    """
    return _detect(natives, names())


def _detect(natives: tuple[object, ...], among: Iterable[str]) -> str:
    kinds = list(among)
    for i, native in enumerate(natives):
        fits = [name for name in kinds if _fits(name, native) and (i == 0 or name != "text")]
        if len(fits) == 1:
            return fits[0]
        kinds = fits or kinds
    first = natives[0] if natives else None
    if inspect.isawaitable(first):
        msg = f"The stream yields {type(first).__qualname__}s: await them, or watch the one that gives a stream."
        raise AdapterError(msg)
    kind = f"{type(first).__module__}.{type(first).__qualname__}"
    several = f"more than one adapter reads it ({', '.join(kinds)})"
    known = "no adapter knows it" if kinds == list(among) else several
    msg = f"The stream yields {kind}, and {known}. Pass adapter=, one of: {', '.join(names())}."
    raise AdapterError(msg)


def names() -> list[str]:
    """Return the names that ``get`` takes, sorted."""
    return sorted({*_CLASSES, *shipped()})


def _key(name: object) -> str:
    return str(name).strip().lower().replace("-", "_")


def _fits(name: str, native: object) -> bool:
    found = _found(name)
    if isinstance(found, Exception):
        return False
    try:
        return found[1](native)
    except Exception:
        if name in _CLASSES:
            raise
        log.exception("The adapter %r cannot say whether a stream is its own; pass adapter=.", name)
        return False


def _found(name: str) -> Shipped | Exception:
    if name not in _CLASSES:
        return load(shipped()[name])
    module = import_module(f"{__name__}.{name}")
    return getattr(module, _CLASSES[name]), module.matches
