"""The causes of Redis errors in words, and whether an operator must mend them.

Beside ``worker``, which fails its jobs and the log's listeners with these errors.
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import Final

from redis import exceptions as redis

from ..._foreign_words import on_one_line
from ...exceptions import LogError

__all__ = ["log_error"]

_WORDS: Final = 200
"""Characters of the server's own words in an error."""

_CAUSES: Final[tuple[tuple[type[Exception], str, bool], ...]] = (
    (redis.AuthenticationError, "refuses the name or the password", True),
    (redis.AuthenticationWrongNumberOfArgsError, "refuses the name or the password", True),
    (redis.AuthorizationError, "does not permit the log's commands", True),
    (redis.NoPermissionError, "does not permit the log's commands", True),
    (redis.MovedError, "is a part of a Redis cluster; use a single server", True),
    (redis.AskError, "is a part of a Redis cluster; use a single server", True),
    (redis.ClusterDownError, "is a part of a Redis cluster; use a single server", True),
    (redis.ClusterCrossSlotError, "is a part of a Redis cluster; use a single server", True),
    (redis.BusyLoadingError, "loads its data", False),
    (redis.MasterDownError, "is a replica without its master", False),
    (redis.ReadOnlyError, "is a replica, which accepts no events", False),
    (redis.OutOfMemoryError, "has no memory left", False),
    (redis.TimeoutError, "does not answer", False),
    (redis.InvalidResponse, "is not a Redis server", True),
)
"""By the client's error: the end of the sentence "the event log …", and whether an operator must mend it."""

_REPLIES: Final = (
    ("DB index is out of range", "has no database of this number", True),
    ("Invalid Database", "has no database of this number", True),
    ("unknown command", "does not know the log's commands: the log needs Redis 7 or newer", True),
    ("MISCONF", "cannot save events to its disk", False),
    ("UNBLOCKED", "has become a replica", False),
    (
        "Connection closed by server",
        "closes the connection: it may need TLS (rediss:), or be no Redis server",
        False,
    ),
)
"""By the server's words: as above."""


def log_error(label: str, cause: Exception) -> LogError:
    """Return the error of the log *label*, with its cause in one sentence and without a password."""
    if isinstance(cause, LogError):
        return cause
    for kind, words, is_permanent in _CAUSES:
        if isinstance(cause, kind):
            return _fault(label, words, is_permanent=is_permanent)
    said = on_one_line(str(cause), _WORDS)
    for start, words, is_permanent in _REPLIES:
        if start in said:
            return _fault(label, words, is_permanent=is_permanent)
    if isinstance(cause, redis.ConnectionError | OSError):
        below = _system_error(cause)
        if isinstance(below, ssl.SSLError):
            return LogError(f"{label} cannot be reached over TLS: {on_one_line(str(below), _WORDS)}")
        if isinstance(below, socket.gaierror):
            return _fault(label, "cannot be reached: its host has no address", is_permanent=False)
        if below is not None and below.errno is not None and below.errno > 0:
            return _fault(label, f"cannot be reached: {os.strerror(below.errno)}", is_permanent=False)
    return LogError(f"{label}: {said}")


def _fault(label: str, words: str, *, is_permanent: bool) -> LogError:
    return LogError(f"{label} {words}", reason=f"the event log {words}", is_permanent=is_permanent)


def _system_error(error: BaseException | None) -> OSError | None:
    """Return the system's own error below the client's."""
    found: OSError | None = None
    while error is not None:
        if isinstance(error, OSError):
            found = error
        error = error.__cause__ or error.__context__
    return found
