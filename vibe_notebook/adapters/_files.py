"""Recognise the files in the results of tools and in the messages of users and models.

A file is a content block of any SDK: with its bytes, as base64 or in a data URL; with its text; or with an address only,
which this package never requests.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
import types
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from ._fields import camel, get, ident, items, text

__all__ = ["as_base64", "block_file", "file_in", "from_url", "raster_of", "said", "split_files", "text_in"]

_WORDS_OF_KINDS: Final = """
    image image_url input_image output_image image-data image-url computer_screenshot
    audio audio_url audio-url input_audio output_audio video video_url video-url media binary blob
    file file-data file-url input_file document document-url resource html
"""
_KINDS: Final = frozenset(_WORDS_OF_KINDS.split())
"""The kinds of the blocks that hold a file, in the words of all SDKs."""
_KIND_FIELDS: Final = ("type", "block_type", "kind")
_HOLDERS: Final = (
    *("source", "resource", "inlineData", "imageUrl", "image_url", "inputAudio", "audioUrl", "videoUrl"),
    *("file", "image", "audio", "document", "video"),
)
"""The fields of a block in which SDKs nest its file."""
_MEDIA_BLOCKS: Final = ("image", "audio", "document", "video")
_MEDIA: Final = ("mediaType", "mimeType", "image_mimetype", "document_mimetype", "video_mimetype")
_DATA: Final = (
    *("data", "base64", "base64Data", "blob", "bytes", "fileData", "value", "image", "audio", "video"),
    "b64_json",
)
_URLS: Final = ("url", "uri", "image_url", "audio_url", "video_url", "file_url", "fileUri")
_WORDS: Final = ("text", "html", "content")
_NAMES: Final = ("filename", "displayName", "title", "name")
_DEFAULTS: Final = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4", "html": "text/html"}
_FORMATS: Final = {
    "csv": "text/csv",
    "html": "text/html",
    "jpg": "image/jpeg",
    "md": "text/markdown",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
_MAGIC: Final = {
    "iVBORw0KGg": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
}
"""The beginnings of images, as base64."""
_WEBP: Final = slice(11, 16)
"""The place of the word WEBP in base64: sounds and films begin with the same letters."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\-_\s]++={0,2}\s*+")
_SPACE: Final = re.compile(r"\s+")
_STANDARD: Final = str.maketrans("-_", "+/")
_GROUP: Final = 4
"""Characters of base64 that hold whole bytes together."""
_LONG: Final = 64
"""Characters of base64 that are no word."""
_LEVELS: Final = 3
"""Levels at which an SDK nests a file in its block."""
_SAID: Final = ("text", "input_text", "output_text")


def file_in(block: object) -> dict[str, Any] | None:
    """Return the file that a content block holds; ``None`` for every other value.

    ``media_type`` and one of ``data`` (base64), ``text`` and ``url``; ``name`` if the block has one.
    """
    if isinstance(block, str):
        return _of_url_text(block)
    if not _is_object(block):
        return None
    kind = next((found for name in _KIND_FIELDS if (found := text(get(block, name)))), "")
    alone = "" if kind else _alone_in(block)
    is_file = kind in _KINDS or alone or _is_generated(block)
    return _file(_levels(block), kind or alone) if is_file else None


def _is_object(value: object) -> bool:
    if isinstance(value, Mapping | BaseModel | types.SimpleNamespace):
        return True
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _alone_in(block: object) -> str:
    """Return the field of a block without a kind that holds its file: Gemini's, or Bedrock's, whose blocks have one."""
    if _is_object(camel(block, "inlineData")):
        return "inlineData"
    only = next(iter(block), "") if isinstance(block, Mapping) and len(block) == 1 else ""
    return only if only in _MEDIA_BLOCKS and _is_object(get(block, only)) else ""


def _is_generated(block: object) -> bool:
    """Return whether *block* is a file that a model of Vercel's SDK has generated: such a file has no kind."""
    return isinstance(camel(block, "mediaType"), str) and isinstance(get(block, "base64"), str)


def _levels(block: object) -> list[object]:
    """Return the objects of a block, the innermost first."""
    levels = [block]
    while len(levels) <= _LEVELS:
        inner = next((one for name in _HOLDERS if _is_object(one := camel(levels[0], name))), None)
        if inner is None:
            break
        levels.insert(0, inner)
    return levels


def _file(levels: list[object], kind: str) -> dict[str, Any] | None:
    media, inner = _media_in(levels, kind), levels[0]
    name = _first(levels, _NAMES, ident) or text(get(inner, "uri")).rpartition("/")[2]
    names = {"name": name} if name else {}
    is_text = get(inner, "type") == "text"  # a document of Anthropic, whose data is its text
    data = None if is_text else _data_in(inner, is_named=media is not None)
    if data is not None:
        return {"media_type": raster_of(data) or media or _default(kind), "data": data, **names}
    words = next((one for field in ("data", *_WORDS) if (one := text(get(inner, field)))), "")
    if words and (is_text or not text(get(inner, "data"))):
        return {"media_type": media or _default(kind) or "text/plain", "text": words, **names}
    url = _first(levels, _URLS, ident) or _first(levels, _DATA, _address)
    if url is None:
        return None
    found = _of_url_text(url) or {"url": url}
    return {**found, **({"media_type": media} if media else {}), **names}


def _address(value: object) -> str:
    return value if isinstance(value, str) and ("://" in value[:20] or value[:5].lower() == "data:") else ""


def _data_in(inner: object, *, is_named: bool) -> str | None:
    """Return the base64 of a file; a short word without a media type is none."""
    found = (
        as_base64(value) for name in _DATA if isinstance(value := camel(inner, name), str | bytes) and value
    )
    data = next((one for one in found if one), None)
    is_sure = is_named or raster_of(data or "") or len(data or "") >= _LONG
    return data if is_sure else None


def _first(levels: list[object], names: tuple[str, ...], read: Any) -> Any:
    found = (read(camel(level, name)) for level in levels for name in names)
    return next((one for one in found if one), None)


def _media_in(levels: list[object], kind: str) -> str | None:
    media = _first(levels, _MEDIA, text)
    if not media and text(get(levels[0], "type")).count("/") == 1:
        media = text(get(levels[0], "type"))
    if media:
        return str(media).partition(";")[0].strip().lower() or None
    form = _first(levels, ("format",), text)
    if not form:
        return None
    family = next((one for one in ("image", "audio", "video") if one in kind), "application")
    return _FORMATS.get(form.lower()) or f"{family}/{form.lower()}"


def _default(kind: str) -> str | None:
    return next((media for word, media in _DEFAULTS.items() if word in kind), None)


def as_base64(value: str | bytes) -> str | None:
    """Return bytes, or their base64 in any alphabet, as standard base64; ``None`` for other text.

    pydantic's JSON mode writes the alphabet for URLs, which browsers do not read.
    """
    if not isinstance(value, str):
        return base64.b64encode(value).decode()
    if not _BASE64.fullmatch(value):
        return None
    encoded = _SPACE.sub("", value).translate(_STANDARD)
    return encoded + "=" * (-len(encoded) % _GROUP)


def raster_of(encoded: str) -> str | None:
    """Return the type of an image by its first bytes, given as base64; ``None`` for other bytes."""
    media = next((media for magic, media in _MAGIC.items() if encoded.startswith(magic)), None)
    return None if media == "image/webp" and encoded[_WEBP] != "XRUJQ" else media


def text_in(file: Mapping[str, Any]) -> str:
    """Return the text of a file that is text, whether the block holds it as text or as base64."""
    if isinstance(words := file.get("text"), str):
        return words
    try:
        return text(base64.b64decode(file.get("data") or "").decode("utf-8", "replace"))
    except (ValueError, binascii.Error):
        return ""


def from_url(url: str) -> dict[str, Any]:
    """Return ``data`` and ``media_type`` of a base64 data URL; ``url`` for every other URL."""
    head, comma, body = url.partition(";base64,")
    if comma and head[:5].lower() == "data:":
        return {"media_type": head[5:] or None, "data": body}
    return {"url": url}


def _of_url_text(value: str) -> dict[str, Any] | None:
    """Return the file of a text that is one whole data URL."""
    found = from_url(value)
    encoded = as_base64(found["data"]) if found.get("data") else None
    if encoded is None:
        return None
    media = (found["media_type"] or "text/plain").partition(";")[0].strip().lower()
    return {"media_type": raster_of(encoded) or media, "data": encoded}


def split_files(content: object) -> list[dict[str, Any]]:
    """Return the files in a content, one block or a list of blocks, as fields of an ``Artifact``."""
    found = map(block_file, items(content) or [content])
    return [file for file in found if file is not None]


def block_file(block: object) -> dict[str, Any] | None:
    """Return the ``Artifact`` fields of a content block with a file or its address; ``None`` for every other block."""
    file = None if isinstance(block, str) else file_in(block)
    return None if file is None or "text" in file else file


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
