"""Tell the form of a tool call by the shape of its arguments and results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..parts import ToolPart

__all__ = ["CallShape", "call_shape"]


@dataclass(frozen=True)
class CallShape:
    """Hold the form of a call: one line, and the HTML that replaces its plain arguments and output."""

    preview: str
    arguments_html: str | None = None
    output_html: str | None = None


def call_shape(part: ToolPart) -> CallShape | None:
    """Return the form of a call; ``None``: it has no form of its own."""
    del part
    return None
