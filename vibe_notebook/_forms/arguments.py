"""Find what a call is about in its arguments: the path, the command, the query, the code, the edit or the steps.

Told by the shape of the arguments, whatever the tool's name is. Below ``wording.py``, whose previews say it, and below
``shapes.py``, which shows it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from .._event_fields import plan_status

__all__ = [
    "Code",
    "Edit",
    "Subject",
    "code_of",
    "command_of",
    "edits_of",
    "patch_of",
    "path_of",
    "steps_in",
    "subject_of",
]

_PATHS: Final = (
    "path", "file_path", "filePath", "filepath", "file", "filename", "file_name", "target_file", "notebook_path",
    "relative_path",
)  # fmt: skip
_COMMANDS: Final = ("command", "cmd")
_QUERIES: Final = (
    "query",
    "q",
    "search_query",
    "searchQuery",
    "pattern",
    "question",
    "search_term",
    "keywords",
)
_ADDRESSES: Final = ("url", "uri", "href")
_CODES: Final = ("code", "source", "source_code", "script", "sql", "query")
_OLD: Final = ("old_string", "old_str", "old", "old_text", "oldText", "oldString", "search")
_NEW: Final = ("new_string", "new_str", "new", "new_text", "newText", "newString", "replace", "replacement")
_LANGUAGES: Final = ("language", "lang")
_STEPS: Final = ("todos", "todo", "todo_list", "tasks", "steps", "plan")
_STEP_TEXTS: Final = ("content", "text", "title", "step", "task", "description", "subject")
_SQL: Final = re.compile(
    r"\s*(?:select|with|insert|update|delete|create|alter|drop|explain|pragma)\b", re.IGNORECASE
)
_PATCH: Final = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)
_SHELLS: Final = frozenset(("sh", "bash", "zsh", "dash", "fish"))
_WORDS: Final = 100
"""Words of a command given as a list, and files of a patch, that are read."""
_HEAD: Final = 2_000
"""Characters of a text that are read for its first line."""


class Subject(NamedTuple):
    """Hold the one thing that matters of a call's arguments, on one line."""

    text: str
    keys: tuple[str, ...]
    """The arguments that the line says."""
    is_whole: bool
    """False if the line has only the beginning of them."""


class Edit(NamedTuple):
    """Hold a piece of text and the text in its place."""

    old: str
    new: str


class Code(NamedTuple):
    """Hold the argument that is code, and the language that is said or likely."""

    key: str
    text: str
    language: str


def _first(args: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """Return the first of the keys under which the arguments have text."""
    return next((key for key in keys if isinstance(args.get(key), str) and args[key].strip()), None)


def subject_of(args: Any) -> Subject | None:
    """Return what the arguments are about; ``None`` if their shape does not say it."""
    if isinstance(args, str):
        paths = patch_paths(args)
        return Subject(", ".join(paths), (), is_whole=False) if paths else None
    if not isinstance(args, Mapping) or not args:
        return None
    if command := command_of(args):
        key, text = command
        return _line(text, key)
    if patch := patch_of(args):
        key, text = patch
        if paths := patch_paths(text):
            return Subject(", ".join(paths), (key,), is_whole=False)
    if steps := steps_in(args):
        key, found = steps
        done = sum(status == "completed" for _, status in found)
        now = next((text for text, status in found if status == "in_progress"), "")
        words = f"{done} of {len(found)} done" + (f" · {now}" if now else "")
        return Subject(words, (key,), is_whole=False)
    path, query = _first(args, _PATHS), _first(args, _QUERIES)
    if query is not None and path is not None and edits_of(args) is None:
        found_line = _line(args[query], query)
        return Subject(f"{found_line.text} in {args[path]}", (query, path), found_line.is_whole)
    main = path or query or _first(args, _ADDRESSES) or _first(args, _CODES)
    return _line(args[main], main) if main is not None else None


def _line(text: str, key: str) -> Subject:
    """Return the first line of a text that has words."""
    head = text[:_HEAD].strip()
    line, _, rest = head.partition("\n")
    is_whole = not rest and len(text) <= _HEAD
    return Subject(line.rstrip() if is_whole else f"{line.rstrip()} …", (key,), is_whole)


def path_of(args: Mapping[str, Any]) -> str:
    """Return the path of a file among the arguments; "" without one."""
    key = _first(args, _PATHS)
    return "" if key is None else str(args[key])


def command_of(args: Any) -> tuple[str, str] | None:
    """Return the key and the text of a shell command."""
    if not isinstance(args, Mapping):
        return None
    for key in _COMMANDS:
        command = args.get(key)
        if isinstance(command, str) and command.strip() and edits_of(args) is None:
            is_verb = path_of(args) and re.fullmatch(r"\w+", command)  # an editor's: view, create
            return None if is_verb else (key, command)
        if isinstance(command, list | tuple) and command and all(isinstance(word, str) for word in command):
            words = list(command[:_WORDS])
            if len(words) == 3 and words[0].rpartition("/")[2] in _SHELLS and words[1].startswith("-"):  # noqa: PLR2004 - sh -c "…"
                return key, words[2]
            rest = f" … {len(command) - _WORDS:,} more words" if len(command) > _WORDS else ""
            return key, shlex.join(words) + rest
    return None


def edits_of(args: Any) -> tuple[tuple[str, ...], list[Edit]] | None:
    """Return the edits of one file, and the keys that say them: ``{path, old, new}``, or several of these."""
    if not isinstance(args, Mapping) or not (path := _first(args, _PATHS)):
        return None
    pair = _pair(args)
    if pair is not None:
        keys, edit = pair
        return (path, *keys), [edit]
    for key in ("edits", "changes", "replacements"):
        listed = args.get(key)
        if isinstance(listed, list) and listed:
            pairs = [_pair(one) if isinstance(one, Mapping) else None for one in listed]
            if all(pairs):
                return (path, key), [pair[1] for pair in pairs if pair]
    return None


def _pair(args: Mapping[str, Any]) -> tuple[tuple[str, str], Edit] | None:
    old = next((key for key in _OLD if isinstance(args.get(key), str)), None)
    new = next((key for key in _NEW if isinstance(args.get(key), str)), None)
    return ((old, new), Edit(args[old], args[new])) if old and new else None


def patch_of(args: Any) -> tuple[str, str] | None:
    """Return the key and the text of a patch among the arguments: ``apply_patch``'s, or a unified diff."""
    if not isinstance(args, Mapping):
        return None
    for key in ("patch", "diff", "input", "patch_text", "unified_diff"):
        text = args.get(key)
        if isinstance(text, str) and patch_paths(text):
            return key, text
    return None


_UNIFIED: Final = re.compile(r"^--- .*\n\+\+\+ (?:b/)?([^\t\n]+)", re.MULTILINE)


def patch_paths(text: str) -> list[str]:
    """Return the files that a patch changes; none for other text."""
    if "*** " in text[:_HEAD]:
        return [match[1].strip() for match, _ in zip(_PATCH.finditer(text), range(_WORDS), strict=False)]
    if "\n@@ -" not in text:
        return []
    return [match[1].strip() for match, _ in zip(_UNIFIED.finditer(text), range(_WORDS), strict=False)]


def code_of(args: Any, tool_name: str, languages: Mapping[str, str]) -> Code | None:
    """Return the argument that is code; *languages* are those that can be coloured, by each of their names."""
    if not isinstance(args, Mapping):
        return None
    path, content = path_of(args), _first(args, ("content", "file_text", "contents"))
    if path and content:
        suffix = path.rpartition("/")[2].rpartition(".")[2].lower()
        return Code(content, args[content], suffix if suffix in languages else "")
    key = _first(args, _CODES)
    if key is None or (key == "query" and not _SQL.match(args[key])):
        return None
    said = _first(args, _LANGUAGES)
    if said is not None:
        return Code(key, args[key], args[said].strip().lower())
    if key in ("sql", "query"):
        return Code(key, args[key], "sql")
    words = re.findall(r"[a-z]+", tool_name.lower())
    named = next((word for word in words if word in languages and len(word) > 1), "")
    return Code(key, args[key], named or ("bash" if key == "script" else "python"))


def steps_in(args: Any) -> tuple[str, list[tuple[str, str]]] | None:
    """Return the key and the steps of a todo list, each with its status."""
    if not isinstance(args, Mapping):
        return None
    for key in _STEPS:
        listed = args.get(key)
        if not isinstance(listed, list) or not listed:
            continue
        found = [_step(one) for one in listed]
        if all(found):
            return key, [step for step in found if step]
    return None


def _step(value: Any) -> tuple[str, str] | None:
    if not isinstance(value, Mapping) or not ({"status", "state", "done", "completed"} & value.keys()):
        return None
    key = _first(value, _STEP_TEXTS)
    if key is None:
        return None
    is_done = value.get("done", value.get("completed"))
    if isinstance(is_done, bool):
        return value[key], "completed" if is_done else "pending"
    return value[key], plan_status(value.get("status", value.get("state")))
