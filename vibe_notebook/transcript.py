"""What an agent's work amounts to: the values that ``_reducer/agent_log.py`` builds from events.

The one truth that every display form shows, whether live or saved. These are plain frozen
values: reading one never changes it, and its JSON reads back equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ._forms.html import transcript_html
from ._forms.markdown import transcript_markdown
from ._forms.text import transcript_text
from .events import Outcome, Usage
from .parts import ArtifactPart, Part, Progress, Run, TextPart, ThinkingPart, ToolPart, ToolState, _Value

__all__ = [
    "ArtifactPart",
    "Part",
    "Progress",
    "Run",
    "TextPart",
    "ThinkingPart",
    "ToolPart",
    "ToolState",
    "Transcript",
]


class Transcript(_Value):
    """All that an agent said and did, in order.

    ``outcome``, ``error`` are those of the newest request (``None``: it is still open);
    ``usage`` is the sum over all of them.
    """

    agent_id: str = ""
    parts: tuple[Part, ...] = ()
    runs: tuple[Run, ...] = ()
    outcome: Outcome | None = None
    error: str | None = None
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """What the agent answered: its text parts, exactly as streamed, one after the other."""
        return "".join(part.text for part in self.parts if part.kind == "text")

    @property
    def thinking(self) -> str:
        """What the agent thought: its thinking parts, exactly as streamed."""
        return "".join(part.text for part in self.parts if part.kind == "thinking")

    @property
    def tools(self) -> list[ToolPart]:
        """The tool calls, in order; a subagent's are in their own call's ``children``."""
        return [part for part in self.parts if part.kind == "tool"]

    def to_markdown(self) -> str:
        """The transcript as Markdown, for GitHub and plain editors."""
        return transcript_markdown(self)

    def to_html(self, *, title: str | None = None, is_open: Mapping[str, bool] | None = None) -> str:
        """The static HTML form, sanitised; ``is_open`` is the user's choice by part key."""
        return transcript_html(self, title=title, is_open=is_open or {})

    def to_text(self) -> str:
        """The transcript as plain text, for terminals and logs."""
        return transcript_text(self)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        del include, exclude  # IPython filters by itself
        return {
            "text/plain": self.to_text(),
            "text/markdown": self.to_markdown(),
            "text/html": self.to_html(),
        }
