"""Keep the state of a remote source's connections for its view, and for the final form.

Below ``_watching/pipeline.py``. A source with a tuple ``connections`` is a remote stream: this module does not
import ``remote``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

__all__ = ["Connection", "Connections", "Line", "connections_of"]

Line = tuple[str, str]
"""(state, text for the view)"""


class Status(Protocol):
    """Describe one connection's state; ``str()`` of it is for a person."""

    @property
    def state(self) -> str:
        """Return one word of connecting, live, reconnecting, ended, refused."""

    @property
    def reason(self) -> str | None:
        """Return the reason why the connection is not live."""


class Connection(Protocol):
    """Follow one remote stream."""

    @property
    def title(self) -> str:
        """Return the name of the stream in the view."""

    def on_status(self, listener: Callable[[Any], object]) -> None:
        """Call *listener* now and whenever the status changes."""

    def reconnect(self) -> None:
        """Connect again, at once."""


def connections_of(source: object) -> Sequence[Connection]:
    """Return the remote streams of which *source* is made; an empty sequence for other sources."""
    found = getattr(source, "connections", ())
    return found if isinstance(found, tuple) else ()


class Connections:
    """Keep one line for each connection, and call *changed* at every new one."""

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._all: Sequence[Connection] = ()
        self._statuses: dict[int, Status] = {}
        self._has_stood = False

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def stood(self) -> bool:
        """Return whether a connection has ever stood; True for a source without connections."""
        return self._has_stood or not self._all

    def show(self, connections: Sequence[Connection]) -> None:
        """Show these connections from now on."""
        self._all = connections
        for number, connection in enumerate(connections):
            connection.on_status(partial(self._update, number))

    def reconnect(self) -> None:
        """Connect all of them again, at once. Any thread may call this."""
        for connection in self._all:
            connection.reconnect()

    def lines(self) -> list[Line]:
        """Return the state and the text of each connection."""
        return [(status.state, self._line(number)) for number, status in self._statuses.items()]

    def last_words(self) -> str | None:
        """Return the text about connections that ended in a wrong way; ``None`` without one.

        The refusal of an only connection is left out: the watch raises and shows it.
        """
        several = len(self._all) > 1
        odd = [
            number
            for number, status in self._statuses.items()
            if (status.state == "refused" and several) or (status.state == "ended" and status.reason)
        ]
        return "\n".join(map(self._line, odd)) or None

    def _line(self, number: int) -> str:
        line = str(self._statuses[number])
        return line if len(self._all) == 1 else f"{self._all[number].title}: {line}"

    def _update(self, number: int, status: Status) -> None:
        self._statuses[number] = status
        self._has_stood = self._has_stood or status.state == "live"
        self._changed()
