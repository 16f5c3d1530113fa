"""Read Mistral's SDK: ``chat.stream(…)`` and ``chat.stream_async(…)``.

An event wraps a chunk of Chat Completions in ``data``. The content is text, or a list with text, thinking and
references. A reference names a source in the result of a tool. The SDK gives a piece of a call that has no id the id
"null". Source: ``mistralai.client.models``.
"""

from __future__ import annotations

from typing import Any

from ._fields import get, ident, items, parsed, text
from .openai_chat import OpenAIChatAdapter
from .openai_chat import matches as is_chat

__all__ = ["MistralAdapter", "matches"]


def matches(native: object) -> bool:
    """Return whether *native* is an event with a chunk of Chat Completions."""
    others = ("type", "event", "event_kind", "object", "choices", "candidates")
    data = get(native, "data")
    return (
        not any(get(native, name) is not None for name in others)
        and isinstance(get(data, "choices"), list)
        and is_chat(data)
    )


class MistralAdapter(OpenAIChatAdapter):
    """Read one run: one request, or a loop of requests and tool calls."""

    name = "mistral"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._sources: dict[str, dict[str, Any]] = {}
        """The sources in the results of tools, by their key."""

    def _read(self, native: object) -> None:
        is_event = not get(native, "type") and get(native, "data", "choices") is not None
        if text(get(native, "role")) == "tool":
            self._read_sources(get(native, "content"))
        super()._read(get(native, "data") if is_event else native)

    def _read_sources(self, content: object) -> None:
        found = parsed(content) if isinstance(content, str) else content
        for key, source in found.items() if isinstance(found, dict) else ():
            names = {"url": text(get(source, "url")), "title": text(get(source, "title"))}
            if any(names.values()):
                self._sources[str(key)] = {name: value for name, value in names.items() if value}

    def _delta(self, message: Any, delta: object) -> None:
        at = len(self.streamed.read((message.id, "text", "0")))
        super()._delta(message, delta)
        for part in items(get(delta, "content")):
            at += len(text(get(part, "text")))
            for key in map(ident, items(get(part, "reference_ids"))):
                if key is not None:
                    source = self._sources.get(key, {"source": key})
                    self.emit_citation("0", {**source, "start": at, "end": at})

    def _call(self, message: Any, index: int, native: object) -> None:
        if get(native, "id") == "null":
            native = {"id": None, "function": get(native, "function")}
        super()._call(message, index, native)
