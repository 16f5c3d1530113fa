"""The server: projects over HTTP, for agents that send and notebooks that follow.

On top of ``projects``. The server adds HTTP, access checks and limits; the log makes the ids and the order of events.
Needs the extra ``server``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..exceptions import MissingExtraError

if TYPE_CHECKING:
    from ._app import create_app
    from ._background import BackgroundServer, serve_in_background
    from ._guard import Auth
    from ._limits import Limits
    from ._serve import serve

__all__ = ["Auth", "BackgroundServer", "Limits", "create_app", "serve", "serve_in_background"]

# Imported at first use: without the extra, an access raises an error that names the extra.
_MODULES = {
    "Auth": "._guard",
    "BackgroundServer": "._background",
    "Limits": "._limits",
    "create_app": "._app",
    "serve": "._serve",
    "serve_in_background": "._background",
}
_NEEDED = frozenset(("httptools", "sse_starlette", "starlette", "uvicorn"))


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    try:
        value = getattr(import_module(module, __name__), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        raise MissingExtraError("The server", "server") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
