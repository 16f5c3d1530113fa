"""``renderer``: show a tool's calls by a function of the user.

Beside ``live`` and ``watch``; ``displays.py`` calls the renderers for each call that finishes.
"""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self

from ..parts import ToolPart

__all__ = ["Match", "Renderer", "registered", "renderer"]

Match = str | Iterable[str] | Callable[[ToolPart], object]
_GLOB: Final = frozenset("*?[")

_registered: list[Renderer] = []


class Renderer:
    """Hold a function that shows calls; made by ``renderer``. Call it as the function, or remove it.

    As a context manager it is removed at the end of the block.
    """

    def __init__(self, match: Match, function: Callable[[ToolPart], Any]) -> None:
        if isinstance(match, str):
            match = (match,)
        elif not callable(match):
            match = tuple(match)
            if not all(isinstance(name, str) for name in match):
                msg = f"match={match!r}: give names or globs of tools, or a function of the call."
                raise TypeError(msg)
        self.match: tuple[str, ...] | Callable[[ToolPart], object] = match
        self.function = function

    def __repr__(self) -> str:
        return f"<renderer {self.name} of {self.match!r}>"

    def __call__(self, call: ToolPart) -> Any:
        """Return what the function makes of a call."""
        return self.function(call)

    @property
    def name(self) -> str:
        """Return the function's name."""
        return str(getattr(self.function, "__qualname__", None) or type(self.function).__qualname__)

    def fits(self, call: ToolPart) -> bool:
        """Return whether the renderer shows *call*; raise what its predicate raises."""
        if not isinstance(self.match, tuple):
            return bool(self.match(call))
        return any(
            fnmatch.fnmatchcase(call.tool_name, name) if _GLOB & set(name) else call.tool_name == name
            for name in self.match
        )

    def remove(self) -> None:
        """Remove the renderer; a second time does nothing."""
        _registered[:] = [each for each in _registered if each is not self]

    def replaces(self, other: Renderer) -> bool:
        """Return whether the other renderer is the same one, of a cell that ran before."""
        mine, its = self.function, other.function
        is_named = hasattr(mine, "__qualname__") and not self.name.endswith("<lambda>")
        return (
            self.match == other.match
            and is_named
            and self.name == other.name
            and getattr(mine, "__module__", None) == getattr(its, "__module__", None)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def renderer(match: Match) -> Callable[[Callable[[ToolPart], Any]], Renderer]:
    """Show the calls that *match* by the decorated function.

    ::

        @vibe.renderer("query")
        def as_table(call):
            return pandas.DataFrame(call.output)

    *match* is a tool's name, a glob (``"db_*"``), a list of them, or a function of the call. The function gets the
    finished call as a ``ToolPart``. It returns a bundle, a ``str`` in Markdown, any value that shows itself, or
    ``None`` for the call's usual form. The renderer that was registered last comes first. ``as_table.remove()``
    removes it.

    Raises ``TypeError`` for a *match* of another type, and for an async function.
    """
    if not (isinstance(match, str | Iterable) or callable(match)):
        msg = f"match={match!r}: give names or globs of tools, or a function of the call."
        raise TypeError(msg)

    def register(function: Callable[[ToolPart], Any]) -> Renderer:
        if not callable(function) or inspect.iscoroutinefunction(function):
            msg = f"{function!r}: a renderer is a plain function of the call, not async."
            raise TypeError(msg)
        made = Renderer(match, function)
        _registered[:] = [*(each for each in _registered if not made.replaces(each)), made]
        return made

    return register


def registered() -> list[Renderer]:
    """Return the renderers, the last registered first."""
    return _registered[::-1]
