"""Define ``Transcript``: all parts and runs of an agent as one value, with its Markdown, HTML and text forms.

``AgentLog.snapshot`` in the reducer makes transcripts from events; every display form, live or saved, shows the
same values. A transcript is plain and frozen: to read it never changes it, and its JSON reads back equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ._forms.bounds import bounded_forms
from ._forms.costs import cost_of
from ._forms.html import transcript_html
from ._forms.markdown import transcript_markdown
from ._forms.text import transcript_text
from ._forms.turns import turns_of
from .events import Outcome, Usage
from .parts import (
    ArtifactPart,
    CustomPart,
    InputPart,
    Message,
    Part,
    PlanPart,
    Progress,
    Run,
    TextPart,
    ThinkingPart,
    ToolPart,
    ToolState,
    Turn,
    _Value,
)

__all__ = [
    "ArtifactPart",
    "CustomPart",
    "InputPart",
    "Message",
    "Part",
    "PlanPart",
    "Progress",
    "Run",
    "TextPart",
    "ThinkingPart",
    "ToolPart",
    "ToolState",
    "Transcript",
    "Turn",
]


class Transcript(_Value):
    """Hold all parts and runs of an agent, in order.

    ``outcome`` and ``error`` are those of the newest request (``None``: the request is still open); ``usage`` is
    the sum over all requests.
    """

    agent_id: str = ""
    parts: tuple[Part, ...] = ()
    runs: tuple[Run, ...] = ()
    outcome: Outcome | None = None
    error: str | None = None
    usage: Usage | None = None
    messages: tuple[Message, ...] = ()

    @property
    def text(self) -> str:
        """Return the agent's answer: its own text parts, exactly as streamed, joined."""
        return "".join(part.text for part in self.parts if part.kind == "text" and part.role == "assistant")

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Return the turns of the conversation: each begins with what the user said."""
        return tuple(turns_of(self))

    @property
    def cost(self) -> float | None:
        """Return the US dollars: what the SDK says, else the list price of each model call; ``None`` if unknown.

        Prices need the extra ``prices``. Only an exact id of a model has a price.
        """
        return cost_of(self.runs, self.messages).usd

    @property
    def cost_is_partial(self) -> bool:
        """Return whether the cost of some model calls is unknown."""
        return cost_of(self.runs, self.messages).is_partial

    @property
    def thinking(self) -> str:
        """Return the agent's thoughts: its thinking parts, exactly as streamed, joined."""
        return "".join(part.text for part in self.parts if part.kind == "thinking")

    @property
    def tools(self) -> list[ToolPart]:
        """Return the tool calls, in order; a subagent's calls are in ``children`` of the call that began it."""
        return [part for part in self.parts if part.kind == "tool"]

    def to_markdown(self) -> str:
        """Render the transcript as Markdown, for GitHub and plain editors."""
        return transcript_markdown(self)

    def to_html(self, *, title: str | None = None, is_open: Mapping[str, bool] | None = None) -> str:
        """Render the static HTML form, sanitised; ``is_open`` gives the user's choices by part key."""
        return transcript_html(self, title=title, is_open=is_open or {})

    def to_text(self) -> str:
        """Render the transcript as plain text, for terminals and logs."""
        return transcript_text(self)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        del include, exclude  # IPython filters by itself
        return bounded_forms(
            [self],
            lambda shown: {
                "text/plain": "\n\n".join(transcript_text(document) for _, document in shown),
                "text/markdown": "\n\n".join(transcript_markdown(document) for _, document in shown),
                "text/html": "\n".join(transcript_html(document) for _, document in shown),
            },
        )
