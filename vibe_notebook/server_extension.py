"""An extension of Jupyter Server: what a kernel says reaches the page when it is said.

Jupyter Server leaves Nagle's algorithm on for its kernels' websockets. A short message that follows
another within 40 ms is then held back until the browser's system has acknowledged the first one, which
it puts off for just as long (RFC 896, RFC 1122 4.2.3.2). The last words of a stream come right after others.

Between ``display/_widget.py`` in the kernel and ``display/static/widget.js`` in the page; imported by the
server's process only.

It is enabled by being installed where Jupyter Server is, and works for every kernel of that server:
``jupyter server extension disable vibe_notebook.server_extension`` leaves the server as it was.
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
