"""Make the words and short texts that all forms of a transcript share: states, durations, sizes, previews.

Used by the saved forms, by the live view and by the terminal. Everything from an agent is plain text here; each form
escapes it in its own way.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, Protocol, TypeGuard

from .._bundles import size
from .._limits import INT_LIMIT, MESSAGE_SHOWN, NAME_SHOWN, TABLE_CELLS, TIME_LIMIT
from .._symbols import show_controls, show_hidden
from ..events import Outcome, Usage
from ..parts import Part, Run, ToolPart, ToolState
from .arguments import subject_of
from .excerpt import excerpt
from .json_text import brief_members, is_object, members, pretty, pretty_json, reindent
from .sequences import ProseText, without_sequences
from .terminal_text import terminal_text

__all__ = [
    "OPEN_STATES",
    "OUTCOME_MARKS",
    "PREVIEW",
    "STATE_MARKS",
    "Document",
    "LiveProse",
    "LiveText",
    "args_text",
    "arguments_preview",
    "byte_size",
    "call_line",
    "call_preview",
    "children_of",
    "clean",
    "clean_code",
    "cut_message",
    "duration_of",
    "in_line",
    "is_table",
    "label_count",
    "message_text",
    "name_in_line",
    "name_of",
    "numeric_columns",
    "other_args_text",
    "output_text",
    "pretty",
    "preview",
    "result_text",
    "shown_table",
    "size",
    "table_text",
    "thinking_time",
    "unclaimed_runs",
    "whole_message",
    "written_text",
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

    @property
    def cost(self) -> float | None:
        """Return the US dollars; ``None`` if unknown."""

    @property
    def cost_is_partial(self) -> bool:
        """Return whether the cost of some model calls is unknown."""


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
OPEN_STATES: Final = frozenset(("running", "awaiting_approval", "unfinished"))
"""States of a call that has begun and has no result."""
OUTCOME_MARKS: Final[Mapping[Outcome, str]] = {
    "success": "✓",
    "error": "✗",
    "cancelled": "■",
    "interrupted": "‖",
}

PREVIEW = 100
"""Characters of arguments or a result on one line, if the width of the line is unknown."""
DEPTH = 30
"""Nesting of subagents beyond which calls are listed side by side."""

_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CODE = re.compile("`|~~~|\n(?: {4}|\t)")
"""The beginning of code in Markdown, where a line feed stands before each line."""
_CODE_MARK = 4
"""Characters of a text's end that may be the beginning of such a mark."""
_SPACE = re.compile(r"\s+")


def clean(text: str) -> str:
    """Return prose without terminal sequences and direction marks, and with visible control characters.

    Only line feed and tab stay unchanged. Direction marks become visible from the first code of the text on.
    """
    return LiveProse().feed(text)


def clean_code(text: str) -> str:
    """Return code, a name or arguments as ``clean`` does, but with visible direction marks."""
    return show_hidden(without_sequences(text))


class LiveProse:
    """Clean a growing text as ``clean`` does, piece by piece: the pieces together are the clean text."""

    def __init__(self) -> None:
        self._sequences = ProseText()
        self._has_code = False
        self._end = "\n"

    def feed(self, text: str) -> str:
        """Return the clean text of the next piece."""
        text = self._sequences.take(text)
        if self._has_code:
            return show_hidden(text)
        code = _CODE.search(self._end + text)
        start = len(text) if code is None else max(0, code.end() - len(self._end))
        self._has_code = code is not None
        self._end = (self._end + text)[-_CODE_MARK:]
        return show_controls(_DIRECTIONS.sub("", text[:start])) + show_hidden(text[start:])


class LiveText:
    """Clean a growing text as ``clean_code`` does, piece by piece."""

    def __init__(self) -> None:
        self._sequences = ProseText()

    def feed(self, text: str) -> str:
        """Return the clean text of the next piece."""
        return show_hidden(self._sequences.take(text))


def in_line(text: str, limit: int = PREVIEW) -> str:
    """Return *text* on one line, at most *limit* characters of it."""
    # Only a bounded start is read, so that a megabyte of arguments stays cheap.
    line = _SPACE.sub(" ", clean_code(text[: 4 * limit])).strip()
    is_cut = len(line) > limit or len(text) > 4 * limit
    return f"{line[: limit - 1]}…" if is_cut else line


def call_preview(part: ToolPart, limit: int = PREVIEW) -> str:
    """Return the one thing that matters of a call's arguments: the path, the command, the query; else all of them."""
    return arguments_preview(part.args, part.args_text, limit)


def arguments_preview(args: Any, args_text: str, limit: int = PREVIEW) -> str:
    """Return the preview of a call with these arguments; *args_text* is their JSON as its writer has written it."""
    subject = subject_of(args)
    return _all_arguments(args, args_text, limit) if subject is None else in_line(subject.text, limit)


def _all_arguments(args: Any, args_text: str, limit: int) -> str:
    """Return arguments on one line, each value as its writer has written it."""
    if isinstance(args, Mapping) and is_object(args_text):
        return in_line(brief_members(args_text, limit), limit)
    return preview(args_text if args is None else args, limit)


def call_line(part: ToolPart, limit: int = PREVIEW) -> tuple[str, bool]:
    """Return a call's arguments on one line, the one thing that matters first, and whether the line has all of them."""
    subject = subject_of(part.args)
    if subject is None:
        line = call_preview(part, limit)
        return line, not line.endswith("…")
    others = _others(part, subject.keys) or []
    rest = ", ".join(f"{name}={value[: limit + 1]}" for name, value in others[:limit])
    line = in_line(", ".join(filter(None, (subject.text[: 4 * limit], rest))), limit)
    is_cut = line.endswith("…") or len(subject.text) > 4 * limit or any("\\n" in value for _, value in others)
    return (in_line(subject.text, limit), False) if is_cut or not subject.is_whole else (line, True)


def _others(part: ToolPart, keys: Sequence[str]) -> list[tuple[str, str]] | None:
    """Return the arguments but those of *keys*, as (name, JSON text)."""
    if not isinstance(part.args, Mapping):
        return None
    written = members(part.args_text)
    if written is None:
        written = [(str(key), pretty_json(value)) for key, value in part.args.items()]
    return [(name, value) for name, value in written if name not in keys]


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
    """Yield the JSON of *value*, but not much more than *budget* characters: "…" stands for what is left out."""
    if budget <= 0:
        yield "…"
    elif isinstance(value, str):
        yield _brief_string(value, budget)
    elif isinstance(value, Mapping | list | tuple):
        is_object = isinstance(value, Mapping)
        yield "{" if is_object else "["
        for number, item in enumerate(value):
            text = ", " if number else ""
            if budget < 0:
                yield f"{text}…"
                break
            if isinstance(value, Mapping):
                text += f"{_brief_string(str(item), budget)}: "
                item = value[item]  # noqa: PLW2901 - the item's value, from here on
            text += "".join(_brief(item, budget // 2))
            yield text
            budget -= len(text)
        yield "}" if is_object else "]"
    else:
        yield json.dumps(value, default=repr)


def _brief_string(text: str, budget: int) -> str:
    return json.dumps(text if len(text) <= budget + 1 else f"{text[:budget]}…", ensure_ascii=False)


def args_text(part: ToolPart, shorten: Callable[[str], str] = excerpt) -> str:
    """Return a call's arguments in full: indented, or the streamed text while they are incomplete.

    Code and other text of several lines keeps its lines: JSON would put it on one line. *shorten* bounds a long text.
    """
    if part.args is None:
        return shorten(clean_code(part.args_text))
    text = reindent(part.args_text) or pretty(part.args)
    found = (
        members(text) if isinstance(part.args, dict) and any(map(_has_lines, part.args.values())) else None
    )
    if found is None:
        return shorten(clean_code(text))
    return _lines_of(found, shorten)


def other_args_text(part: ToolPart, keys: Sequence[str]) -> str:
    """Return a call's arguments but those of *keys*, each on a line of its own; "" if there are none."""
    return _lines_of(_others(part, keys) or [], excerpt)


def _lines_of(found: Sequence[tuple[str, str]], shorten: Callable[[str], str]) -> str:
    lines: list[str] = []
    for name, value in found:
        plain = json.loads(value) if value[:1] == '"' else None
        if _has_lines(plain):
            lines.append(f"{name}:\n{textwrap.indent(plain, '  ')}")
        else:
            lines.append(f"{name}: {value[1:-1] if plain is not None else reindent(value) or value}")
    return shorten(clean_code("\n".join(lines)))


def _has_lines(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and "\n" in value


def output_text(part: ToolPart, shorten: Callable[[str], str] = excerpt) -> str:
    """Return a call's output in full, as plain text: what it wrote, then its result; "" without an output."""
    return "\n".join(filter(None, (written_text(part, shorten), result_text(part, shorten))))


def written_text(part: ToolPart, shorten: Callable[[str], str] = excerpt) -> str:
    """Return the text that a call wrote before its result, as a terminal shows it; "" if the result repeats it."""
    lines = part.written.strip("\n")
    if isinstance(part.output, str) and f"\n{lines}\n" in f"\n{part.output}\n":
        return ""
    return shorten(terminal_text(part.written)).rstrip("\n")


def result_text(part: ToolPart, shorten: Callable[[str], str] = excerpt) -> str:
    """Return a call's result in full, as plain text; "" without one."""
    output = part.output
    if output is None or output == part.error:
        return ""  # the form shows a failure once, as the error
    if is_table(output):
        return table_text(output)
    if not isinstance(output, str):
        return shorten(show_hidden(pretty(output)))
    json_text = (
        None if part.state == "running" else reindent(output)
    )  # of a running call it may be the beginning
    return shorten(terminal_text(output) if json_text is None else show_hidden(json_text))


def is_table(value: Any) -> bool:
    """Return whether *value* is a table's summary: ``{columns, rows, total}``, perhaps with row labels."""
    return (
        isinstance(value, Mapping)
        and _TABLE_KEYS <= value.keys() <= {*_TABLE_KEYS, "labels", "total_columns"}
        and isinstance(value["columns"], list)
        and isinstance(value["rows"], list)
        and all(isinstance(row, list) for row in value["rows"])
        and all(_is_count(value[name]) for name in value.keys() - {"columns", "rows"})
        and label_count(value) <= len(value["columns"])
    )


_TABLE_KEYS: Final = frozenset(("columns", "rows", "total"))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= INT_LIMIT


def label_count(table: Mapping[str, Any]) -> int:
    """Return how many of the first cells of each row are the row's labels."""
    return int(table.get("labels", 0))


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
    labels = label_count(table)
    wide = max(table.get("total_columns", 0), len(table["columns"]) - labels)
    if (shown := max(0, len(columns) - labels)) < wide:
        note += f"{', ' if note else 'showing '}{shown:,} of {wide:,} columns"
    return columns, rows, note


def numeric_columns(rows: Sequence[Sequence[Any]]) -> list[bool]:
    """Return for each column whether all its cells are numbers, or empty: forms align those to the right."""
    columns = zip_longest(*rows)
    return [
        any(cell is not None for cell in column) and all(cell is None or _is_number(cell) for cell in column)
        for column in columns
    ]


def _is_number(cell: object) -> bool:
    return (isinstance(cell, int | float) and not isinstance(cell, bool)) or cell in ("nan", "inf", "-inf")


def table_text(table: Mapping[str, Any]) -> str:
    columns, body, note = shown_table(table)
    rows = [[preview(cell, 40) for cell in row] for row in [columns, *body]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=False)]
    is_numeric = numeric_columns(body) or [False] * len(widths)
    lines = [
        "  ".join(
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, is_numeric, strict=False)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, *([f"[{note}]"] if note else [])])


def duration_of(part: ToolPart) -> str:
    """Return a call's duration, such as ``1.2 s``; "" unless its start and end are known."""
    started_at = part.started_at if part.executed_at is None else part.executed_at
    return "" if part.state in OPEN_STATES else _span(started_at, part.finished_at)


def thinking_time(started_at: float | None, finished_at: float | None) -> str:
    """Return the duration of a thought; "" for one that came at once, or whose times are not known."""
    span = _span(started_at, finished_at)
    return "" if span == "0.0 s" else span


def _span(started_at: float | None, finished_at: float | None) -> str:
    if started_at is None or finished_at is None:
        return ""
    seconds = max(0.0, finished_at - started_at)
    if not seconds < TIME_LIMIT:
        return ""  # no possible duration, or not a number
    if round(seconds, 1) < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def byte_size(base64_text: str) -> int:
    """Return the number of bytes that a base64 text encodes."""
    return len(base64_text.rstrip("=")) * 3 // 4


def name_of(part: ToolPart) -> str:
    """Return a tool's name on one line. The call's id is never shown, because it differs with every run."""
    return name_in_line(part.tool_name) or "tool"


def name_in_line(name: str | None) -> str:
    """Return the name of a tool, an agent or a file on one line; a line feed in it cannot fake another line."""
    return in_line(name or "", NAME_SHOWN)


def cut_message(text: str) -> tuple[str, int]:
    """Return the start of an error or a note as a form shows it, and the number of characters left out."""
    text = terminal_text(text)
    return text[:MESSAGE_SHOWN], max(0, len(text) - MESSAGE_SHOWN)


def whole_message(text: str) -> str:
    """Return an error or a note for a form with folds: all of it, as far as a form shows any output."""
    return excerpt(terminal_text(text))


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
