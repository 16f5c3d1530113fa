"""Describe a watched stream to its user: title, transcripts, state, and what waits for an answer.

The base of watch, live view and handler, above the pipeline.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from .._forks import in_child
from .._host import host
from ..exceptions import NotSupportedError
from ..transcript import Transcript
from .steering import CANNOT

if TYPE_CHECKING:
    from .pipeline import Pipeline
    from .questions import Request
    from .requests import Desk
    from .steering import Steered, Steering

__all__ = ["Transcribed", "live_streams", "pipeline_of"]

_streams: weakref.WeakSet[Transcribed] = weakref.WeakSet()
_lock: threading.Lock = threading.Lock()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - in the child of a fork
    _lock = threading.Lock()


in_child(_renew_lock)


def pipeline_of(stream: Transcribed) -> Pipeline:
    """Return the pipeline of a watch, live view or handler."""
    return stream._pipeline  # noqa: SLF001 - of the class below, for the approvers; users see no pipeline


def live_streams() -> list[Transcribed]:
    """Return the streams that have begun and not ended, and whose code runs in this process."""
    with _lock:
        known = list(_streams)
    return [stream for stream in known if pipeline_of(stream).is_live and pipeline_of(stream).runs_here]


class Transcribed:
    """Describe a watched stream to its user: title, transcripts, state. Base of watch, live view and handler."""

    def __init__(self, pipeline: Pipeline, kind: str = "agent") -> None:
        self._pipeline = pipeline
        self._kind = kind
        with _lock:
            _streams.add(self)

    @property
    def agent_id(self) -> str | None:
        """Return the id of the first or only agent; ``None`` before the first event."""
        return self._pipeline.agent_id

    @property
    def title(self) -> str:
        """Return the title of the view."""
        return self._pipeline.title or self.agent_id or self._kind

    @property
    def transcript(self) -> Transcript:
        """Return the transcript of the first or only agent at this moment."""
        return next(iter(self.transcripts.values()), Transcript(agent_id=self.agent_id or ""))

    @property
    def transcripts(self) -> dict[str, Transcript]:
        """Return the transcripts of all agents, by agent id."""
        return self._pipeline.transcripts if self.done() else self._pipeline.current()

    @property
    def is_shown(self) -> bool:
        """Return whether there is a view."""
        return self._pipeline.is_shown

    @property
    def desk(self) -> Desk:
        """Return what holds the open requests."""
        return self._pipeline.desk

    @property
    def requests(self) -> list[Request]:
        """Return what waits for an answer that ``answer`` can give, oldest first."""
        return self._pipeline.desk.requests()

    def answer(
        self,
        request: Request | str,
        action: Literal["accept", "decline", "cancel"],
        value: Any = None,
        reason: str | None = None,
    ) -> bool:
        """Answer a request, or the request with this id. Any thread may call this.

        Return False if it is unknown, ended or answered. Raises ``ValueError`` for a value that does not fit its schema.
        """
        return self._pipeline.desk.answer(request, action, value, reason)

    def on_request(self, callback: Callable[[Request], object] | None) -> None:
        """Call *callback* with each request, on the thread that asks: whoever registers one is there to answer."""
        if not self.done():  # ended streams share a desk, which asks nothing
            self._pipeline.desk.on_request = callback

    @property
    def steering(self) -> Steering | None:
        """Return the way to steer; ``None`` without one."""
        return self._pipeline.steering

    @property
    def can_steer(self) -> bool:
        """Return whether ``steer`` can say something to the agent now."""
        steering = self._pipeline.steering
        return steering is not None and steering.is_open

    def steer(self, text: str) -> Steered:
        """Say something to the agent while it works; ``await`` gives whether it has taken it. Any thread may call this.

        Raises ``NotSupportedError`` where the stream has no way, ``ClosedError`` before its begin and after its end.
        """
        steering = self._pipeline.steering
        if steering is None:
            raise NotSupportedError(CANNOT)
        return steering.send(text)

    def done(self) -> bool:
        """Return whether the stream has ended, also by an error or a cancellation."""
        return self._pipeline.finalized

    def show(self) -> None:
        """Display the static form again, in the present cell."""
        from ..display import bundle  # noqa: PLC0415 - only when something is shown

        host().show(bundle(self.transcripts, title=self.title))
