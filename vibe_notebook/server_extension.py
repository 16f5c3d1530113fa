"""Set TCP_NODELAY on the websockets of Jupyter Server's kernels, for a server far from its browser.

Jupyter Server leaves Nagle's algorithm on for these websockets: a short message waits until the browser's machine has
acknowledged the message before (RFC 896). The wait takes a round trip and up to 40 ms more (RFC 1122, 4.2.3.2).

The extension stands between ``display/_widget.py`` in the kernel and ``display/static/widget.js`` in the page. Only
the server's process imports it.

The extension is off until the server's own configuration turns it on (docs/wire.md): the installation of a package
must not change a server.
"""

from __future__ import annotations

from typing import Any

__all__ = ["prompt"]

_CLASS = "kernel_websocket_connection_class"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    """Wrap the server's class that connects websockets and kernels, also one of a gateway or of the user's own."""
    settings: dict[str, Any] = app.web_app.settings
    base = settings.get(_CLASS)
    if base is None:  # before jupyter_server 2.3
        app.log.info(
            "vibe_notebook: this Jupyter Server is older than 2.3; its websockets keep Nagle's algorithm."
        )
        return
    settings[_CLASS] = prompt(base)


def prompt(base: type[Any]) -> type[Any]:
    """Return a subclass of a connection class that sets TCP_NODELAY."""

    class Prompt(base):  # type: ignore[misc] # the server's configuration chooses the base class
        async def connect(self) -> None:
            self.websocket_handler.set_nodelay(True)
            await super().connect()

    return Prompt
