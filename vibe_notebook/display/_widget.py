"""The kernel half of the live widget: carries a view's messages to the browser and back.

Between ``_view.py`` and ``static/widget.js``, the bundle of ``frontend/`` (tools/frontend.js); what they say
to each other is in docs/wire.md.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

__all__ = ["StreamWidget"]

log = logging.getLogger("vibe_notebook")

_BUNDLE = Path(__file__).parent / "static" / "widget.js"


def _module() -> str | Path:
    """Return the bundle, or its path if anywidget is to load it again at each change (CONTRIBUTING.md).

    Not always the path: anywidget would connect each widget to the file, and so keep it for ever.
    """
    return _BUNDLE if os.environ.get("ANYWIDGET_HMR") == "1" else _BUNDLE.read_text(encoding="utf-8")


class StreamWidget(anywidget.AnyWidget):
    """Shows one view. ``snapshot`` gives its whole state, ``on_message`` takes the user's actions."""

    # The stylesheet is in the module. As anywidget's _css it would be set, and the page styled, for every view.
    _esm = _module()
    _snapshot = traitlets.Dict().tag(sync=True)

    def __init__(
        self, snapshot: Callable[[], dict[str, Any]], on_message: Callable[[dict[str, Any]], None]
    ) -> None:
        self._make_snapshot = snapshot
        self._on_message = on_message
        self.mounted = False  # whether a browser has ever said hello
        super().__init__()
        self.on_msg(self._receive)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - theirs
        """The state to send; the snapshot is made now, so a reload or a second view starts whole."""
        state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        if key is None or key == "_snapshot" or (not isinstance(key, str) and "_snapshot" in key):
            state["_snapshot"] = self._make_snapshot()
        return state

    def close(self) -> None:
        """Close its comm, and that of the layout that every DOM widget makes for itself."""
        layout = self.layout
        super().close()
        layout.close()

    def _receive(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, dict):
            return
        kind = content.get("type")
        if kind == "hello":
            self.mounted = True
        try:
            self._on_message(content)
        except Exception:
            # The comm manager would swallow it: say it where a developer looks.
            log.exception("The view's message %r could not be handled", kind)
