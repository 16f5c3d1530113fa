"""Read an image's size in pixels from its header, and decide whether a browser may have the image.

A file of a few bytes can claim billions of pixels, and the browser reserves memory for all of them. ``sanitize.py``,
the saved forms and the live view ask here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final

from .._limits import IMAGE_PIXELS

__all__ = ["image_problem", "is_decodable", "pixels_of", "size_of", "type_of"]

Size = tuple[int, int]
_FOREIGN: Final = re.compile(rb"BM|\0\0[\1\2]\0|....ftyp|\xff\x0a|\0\0\0\x0cJXL |II\*\0|MM\0\*", re.DOTALL)
"""Headers of other formats, which a browser decodes too, whatever type their address names."""
_GIF_BLOCK: Final = 0x21
_GIF_FRAME: Final = 0x2C


def size_of(data: str) -> Size | None:
    """Return width and height of a PNG, JPEG, GIF or WebP image in base64; ``None`` if its header has none."""
    try:
        raw = base64.b64decode(re.sub(r"\s", "", data))
    except (binascii.Error, ValueError):
        return None
    for signature, read in _READERS:
        if signature.match(raw):
            try:
                return read(raw)
            except IndexError:
                return None  # the header is cut off: no browser decodes it
    return None


def type_of(data: str) -> str | None:
    """Return the MIME type that the first bytes of an image in base64 name; ``None`` for no image of the web."""
    try:
        start = base64.b64decode(re.sub(r"\s", "", data[:100])[:32])
    except (binascii.Error, ValueError):
        return None
    return next(
        (name for name, (signature, _) in zip(_TYPES, _READERS, strict=True) if signature.match(start)), None
    )


def is_decodable(data: str) -> bool:
    """Return whether a browser may decode the image *data*, in base64."""
    size = size_of(data)
    if size is not None:
        return size[0] * size[1] <= IMAGE_PIXELS
    try:
        start = base64.b64decode(re.sub(r"\s", "", data[:64])[:32])
    except (binascii.Error, ValueError):
        return True  # no image for any browser
    return _FOREIGN.match(start) is None


def image_problem(media_type: str | None, data: str) -> str:
    """Return why an image is not shown: too many pixels, or other bytes than its type says; "" for any other file."""
    kind = (media_type or "").lower()
    pixels = pixels_of(data) if kind.startswith("image/") else ""
    real = type_of(data) if kind in _TYPES else kind
    if pixels or real == kind:
        return pixels
    return f"its bytes are {real}" if real else "its bytes are no such image"


def pixels_of(data: str) -> str:
    """Return the size of an image that no browser gets, such as ``50,000 by 50,000 pixels``; "" for any other."""
    size = size_of(data)
    return (
        f"{size[0]:,} \N{MULTIPLICATION SIGN} {size[1]:,} pixels"
        if size is not None and not is_decodable(data)
        else ""
    )


def _number(raw: bytes, start: int, count: int, *, is_big: bool = False) -> int:
    if len(raw) < start + count:
        raise IndexError
    return int.from_bytes(raw[start : start + count], "big" if is_big else "little")


def _png(raw: bytes) -> Size:
    return _number(raw, 16, 4, is_big=True), _number(raw, 20, 4, is_big=True)


def _gif(raw: bytes) -> Size:
    """Return the larger of the canvas and the first frame: browsers enlarge the canvas for it."""
    width, height = _number(raw, 6, 2), _number(raw, 8, 2)
    flags = raw[10]
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    try:
        while raw[at] == _GIF_BLOCK:
            at += 2
            while raw[at]:
                at += raw[at] + 1
            at += 1
        if raw[at] == _GIF_FRAME:
            left, top = _number(raw, at + 1, 2), _number(raw, at + 3, 2)
            width = max(width, left + _number(raw, at + 5, 2))
            height = max(height, top + _number(raw, at + 7, 2))
    except IndexError:
        pass  # no frame, so the canvas counts
    return width, height


def _webp(raw: bytes) -> Size:
    match raw[12:16]:
        case b"VP8X":
            return _number(raw, 24, 3) + 1, _number(raw, 27, 3) + 1
        case b"VP8L":
            bits = _number(raw, 21, 4)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case _:
            return _number(raw, 26, 2) & 0x3FFF, _number(raw, 28, 2) & 0x3FFF


def _jpeg(raw: bytes) -> Size:
    at = 2
    while at + 4 <= len(raw):
        if raw[at] != 0xFF:  # noqa: PLR2004 - every marker begins with it
            at += 1
            continue
        kind = raw[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):  # noqa: PLR2004 - start of a frame
            return _number(raw, at + 7, 2, is_big=True), _number(raw, at + 5, 2, is_big=True)
        if kind == 0xFF or kind in (0x00, 0x01) or 0xD0 <= kind <= 0xD9:  # noqa: PLR2004 - without a length
            at += 1 if kind == 0xFF else 2  # noqa: PLR2004
            continue
        at += 2 + _number(raw, at + 2, 2, is_big=True)
    raise IndexError


_READERS: Final[tuple[tuple[re.Pattern[bytes], Callable[[bytes], Size]], ...]] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    (re.compile(rb"GIF8[79]a"), _gif),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _webp),
    (re.compile(rb"\xff\xd8"), _jpeg),
)
_TYPES: Final = ("image/png", "image/gif", "image/webp", "image/jpeg")
"""The MIME type of each reader."""
