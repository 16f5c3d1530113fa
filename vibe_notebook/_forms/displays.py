"""Render a bundle, as Jupyter's outputs have it, as safe HTML."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from .._markdown.sanitize import clean, is_raster

__all__ = ["display_html"]


def display_html(bundle: Mapping[str, Any], *, name: str = "") -> str:
    """Return one block of safe HTML for the richest type of the bundle that can be shown."""
    if isinstance(html := bundle.get("text/html"), str):
        return clean(html)
    for mime in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        source = f"data:{mime};base64,{bundle.get(mime, '')}"
        if bundle.get(mime) and is_raster(source):
            return f'<img src="{escape(source)}" alt="{escape(name)}">'
    return f"<pre>{escape(str(bundle.get('text/plain', '')))}</pre>"
