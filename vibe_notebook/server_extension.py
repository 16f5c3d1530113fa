"""Set TCP_NODELAY on the websockets of Jupyter Server's kernels, for a server that is far from its browser.

Jupyter Server leaves Nagle's algorithm on there: a short message waits until the browser's system has
acknowledged the one before (RFC 896), which takes a round trip and up to 40 ms more (RFC 1122 4.2.3.2).

Between ``display/_widget.py`` in the kernel and ``display/static/widget.js`` in the page; imported by the
server's process only.

Off unless a server's own configuration turns it on (docs/wire.md): installing a package changes no server.
"""

from __future__ import annotations

from typing import Any

__all__ = ["prompt"]

_CLASS = "kernel_websocket_connection_class"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    """Wrap the class that connects websockets and kernels, whichever it is (one's own, a gateway's)."""
    settings: dict[str, Any] = app.web_app.settings
    base = settings.get(_CLASS)
    if base is None:  # before jupyter_server 2.3
        app.log.info(
            "vibe_notebook: this Jupyter Server's websockets cannot be changed; they stay as they are."
        )
        return
    settings[_CLASS] = prompt(base)


def prompt(base: type[Any]) -> type[Any]:
    """Return the same kind of connection, with TCP_NODELAY."""

    class Prompt(base):  # type: ignore[misc] # whichever class the server was given
        async def connect(self) -> None:
            self.websocket_handler.set_nodelay(True)
            await super().connect()

    return Prompt
