"""Streams from elsewhere: server-sent events in, our events out, resumed without loss.

Above the adapters on the path of a delta; HTTP is imported when a stream is opened.
"""

from __future__ import annotations

from ..exceptions import RemoteError
from ._decoder import ServerSentEvent, SSEDecoder

__all__ = ["RemoteError", "SSEDecoder", "ServerSentEvent"]
