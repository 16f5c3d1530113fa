"""tqdm for AI agents: watch any agent's work live in a Jupyter notebook.

::

    import vibe_notebook as vibe

    async for event in vibe.watch(agent.run_stream_events("…")):
        ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._auto.switch import auto, spans
    from ._watching.approvers.sdks import approver
    from ._watching.budgets import Budget
    from ._watching.chat import Chat, chat
    from ._watching.entry import watch
    from ._watching.handlers.sdks import handler
    from ._watching.live import Live, live
    from ._watching.questions import Request
    from ._watching.renderers import renderer
    from ._watching.requests import Pending
    from ._watching.steering import Steered
    from ._watching.turns import Sent
    from ._watching.watch import Watch, last
    from .display import configure
    from .exceptions import NoAnswerError, VibeNotebookError
    from .logs import load
    from .parts import Answer
    from .recording import Recorder, Replay, record, replay
    from .registry import Registry, get_registry
    from .transcript import Transcript

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Budget",
    "Chat",
    "Live",
    "NoAnswerError",
    "Pending",
    "Recorder",
    "Registry",
    "Replay",
    "Request",
    "Sent",
    "Steered",
    "Transcript",
    "VibeNotebookError",
    "Watch",
    "approver",
    "auto",
    "chat",
    "configure",
    "get_registry",
    "handler",
    "last",
    "live",
    "load",
    "load_ipython_extension",
    "record",
    "renderer",
    "replay",
    "spans",
    "unload_ipython_extension",
    "watch",
]

_HOMES = {
    "Answer": ".parts",
    "Budget": "._watching.budgets",
    "Chat": "._watching.chat",
    "Sent": "._watching.turns",
    "Steered": "._watching.steering",
    "chat": "._watching.chat",
    "NoAnswerError": ".exceptions",
    "Pending": "._watching.requests",
    "Request": "._watching.questions",
    "Live": "._watching.live",
    "Recorder": ".recording",
    "Registry": ".registry",
    "Replay": ".recording",
    "Transcript": ".transcript",
    "VibeNotebookError": ".exceptions",
    "Watch": "._watching.watch",
    "approver": "._watching.approvers.sdks",
    "auto": "._auto.switch",
    "configure": ".display",
    "get_registry": ".registry",
    "handler": "._watching.handlers.sdks",
    "last": "._watching.watch",
    "live": "._watching.live",
    "load": ".logs",
    "record": ".recording",
    "renderer": "._watching.renderers",
    "replay": ".recording",
    "watch": "._watching.entry",
    "spans": "._auto.switch",
}


_MODULES = frozenset(
    ("adapters", "events", "exceptions", "logs", "projects", "remote", "server", "streaming", "testing")
)
"""Submodules that ``vibe.NAME`` imports at its first use."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})


def load_ipython_extension(shell: Any) -> None:
    """Load the magics and the completion of their options: ``%load_ext vibe_notebook``."""
    from .magic import load  # noqa: PLC0415 - IPython is there when this is called

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Remove every hook: ``%unload_ext vibe_notebook``."""
    from .magic import unload  # noqa: PLC0415

    unload(shell)
