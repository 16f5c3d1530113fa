"""An SDK's stream in, our events out: one SDK, one file, one class.

First on the path of a delta. An adapter reads attributes or dict keys and never imports its SDK,
so it works on live objects and on their JSON alike, with whatever version is installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final

from vibe_notebook.exceptions import AdapterError

from ._base import Adapter

__all__ = ["Adapter", "choose", "detect", "get", "names"]

_CLASSES: Final = {
    "acp": "ACPAdapter",
    "agno": "AgnoAdapter",
    "agui": "AGUIAdapter",
    "anthropic": "AnthropicAdapter",
    "claude_agent_sdk": "ClaudeAgentSDKAdapter",
    "events": "EventsAdapter",
    "jido": "JidoAdapter",
    "langgraph": "LangGraphAdapter",
    "llama_index": "LlamaIndexAdapter",
    "openai_agents": "OpenAIAgentsAdapter",
    "openai_chat": "OpenAIChatAdapter",
    "openai_responses": "OpenAIResponsesAdapter",
    "pydantic_ai": "PydanticAIAdapter",
    "smolagents": "SmolagentsAdapter",
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

_FAMILIES: Final = {"openai": ("openai_responses", "openai_chat")}
"""One name for several streams: which one it is, the first native tells."""


def get(name: str, **ids: Any) -> Adapter:
    """Make an adapter for one run of the stream that *name* stands for.

    *ids* are those of ``Adapter``. Case does not matter, nor does "-" for "_".
    Raises ``AdapterError`` for a name that is not there.
    """
    key = _key(name)
    key = _ALIASES.get(key, key)
    if key not in _CLASSES:
        msg = f"There is no adapter {name!r}; one of: {', '.join(names())}."
        raise AdapterError(msg)
    adapter: Adapter = getattr(_module(key), _CLASSES[key])(**ids)
    return adapter


def choose(name: str, native: object) -> str:
    """Name the adapter that *name* means for a stream that yields *native* first.

    "auto", and a name that stands for several streams ("openai"), are decided by ``detect``; any
    other is what ``get`` makes of it. Raises ``AdapterError`` like both.
    """
    key = _key(name)
    if key == "auto":
        return detect(native)
    return _detect(native, _FAMILIES[key]) if key in _FAMILIES else get(name).name


def detect(native: object) -> str:
    """Name the adapter that reads *native*, the first thing that a stream yields.

    Raises ``AdapterError`` if none does, or more than one: it never guesses.
    """
    return _detect(native, names())


def _detect(native: object, among: Iterable[str]) -> str:
    fits = [name for name in among if _module(name).matches(native)]
    if len(fits) == 1:
        return fits[0]
    kind = f"{type(native).__module__}.{type(native).__qualname__}"
    known = f"more than one adapter reads it ({', '.join(fits)})" if fits else "no adapter knows it"
    msg = f"The stream yields {kind}, and {known}. Pass adapter=, one of: {', '.join(names())}."
    raise AdapterError(msg)


def names() -> list[str]:
    """Return the names that ``get`` takes, sorted."""
    return sorted(_CLASSES)


def _key(name: object) -> str:
    return str(name).strip().lower().replace("-", "_")


def _module(name: str) -> Any:
    return import_module(f"{__name__}.{name}")
