"""Find the meaning of TARGET in ``%vibe_stream TARGET``.

Below ``magic.py``. In this order: a URL, a log (``claude:latest``, or an existing file), ``agent:ID``, a Python
expression, the id of a known agent. Two meanings are an error: the magic does not guess.
"""

from __future__ import annotations

import ast
import builtins
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .._nearest import nearest
from ..logs import meant_log, names_a_log
from ..remote import redact
from .options import OPTIONS, without_comment

__all__ = ["Target", "TargetError", "find", "undefined"]


class TargetError(ValueError):
    """Report a TARGET with no meaning, or with more than one."""


@dataclass(frozen=True, slots=True)
class Target:
    """Hold the kind of a TARGET, and its url, path, agent id or expression."""

    kind: Literal["url", "recording", "log", "agent", "expression"]
    value: str

    @property
    def urls(self) -> list[str]:
        """Return the URLs: one or several."""
        return self.value.split()

    def __str__(self) -> str:
        names = {
            "url": "the URL",
            "recording": "the recording",
            "log": "the log",
            "agent": "the agent",
            "expression": "the expression",
        }
        value = " ".join(map(redact, self.urls)) if self.kind == "url" else self.value
        return f"{names[self.kind]} {value!r}"


def find(text: str, namespace: Mapping[str, Any], agents: Collection[str]) -> Target:
    """Return the meaning of *text*, without its comment. Raises ``TargetError`` with the way to correct it."""
    text = text.strip()
    if not (text in agents or text.removeprefix("agent:") in agents or _file(_unquoted(text))):
        text = without_comment(text)
    if not text:
        msg = "give a target: a URL, a log or a recording, agent:ID, or a Python expression."
        raise TargetError(msg)
    if _is_url(text):
        if others := [word for word in text.split() if not _is_url(word)]:
            msg = f"{others[0]!r} is no URL; after a URL only other URLs may follow (options come first)."
            raise TargetError(msg)
        return Target("url", text)
    if (turned := _options_first(text)) is not None:
        msg = f"options come first: %vibe_stream {turned}"
        raise TargetError(msg)
    fits: list[Target] = []
    path = _unquoted(text)
    if (log := _file(path) or _scheme(path)) is not None:
        fits.append(log)
    if text.startswith("agent:"):
        fits.append(Target("agent", _agent_id(text, agents)))
    missing = undefined(text, namespace)
    if missing == []:
        fits.append(Target("expression", text))
    if text in agents:
        fits.append(Target("agent", text))
    if len(fits) > 1:
        both = " and ".join(str(fit) for fit in fits)
        msg = f"{text!r} fits both {both}; write agent:ID, a quoted path, or the expression in parentheses."
        raise TargetError(msg)
    if fits:
        return fits[0]
    raise TargetError(_explain(text, path, missing, agents))


def undefined(text: str, namespace: Mapping[str, Any]) -> list[str] | None:
    """Return the names that the expression needs and lacks; ``None`` if *text* cannot give a stream."""
    try:
        tree = compile(text, "<target>", "eval", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if isinstance(tree.body, ast.Constant):
        return None  # a quoted path, a number: no stream
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    wanted = dict.fromkeys(node.id for node in names if isinstance(node.ctx, ast.Load))
    return [
        name for name in wanted if name not in bound and name not in namespace and not hasattr(builtins, name)
    ]


def _options_first(text: str) -> str | None:
    """Return the line with its options first, if they stand behind a file or the name of a log."""
    for number, word in enumerate(words := text.split()):
        if number and word.partition("=")[0] in OPTIONS:
            head = _unquoted(text[: text.index(f" {word}")].strip())
            is_target = _file(text) is None and (_file(head) or _scheme(head) or head.endswith(".jsonl"))
            return f"{' '.join(words[number:])} {' '.join(words[:number])}" if is_target else None
    return None


def _file(path: str) -> Target | None:
    """Return the existing file of this path; a recording of ours tells itself by its content later."""
    try:
        file = Path(path).expanduser()
        if not file.is_file():
            return None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, a closed folder, or ~ names no user
        return None
    return Target("recording" if path.endswith(".jsonl") else "log", str(file))


def _scheme(words: str) -> Target | None:
    """Return the log that an agent's name and a session, such as ``claude:latest``, mean."""
    return Target("log", words) if not _is_other_kind(words) and names_a_log(words) else None


def _is_other_kind(path: str) -> bool:
    """Return whether a folder, a pipe or a device has this path."""
    try:
        return os.path.lexists(Path(path).expanduser())
    except (OSError, ValueError, RuntimeError):
        return False


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _agent_id(text: str, agents: Collection[str]) -> str:
    agent_id = text.removeprefix("agent:").strip()
    if not agent_id:
        msg = "agent: needs an id: write agent:ID."
        raise TargetError(msg)
    if agent_id not in agents and (found := nearest(agent_id, agents)) is not None:
        msg = f"there is no agent {agent_id!r}. Did you mean agent:{found}?"
        raise TargetError(msg)
    return agent_id  # an agent that is not known yet may come


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _explain(text: str, path: str, missing: list[str] | None, agents: Collection[str]) -> str:
    if (meant := meant_log(path)) is not None:
        return f"{path!r} names no file, and no agent's log. Did you mean {meant}?"
    known = f" Known agents: {', '.join(sorted(agents))}." if agents else ""
    if _is_other_kind(path):
        return f"{path!r} is no regular file: a log is one, and so is a recording."
    if path.endswith(".jsonl"):
        return f"there is no recording {path!r}."
    if missing:
        names = ", ".join(missing)
        return f"{text!r} is no known agent; as an expression it needs {names}, which is not defined.{known}"
    return f"{text!r} is neither a URL, a log or a recording, agent:ID nor a Python expression.{known}"
