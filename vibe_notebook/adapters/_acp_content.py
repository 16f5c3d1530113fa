"""ACP's content: the text of a block, its file, and what a tool call shows.

Pure; used by ``acp``.
"""

from __future__ import annotations

from typing import Any

from ._files import from_url
from ._read import camel, get, ident, items, plain, text

__all__ = ["content_file", "content_text", "output_of"]


def content_text(block: object) -> str:
    """Return the text that a block holds, "" if it holds none."""
    return text(get(block, "text")) or text(get(block, "resource", "text"))


def content_file(block: object) -> dict[str, Any] | None:
    """Return the artifact fields of an image, a sound or a link; ``None``: it is none."""
    kind = text(get(block, "type"))
    source = get(block, "resource") if kind == "resource" else block
    media = ident(camel(source, "mimeType"))
    data = ident(get(source, "data")) or ident(get(source, "blob"))
    url = ident(get(source, "uri"))
    if kind not in ("image", "audio", "resource_link", "resource") or not (data or url):
        return None
    fields = {"media_type": media, "data": data} if data else {"media_type": media, **from_url(url or "")}
    return {**fields, "name": ident(get(block, "title")) or ident(get(block, "name"))}


def output_of(raw: object, content: object) -> Any:
    """Return what a call put out: its raw output, else its content, as text if it is only text."""
    if raw is not None:
        return plain(raw)
    blocks = items(content)
    inner = [get(block, "content") if get(block, "type") == "content" else None for block in blocks]
    if blocks and all(content_text(block) for block in inner):
        return "\n".join(content_text(block) for block in inner)
    return [
        _shown(block) for block, held in zip(blocks, inner, strict=True) if not content_file(held)
    ] or None


def _shown(block: object) -> Any:
    # An SDK's names differ from the wire's, and its objects have null where JSON has nothing.
    found = {name: camel(block, name) for name in ("type", "path", "oldText", "newText", "terminalId")}
    kept = {name: value for name, value in found.items() if isinstance(value, str)}
    return kept if len(kept) > 1 else plain(get(block, "content") or block)
