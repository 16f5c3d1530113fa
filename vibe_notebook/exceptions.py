"""Every error that vibe_notebook raises by itself.

::

    VibeNotebookError
    ├── ProtocolError (ValueError)      an event, a recording line or a wire message that is not valid
    ├── AdapterError (TypeError)        no adapter knows the stream, or two do
    ├── ConsumedError (RuntimeError)    a watch was consumed twice
    ├── ClosedError (RuntimeError)      something was used after it was closed
    ├── LogError (OSError)              a project's event log cannot be written or read
    ├── MissingExtraError (ImportError) an optional dependency is not installed
    └── RemoteError (ConnectionError)   a remote stream that trying again cannot mend
"""

from __future__ import annotations

__all__ = [
    "AdapterError",
    "ClosedError",
    "ConsumedError",
    "LogError",
    "MissingExtraError",
    "ProtocolError",
    "RemoteError",
    "VibeNotebookError",
]


class VibeNotebookError(Exception):
    """Base of every error of this package: catch it to catch them all."""


class ProtocolError(VibeNotebookError, ValueError):
    """Something that should be an event is not one.

    ``field`` names what is wrong, for example ``"text_delta.delta"``, or is ``None``
    when the input is not even an object; ``line`` is the 1-based line of a recording.
    """

    def __init__(self, message: str, *, field: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.line = line


class AdapterError(VibeNotebookError, TypeError):
    """No adapter, or more than one, fits what the stream yields."""


class ConsumedError(VibeNotebookError, RuntimeError):
    """A watch has one consumer, and it already has one."""


class ClosedError(VibeNotebookError, RuntimeError):
    """The registry, subscription or live view is closed."""


class LogError(VibeNotebookError, OSError):
    """A project's event log cannot be written or read; the message says which, and why."""


class MissingExtraError(VibeNotebookError, ImportError):
    """An optional dependency is missing; the message names the extra that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs an extra: pip install "vibe_notebook[{extra}]"')
        self.extra = extra


class RemoteError(VibeNotebookError, ConnectionError):
    """A remote stream is refused or broken, and trying again cannot mend it.

    ``status`` is the HTTP status that said so, or ``None``.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
