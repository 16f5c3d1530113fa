"""Show a call by the shape of its arguments and its result: an edit, a command, hits, records, code, steps, JSON.

Pure, and the same for live, followed and replayed calls. No name of a tool decides, but for the language of its code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._event_fields import steps_of
from .._markdown.languages import LANGUAGES
from .._markdown.sanitize import is_link
from ..events import PlanEntry
from .arguments import code_of, command_of, edits_of, patch_of, patch_paths, path_of, steps_in
from .blocks import (
    Block,
    CodeBlock,
    DiffBlock,
    Hit,
    HitsBlock,
    Joined,
    RestBlock,
    StepsBlock,
    TableBlock,
    TerminalBlock,
    TextBlock,
    TreeBlock,
)
from .colours import has_colours
from .diffs import DiffLine, edit_lines, is_diff, patch_lines
from .excerpt import excerpt
from .json_text import LIMIT, compact_json, pretty_json, reindent
from .wording import call_preview, clean_code, in_line, is_table, name_in_line, other_args_text

if TYPE_CHECKING:
    from ..parts import ToolPart

__all__ = ["CallShape", "call_shape", "exit_words", "json_block", "result_block", "result_line"]

_CODES: Final = ("exit_code", "exitCode", "returncode", "return_code", "exit_status", "exitcode")
_OUTPUTS: Final = ("stdout", "output")
_TITLES: Final = ("title", "name", "heading")
_SNIPPETS: Final = ("snippet", "text", "description", "content", "body", "summary", "highlights")
_LISTS: Final = (
    "results",
    "hits",
    "items",
    "organic",
    "documents",
    "data",
    "matches",
    "organic_results",
    "rows",
    "records",
)
HITS: Final = 50
"""Hits of a search that a form shows."""
RECORDS: Final = 200
"""Records that a form shows as rows."""
FIELDS: Final = 20
"""Columns of these records."""
_LEAST: Final = 2
"""Records that make a table: one is an object."""
_SMALL: Final = 30
"""Characters of JSON that need no tree."""


@dataclass(frozen=True, slots=True)
class CallShape:
    """Hold what a call is about on one line, and the blocks in place of its arguments' and its result's plain text."""

    preview: str
    arguments: Block | None = None
    output: Block | None = None

    @property
    def arguments_html(self) -> str | None:
        """Return the arguments as safe HTML; ``None``: as plain text."""
        return None if self.arguments is None else self.arguments.html()

    @property
    def output_html(self) -> str | None:
        """Return the result as safe HTML; ``None``: as plain text."""
        return None if self.output is None else self.output.html()


def call_shape(part: ToolPart) -> CallShape | None:
    """Return how to show a call; ``None`` if its arguments and its result have no known shape."""
    arguments = _arguments_block(part)
    # Of a running call the output may be the beginning of some JSON.
    output = (
        None if part.output == part.error else result_block(part.output, is_whole=part.state != "running")
    )
    if arguments is None and output is None:
        return None
    return CallShape(call_preview(part), arguments, output)


# Arguments


def _arguments_block(part: ToolPart) -> Block | None:
    args = part.args
    if isinstance(args, str):
        return DiffBlock(tuple(patch_lines(args))) if patch_paths(args) else None
    if not isinstance(args, Mapping) or not args or len({str(key) for key in args}) < len(args):
        return None
    found = _edit(args) or _patch(args) or _command(args) or _steps(args) or _code(part)
    if found is None:
        return None
    keys, block = found
    rest = other_args_text(part, keys)
    return Joined((block, RestBlock(rest))) if rest else block


_Found = tuple[Sequence[str], Block]


def _edit(args: Mapping[str, Any]) -> _Found | None:
    if (found := edits_of(args)) is None:
        return None
    keys, edits = found
    lines: list[DiffLine] = []
    for number, edit in enumerate(edits, 1):
        lines += [DiffLine("", f"edit {number} of {len(edits)}")] if len(edits) > 1 else []
        lines += edit_lines(edit.old, edit.new)
    return keys, DiffBlock(tuple(lines), path_of(args))


def _patch(args: Mapping[str, Any]) -> _Found | None:
    if (found := patch_of(args)) is None:
        return None
    key, text = found
    return (key,), DiffBlock(tuple(patch_lines(text)))


def _command(args: Mapping[str, Any]) -> _Found | None:
    if (found := command_of(args)) is None:
        return None
    key, text = found
    return (key,), TerminalBlock(command=text)


def _steps(args: Mapping[str, Any]) -> _Found | None:
    if (found := steps_in(args)) is None:
        return None
    key, steps = found
    entries = steps_of([{"text": text, "status": status} for text, status in steps])
    return (key,), StepsBlock(tuple(map(PlanEntry.model_validate, entries)))


def _code(part: ToolPart) -> _Found | None:
    code = code_of(part.args, part.tool_name, LANGUAGES)
    if code is None:
        return None
    language = code.language if code.language in LANGUAGES else ""
    return (code.key, *(key for key in ("language", "lang") if language and key in part.args)), CodeBlock(
        code.text, language
    )


# Results


def result_block(output: Any, *, is_whole: bool = True) -> Block | None:
    """Return the block of a result; ``None``: its plain text shows it as well."""
    if isinstance(output, str):
        return _text_block(output, is_whole=is_whole)
    if is_table(output):
        return TableBlock(output)
    if isinstance(output, Mapping | list):
        return _value_block(output) or json_block(compact_json(output))
    return None


def _text_block(text: str, *, is_whole: bool) -> Block | None:
    if is_diff(text):
        return DiffBlock(tuple(patch_lines(text)))
    if is_whole and len(text) <= LIMIT and text.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return TextBlock(text) if has_colours(text) else None
        return (_value_block(value) if isinstance(value, Mapping | list) else None) or json_block(text)
    return TextBlock(text) if has_colours(text) else None


def json_block(text: str, *, least: int = _SMALL) -> Block | None:
    """Return JSON text as a tree; ``None`` for other text, and for JSON so short that its plain text is as clear."""
    if len(text) < least:
        return None
    plain = reindent(text)
    return None if plain is None else TreeBlock(text, excerpt(clean_code(plain)))


def _value_block(value: Any) -> Block | None:
    if isinstance(value, Mapping):
        if (terminal := _terminal(value)) is not None:
            return terminal
        key = next((key for key in _LISTS if isinstance(value.get(key), list) and value[key]), None)
        found = _hits(value[key]) if key else None
        others = {name: one for name, one in value.items() if name != key}
        return Joined((found, _rest(others))) if found is not None and others else found
    return _hits(value) or _records(value)


def _rest(values: Mapping[str, Any]) -> Block:
    text = pretty_json(values)
    return json_block(text) or TextBlock(text, "json")


def _terminal(value: Mapping[str, Any]) -> Block | None:
    """Return what a command wrote, and its exit code."""
    key = next((key for key in _OUTPUTS if isinstance(value.get(key), str)), None)
    errors = value.get("stderr")
    code_key = next((key for key in _CODES if _is_code(value.get(key))), None)
    if not (key == "stdout" or (isinstance(errors, str) and code_key) or (key and code_key)):
        return None
    used = {key, code_key, *(("stderr",) if isinstance(errors, str) else ())}
    others = {name: one for name, one in value.items() if name not in used and one not in (None, "", False)}
    output = value[key] if key else ""
    errors = errors if isinstance(errors, str) else ""
    code = value[code_key] if code_key else None
    blocks: list[Block] = []
    if is_diff(output):
        blocks.append(DiffBlock(tuple(patch_lines(output))))
        output = ""
    if output or errors or code is not None:
        blocks.append(TerminalBlock(output=output, errors=errors, code=code))
    blocks += [_rest(others)] if others else []
    if not blocks:
        return TextBlock("")
    return blocks[0] if len(blocks) == 1 else Joined(tuple(blocks))


def _is_code(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 32


def _hits(values: Sequence[Any]) -> Block | None:
    found = []
    for value in values[:HITS]:
        if not isinstance(value, Mapping) or not isinstance(value.get("url", value.get("link")), str):
            return None
        title = next((value[key] for key in _TITLES if isinstance(value.get(key), str)), "")
        snippet = next((value[key] for key in _SNIPPETS if isinstance(value.get(key), str)), "")
        address = value.get("url", value.get("link"))
        if not title and not snippet:
            return None
        url = address if is_link(address) and not address[:7].lower().startswith("mailto:") else ""
        words = name_in_line(title) or in_line(address, 200) or "hit"
        found.append(Hit(words if url else f"{words} ({in_line(address, 200)})", url, in_line(snippet, 300)))
    return HitsBlock(tuple(found), len(values) - len(found)) if found else None


def _records(values: Sequence[Any]) -> Block | None:
    if len(values) < _LEAST or not all(isinstance(value, Mapping) and value for value in values):
        return None
    columns: dict[str, None] = {}
    for value in values[:RECORDS]:
        columns |= dict.fromkeys(value)
        if any(isinstance(cell, Mapping | list) for cell in value.values()):
            return None
    names = list(columns)
    if len(names) > 2 * max(map(len, values[:RECORDS])):
        return None  # objects of different kinds
    rows = [[value.get(name) for name in names[:FIELDS]] for value in values[:RECORDS]]
    return TableBlock(
        {"columns": names[:FIELDS], "rows": rows, "total": len(values), "total_columns": len(names)}
    )


def exit_words(part: ToolPart) -> str:
    """Return "exit 1" for a command that ended, but not well: its call is no error, and the row says it."""
    if part.state != "ok" or not isinstance(part.output, Mapping):
        return ""
    block = _terminal(part.output)
    blocks = block.blocks if isinstance(block, Joined) else (block,)
    code = next((one.code for one in blocks if isinstance(one, TerminalBlock)), None)
    return f"exit {code}" if code else ""


def result_line(output: Any) -> str | None:
    """Return the result of a command on one line: its exit code unless it is 0, and its last words."""
    if not isinstance(output, Mapping) or (block := _terminal(output)) is None:
        return None
    found = block.blocks[0] if isinstance(block, Joined) else block
    if not isinstance(found, TerminalBlock):
        return None
    words = [f"exit {found.code}"] if found.code else []
    words += [line for line in (found.output.strip() or found.errors.strip()).split("\n")[-1:] if line]
    return ": ".join(words) or "done"
