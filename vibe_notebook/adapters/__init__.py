"""Turn the stream of an SDK into our events, with one adapter class for each SDK.

The adapters stand first on the path of a delta: a watch feeds them natives, the objects or JSON values
that the SDK yields. An adapter reads attributes or dict keys and never imports its SDK. So one adapter
reads live objects and their JSON, of every version of the SDK. Other packages add adapters by an entry
point in the group ``vibe_notebook.adapters`` (see docs/adapters.md).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final

from vibe_notebook.exceptions import AdapterError

from .._foreign_words import clean_logger
from .._nearest import did_you_mean
from ._base import Adapter
from ._entry_points import Shipped, load, shipped
from ._tool_results import is_answer, is_call_item, is_turn

__all__ = [
    "Adapter",
    "choose",
    "detect",
    "get",
    "is_open",
    "names",
    "none_understood",
    "recognizes",
]

_CLASSES: Final = {
    "a2a": "A2AAdapter",
    "acp": "ACPAdapter",
    "agent_framework": "AgentFrameworkAdapter",
    "agno": "AgnoAdapter",
    "agui": "AGUIAdapter",
    "anthropic": "AnthropicAdapter",
    "anthropic_managed_agents": "AnthropicManagedAgentsAdapter",
    "autogen": "AutoGenAdapter",
    "bedrock": "BedrockAdapter",
    "browser_use": "BrowserUseAdapter",
    "chatlas": "ChatlasAdapter",
    "claude_agent_sdk": "ClaudeAgentSDKAdapter",
    "cohere": "CohereAdapter",
    "crewai": "CrewAIAdapter",
    "dspy": "DSPyAdapter",
    "events": "EventsAdapter",
    "github_copilot": "GitHubCopilotAdapter",
    "google_adk": "GoogleADKAdapter",
    "google_genai": "GoogleGenAIAdapter",
    "google_interactions": "GoogleInteractionsAdapter",
    "haystack": "HaystackAdapter",
    "instructor": "InstructorAdapter",
    "jido": "JidoAdapter",
    "langgraph": "LangGraphAdapter",
    "letta": "LettaAdapter",
    "llama_index": "LlamaIndexAdapter",
    "mcp": "MCPAdapter",
    "messages": "MessagesAdapter",
    "mistral": "MistralAdapter",
    "mistral_conversations": "MistralConversationsAdapter",
    "ollama": "OllamaAdapter",
    "openai_agents": "OpenAIAgentsAdapter",
    "openai_agents_traces": "OpenAIAgentsTracesAdapter",
    "openai_chat": "OpenAIChatAdapter",
    "openai_codex": "OpenAICodexAdapter",
    "openai_responses": "OpenAIResponsesAdapter",
    "openai_sessions": "OpenAISessionsAdapter",
    "openhands": "OpenHandsAdapter",
    "otel_spans": "OtelSpansAdapter",
    "pydantic_ai": "PydanticAIAdapter",
    "semantic_kernel": "SemanticKernelAdapter",
    "smolagents": "SmolagentsAdapter",
    "strands": "StrandsAdapter",
    "text": "TextAdapter",
    "vercel_ai_ui": "VercelAIUIAdapter",
    "vibex": "VibexAdapter",
    "vllm": "VLLMAdapter",
    "xai": "XAIAdapter",
}
"""The class of each adapter, by the name of the adapter, which is also the name of its module."""

_ALIASES: Final = {
    "ag_ui": "agui",
    "langchain": "langgraph",
    "openai": "openai_responses",
    "vercel": "vercel_ai_ui",
}

log = clean_logger("vibe_notebook")

_FAMILIES: Final = {"openai": ("openai_responses", "openai_chat")}
"""The adapters that share one name; ``choose`` picks one of them by the first natives."""


_ANSWERED: Final = ("mistral", "ollama", "openai_chat")
"""The adapters that read a tool's message, in the form in which the next request sends it to the model."""


def get(name: str, **ids: Any) -> Adapter:
    """Return a new adapter for one run of the stream that *name* stands for.

    The adapter gets *ids*, the keyword arguments of ``Adapter``. The case of *name* does not matter, and
    "-" equals "_". Raises ``AdapterError`` for an unknown name, and for an adapter that does not load.
    """
    key = _key(name)
    key = _ALIASES.get(key, key)
    if key not in names():
        known = [*names(), *_ALIASES, *_FAMILIES]
        msg = f"There is no adapter {name!r}; one of: {', '.join(names())}.{did_you_mean(key, known)}"
        raise AdapterError(msg)
    found = _load(key)
    if isinstance(found, Exception):
        msg = (
            f"The adapter {name!r} cannot be loaded ({found}). Repair or uninstall the package that ships it."
        )
        raise AdapterError(msg) from found
    return found[0](**ids)


def choose(name: str, *natives: object, is_last: bool = True) -> str:
    """Return the name of the adapter that *name* means for a stream that begins with *natives*.

    ``choose`` detects the adapter for "auto", and for a name that several adapters share ("openai").
    Every other name means the adapter that ``get`` returns. Raises ``AdapterError`` like both; if *is_last* is
    False, also for natives that the next ones may explain.
    """
    key = _key(name)
    if not is_open(name):
        return get(name).name
    return _detect(natives, names() if key == "auto" else _FAMILIES[key], is_last=is_last)


def is_open(name: str) -> bool:
    """Return whether ``choose`` needs the natives to resolve *name*."""
    return _key(name) == "auto" or _key(name) in _FAMILIES


def detect(*natives: object) -> str:
    """Return the name of the adapter that reads *natives*, the first few natives of a stream.

    Unknown natives do not count. Plain text counts only as the first native. ``detect`` never guesses:
    it raises ``AdapterError`` if no adapter, or more than one, reads the natives.
    """
    return _detect(natives, names())


def _detect(natives: tuple[object, ...], among: Iterable[str], *, is_last: bool = True) -> str:
    kinds = list(among)
    answered: str | None = None
    turns = 0
    for i, native in enumerate(natives):
        fits = [name for name in kinds if _fits(name, native) and (i == turns or name != "text")]
        if len(fits) == 1 and fits[0] in _ANSWERED and is_answer(native):
            # A list of messages may begin so too, or a loop over a model's API: the next native decides.
            answered = answered or fits[0]
        elif fits == ["messages"] and is_turn(native):
            # A list of messages begins so, and so does a loop that yields what the user said before any SDK's stream.
            answered, turns = answered or fits[0], turns + (turns == i)
        elif len(fits) == 1:
            return fits[0]
        elif not fits and answered == "messages" and is_call_item(native):
            return answered
        else:
            kinds = fits or kinds
    if answered is not None and is_last:
        return answered
    first = natives[0] if natives else None
    if inspect.isawaitable(first):
        kind = type(first).__qualname__
        msg = f"The stream yields {kind}s. Await them, or watch the object that returns the stream."
        raise AdapterError(msg)
    kind = f"{type(first).__module__}.{type(first).__qualname__}"
    several = f"more than one adapter reads it ({', '.join(kinds)})"
    known = "no adapter knows it" if kinds == list(among) else several
    msg = f"The stream yields {kind}, and {known}. Pass adapter=, one of: {', '.join(names())}."
    raise AdapterError(msg)


def recognizes(name: str, native: object) -> bool:
    """Return whether the adapter *name* recognises *native* as its SDK's."""
    key = _key(name)
    return _fits(_ALIASES.get(key, key), native)


def none_understood(name: str, natives: Sequence[object], count: int) -> str:
    """Return the words for a stream of which its adapter has understood no event; *natives* are its first ones."""
    first = type(natives[0])
    events = "the stream's only event" if count == 1 else f"any of the stream's {count:,} events"
    msg = f"The adapter {name} did not understand {events} ({first.__module__}.{first.__qualname__})."
    try:
        found = detect(*natives)
    except AdapterError:
        return f"{msg} Pass adapter=, one of: {', '.join(names())}."
    return f'{msg} Pass adapter="{found}", or leave adapter= out.'


def names() -> list[str]:
    """Return the names that ``get`` accepts, sorted."""
    return sorted({*_CLASSES, *shipped()})


def _key(name: object) -> str:
    return str(name).strip().lower().replace("-", "_")


def _fits(name: str, native: object) -> bool:
    found = _load(name)
    if isinstance(found, Exception):
        return False
    try:
        return found[1](native)
    except Exception:
        if name in _CLASSES:
            raise
        log.exception("The adapter %r failed to recognise a stream. Pass adapter= to choose one.", name)
        return False


def _load(name: str) -> Shipped | Exception:
    if name not in _CLASSES:
        return load(shipped()[name])
    module = import_module(f"{__name__}.{name}")
    return getattr(module, _CLASSES[name]), module.matches
