"""Describe the events that a terminal shows as lines of their own: what the user said, plans, sources, requests, notes.

Below ``_terminal.py``, which prints the lines. A saved form gathers such events; a terminal cannot change a line that
it has printed, so each event has its own.
"""

from __future__ import annotations

from .._forms.conversation import line_words, plan_summary, question_of, shown_input
from .._forms.wording import in_line, message_text, name_in_line, preview
from ..events import Citation, Custom, Event, InputAnswered, InputRequested, Plan, RunStarted
from ..parts import CustomPart, PlanPart, RequestValue

__all__ = ["line_of", "quoted"]


def line_of(event: Event) -> str:
    """Return the line of an event; "" for an event without one."""
    match event:
        case RunStarted(parent_run_id=None, parent_tool_call_id=None) if event.input not in (None, ""):
            return quoted("user", message_text(shown_input(event.input)))
        case Plan():
            return f"plan: {plan_summary(PlanPart(run_id=event.run_id, entries=event.entries))}"
        case Citation():
            named = [in_line(word, 500) for word in (event.title, event.source, event.url) if word]
            return f"source: {' · '.join(named)}" if named else ""
        case Custom(shown=True):
            part = CustomPart(run_id=event.run_id, custom_id="", name=event.name, value=event.value)
            name, short, _ = line_words(part)
            return "◇ " + ": ".join(filter(None, (name, short)))
        case InputRequested():
            asked = RequestValue(request_id=event.request_id, kind=event.kind, message=event.message)
            return f"? {_indented(question_of(asked))}"
        case InputAnswered():
            words = (preview(event.value), in_line(event.reason or "", 500))
            by = f" by {name_in_line(event.by)}" if event.by else ""
            return ": ".join(filter(None, (f"? {event.action}{by}", *words)))
        case _:
            return ""


def quoted(role: str, text: str) -> str:
    """Return what a user or a system prompt said, each line marked as theirs."""
    return f"> {role}: {text.strip()}".replace("\n", "\n> ")


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")
