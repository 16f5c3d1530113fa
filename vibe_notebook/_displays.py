"""Make bundles of Python values: ``{mime type: value}``, as Jupyter's outputs have them."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["make_bundle"]

_METHODS: Final = {"_repr_html_": "text/html", "_repr_png_": "image/png"}


def make_bundle(value: object) -> dict[str, Any] | None:
    """Return the bundle of a value; ``None`` for a value with nothing richer than its JSON."""
    bundle: dict[str, Any] = {}
    for name, media in _METHODS.items():
        method = getattr(type(value), name, None)
        if not isinstance(value, type) and callable(method) and isinstance(made := method(value), str):
            bundle[media] = made
    return bundle or None
