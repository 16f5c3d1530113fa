"""Define every error that vibe_notebook raises by itself.

::

    VibeNotebookError
    ├── ProtocolError (ValueError)      an event, a recording line or a wire message that is not valid
    ├── AdapterError (TypeError)        no adapter fits the stream, or two do
    ├── ConsumedError (RuntimeError)    a watch or a stream was consumed twice
    ├── ClosedError (RuntimeError)      a registry, subscription or view was used after its close
    ├── LogError (OSError)              a project's event log cannot be written or read
    ├── NoAnswerError (RuntimeError)    an agent asks, and nobody is there to answer
    ├── MissingExtraError (ImportError) an optional dependency is not installed
    ├── NotSupportedError (TypeError)   a source that cannot do what is asked of it
    └── RemoteError (ConnectionError)   a remote stream failed, and a retry cannot help
"""

from __future__ import annotations

__all__ = [
    "AdapterError",
    "ClosedError",
    "ConsumedError",
    "LogError",
    "MissingExtraError",
    "NoAnswerError",
    "NotSupportedError",
    "ProtocolError",
    "RemoteError",
    "VibeNotebookError",
]


class VibeNotebookError(Exception):
    """Catch every error of this package: all others derive from this class."""


class ProtocolError(VibeNotebookError, ValueError):
    """Report an input that is not a valid event.

    ``field`` names the wrong field, for example ``"delta"``, or is ``None`` if the input is not even a JSON object;
    ``line`` is the line of a recording, counted from 1.
    """

    def __init__(self, message: str, *, field: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.line = line


class AdapterError(VibeNotebookError, TypeError):
    """Report a stream whose objects fit no adapter, or more than one."""


class ConsumedError(VibeNotebookError, RuntimeError):
    """Report a second consumer of a watch or of a stream: each has only one."""


class ClosedError(VibeNotebookError, RuntimeError):
    """Report a call on a closed registry, subscription or live view."""


class LogError(VibeNotebookError, OSError):
    """Report a project's event log that cannot be written or read; the message names the log and the reason.

    ``reason`` is the cause in a few words, without the name of a file or a host: a server may send it to any client.
    ``is_permanent`` is True if no later call can succeed until an operator mends the log.
    """

    def __init__(
        self, message: str, *, reason: str = "the event log does not answer", is_permanent: bool = False
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.is_permanent = is_permanent


class MissingExtraError(VibeNotebookError, ImportError):
    """Report a missing optional dependency; the message names the extra that installs it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs an extra: pip install "vibe_notebook[{extra}]"')
        self.extra = extra


class NoAnswerError(VibeNotebookError, RuntimeError):
    """Report a request of an agent that nobody can answer; the message says how to give an answer."""


class NotSupportedError(VibeNotebookError, TypeError):
    """Report a source that cannot do what is asked of it; the message says what can."""


class RemoteError(VibeNotebookError, ConnectionError):
    """Report a refused or broken remote stream that a retry cannot repair.

    ``status`` is the HTTP status of the refusal, or ``None``.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
