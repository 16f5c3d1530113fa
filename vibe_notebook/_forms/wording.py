"""Make the words and short texts that all forms of a transcript share: states, durations, sizes, previews.

Used by the saved forms, by the live view and by the terminal. Everything from an agent is plain text here; each form
escapes it in its own way.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeGuard

from .._limits import COUNT_LIMIT, INT_LIMIT, MESSAGE_SHOWN, NAME_SHOWN, TABLE_CELLS, TIME_LIMIT
from .._symbols import show_controls, show_hidden
from ..events import Outcome, Usage
from ..parts import Part, Run, ToolPart, ToolState

__all__ = [
    "OUTCOME_MARKS",
    "PREVIEW",
    "STATE_MARKS",
    "Document",
    "LiveText",
    "args_text",
    "byte_size",
    "children_of",
    "clean",
    "clean_code",
    "cut_message",
    "duration_of",
    "in_line",
    "is_table",
    "message_text",
    "name_in_line",
    "name_of",
    "output_text",
    "pretty",
    "preview",
    "shorten",
    "shown_table",
    "size",
    "unclaimed_runs",
    "usage_text",
    "whole_message",
]


class Document(Protocol):
    """Describe the attributes of a transcript that a form reads; ``Transcript`` has them."""

    @property
    def parts(self) -> Sequence[Part]:
        """Return the parts, in order."""

    @property
    def runs(self) -> Sequence[Run]:
        """Return the runs, oldest first."""

    @property
    def outcome(self) -> Outcome | None:
        """Return the newest run's outcome; ``None`` while the run is open."""

    @property
    def error(self) -> str | None:
        """Return the newest run's error."""

    @property
    def usage(self) -> Usage | None:
        """Return the sum of all runs' usage."""


STATE_MARKS: Final[Mapping[ToolState, str]] = {
    "preparing": "…",
    "running": "▸",
    "awaiting_approval": "‖",
    "ok": "✓",
    "error": "✗",
    "denied": "⊘",
    "cancelled": "■",
    "unfinished": "○",
}
OUTCOME_MARKS: Final[Mapping[Outcome, str]] = {
    "success": "✓",
    "error": "✗",
    "cancelled": "■",
    "interrupted": "‖",
}

LINES = 2_000
"""Lines of one output that a form shows at most; the transcript has all of them."""
CHARACTERS = 100_000
"""Characters of one output that a form shows at most; the transcript has all of them."""

PREVIEW = 100
"""Characters of arguments or a result on one line, if the width of the line is unknown."""
DEPTH = 30
"""Nesting of subagents beyond which calls are listed side by side."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_OPEN_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?)?")
_SEQUENCE = 1_000
"""Characters of a terminal sequence at most, from which on its beginning is shown."""
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_HAS_CODE = re.compile("`|~~~|^(?: {4}|\t)", re.MULTILINE)
_SPACE = re.compile(r"\s+")


def clean(text: str) -> str:
    """Return prose without terminal sequences and direction marks, and with visible control characters.

    Only line feed and tab stay unchanged. In Markdown with code the direction marks become visible.
    """
    text = _without_sequences(text)
    if _DIRECTIONS.search(text):
        text = show_hidden(text) if _HAS_CODE.search(text) else _DIRECTIONS.sub("", text)
    return show_controls(text)


def clean_code(text: str) -> str:
    """Return code, a name or a message as ``clean`` does, but with visible direction marks."""
    return show_hidden(_without_sequences(text))


def _without_sequences(text: str) -> str:
    return _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


class LiveText:
    """Clean a growing text piece by piece, without the terminal sequences that the pieces cut."""

    def __init__(self, clean: Callable[[str], str] | None = None) -> None:
        self._clean = clean or clean_code
        self._held = ""

    def reset(self) -> None:
        """Begin another text."""
        self._held = ""

    def feed(self, text: str) -> str:
        """Return the clean text of the next piece, but for the beginning of a sequence or a line end at its end."""
        text = self._held + text
        end = len(text) - 1 if text.endswith("\r") else _start_of_sequence(text)
        self._held = text[end:]
        return self._clean(text[:end])


def _start_of_sequence(text: str) -> int:
    """Return the place of the terminal sequence that *text* ends within; the text's length without one."""
    last = text.rfind("\x1b", max(0, len(text) - _SEQUENCE))
    # The last escape may end a sequence that an earlier one began.
    for start in (text.rfind("\x1b", max(0, len(text) - _SEQUENCE), max(last, 0)), last):
        if start >= 0 and _OPEN_ANSI.fullmatch(text, start):
            return start
    return len(text)


def in_line(text: str, limit: int = PREVIEW) -> str:
    """Return *text* on one line, at most *limit* characters of it."""
    # Only a bounded start is read, so that a megabyte of arguments stays cheap.
    line = _SPACE.sub(" ", clean_code(text[: 4 * limit])).strip()
    is_cut = len(line) > limit or len(text) > 4 * limit
    return f"{line[: limit - 1]}…" if is_cut else line


def preview(value: Any, limit: int = PREVIEW) -> str:
    """Return arguments or a result on one line: ``query="x", limit=3``, or the start of the text."""
    if isinstance(value, str):
        return in_line(value, limit)
    if isinstance(value, Mapping):
        text = "".join(_brief_items(value, limit))
    else:
        text = "" if value is None else "".join(_brief(value, limit))
    return in_line(text, limit)


def _brief_items(value: Mapping[Any, Any], budget: int) -> Iterator[str]:
    for number, (key, item) in enumerate(value.items()):
        text = f"{', ' if number else ''}{str(key)[:budget]}=" + "".join(_brief(item, budget))
        yield text
        budget -= len(text)
        if budget < 0:
            return


def _brief(value: Any, budget: int) -> Iterator[str]:
    """Yield the JSON of *value*, but not much more than *budget* characters."""
    if budget <= 0:
        yield "…"
    elif isinstance(value, str):
        yield json.dumps(value[: budget + 1], ensure_ascii=False)
    elif isinstance(value, Mapping | list | tuple):
        is_object = isinstance(value, Mapping)
        yield "{" if is_object else "["
        for number, item in enumerate(value):
            text = ", " if number else ""
            if isinstance(value, Mapping):
                text += json.dumps(str(item)[: budget + 1], ensure_ascii=False) + ": "
                item = value[item]  # noqa: PLW2901 - the item's value, from here on
            text += "".join(_brief(item, budget // 2))
            yield text
            budget -= len(text)
            if budget < 0:
                return
        yield "}" if is_object else "]"
    else:
        yield json.dumps(value, default=repr)


def pretty(value: Any) -> str:
    """Return *value* as indented JSON; text stays text, unless the text is JSON."""
    if isinstance(value, str):
        if not value.lstrip()[:1] or value.lstrip()[0] not in "{[" or len(value) > CHARACTERS:
            return value
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):  # a cycle, or nesting beyond Python's own limit
        return repr(value)


def args_text(part: ToolPart) -> str:
    """Return a call's arguments in full: indented, or the streamed text while they are incomplete.

    Code and other text of several lines keeps its lines: JSON would put it on one line.
    """
    args = part.args
    if not isinstance(args, dict) or not any(map(_has_lines, args.values())):
        return _shorten_clean(part.args_text if args is None else pretty(args))
    lines = (
        f"{name}:\n{textwrap.indent(value, '  ')}" if _has_lines(value) else f"{name}: {pretty(value)}"
        for name, value in args.items()
    )
    return _shorten_clean("\n".join(lines))


def _has_lines(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and "\n" in value


def output_text(part: ToolPart) -> str:
    """Return a call's output in full, as plain text; "" without an output."""
    if part.output is None or part.output == part.error:
        return ""  # the form shows a failure once, as the error
    return _table_text(part.output) if is_table(part.output) else _shorten_clean(pretty(part.output))


def _shorten_clean(text: str) -> str:
    text, note = shorten(clean_code(text))
    return f"{text}\n{note}" if note else text


def shorten(text: str) -> tuple[str, str]:
    """Return the start of a long text, and a note about the omitted rest ("" without a rest)."""
    lines = text.count("\n") + 1
    if lines > LINES:
        end = -1
        for _ in range(LINES):
            end = text.index("\n", end + 1)
        if end <= CHARACTERS:
            return text[:end], f"[Showing lines 1-{LINES} of {lines}]"
    if len(text) > CHARACTERS:
        return text[:CHARACTERS], f"[Showing the first {CHARACTERS:,} of {len(text):,} characters]"
    return text, ""


def is_table(value: Any) -> bool:
    """Return whether *value* is a table's summary: ``{columns, rows, total}``."""
    return (
        isinstance(value, Mapping)
        and value.keys() == {"columns", "rows", "total"}
        and isinstance(value["columns"], list)
        and isinstance(value["rows"], list)
        and all(isinstance(row, list) for row in value["rows"])
        and isinstance(value["total"], int)
        and 0 <= value["total"] <= INT_LIMIT
    )


def shown_table(table: Mapping[str, Any]) -> tuple[list[Any], list[list[Any]], str]:
    """Return the columns and rows of a table to show, and a note about the omitted ones ("" if none)."""
    columns, room = table["columns"][:TABLE_CELLS], TABLE_CELLS
    rows: list[list[Any]] = []
    for row in table["rows"]:
        if room < len(row) or not room:
            break
        rows.append(row)
        room -= len(row) or 1  # a row without cells is a line too
    total = max(table["total"], len(table["rows"]))
    note = f"showing {len(rows):,} of {total:,} rows" if len(rows) < total else ""
    if len(columns) < len(table["columns"]):
        note += f"{', ' if note else 'showing '}{len(columns):,} of {len(table['columns']):,} columns"
    return columns, rows, note


def _table_text(table: Mapping[str, Any]) -> str:
    columns, body, note = shown_table(table)
    rows = [[preview(cell, 40) for cell in row] for row in [columns, *body]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=False)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, *([f"[{note}]"] if note else [])])


def duration_of(part: ToolPart) -> str:
    """Return a call's duration, such as ``1.2 s``; "" unless its start and end are known."""
    if part.started_at is None or part.finished_at is None:
        return ""
    seconds = max(0.0, part.finished_at - part.started_at)
    if not seconds < TIME_LIMIT:
        return ""  # no possible duration, or not a number
    if round(seconds, 1) < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def size(count: int) -> str:
    """Return a number of bytes with its unit: ``812 B``, ``12 kB``, ``3.4 MB``."""
    if count < 1000:  # noqa: PLR2004
        return f"{count} B"
    number = count / 1000
    for unit in ("kB", "MB"):
        if number < 1000:  # noqa: PLR2004
            return f"{number:.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}"  # noqa: PLR2004
        number /= 1000
    return f"{number:.1f} GB"


def byte_size(base64_text: str) -> int:
    """Return the number of bytes that a base64 text encodes."""
    return len(base64_text.rstrip("=")) * 3 // 4


def usage_text(usage: Usage | None) -> str:
    """Return tokens, cost and model of *usage* on one line; "" if none of them is known."""
    if usage is None:
        return ""
    counts = [
        (usage.input_tokens, "tokens in", usage.cached_input_tokens, "cached"),
        (usage.output_tokens, "tokens out", usage.reasoning_tokens, "reasoning"),
    ]
    words = [
        f"{count:,} {word}" + (f" ({part:,} {part_word})" if part and 0 < part <= COUNT_LIMIT else "")
        for count, word, part, part_word in counts
        if count is not None and 0 <= count <= COUNT_LIMIT
    ]
    if usage.cost is not None:
        words.append(f"cost {usage.cost:.4g}")
    if usage.model:
        words.append(in_line(usage.model, 60))
    return " · ".join(words)


def name_of(part: ToolPart) -> str:
    """Return a tool's name on one line. The call's id is never shown, because it differs with every run."""
    return name_in_line(part.tool_name) or "tool"


def name_in_line(name: str | None) -> str:
    """Return the name of a tool, an agent or a file on one line; a line feed in it cannot fake another line."""
    return in_line(name or "", NAME_SHOWN)


def cut_message(text: str) -> tuple[str, int]:
    """Return the start of an error or a note as a form shows it, and the number of characters left out."""
    text = clean_code(text)
    return text[:MESSAGE_SHOWN], max(0, len(text) - MESSAGE_SHOWN)


def whole_message(text: str) -> str:
    """Return an error or a note for a form with folds: all of it, as far as a form shows any output."""
    return "\n".join(filter(None, shorten(clean_code(text))))


def message_text(text: str) -> str:
    """Return an error or a note for a form without folds: its start, and a note about the rest."""
    shown, omitted = cut_message(text)
    return f"{shown}\n[{omitted:,} characters are left out here]" if omitted else shown


def children_of(part: ToolPart, depth: int) -> tuple[Part, ...]:
    """Return the parts to show inside a call; from ``DEPTH`` on, all parts below it side by side."""
    if depth < DEPTH:
        return part.children
    flat: list[Part] = []
    remaining = list(reversed(part.children))
    while remaining:
        child = remaining.pop()
        if child.kind == "tool":
            remaining += reversed(child.children)
            child = child.model_copy(update={"children": ()})
        flat.append(child)
    return tuple(flat)


def unclaimed_runs(transcript: Document) -> list[tuple[str, Run]]:
    """Return the subagents without a known tool call, with their names."""
    return [(name_in_line(run.agent_name) or "subagent", run) for run in transcript.runs if run.parts]
