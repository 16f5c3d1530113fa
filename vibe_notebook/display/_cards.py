"""Make the ops for the parts of a live view that are small and change as a whole.

These are the user's words, plans, requests, sources and shown lines. Between the reducer's part builders and the wire
(docs/wire.md). ``read`` copies the value under the registry's lock; ``ops`` renders it, as the saved form does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._forms.conversation import Source, Sources, input_text
from .._forms.html import wait_html
from .._forms.html_conversation import line_html, plan_html, said_html, sources_html
from .._reducer.agent_log import sources_alone
from ..parts import CustomPart, InputPart, PlanPart, Run, TextPart
from ._parts import SentPart

if TYPE_CHECKING:
    from .._reducer.run import PartBuilder, RunLog
    from ._text_diffs import Op

__all__ = ["RunInput", "SentCard", "SourceList", "cards_after", "cards_alone", "has_sources"]

_Value = TextPart | PlanPart | InputPart | CustomPart | tuple[Source, ...] | None


@dataclass(frozen=True)
class RunInput:
    """Name the input of a run, which heads it if no message of the run is the user's."""

    run: RunLog

    def value(self) -> _Value:
        run = Run(run_id=self.run.run_id, input=self.run.input)
        return TextPart(run_id=run.run_id, message_id="vibe-input", role="user", text=input_text(run))


@dataclass(frozen=True)
class SourceList:
    """Name the sources of a message, which follow its last text."""

    run: RunLog
    message_id: str | None

    def value(self) -> _Value:
        parts = [
            part
            for builder in self.run.ordered()
            if builder.kind == "text" and builder.message_id == self.message_id
            if isinstance(part := builder.part(), TextPart)
        ]
        parts += [part for part in sources_alone(self.run) if part.message_id == self.message_id]
        sources = Sources(parts)
        return tuple(source for part in parts for source in sources.after(part))


def cards_alone(run: RunLog) -> list[SourceList]:
    """Return the sources of messages without a text: they stand at the run's end."""
    if not run.citations:
        return []
    with_text = {
        one.message_id for one in run.nodes.values() if one.kind == "text" and one.part() is not None
    }
    messages = dict.fromkeys(part.message_id for part in sources_alone(run))
    return [SourceList(run, message_id) for message_id in messages if message_id not in with_text]


def has_sources(run: RunLog, message_id: str | None) -> bool:
    """Return whether a source of the message has come."""
    return run.citations.has(message_id)


def cards_after(builder: PartBuilder, later: list[PartBuilder]) -> SourceList | None:
    """Return the sources that follow *builder*, if it is the last text of its message among *later* ones."""
    if builder.kind != "text" or not has_sources(builder.run, builder.message_id):
        return None
    is_last = not any(one.kind == "text" and one.message_id == builder.message_id for one in later)
    return SourceList(builder.run, builder.message_id) if is_last else None


class SentCard(SentPart):
    """Show one such part: its HTML, which replaces the one before."""

    kind = "card"

    def __init__(self, key: int) -> None:
        super().__init__(key)
        self._value: _Value = None
        self._is_new = False

    def read(self, builder: Any) -> None:
        value = builder.value() if isinstance(builder, RunInput | SourceList) else builder.part()
        if value != self._value:
            self._value, self._is_new = value, True

    def ops(self) -> list[Op]:
        if self._is_new:
            self._is_new = False
            self._new["html"] = _html(self._value)
        return super().ops()


def _html(value: _Value) -> str:
    match value:
        case TextPart():
            return said_html(value, is_open=False)
        case PlanPart():
            return plan_html(value)
        case InputPart():
            return wait_html(value.request)
        case CustomPart():
            return line_html(value, is_open=False)
        case tuple():
            return sources_html(value)
        case None:
            return ""
