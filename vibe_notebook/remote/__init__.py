"""Read remote streams: server-sent events in, the package's own events out, resumed without loss.

The folder stands above the adapters on an event's path. The HTTP client is imported only when a
stream is opened.
"""

from __future__ import annotations

from ..exceptions import RemoteError
from ._decoder import ServerSentEvent, SSEDecoder
from ._event_source import EventSource, event_source
from ._follow import Follow, follow
from ._hosted import Hosted, gemini, langgraph, openai
from ._merged import Merged
from ._secrets import redact
from ._status import Status

__all__ = [
    "EventSource",
    "Follow",
    "Hosted",
    "Merged",
    "RemoteError",
    "SSEDecoder",
    "ServerSentEvent",
    "Status",
    "event_source",
    "follow",
    "gemini",
    "langgraph",
    "openai",
    "redact",
]
