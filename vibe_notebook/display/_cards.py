"""Make the ops for the parts of a live view that are small and change as a whole.

These are the user's words, plans, requests, sources and shown lines. Between the reducer's part builders and the wire
(docs/wire.md). ``read`` copies the value under the registry's lock; ``ops`` renders it, as the saved form does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .._forms.conversation import Source, Sources, input_text
from .._forms.html import wait_html
from .._forms.html_conversation import line_html, plan_html, said_html, sources_html
from .._limits import MESSAGE_SHOWN
from .._reducer.agent_log import sources_alone
from ..parts import CustomPart, InputPart, PlanPart, Run, TextPart
from ._parts import SentPart

if TYPE_CHECKING:
    from .._reducer.part_builders import TextBuilder
    from .._reducer.run import RunLog
    from ._text_diffs import Op

__all__ = ["RunInput", "SentCard", "SourceList"]

_Value = TextPart | PlanPart | InputPart | CustomPart | tuple[Source, ...] | None


@dataclass(frozen=True)
class RunInput:
    """Name the input of a run, which heads it if no message of the run is the user's."""

    run: RunLog

    def state(self) -> object:
        """Return what changes with the value: an input is made once, and never changes."""
        return id(self.run.input)

    def value(self) -> _Value:
        run = Run(run_id=self.run.run_id, input=self.run.input)
        return TextPart(run_id=run.run_id, message_id="vibe-input", role="user", text=input_text(run))


@dataclass(frozen=True)
class SourceList:
    """Name the sources of a message, which follow the last of its *texts*; without one they end the run."""

    run: RunLog
    message_id: str | None
    texts: tuple[TextBuilder, ...]

    def state(self) -> object:
        """Return what changes with the value."""
        return self.run.citations.version(self.message_id), self.run.shifts, self._order

    @cached_property
    def _order(self) -> int:
        return hash(tuple(text.name for text in self.texts))

    @cached_property
    def _numbered(self) -> dict[object, tuple[Sources, list[TextPart]]]:
        return {}

    def value(self) -> _Value:
        sources, parts = self.numbering()
        return tuple(source for part in parts for source in sources.after(part))

    def numbering(self) -> tuple[Sources, list[TextPart]]:
        """Return the numbers of the sources, and the parts that cite them: each with a letter for its text.

        They are made once for a state: each text of the message asks for them.
        """
        state = self.state()
        if state not in self._numbered:
            self._numbered.clear()
            self._numbered[state] = self._number()
        return self._numbered[state]

    def _number(self) -> tuple[Sources, list[TextPart]]:
        run, message_id = self.run, self.message_id
        # The numbers need the order of the texts, not the texts: they may be long.
        parts = [
            TextPart(
                run_id=run.run_id,
                message_id=message_id,
                part_id=text.name,
                text="x",
                citations=run.citations.of(message_id, text.name, 0),
            )
            for text in self.texts
        ]
        parts += sources_alone(run, message_id, self.texts)
        return Sources(parts), parts


class SentCard(SentPart):
    """Show one such part: its HTML, which replaces the one before."""

    kind = "card"

    def __init__(self, key: int) -> None:
        super().__init__(key)
        self._value: _Value = None
        self._state: object = None
        self._is_new = False

    def read(self, builder: Any) -> None:
        if isinstance(builder, RunInput | SourceList):
            state = builder.state()
            if state == self._state:
                return  # every arrangement of the parts reads all of them
            self._state, value = state, builder.value()
        else:
            value = builder.part()
        if value != self._value:
            self._value, self._is_new = value, True

    def ops(self) -> list[Op]:
        if self._is_new:
            self._is_new = False
            self._new["html"] = _html(self._value)
            if isinstance(self._value, InputPart):
                self.offer(self._value.request)
        return super().ops()


def _html(value: _Value) -> str:
    match value:
        case TextPart():
            return said_html(value, is_open=False, limit=MESSAGE_SHOWN)
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
