"""Make the bundle of a Python value: its HTML, image, Markdown or JSON beside its text.

Near the bottom of the package, above the tables and ``_bundles.py``, which bounds each bundle. ``tool.result`` and
``live.display`` make bundles in the thread that calls them. No plotting or table library is imported: a value draws itself by its own methods. ``_host.py`` lends the printers that
a shell has registered.
"""

from __future__ import annotations

import html
import inspect
import io
import itertools
import json
import re
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard

from ._bundles import (
    KEYS,
    TAG,
    TYPES,
    clean_bundle,
    clean_value,
    error_words,
    image_type,
    size,
    type_of,
    without_scripts,
)
from ._json_values import bounded_repr, scrub, to_json_value
from ._limits import IMAGE_PIXELS, TABLE_CELLS
from ._settings import display_limit
from ._tables import describe_lazy, summarize_table

__all__ = ["is_bundle", "make_bundle", "shown_bundle", "use_printers"]

_METHODS: Final = (
    ("text/html", "_repr_html_"),
    ("image/png", "_repr_png_"),
    ("image/jpeg", "_repr_jpeg_"),
    ("image/svg+xml", "_repr_svg_"),
    ("text/markdown", "_repr_markdown_"),
    ("text/latex", "_repr_latex_"),
    ("application/json", "_repr_json_"),
)
"""The formatters of a value, in their order; the first image is the only one."""
_WHOLE: Final = "_repr_mimebundle_"
_PLAIN: Final = (
    bool,
    bytes,
    bytearray,
    complex,
    dict,
    float,
    frozenset,
    int,
    list,
    set,
    str,
    tuple,
    type(None),
)
"""Classes whose values have no formatter."""
_TRACE: Final = 20_000
"""Characters of a traceback: its beginning and its end tell most."""
_ROWS: Final = 20
"""Rows and columns that a large frame shows of itself."""
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")

Printer = Callable[[Any], Any]
_find_printer: Callable[[object, str], Printer | None] = lambda value, mime: None  # noqa: E731, ARG005


def use_printers(find: Callable[[object, str], Printer | None]) -> None:
    """Ask *find* for the printer that the present shell has for a value and a type; ``_host.py`` calls this once."""
    global _find_printer  # noqa: PLW0603 - the host stands above this module, and only lends its printers
    _find_printer = find


# Bundles of values


def make_bundle(value: object) -> dict[str, Any] | None:
    """Return the bundle of a Python value; ``None`` if nothing is richer than its JSON.

    Never raises an error of the value: the bundle's text says in one line which formatter failed. A lazy frame is not
    computed.
    """
    try:
        return _make(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - pyarrow's and polars's panics are no Exception
        return {"text/plain": f"{bounded_repr(value)}\n[its display: {error_words(error)}]"}


def shown_bundle(value: object, *, text_type: str = "text/plain") -> dict[str, Any]:
    """Return the bundle of a value that must be shown, also if it is a bundle, a text or plain JSON."""
    if isinstance(value, str):
        return clean_bundle({text_type: value, "text/plain": value}) or {"text/plain": value}
    if is_bundle(value):
        return clean_bundle(value) or {"text/plain": bounded_repr(value)}
    made = make_bundle(value)
    if made is not None:
        return made
    found: dict[str, Any] = {"text/plain": _ADDRESS.sub("", bounded_repr(value))}
    if describe_lazy(value) is None and isinstance(shown := to_json_value(value), dict | list):
        found["application/json"] = shown
    return clean_bundle(found) or found


def is_bundle(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a value is a bundle: a mapping whose keys are types, of which one is known."""
    if not isinstance(value, Mapping) or not 0 < len(value) <= KEYS:
        return False
    keys = list(value)
    if not all(isinstance(key, str) and "/" in key for key in keys):
        return False
    return any(type_of(key) in TYPES for key in keys)


def _make(value: Any) -> dict[str, Any] | None:
    if isinstance(value, bytes | bytearray | memoryview):
        return _of_bytes(bytes(value))
    if isinstance(value, BaseException):
        return clean_bundle({"text/plain": _traceback(value)})
    if type(value) in _PLAIN or isinstance(value, type) or describe_lazy(value) is not None:
        return None
    found, notes = _formatted(value)
    if not found and not notes:
        return None
    text = own if isinstance(own := found.get("text/plain"), str) else None
    if text is None:
        try:
            text = _text(value, found)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the other types are good
            text = bounded_repr(value)
            notes.append(f"[text/plain: {error_words(error)}]")
    return clean_bundle({**found, "text/plain": "\n".join([text, *notes])})


def _of_bytes(data: bytes) -> dict[str, Any] | None:
    mime = image_type(data)
    if mime is None:
        return {"text/plain": f"[{size(len(data))} of binary data]"}
    return clean_bundle({mime: data, "text/plain": f"[{mime}, {size(len(data))}]"})


def _traceback(error: BaseException) -> str:
    """Return an error's traceback with its notes, without its middle if it is long."""
    text = "".join(traceback.format_exception(error)).rstrip("\n")
    if len(text) > _TRACE:
        text = f"{text[: _TRACE // 2]}\n[{len(text) - _TRACE:,} characters]\n{text[-_TRACE // 2 :]}"
    return text


def _formatted(value: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what the value's formatters make, and a line for each one that fails."""
    made = _Formatting(value)
    if made.attempt("the frame's size", lambda: _is_large_frame(value)):
        made.add("text/html", lambda: _frame_html(value))
        return made.found, made.notes
    for mime, entry in made.attempt("a bundle", lambda: _entries(_call(value, "", _WHOLE))) or ():
        made.add(mime, lambda entry=entry: entry)  # type: ignore[misc]
    if not made.found.keys() - {"text/plain"}:
        made.found.clear()  # its text alone is nothing richer
        for mime, name in _METHODS:
            if not _is_beside(mime, made.found):
                made.add(mime, lambda mime=mime, name=name: _call(value, mime, name))  # type: ignore[misc]
    made.add_image()
    if not made.found:
        made.add("text/html", lambda: _summary_html(value))
    return made.found, made.notes


class _Formatting:
    """Collect what the formatters of one value make."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self.found: dict[str, Any] = {}
        self.notes: list[str] = []

    def attempt(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what a formatter makes, without metadata; ``None``, and a line with its *name*, if it fails."""
        try:
            made = make()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a broken formatter must not end the agent's work
            self.notes.append(f"[{name}: {error_words(error)}]")
            return None
        return made[0] if isinstance(made, tuple) and len(made) == 2 else made  # noqa: PLR2004 - with metadata

    def add(self, mime: str, make: Callable[[], Any]) -> None:
        """Add what a formatter makes if it shows something; a line says what is wrong with any other value."""
        made = self.attempt(mime, make)
        if made is None:
            return
        clean = clean_value(type_of(mime), lambda: made, display_limit())
        if isinstance(clean, str):
            self.notes.append(clean)
        elif clean is not None and clean[1] not in ("", None):
            self.found[mime] = made

    def add_image(self) -> None:
        """Draw a value that has no image, and save a large photograph anew."""
        if not any(map(_is_image, self.found)):
            image = self.attempt("image/png", lambda: _drawn(self._value))
            if image is not None:
                self.found["image/png"] = image
        smaller = self.attempt("image/jpeg", lambda: _smaller(self._value, self.found.get("image/png")))
        if smaller is not None:
            del self.found["image/png"]
            self.found["image/jpeg"] = smaller


def _summary_html(value: Any) -> str | None:
    """Return the table of a class that has no HTML of its own."""
    table = summarize_table(value, to_json_value)
    return None if table is None else _table_html(table)


def _entries(whole: Any) -> list[tuple[Any, Any]]:
    """Return the entries of a bundle formatter's value, with or without metadata."""
    if isinstance(whole, tuple) and len(whole) == 2:  # noqa: PLR2004 - with metadata
        whole = whole[0]
    if not isinstance(whole, Mapping):
        return []
    return [(mime, whole[mime]) for mime in itertools.islice(whole, KEYS) if type_of(mime) in TYPES]


def _is_beside(mime: str, found: Mapping[str, Any]) -> bool:
    """Return whether a type adds nothing to what is found."""
    if mime == "text/latex":
        return bool(found)
    return _is_image(mime) and any(map(_is_image, found))


def _is_image(mime: str) -> bool:
    return mime.startswith("image/")


def _call(value: Any, mime: str, name: str) -> Any:
    """Call a value's formatter: the printer that the shell has for its class, else its own method."""
    printer = _find_printer(value, mime)
    if printer is not None and (made := printer(value)) is not None:
        return made
    try:
        # Statically: some objects have every attribute that they are asked for.
        if not callable(found := inspect.getattr_static(value, name)) and not hasattr(found, "__get__"):
            return None
    except AttributeError:
        return None
    method = getattr(value, name)
    if not callable(method):
        return None
    return method(include=None, exclude=None) if name == _WHOLE else method()


def _drawn(value: Any) -> bytes | None:
    """Draw a figure or an image that has no formatter."""
    if _is_of(value, "matplotlib.figure", "Figure"):
        file = io.BytesIO()
        value.savefig(file, format="png", bbox_inches="tight")
        return file.getvalue()
    if _is_of(value, "PIL.Image", "Image") and value.width * value.height <= IMAGE_PIXELS:
        file = io.BytesIO()
        image = value if value.mode in ("1", "L", "LA", "P", "RGB", "RGBA") else value.convert("RGB")
        image.save(file, format="PNG")
        return file.getvalue()
    return None


def _smaller(value: Any, image: Any) -> bytes | None:
    """Save a photograph whose PNG is too large as JPEG, which takes a tenth, and smaller if need be."""
    if not (isinstance(image, bytes) and _is_of(value, "PIL.Image", "Image")):
        return None
    if len(image) * 4 // 3 < display_limit():
        return None
    photo = value.convert("RGB")
    for factor in (1, 2, 4, 8):
        file = io.BytesIO()
        photo.reduce(factor).save(file, format="JPEG", quality=85)
        if file.tell() * 4 // 3 < display_limit():
            break
    return file.getvalue()


def _is_of(value: object, module: str, name: str) -> bool:
    return any(base.__module__ == module and base.__name__ == name for base in type(value).__mro__)


def _is_large_frame(value: Any) -> bool:
    """Return whether a frame may show more cells than a reader wants: the options of pandas allow any number."""
    if not any(
        base.__name__ == "DataFrame" and base.__module__.partition(".")[0] == "pandas"
        for base in type(value).__mro__
    ):
        return False
    rows, columns = map(int, value.shape)
    return rows * columns > TABLE_CELLS


def _frame_html(value: Any) -> Any:
    return value.to_html(max_rows=_ROWS, max_cols=_ROWS, show_dimensions=True, notebook=True)


def _table_html(table: Mapping[str, Any]) -> str:
    """Return the table of a summary, for the classes that have no HTML of their own."""
    labels = int(table.get("labels", 0))

    def cell(tag: str, value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return f"<{tag}>{html.escape(text)}</{tag.partition(' ')[0]}>"

    head = "".join(cell('th scope="col"', name) for name in table["columns"])
    body = "".join(
        "<tr>"
        + "".join(cell('th scope="row"' if at < labels else "td", value) for at, value in enumerate(row))
        + "</tr>"
        for row in table["rows"]
    )
    shown, total = len(table["rows"]), int(table["total"])
    more = f"<p>{shown:,} of {total:,} rows</p>" if total > shown else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _text(value: Any, found: Mapping[str, Any]) -> str:
    """Return the text of a value for readers without its richer form."""
    if _is_large_frame(value):
        return scrub(str(value.to_string(max_rows=_ROWS, max_cols=_ROWS, show_dimensions=True)))
    text = _ADDRESS.sub("", bounded_repr(value))  # an address differs from run to run
    if text.startswith("<") and text.endswith(" object>"):
        if isinstance(markdown := found.get("text/markdown"), str):
            return markdown
        if isinstance(source := found.get("text/html"), str):
            plain = html.unescape(TAG.sub(" ", without_scripts(source[:_TRACE])))
            return " ".join(plain.split()) or text
    return text
