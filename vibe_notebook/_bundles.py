"""Clean every bundle ``{mime type: value}``: known types only, bounded, images told by their first bytes.

Near the bottom of the package, above the JSON of values. The field ``Display`` of the events cleans each bundle that
it gets; ``_displays.py`` makes the bundles of values.
"""

from __future__ import annotations

import base64
import binascii
import html
import itertools
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, Final

from ._json_values import scrub, to_json_value
from ._settings import display_limit

__all__ = [
    "IMAGES",
    "KEYS",
    "TAG",
    "TYPES",
    "bounded_bundle",
    "bundle_size",
    "clean_bundle",
    "clean_value",
    "error_words",
    "image_type",
    "size",
    "svg_root",
    "type_of",
    "without_scripts",
]

IMAGES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""The types whose value is base64."""
TYPES: Final = (
    "text/html",
    *IMAGES,
    "image/svg+xml",
    "text/markdown",
    "application/json",
    "text/plain",
)
"""The types that a bundle has, in its order."""

_OTHER_NAMES: Final = {"image/jpg": "image/jpeg", "image/svg": "image/svg+xml", "text/latex": "text/markdown"}
KEYS: Final = 64
"""Keys of a bundle that are read: a notebook's bundles have ten at most."""
_WORDS: Final = 300
"""Characters of an error in a bundle's text."""
_SNIFF: Final = 1_024
"""Bytes at an image's beginning that tell its type."""
_SVG: Final = "image/svg+xml"
_PROLOG: Final = re.compile(
    r"\ufeff?(?>\s+|<\?(?s:.*?)\?>|<!--(?s:.*?)-->|<!DOCTYPE\s(?>[^\[\]>\"']|\"[^\"]*\"|'[^']*'|\[[^\]]*\])*+>)*+",
    re.IGNORECASE,
)
"""All that may stand before the root of XML; each step reads on, so the time is linear."""
_ROOT: Final = re.compile(r"<(?:[\w.-]{1,60}:)?svg(?=[\s/>])", re.IGNORECASE)

_LEAST: Final = 2_000
"""Bytes of text that stay whatever the limit is: they say what is missing."""
_MARKS: Final = 6
"""Bytes of JSON around a type and its value."""

TAG: Final = re.compile(r"<[^<>]*>")
_SEEN: Final = re.compile(
    r"<(?:img|svg|table|video|audio|hr|canvas|math|progress|meter|input)\b", re.IGNORECASE
)


def clean_bundle(given: object) -> dict[str, Any] | None:
    """Return a bundle of known types whose values have the right form, within ``display_limit``; ``None`` for none.

    Never raises: a line of ``text/plain`` says what was left out.
    """
    if given is None:
        return None
    try:
        return _clean(given)
    except Exception as error:  # noqa: BLE001 - a mapping may fail at any key
        return {"text/plain": f"[no bundle: {error_words(error)}]"}


def _clean(given: object) -> dict[str, Any] | None:
    if not isinstance(given, Mapping):
        given = {"text/plain": given if isinstance(given, str) else f"[no bundle: {type(given).__name__}]"}
    limit = display_limit()
    found: dict[str, Any] = {}
    notes: list[str] = []
    unknown: list[str] = []
    for key in itertools.islice(given, KEYS):
        mime = type_of(key)
        if mime not in TYPES:
            unknown.append(_short(key))
            continue
        made = clean_value(mime, lambda key=key: given[key], limit)  # type: ignore[misc]
        if isinstance(made, str):
            notes.append(made)
        elif made is not None:
            found.setdefault(*made)
            if made[0] != mime:
                notes.append(f"[{mime}: its bytes are {made[0]}]")
    if not found and not notes:
        notes = [f"[{name}: not shown]" for name in unknown[:3]]
    return bounded_bundle(_with_lines(found, notes), limit, "display_limit") or None


def bounded_bundle(bundle: dict[str, Any], limit: int, name: str) -> dict[str, Any]:
    """Return a bundle of at most *limit* bytes: the heaviest types go, and a line with the limit's *name* says so."""
    if bundle_size(bundle) <= limit:
        return bundle
    kept, notes = dict(bundle), list[str]()
    while bundle_size(made := _with_lines(kept, notes)) > limit:
        rich = [mime for mime in kept if mime != "text/plain"]
        if not rich:
            return made if bundle_size(made) <= _LEAST else _cut(kept, notes, max(limit, _LEAST), name)
        heaviest = max(rich, key=lambda mime: _json_size(kept[mime]))
        notes.append(_too_large(heaviest, _json_size(kept.pop(heaviest)), name))
    return made


def _cut(bundle: dict[str, Any], notes: list[str], limit: int, name: str) -> dict[str, Any]:
    """Return a bundle of text alone, cut to the limit."""
    text = bundle.get("text/plain", "")
    lines = [*notes, _too_large("the rest of the text", _json_size(text), name)]
    keep = max(limit - bundle_size(_with_lines({}, lines)) - 2, 0)
    fits = bisect_right(range(min(keep, len(text)) + 1), keep, key=lambda count: _json_size(text[:count]) - 2)
    return _with_lines({"text/plain": text[: max(fits - 1, 0)]}, lines)


def bundle_size(bundle: Mapping[str, Any]) -> int:
    """Return the bytes of a bundle's JSON."""
    return sum(len(mime) + _MARKS + _json_size(value) for mime, value in bundle.items()) + 2


def image_type(data: bytes) -> str | None:
    """Return the type of an image by its first bytes; ``None`` for other data."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return _SVG if svg_root(xml_text(data)) is not None else None


def xml_text(data: bytes) -> str:
    """Return bytes that may be XML as text, without a byte order mark; "" for other data."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if data[:_SNIFF].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"<":
        return ""
    return data.decode("utf-8-sig", "replace")


def svg_root(text: str) -> int | None:
    """Return the end of the root's name in an SVG, after declarations, comments and a doctype; ``None`` for other text."""
    prolog = _PROLOG.match(text)
    root = _ROOT.match(text, prolog.end()) if prolog is not None else None
    return None if root is None else root.end()


def size(count: int) -> str:
    """Return a number of bytes with its unit: ``812 B``, ``12 kB``, ``3.4 MB``."""
    if count < 1_000:  # noqa: PLR2004
        return f"{count} B"
    number = count / 1_000
    for unit in ("kB", "MB"):
        if number < 1_000:  # noqa: PLR2004
            return f"{number:.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}"  # noqa: PLR2004
        number /= 1_000
    return f"{number:.1f} GB"


def type_of(key: object) -> str:
    """Return the known name of a type, without its parameters."""
    name = key.partition(";")[0].strip().lower() if isinstance(key, str) else ""
    return _OTHER_NAMES.get(name, name)


def clean_value(mime: str, read: Callable[[], Any], limit: int) -> tuple[str, Any] | str | None:
    """Return the true type and the value of one entry, a line that says why it is left out, or ``None``."""
    try:
        return _cleaned(mime, read(), limit)
    except Exception as error:  # noqa: BLE001 - a mapping may fail at any key, and a value at any use
        return f"[{mime}: {error_words(error)}]"


def _cleaned(mime: str, value: Any, limit: int) -> tuple[str, Any] | str | None:
    if value is None:
        return None
    if mime == "application/json":
        return mime, to_json_value(value)
    if isinstance(value, list | tuple) and all(isinstance(line, str) for line in value):
        value = "".join(value)
    if mime.startswith("image/"):
        return _image(mime, value, limit)
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode(errors="replace")
    if not isinstance(value, str):
        return f"[{mime}: no text, but {type(value).__name__}]"
    text = scrub(value)
    if mime == "text/html":
        text = without_scripts(text)
        if len(text) <= limit and not _SEEN.search(text) and not html.unescape(TAG.sub("", text)).strip():
            return "[text/html: nothing to see]" if value.strip() else None
    return mime, text


def _image(mime: str, value: Any, limit: int) -> tuple[str, Any] | str:
    if isinstance(value, str) and value.lstrip("\ufeff \t\r\n").startswith("<"):
        data = value.encode(errors="replace")
    elif isinstance(value, str):
        if len(value) > limit:  # not decoded: it may have any length
            return _too_large(mime, len(value), "display_limit")
        _, comma, rest = value[:_SNIFF].partition(",")
        text = "".join((rest + value[_SNIFF:] if comma and value.startswith("data:") else value).split())
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            return f"[{mime}: no image]"
    elif isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
    else:
        return f"[{mime}: no image, but {type(value).__name__}]"
    found = image_type(data)
    if found is None and mime == _SVG and (text := xml_text(data)):
        return mime, scrub(text)  # forms show it as text
    if found is None:
        return f"[{mime}: no image, but {size(len(data))} of other data]"
    if found == _SVG:
        return found, scrub(xml_text(data))
    if len(data) * 4 // 3 > limit:
        return _too_large(found, len(data) * 4 // 3, "display_limit")
    return found, base64.b64encode(data).decode()


_SCRIPT: Final = re.compile(r"<script(?=[\s/>])")


def without_scripts(text: str) -> str:
    """Return HTML without the script elements: the sanitiser drops them anyway, and they may be megabytes."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter whose small form has another length
        return text
    pieces, at, comment = [], 0, 0
    for start in (match.start() for match in _SCRIPT.finditer(lowered)):
        if start < max(at, comment):
            continue
        opened = lowered.rfind("<!--", max(at, comment), start)
        if opened >= 0 and lowered.find("-->", opened, start) < 0:
            comment = lowered.find("-->", start)
            if comment < 0:
                break
            continue
        pieces.append(text[at:start])
        end = lowered.find("</script", start)
        close = lowered.find(">", end) if end >= 0 else -1
        if close < 0:
            return "".join(pieces)  # HTML reads all that follows as the script
        at = close + 1
    return "".join([*pieces, text[at:]]) if at else text


def _with_lines(bundle: Mapping[str, Any], lines: list[str]) -> dict[str, Any]:
    """Return a bundle in its order, whose text has these lines at its end."""
    text = bundle.get("text/plain", "")
    new = [line for line in lines if line not in text]
    if new:
        bundle = {**bundle, "text/plain": "\n".join([text, *new] if text else new)}
    return {mime: bundle[mime] for mime in TYPES if mime in bundle}


def _json_size(value: Any) -> int:
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and "\\" not in value
        and '"' not in value
    ):
        return len(value) + 2
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _too_large(mime: str, count: int, name: str) -> str:
    return f"[{mime}, {size(count)}: larger than {name}]"


def _short(value: object) -> str:
    text = value[:100] if isinstance(value, str) else type(value).__name__
    return "".join(char if char.isprintable() else "�" for char in text)


def error_words(error: BaseException) -> str:
    """Return an error in one short line."""
    try:
        message = " ".join(scrub(str(error)).split())
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a broken __str__ must not hide the error's class
        message = ""
    name = type(error).__name__
    return f"{name}: {message[:_WORDS]}" if message else name
