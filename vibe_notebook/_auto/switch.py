"""``auto`` and ``spans``: the user API for runs that no code wraps.

At the top of the path, beside ``watch``.
"""

from __future__ import annotations

import atexit
import sys
from typing import Any

from .._host import host
from ..adapters.fields import get
from ..registry import Registry
from .hooks import Hooks, SpanProcessor
from .views import Settings

__all__ = ["Auto", "auto", "spans"]


class Auto:
    """Describe what ``auto`` has done, a line for each SDK."""

    def __init__(self, lines: list[str], *, is_on: bool) -> None:
        self.lines = lines
        self.is_on = is_on

    def __repr__(self) -> str:
        state = "on" if self.is_on else "off"
        return "\n".join([f"vibe.auto is {state}", *(f"  {line}" for line in self.lines)])


_NOTHING = ["no SDK with a hook is imported yet; the end of each cell looks again, and so does vibe.auto()"]
_hooks: list[Hooks] = []
"""The hooks of this process: most SDKs keep them for ever."""


def auto(on: bool = True, *, registry: Registry | None = None, display: bool = True) -> Auto:  # noqa: FBT001, FBT002
    """Show each agent's run that no code wraps, where it starts; ``auto(False)`` shows none any more.

    It sets the hooks of the SDKs that are imported: LangChain's callbacks, openai-agents' trace processors,
    pydantic-ai's instrumentation, OpenTelemetry's span processors. In a notebook the end of each cell looks for SDKs that
    the cell has imported; elsewhere call ``auto()`` again after an import. A run that a watch, a live view or a handler
    shows is not shown twice. The result says a line for each SDK.
    """
    if not _hooks:
        if not on:
            return Auto([], is_on=False)
        _hooks.append(Hooks(Settings()))
        atexit.register(_close)
    hooks = _hooks[0]
    hooks.settings.is_on = on
    if not on:
        hooks.close()
        return Auto([], is_on=False)
    hooks.settings.registry, hooks.settings.display = registry, display
    hooks.settings.has_failed = False
    _look_at_cell_end()
    return Auto(hooks.set() or _NOTHING, is_on=True)


_looking: list[bool] = []


def _look_at_cell_end() -> None:
    """Set the hooks of SDKs that a cell has imported, at the end of each cell."""
    if not _looking and host().at_cell_end(_cell_ended):
        _looking.append(True)


def _cell_ended(_: BaseException | None) -> None:
    _looking.clear()
    if _hooks and _hooks[0].settings.is_on:
        _hooks[0].set()
        _look_at_cell_end()


def _close() -> None:
    """End the views of runs that the end of the process cuts off."""
    for hooks in _hooks:
        hooks.close()


def spans(*, registry: Registry | None = None, display: bool = True) -> Any:
    """Return a span processor that shows each agent's run among the spans, in a view of its own.

    ``provider.add_span_processor(vibe.spans())``: of every instrumentation that follows the ``gen_ai`` conventions,
    OpenInference or OpenLLMetry. It reads the content of messages where the instrumentation records it.
    """
    made = SpanProcessor(Settings(registry=registry, display=display))
    base = get(sys.modules.get("opentelemetry.sdk.trace"), "SpanProcessor")
    if base is not None:  # of the SDK's own class, for whatever a newer version of it calls
        made.__class__ = type("SpanProcessor", (SpanProcessor, base), {})
    atexit.register(made.shutdown)
    return made
