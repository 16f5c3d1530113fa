"""How the connections of a remote source are doing: what a view says of them, and what is left at the end.

Beside ``_watching/pipeline.py``. It knows a remote stream only by what it has: whoever has ``connections``
is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

__all__ = ["Connection", "Connections", "Line", "connections_of"]

Line = tuple[str, str]
"""(state, what to say)"""


class Status(Protocol):
    """``str()`` of it is for a person."""

    @property
    def state(self) -> str:
        """One word of connecting, live, reconnecting, ended, refused."""

    @property
    def reason(self) -> str | None:
        """Why it is not live."""


class Connection(Protocol):
    """One remote stream."""

    @property
    def title(self) -> str:
        """What it is called."""

    def on_status(self, listener: Callable[[Any], object]) -> None:
        """Call *listener* now and whenever the status changes."""

    def reconnect(self) -> None:
        """Connect anew, at once."""


def connections_of(source: object) -> Sequence[Connection]:
    """The remote streams that *source* is made of; of others, none."""
    found = getattr(source, "connections", ())
    return found if isinstance(found, tuple) else ()


class Connections:
    """Keeps one line for each connection, and tells *changed* of every new one."""

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._all: Sequence[Connection] = ()
        self._statuses: dict[int, Status] = {}

    def __bool__(self) -> bool:
        return bool(self._all)

    def show(self, connections: Sequence[Connection]) -> None:
        """Show these from now on."""
        self._all = connections
        for number, connection in enumerate(connections):
            connection.on_status(partial(self._put, number))

    def reconnect(self) -> None:
        """Connect all of them anew, at once; from any thread."""
        for connection in self._all:
            connection.reconnect()

    def lines(self) -> list[Line]:
        """What each is doing."""
        return [(status.state, self._said(number)) for number, status in self._statuses.items()]

    def last_words(self) -> str | None:
        """How those ended that did not end as they should; ``None``: all did.

        That the only one was refused is what the watch raises and shows anyway.
        """
        several = len(self._all) > 1
        odd = [
            number
            for number, status in self._statuses.items()
            if (status.state == "refused" and several) or (status.state == "ended" and status.reason)
        ]
        return "\n".join(map(self._said, odd)) or None

    def _said(self, number: int) -> str:
        said = str(self._statuses[number])
        return said if len(self._all) == 1 else f"{self._all[number].title}: {said}"

    def _put(self, number: int, status: Status) -> None:
        self._statuses[number] = status
        self._changed()
