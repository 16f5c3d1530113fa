"""Read a tool's result: its JSON, and beside it the images, sounds, files, pages and Python objects in it.

Every adapter makes its ``ToolFinished`` by these functions. In the JSON, a block that is shown elsewhere stands as
``{"$display": mime}``. The first block that a form can draw is the call's ``display``. Each other block is an
``Artifact`` of the call. An address is never requested: its block stays as it is.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import types
import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from vibe_notebook._displays import make_bundle
from vibe_notebook._json_values import bounded_repr

from ._fields import camel, get, items, plain, text
from ._files import as_base64, file_in, raster_of, text_in

__all__ = ["Result", "read_content", "read_result"]

_DRAWN: Final = (
    "text/html",
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "image/svg+xml",
    "text/markdown",
    "application/json",
)
"""The types that a form can draw; of a bundle, the first one names it."""
_TEXTS: Final = frozenset(("text/html", "text/markdown", "image/svg+xml"))
"""The types whose value in a bundle is text."""
_BLOCK_TEXTS: Final = ("text", "input_text", "output_text")
_HINTS: Final = ('"data"', '"blob"', '"base64', "base64,", '"text/html', '"image/')
"""The words of which JSON text with a block has at least one."""
_ITEMS: Final = 10_000
"""Values of a result in which blocks are searched: a larger one is data."""
_DEPTH: Final = 8
"""Levels of a result at which blocks are searched: SDKs nest them in four."""
_BLOCKS: Final = 100
"""Blocks of one result that become displays or files; further ones stay in the JSON."""
_RAW: Final = 64
"""Characters of base64 that may be an image without a name."""
_PLAIN: Final = (
    *(int, float, decimal.Decimal, enum.Enum, uuid.UUID, type, type(None)),
    *(datetime.date, datetime.time, datetime.timedelta),
)
_MODELS: Final = (BaseModel, types.SimpleNamespace)


class Result(NamedTuple):
    """Hold a tool's result: its JSON, the call's ``display``, and further blocks as fields of an ``Artifact``."""

    output: Any
    display: dict[str, Any] | None = None
    files: tuple[dict[str, Any], ...] = ()

    @property
    def fields(self) -> dict[str, Any]:
        """Return the fields of the event that has the result."""
        return {"output": self.output, "display": self.display}


def read_result(value: object, *beside: object) -> Result:
    """Return the result *value*; *beside* are values that may have the blocks which *value* has not."""
    reader = _Reader()
    output = reader.read(value)
    for other in beside:
        if not reader.found:
            reader.read(other)
    return reader.result(output)


def read_content(content: object, *beside: object) -> Result:
    """Return a message's content as a result: one text if all of its blocks are text, else as ``read_result``."""
    blocks = items(content)
    if blocks and all(isinstance(one, str) or text(get(one, "type")) in _BLOCK_TEXTS for one in blocks):
        content = "\n".join(text(one) or text(get(one, "text")) for one in blocks)
    return read_result(content, *beside)


class _Found(NamedTuple):
    """Hold a block: its bundle, its ``Artifact`` fields, and whether the bundle is all of it."""

    bundle: dict[str, Any]
    file: dict[str, Any]
    is_whole: bool = True

    @property
    def is_drawn(self) -> bool:
        return any(media in self.bundle for media in _DRAWN)


class _Reader:
    """Search one result for blocks."""

    def __init__(self) -> None:
        self.found: list[_Found] = []
        self._left = _ITEMS

    def read(self, value: object) -> Any:
        """Return the JSON of a value, in which each block is replaced."""
        before = len(self.found)
        changed = self._read(_parsed(value) if isinstance(value, str) else value, 0)
        return plain(value if len(self.found) == before else changed)

    def result(self, output: Any) -> Result:
        """Return the result with what was found."""
        if not self.found:
            return Result(output)
        shown = next((one for one in self.found if one.is_drawn), self.found[0])
        files = tuple(one.file for one in self.found if one is not shown or not one.is_whole)
        return Result(output, shown.bundle, files)

    def _read(self, value: Any, depth: int) -> Any:
        """Return a value with its blocks replaced; a container that cannot be read becomes its repr."""
        try:
            return self._replaced(value, depth)
        except Exception:  # noqa: BLE001 - a foreign mapping may raise anything, and the rest of the result is good
            return bounded_repr(value)

    def _replaced(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEPTH or isinstance(value, _PLAIN):
            return value
        if isinstance(value, str | bytes | bytearray):
            return self._leaf(value)
        is_model = _is_model(value)
        if not is_model and not isinstance(value, dict | list | tuple | set | frozenset):
            return self._object(value, depth)
        block = None if isinstance(value, list | tuple | set | frozenset) else file_in(value)
        if block is not None and (mark := self._block(block)) is not None:
            return mark
        if (bundle := _notebook_bundle(value)) is not None:
            return self._show(bundle)
        return self._inside(value, depth)

    def _inside(self, value: Any, depth: int) -> Any:
        if _is_model(value):
            value = plain(value)
        if isinstance(value, Mapping):
            return {name: self._read(one, depth + 1) for name, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._read(one, depth + 1) for one in value] if len(value) <= self._left else value
        return value

    def _leaf(self, value: str | bytes | bytearray) -> Any:
        """Return a text or bytes; an image without a name is known by its first bytes."""
        if isinstance(value, str):
            file = file_in(value) if value[:5].lower() == "data:" else None
            encoded = as_base64(value) if file is None and len(value) >= _RAW and raster_of(value) else None
        else:
            file, encoded = None, as_base64(bytes(value))
        if encoded is not None and (media := raster_of(encoded)) is not None:
            file = {"media_type": media, "data": encoded}
        mark = None if file is None else self._block(file)
        return value if mark is None else mark

    def _object(self, value: Any, depth: int) -> Any:
        """Return a Python object as it is: its JSON says what it is, and its bundle shows it."""
        bundle = make_bundle(value) if len(self.found) < _BLOCKS else None
        if bundle is not None:
            self._show(bundle)
            return value
        return self._inside(value, depth) if isinstance(value, Mapping) else value

    def _block(self, file: dict[str, Any]) -> dict[str, Any] | None:
        """Return what stands for a file in the JSON; ``None`` for an address, and for words."""
        media = file.get("media_type") or "application/octet-stream"
        is_words = "text" in file and media not in _TEXTS
        if "url" in file or is_words or len(self.found) >= _BLOCKS:
            return None
        named = {"media_type": media, **({"name": file["name"]} if "name" in file else {})}
        if media in _TEXTS:
            bundle = {media: text_in(file)}
            self.found.append(_Found(bundle, {**named, "display": bundle}))
        else:
            data = {**named, "data": file["data"]}
            words = ": ".join([*([file["name"]] if "name" in file else []), media])
            line = {"text/plain": f"[{words}, {len(file['data']) * 3 // 4:,} bytes]"}
            is_drawn = raster_of(file["data"]) == media
            self.found.append(_Found({media: file["data"]} if is_drawn else line, data, is_drawn))
        return {"$display": media}

    def _show(self, bundle: dict[str, Any]) -> dict[str, Any]:
        media = next((one for one in _DRAWN if one in bundle), "text/plain")
        self.found.append(_Found(bundle, {"media_type": media, "display": bundle}))
        return {"$display": media}


def _is_model(value: object) -> bool:
    """Return whether *value* is an object of fields, as SDKs define them."""
    return isinstance(value, _MODELS) or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def _parsed(value: str) -> Any:
    """Return the JSON in a text that may have blocks; every other text as it is."""
    if value[:1] not in ("[", "{") or not any(hint in value for hint in _HINTS):
        return value
    try:
        return json.loads(value, parse_float=_float, parse_constant=str)
    except (ValueError, RecursionError):
        return value


def _float(written: str) -> float | str:
    """Return a number of JSON text; one that no float holds stays as it is written."""
    number = float(written)
    try:
        return number if decimal.Decimal(written) == decimal.Decimal(repr(number)) else written
    except decimal.DecimalException:  # the exponent is beyond a decimal number too
        return written


def _notebook_bundle(value: object) -> dict[str, Any] | None:
    """Return the bundle in an output of a notebook's cell, if a form can draw more of it than its plain text."""
    if text(camel(value, "outputType")) not in ("display_data", "execute_result"):
        return None
    data = get(value, "data")
    if not isinstance(data, Mapping):
        return None
    found = {name: one for name in (*_DRAWN, "text/plain") if (one := data.get(name)) is not None}
    lines = {name: "".join(map(text, items(one))) if items(one) else one for name, one in found.items()}
    bundle = {name: one if name == "application/json" else text(one) for name, one in lines.items()}
    return bundle if any(name in _DRAWN for name in bundle) else None
