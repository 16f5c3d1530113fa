"""Cells and lines of the magics: how they become awaited, run and complete.

Beside ``magic.py``; the IPython facts behind it are in docs and in the comments here.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher
from IPython.core.error import UsageError

from .display._output import choose

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ._watch import Watch

__all__ = ["Body", "Quiet", "Streams", "awaited", "evaluate", "matcher"]

_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_CELL = re.compile(r"%%vibe_stream(?P<line>[ \t].*)?$")
_LINE = re.compile(r"(?P<target>[A-Za-z_]\w*[ \t]*=[ \t]*)?%vibe_stream[ \t]+(?P<line>.*)$")
_BLOCK = re.compile(r"(?:--\S+(?:[= ]\S+)?[ \t]+)*?--block\b")
_MISPLACED = "put %%vibe_stream first in its cell: it cannot stand under another cell magic."


def awaited(lines: list[str]) -> list[str]:
    """Input transform: the cell form, and a blocking line, become awaited cells.

    So the cell is busy while the agent works, later cells wait, and the loop stays free: clicks
    arrive. Leading comments are allowed, which IPython's own cell magics do not.
    """
    first = next(
        (i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), None
    )
    if first is None:
        return lines
    found = _CELL.match(lines[first].rstrip("\n"))
    if found:
        line, body = (found["line"] or "").strip(), "".join(lines[first + 1 :])
        return [*lines[:first], f"await get_ipython().run_cell_magic('vibe_stream', {line!r}, {body!r})\n"]
    if lines[first].startswith("%%"):
        if any(_CELL.match(line.rstrip("\n")) for line in lines[first + 1 :]):
            raised = f"from IPython.core.error import UsageError as _UsageError; raise _UsageError({_MISPLACED!r})\n"
            return [raised]
        return lines
    return [_awaited_line(line) for line in lines]


def _awaited_line(line: str) -> str:
    found = _LINE.match(line.rstrip("\n"))
    if not found or not (_BLOCK.match(found["line"]) or choose() == "static"):
        return line
    return f"{found['target'] or ''}await get_ipython().run_line_magic('vibe_stream', {found['line']!r})\n"


class Quiet(Awaitable[Any]):
    """An awaitable that shows nothing where it is the value of a cell and nobody awaits it."""

    def __init__(self, made: Any) -> None:
        self._made = made

    def __await__(self) -> Generator[Any, None, Any]:
        return self._made.__await__()  # type: ignore[no-any-return]

    def __del__(self) -> None:
        # Not run: %%capture and its like call the magic and drop what it returns.
        self._made.close()

    def __repr__(self) -> str:
        return "<vibe_stream: not awaited; put %%vibe_stream first in its cell>"


class Body:
    """The cell's code: statements, then the expression that gives the stream."""

    def __init__(self, shell: InteractiveShell, cell: str) -> None:
        self._shell = shell
        code = shell.transform_cell(cell)
        self._name = shell.compile.cache(code, shell.execution_count, raw_code=cell)
        try:
            tree = compile(code, self._name, "exec", ast.PyCF_ONLY_AST | _FLAGS)
        except SyntaxError as error:
            msg = f"%%vibe_stream: the cell is not valid Python: {error}."
            raise UsageError(msg) from None
        if not tree.body or not isinstance(tree.body[-1], ast.Expr):
            msg = "%%vibe_stream: the cell must end in an expression that gives the stream; nothing was run."
            raise UsageError(msg)
        last = tree.body.pop()
        self._statements = tree
        self._last = ast.Expression(last.value)

    async def run(self) -> Any:
        """Run the statements; return what the last expression evaluates to."""
        for tree, mode in ((self._statements, "exec"), (self._last, "eval")):
            code = compile(tree, self._name, mode, _FLAGS)
            value = eval(code, self._shell.user_ns)  # noqa: S307 - the user's own cell
            if code.co_flags & inspect.CO_COROUTINE:
                value = await value
        return value


def evaluate(shell: InteractiveShell, text: str) -> Any:
    """What the expression gives; one with a top-level await gives an awaitable."""
    code = compile(text, "<vibe_stream>", "eval", _FLAGS)
    return eval(code, shell.user_ns)  # noqa: S307 - the user's own expression


class Streams:
    """The live streams, as a small table."""

    def __init__(self, watches: list[Watch]) -> None:
        self.watches = watches

    def __iter__(self) -> Any:
        return iter(self.watches)

    def __len__(self) -> int:
        return len(self.watches)

    def __repr__(self) -> str:
        if not self.watches:
            return "No live streams."
        rows = [
            (made.agent_id or "?", made.title, f"{len(made.transcript.tools)} tool calls")
            for made in self.watches
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        return "\n".join(f"{a:<{widths[0]}}  {t:<{widths[1]}}  {n}" for a, t, n in rows)


def matcher(options: Mapping[str, bool] | Collection[str]) -> Callable[[CompletionContext], Any]:
    """A completer of exactly the options, where an option can stand."""

    @context_matcher(identifier="vibe_notebook.options", priority=150)  # type: ignore[misc]
    def complete(context: CompletionContext) -> dict[str, Any]:
        line = context.line_with_cursor[: context.cursor_position]
        if not re.match(r"\s*(\w+\s*=\s*)?%{1,2}vibe_stream\s", line) or not context.token.startswith("-"):
            return {"completions": [], "suppress": False}
        found = [
            SimpleCompletion(text=name, type="option")
            for name in sorted(options)
            if name.startswith(context.token)
        ]
        return {"completions": found, "matched_fragment": context.token, "suppress": bool(found)}

    return complete  # type: ignore[no-any-return]
