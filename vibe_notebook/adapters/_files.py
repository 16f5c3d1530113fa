"""Split files from the results of tools and models, as the fields of an ``Artifact``.

The adapters call these functions for results and messages. A file is an object or dict with
``media_type`` and ``data`` (bytes, or base64 in a recording), or with a ``url``. pydantic-ai and data
URLs have only these fields in common.
"""

from __future__ import annotations

import base64
from typing import Any, Final

from ._fields import get, ident, items, plain, text

__all__ = ["block_file", "file_fields", "from_url", "said", "split_blocks", "split_files"]


def file_fields(value: object) -> dict[str, Any] | None:
    """Return ``media_type`` and ``data`` or ``url`` of a pydantic-ai file; else ``None``."""
    kind, data = text(get(value, "kind")), get(value, "data")
    if kind == "binary" and isinstance(data, bytes | str):
        encoded = base64.b64encode(data).decode() if isinstance(data, bytes) else text(data)
        # pydantic's JSON mode writes the URL-safe alphabet of base64, which browsers do not read.
        return {"media_type": ident(get(value, "media_type")), "data": encoded.translate(_STANDARD)}
    if kind.endswith("-url") and (url := ident(get(value, "url"))):
        return from_url(url) | ({"media_type": media} if (media := ident(get(value, "media_type"))) else {})
    return None


def from_url(url: str) -> dict[str, Any]:
    """Return ``data`` and ``media_type`` of a base64 data URL; ``url`` for every other URL."""
    head, comma, body = url.partition(";base64,")
    if comma and head[:5].lower() == "data:":
        return {"media_type": head[5:] or None, "data": body}
    return {"url": url}


def split_files(content: object) -> tuple[Any, list[dict[str, Any]]]:
    """Split a tool's result into the result with a label for each file, and the files."""
    single = file_fields(content)
    if single is not None:
        return _label(single), [single]
    found = [file_fields(item) for item in items(content)]
    files = [fields for fields in found if fields is not None]
    if not files:
        return content, []
    pairs = zip(items(content), found, strict=True)
    return [item if fields is None else _label(fields) for item, fields in pairs], files


def block_file(block: object) -> dict[str, Any] | None:
    """Return the artifact fields of a content block with a file; ``None`` for every other block.

    Anthropic nests the file in ``source``, OpenAI in ``image_url``. LangChain stores the file in the
    block itself.
    """
    if text(get(block, "type")) not in _FILE_BLOCKS:
        return None
    source = get(block, "source") or get(block, "image_url") or block
    if isinstance(source, str):
        return from_url(text(source)) if source else None
    media = next((m for name in ("media_type", "mime_type") if (m := ident(get(source, name)))), None)
    encoded = ident(get(source, "data")) or ident(get(source, "base64"))
    if encoded is not None:
        return {"media_type": media, "data": encoded.translate(_STANDARD)}
    url = ident(get(source, "url"))
    return None if url is None else from_url(url) | ({"media_type": media} if media else {})


def split_blocks(content: object) -> tuple[Any, list[dict[str, Any]]]:
    """Split a message's content into its files and the rest: one text, or JSON if not all is text."""
    blocks = items(content)
    found = [block_file(block) for block in blocks]
    rest = [_label(fields) if fields else block for block, fields in zip(blocks, found, strict=True)]
    lines = [text(block) or text(get(block, "text")) for block in rest]
    is_text = all(isinstance(block, str) or text(get(block, "type")) == "text" for block in rest)
    output = "\n".join(lines) if blocks and is_text else plain(rest if blocks else content)
    return output, [fields for fields in found if fields is not None]


def said(content: object) -> tuple[str, list[dict[str, Any]]]:
    """Return the words and the files of what somebody said: text, or a list of blocks.

    A block that is neither, such as a tool's result, says nothing.
    """
    if isinstance(content, str):
        return text(content), []
    blocks = items(content)
    words = [
        line
        for block in blocks
        if text(get(block, "type")) in ("", *_SAID) and (line := text(block) or text(get(block, "text")))
    ]
    return "\n".join(words), [fields for block in blocks if (fields := block_file(block)) is not None]


def _label(fields: dict[str, Any]) -> str:
    return f"[{fields.get('media_type') or 'file'}]"


_SAID: Final = ("text", "input_text", "output_text")
_STANDARD = str.maketrans("-_", "+/")
_FILE_BLOCKS: Final = frozenset(("image", "image_url", "audio", "video", "file", "document"))
