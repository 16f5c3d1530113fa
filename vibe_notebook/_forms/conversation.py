"""Arrange what all forms share of a conversation: the user's turns, plans, sources, requests and shown lines.

Below the forms and the live view. Everything from an agent is plain text here; each form escapes it in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from .._limits import MESSAGE_SHOWN
from .._markdown.renderer import directed
from .._markdown.sanitize import is_link
from ..parts import CitationValue, TextPart, _is_said
from .wording import clean_code, in_line, message_text, name_in_line, pretty, preview

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..events import PlanStatus
    from ..parts import CustomPart, Part, PlanPart, RequestValue, Run
    from .wording import Document

__all__ = [
    "PLAN_MARKS",
    "PLAN_WORDS",
    "Marked",
    "Source",
    "Sources",
    "answer_words",
    "document_parts",
    "each_text",
    "input_text",
    "is_hidden",
    "line_words",
    "marked_text",
    "option_words",
    "plan_head",
    "plan_summary",
    "question_of",
    "request_words",
]

PLAN_MARKS: Final[Mapping[PlanStatus, str]] = {
    "pending": "○",
    "in_progress": "▸",
    "completed": "✓",
    "cancelled": "⊘",
}
PLAN_WORDS: Final[Mapping[PlanStatus, str]] = {
    "pending": "to do",
    "in_progress": "in progress",
    "completed": "done",
    "cancelled": "cancelled",
}


# What the user said


def document_parts(document: Document) -> list[Part]:
    """Return the parts to show: the input of a run heads it, and a call that only wrote a plan is that plan."""
    inputs = {run.run_id: text for run in document.runs if (text := input_text(run))}
    if not inputs:
        return list(document.parts)
    by_run: dict[str, list[Part]] = {run.run_id: [] for run in document.runs}
    for part in document.parts:
        by_run.setdefault(part.run_id, []).append(part)
    found: list[Part] = []
    for run_id, parts in by_run.items():
        if run_id in inputs and not any(map(_is_said, parts)):
            found.append(_bubble(run_id, inputs[run_id]))
        found += parts
    return found


def _bubble(run_id: str, text: str) -> TextPart:
    return TextPart(run_id=run_id, message_id="vibe-input", role="user", text=text)


def input_text(run: Run) -> str:
    """Return the input of a top-level run as Markdown; "" without one."""
    if run.parent_run_id is not None or run.parent_tool_call_id is not None or run.input in (None, ""):
        return ""
    return shown_input(run.input)


def shown_input(value: Any) -> str:
    """Return an input as Markdown: text as it is, any other value as JSON."""
    text = value if isinstance(value, str) else pretty(value)
    if len(text) > MESSAGE_SHOWN:
        text = f"{text[:MESSAGE_SHOWN]}\n\n[{len(text) - MESSAGE_SHOWN:,} characters are left out here]"
    return text if isinstance(value, str) else f"~~~~json\n{text}\n~~~~"


def is_hidden(part: Part) -> bool:
    """Return whether a form shows the part elsewhere: a call that wrote a plan is shown as the plan."""
    return part.kind == "tool" and part.plan_id is not None and part.state == "ok" and not part.children


# Plans


def plan_head(parts: Sequence[Part]) -> str:
    """Return the newest plan for the head of a form: "Plan 2/5 · Run the tests"; "" without one."""
    plan = next((part for part in reversed(parts) if part.kind == "plan"), None)
    if plan is None:
        return ""
    steps = [entry for entry in plan.entries if entry.status != "cancelled"]
    done = sum(entry.status == "completed" for entry in steps)
    now = next((entry.text for entry in steps if entry.status == "in_progress"), "")
    return " · ".join([f"Plan {done}/{len(steps)}", *([in_line(now, 80)] if now else [])])


def plan_summary(part: PlanPart) -> str:
    """Return a plan on one line: "2 of 5 done · Run the tests"."""
    steps = [entry for entry in part.entries if entry.status != "cancelled"]
    done = sum(entry.status == "completed" for entry in steps)
    now = next((entry.text for entry in steps if entry.status == "in_progress"), "")
    words = [f"{done} of {len(steps)} done"] if steps else ["no steps"]
    return " · ".join([*words, *([in_line(now, 80)] if now else [])])


# Sources

_MARKS: Final = ("⁅⁆", "⦗⦘", "⸦⸧", "⟬⟭")
"""Pairs of characters, one of which encloses the number of a source in a text until the form replaces it. They are
punctuation, so that they do not change what Markdown reads around them."""
MARKS_TOGETHER: Final = 5
"""Marks at one place of a text; the others are in the list only."""


class Source(NamedTuple):
    """Hold one source of a message: its number, and the words and the address that a form shows."""

    number: int
    title: str
    url: str | None
    host: str
    quote: str


class Sources:
    """Number the sources of each message, and tell which part their list follows."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._numbers: dict[tuple[str, str | None], dict[tuple[Any, ...], int]] = {}
        self._firsts: dict[tuple[str, str | None], list[CitationValue]] = {}
        self._last: dict[tuple[str, str | None], str] = {}
        for part in parts:
            if part.kind == "text":
                for citation in part.citations:
                    self._add((part.run_id, part.message_id), citation)
        for part in parts:
            message = part.run_id, part.message_id
            # A source may cite a text that never came: its part is empty.
            if part.kind == "text" and message in self._firsts and (part.text or message not in self._last):
                self._last[message] = part.key

    def _add(self, message: tuple[str, str | None], citation: CitationValue) -> None:
        numbers = self._numbers.setdefault(message, {})
        key = _identity(citation)
        if key not in numbers:
            numbers[key] = len(numbers) + 1
            self._firsts.setdefault(message, []).append(citation)

    def number(self, part: TextPart, citation: CitationValue) -> int:
        """Return the number of a citation's source within its message."""
        return self._numbers[part.run_id, part.message_id][_identity(citation)]

    def after(self, part: TextPart) -> list[Source]:
        """Return the sources whose list follows the part: those of its message, after the message's last text."""
        message = part.run_id, part.message_id
        if self._last.get(message) != part.key:
            return []
        return [_source(number + 1, one) for number, one in enumerate(self._firsts[message])]


def _identity(citation: CitationValue) -> tuple[Any, ...]:
    return (citation.url, citation.source) if citation.url or citation.source else (citation.citation_id,)


def _source(number: int, citation: CitationValue) -> Source:
    url = citation.url if citation.url and is_link(citation.url) else None
    address = in_line(citation.url or "", 200)
    title = name_in_line(citation.title) or name_in_line(citation.source) or address or "source"
    host = _host(url) if url else ""
    return Source(number, title, url, "" if host == title else host, in_line(citation.quote or "", 300))


def _host(url: str) -> str:
    try:
        return in_line(urlsplit(url).hostname or "", 100)
    except ValueError:
        return ""


_ROUNDS: Final = 4
"""Renderings of a text until its marks stand; one more is needed for links within what was no link."""


class Marked(NamedTuple):
    """Hold a text with marks: the number of a mark stands between the two characters of ``pair``."""

    text: str
    pair: str
    sources: Sequence[int]
    """The number of the source of each mark."""

    def replace(self, shown: str, form: Callable[[int], str]) -> str:
        """Return *shown*, a form of the text, with the form of its source's number in place of each mark."""
        if not self.pair:
            return shown
        return _mark_of(self.pair).sub(lambda match: form(self.sources[int(match[1])]), shown)


def marked_text(part: TextPart, sources: Sources) -> Marked:
    """Return the text with a mark at each cited place; a place in code, in a link or in an address has none."""
    places: dict[int, list[int]] = {}
    for citation in part.citations:
        if citation.end is not None:
            number = sources.number(part, citation)
            numbers = places.setdefault(citation.end, [])
            if number not in numbers and len(numbers) < MARKS_TOGETHER:
                numbers.append(number)
    pair = next((pair for pair in _MARKS if not any(mark in part.text for mark in pair)), "")
    if not places or not pair:
        return Marked(part.text, "", ())
    marks = [(end, number) for end in sorted(places) for number in places[end]]
    for _ in range(_ROUNDS):
        text = _with_marks(part.text, [end for end, _ in marks], pair)
        stands = _standing(directed(text), pair)
        if len(stands) == len(marks):
            return Marked(text, pair if marks else "", [number for _, number in marks])
        # The others would change what is shown. Without them, a link may be one again, with marks inside.
        marks = [mark for index, mark in enumerate(marks) if index in stands]
    return Marked(part.text, "", ())


def _with_marks(text: str, ends: Sequence[int], pair: str) -> str:
    pieces, start = [], 0
    for index, end in enumerate(ends):
        pieces.append(f"{text[start:end]}{pair[0]}{index}{pair[1]}")
        start = end
    return "".join([*pieces, text[start:]])


_TAG: Final = re.compile(r"""<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*)(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_NO_MARKS: Final = frozenset(("code", "pre", "a", "math", "svg"))
"""Elements in which a mark would change what is shown."""


def _standing(html: str, pair: str) -> set[int]:
    """Return the marks that stand in the plain text of *html*."""
    found: set[int] = set()
    start, inside, mark = 0, 0, _mark_of(pair)
    for tag in _TAG.finditer(html):
        if not inside:
            found.update(int(match[1]) for match in mark.finditer(html, start, tag.start()))
        if tag["name"].lower() in _NO_MARKS and not tag[0].endswith("/>"):
            inside = max(0, inside + (-1 if tag["end"] else 1))
        start = tag.end()
    return found | {int(match[1]) for match in mark.finditer(html, start)}


def _mark_of(pair: str) -> re.Pattern[str]:
    return re.compile(f"{pair[0]}(\\d+){pair[1]}")


# Requests and lines


def question_of(request: RequestValue) -> str:
    """Return the request's own words, or the words for its kind."""
    if request.message:
        return message_text(request.message)
    return "May the tool run?" if request.kind == "approval" else "The agent asks for an answer."


def option_words(request: RequestValue) -> str:
    """Return the offered answers on one line; "" without any."""
    return ", ".join(
        name_in_line(option.label) or preview(option.value) or f"option {number}"
        for number, option in enumerate(request.options, 1)
    )


def request_words(request: RequestValue) -> str:
    """Return the state of a request in words."""
    if request.is_open:
        return "waiting for you"
    if request.answer is None:
        return "not answered"
    return {"accept": "accepted", "decline": "declined", "cancel": "cancelled"}[request.answer.action]


def answer_words(request: RequestValue) -> str:
    """Return the answer on one line: its words, the value, the reason and who gave it."""
    words, answer = [request_words(request)], request.answer
    if answer is not None:
        if answer.value is not None:
            words.append(_label_of(request, answer.value))
        if answer.reason:
            words.append(in_line(answer.reason, 300))
        if answer.by:
            words.append(f"by {name_in_line(answer.by)}")
    return " · ".join(words)


def _label_of(request: RequestValue, value: Any) -> str:
    label = next((option.label for option in request.options if option.value == value and option.label), None)
    return in_line(label, 300) if label else preview(value, 300)


def line_words(part: CustomPart) -> tuple[str, str, str]:
    """Return a shown line: its name, its words on one line, and the whole value ("" if the line has all of it)."""
    name = name_in_line(part.name)
    if part.value is None:
        return name, "", ""
    short = preview(part.value)
    whole = clean_code(pretty(part.value))
    return name, short, "" if isinstance(part.value, str) and whole == short else whole


def each_text(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the words of plans, requests and lines, for a form that shows nothing else of them."""
    for part in parts:
        match part.kind:
            case "plan":
                yield from (f"{PLAN_MARKS[entry.status]} {entry.text}" for entry in part.entries)
            case "input":
                yield f"{question_of(part.request)} {answer_words(part.request)}"
            case "custom":
                yield ": ".join(word for word in line_words(part)[:2] if word)
