"""What a watch, a live view and a handler have in common for those who look at them.

Above ``_pipeline.py``, below everything that a user holds in hand.
"""

from __future__ import annotations

from ._host import host
from ._pipeline import Pipeline
from .transcript import Transcript

__all__ = ["Transcribed"]


class Transcribed:
    """Something that is shown while it goes on, and whose transcript is there at any time."""

    def __init__(self, pipeline: Pipeline, kind: str = "agent") -> None:
        self._pipeline = pipeline
        self._kind = kind

    @property
    def agent_id(self) -> str | None:
        """The first or only agent's id; ``None`` before anything is known of it."""
        return self._pipeline.agent_id

    @property
    def title(self) -> str:
        """What the view is called."""
        return self._pipeline.title or self.agent_id or self._kind

    @property
    def transcript(self) -> Transcript:
        """The first or only agent's transcript, as it is now."""
        return next(iter(self.transcripts.values()), Transcript(agent_id=self.agent_id or ""))

    @property
    def transcripts(self) -> dict[str, Transcript]:
        """All agents' transcripts, by agent id."""
        return self._pipeline.transcripts if self.done() else self._pipeline.current()

    @property
    def is_shown(self) -> bool:
        """Whether there is a view of it."""
        return self._pipeline.is_shown

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._pipeline.settled

    def show(self) -> None:
        """Display the static form anew, in the present cell."""
        from .display._output import bundle  # noqa: PLC0415 - only when something is shown

        host().show(bundle(self.transcripts, title=self.title))
