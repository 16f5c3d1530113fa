"""Carry a view's messages to the browser and back: the kernel half of the live widget.

Between ``_widget_output.py`` and ``static/widget.js``, the bundle of ``frontend/`` (tools/frontend.js). The messages are
in docs/wire.md.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from .._foreign_words import clean_logger

__all__ = ["StreamWidget"]

log = clean_logger("vibe_notebook")

_BUNDLE = Path(__file__).parent / "static" / "widget.js"


def _module() -> str | Path:
    """Return the bundle's text, or its path where anywidget reloads it at each change (CONTRIBUTING.md).

    A path is only for development: anywidget connects each widget to the file, which keeps the widget for ever.
    """
    return _BUNDLE if os.environ.get("ANYWIDGET_HMR") == "1" else _BUNDLE.read_text(encoding="utf-8")


class StreamWidget(anywidget.AnyWidget):
    """Connect one view to its browser views.

    *snapshot* returns the view's whole state; *on_message* handles a message of the browser. *mark* is the id of the
    widget's model.
    """

    # The module has the stylesheet. anywidget would set its _css, and style the page, for every view.
    _esm = _module()
    _snapshot = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        snapshot: Callable[[], dict[str, Any]],
        on_message: Callable[[dict[str, Any]], None],
        *,
        mark: str,
    ) -> None:
        self._make_snapshot = snapshot
        self._on_message = on_message
        super().__init__(model_id=mark)
        self.on_msg(self._receive)
        self._keep_route()

    def _keep_route(self) -> None:
        """Let a click arrive while a cell blocks the main thread: in the subshell that the front end names.

        ipykernel 7.4 sends a page's message to the shell that last used the comm: there it waits for the cell's end.
        """
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda _, named: named  # noqa: SLF001 - ipykernel has no public way

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - theirs
        """Return the state to send, with a current snapshot: a reload and a second view start whole."""
        state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        if key is None or key == "_snapshot" or (not isinstance(key, str) and "_snapshot" in key):
            state["_snapshot"] = self._make_snapshot()
        return state

    def forget(self) -> Callable[[], None]:
        """Empty the state that nbclient saves of each widget, then close; return a function that empties it again.

        nbclient ignores that a widget was closed. It reads the messages of the present cell only.
        """
        send = self.comm.send

        def empty() -> None:
            send({"method": "update", "state": {"_esm": "", "_snapshot": {}}, "buffer_paths": []})

        contextvars.Context().run(empty)
        self.close()
        return empty

    def close(self) -> None:
        """Close the widget's comm, and the comm of the layout that every DOM widget makes."""
        layout = self.layout
        super().close()
        layout.close()

    def _receive(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, dict):
            return
        try:
            self._on_message(content)
        except Exception:
            # The comm manager would swallow the error, so it goes to the log.
            log.exception("The view's message %r could not be handled", content.get("type"))
