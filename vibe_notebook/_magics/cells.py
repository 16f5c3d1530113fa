"""Turn the magics' lines and cells into awaited code, run it, and complete options.

Below ``magic.py``. The comments here name the facts about IPython behind the code.
"""

from __future__ import annotations

import ast
import inspect
import re
import tokenize
import warnings
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher
from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import make_tokens_by_line

from .._forms.wording import clean
from ..display import choose
from .options import split, without_comment

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .._watching.watch import Watch

__all__ = [
    "AWAITED",
    "Body",
    "SilentAwaitable",
    "Streams",
    "evaluate",
    "matcher",
    "named",
    "stop_matcher",
    "stream_id",
    "to_awaited",
]

AWAITED = "--awaited "
"""Prefix of a line that was made awaited: without it the magic cannot know that it is awaited."""

_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_CELL = re.compile(r"%%vibe_stream(?P<line>[ \t].*)?$")
_LINE = re.compile(r"(?P<target>[A-Za-z_]\w*[ \t]*=[ \t]*)?%vibe_stream[ \t]+(?P<line>.*)$")
_MISPLACED = "put %%vibe_stream first in its cell: it cannot stand under another cell magic."
_TEXT = frozenset(
    ("!", "HTML", "SVG", "bash", "file", "html", "javascript", "js", "latex", "markdown", "perl", "ruby")
) | frozenset(("script", "sh", "svg", "sx", "system", "writefile"))
"""Cell magics whose body is not Python: the body may contain the text ``%%vibe_stream``."""


def to_awaited(lines: list[str]) -> list[str]:
    """Turn the cell form, and a blocking line, into awaited code. This is an input transform of IPython's.

    So the cell is busy while the agent works, later cells wait, and the loop stays free: clicks
    arrive. Unlike IPython's own cell magics this one allows comments before it.
    """
    first = _next_code_line(lines, 0)
    if first is None:
        return lines
    found = _CELL.match(lines[first].rstrip("\n"))
    if found:
        line, body = (found["line"] or "").strip(), "".join(lines[first + 1 :])
        return [*lines[:first], f"await get_ipython().run_cell_magic('vibe_stream', {line!r}, {body!r})\n"]
    if lines[first].startswith("%%"):
        under = _next_code_line(lines, first + 1)
        name = lines[first][2:].split(maxsplit=1)[0] if lines[first][2:].strip() else ""
        if under is not None and name not in _TEXT and _CELL.match(lines[under].rstrip("\n")):
            return [f"from IPython.core.error import UsageError; raise UsageError({_MISPLACED!r})\n"]
        return lines
    candidates = {i for i, line in enumerate(lines) if _LINE.match(line.rstrip("\n"))}
    if not candidates:
        return lines
    starts = _statements(lines)
    return [_awaited_line(line) if i in candidates & starts else line for i, line in enumerate(lines)]


def _next_code_line(lines: list[str], start: int) -> int | None:
    """Return the next line that is neither blank nor a comment."""
    rest = range(start, len(lines))
    return next((i for i in rest if lines[i].strip() and not lines[i].lstrip().startswith("#")), None)


def _statements(lines: list[str]) -> set[int]:
    """Return the lines on which a statement begins: none inside of a string or of brackets."""
    groups = make_tokens_by_line(lines)
    tokens = (next((t for t in group if t.type not in _BLANK), None) for group in groups)
    return {token.start[0] - 1 for token in tokens if token is not None}


_BLANK = frozenset((tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT))


def _awaited_line(line: str) -> str:
    found = _LINE.match(line.rstrip("\n"))
    try:
        options = split(found["line"])[0] if found is not None else None
        waits = options is not None and not options.help and (options.block or choose() == "static")
    except (UsageError, ValueError):
        return line  # the magic itself reports the error
    if found is None or not waits:
        return line
    return f"{found['target'] or ''}await get_ipython().run_line_magic('vibe_stream', {AWAITED + found['line']!r})\n"


class SilentAwaitable(Awaitable[Any]):
    """Hold a coroutine that shows nothing where a cell's value is not awaited."""

    def __init__(self, made: Coroutine[Any, Any, Any]) -> None:
        self._made = made
        self._awaited = False

    def __await__(self) -> Generator[Any, None, Any]:
        self._awaited = True
        return self._made.__await__()

    def __del__(self) -> None:
        if not self._awaited:
            # %%capture and the like, and functions, call the magic and drop its value.
            self._made.close()
            msg = "%vibe_stream was not awaited: it waits only at the top level of a cell, not under a magic."
            warnings.warn(msg, RuntimeWarning, stacklevel=2)

    def __repr__(self) -> str:
        return "<vibe_stream: not awaited; put %%vibe_stream first in its cell>"


class Body:
    """Hold the cell's code: statements, then the expression whose value is the stream."""

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
        __tracebackhide__ = True  # a traceback shows the user's own lines
        for tree, mode in ((self._statements, "exec"), (self._last, "eval")):
            code = compile(tree, self._name, mode, _FLAGS)
            value = eval(code, self._shell.user_ns)  # noqa: S307 - the user's own cell
            if code.co_flags & inspect.CO_COROUTINE:
                value = await value
        return value


def evaluate(shell: InteractiveShell, text: str) -> Any:
    """Return the value of the expression; a top-level await makes it an awaitable."""
    code = compile(text, "<vibe_stream>", "eval", _FLAGS)
    return eval(code, shell.user_ns)  # noqa: S307 - the user's own expression


def _calls(count: int) -> str:
    return "1 tool call" if count == 1 else f"{count:,} tool calls"


class Streams:
    """Show the live streams as a small table; *variables* are the user's, which may name them."""

    def __init__(self, watches: list[Watch], variables: Mapping[str, Any] | None = None) -> None:
        self.watches = watches
        self._names = [", ".join(names_of(watch, variables or {})) for watch in watches]

    def __iter__(self) -> Iterator[Watch]:
        return iter(self.watches)

    def __len__(self) -> int:
        return len(self.watches)

    def __repr__(self) -> str:
        if not self.watches:
            return "No live streams."
        rows = [
            (name, stream_id(made), made.title, _calls(len(made.transcript.tools)))
            for name, made in zip(self._names, self.watches, strict=True)
        ]
        cells = [tuple(map(clean, row)) for row in rows]  # an agent may choose its id and title
        widths = [max(len(row[i]) for row in cells) for i in range(4)]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True) if width)
            for row in cells
        ]
        return "\n".join(map(str.rstrip, lines))


def names_of(made: Watch, variables: Mapping[str, Any]) -> list[str]:
    """Return the names of the user's variables that hold a watch, without IPython's own."""
    return [name for name, held in variables.items() if held is made and not name.startswith("_")]


def stream_id(made: Watch) -> str:
    """Return the name of a watch for ``%vibe_stop``: its agent's id, or its title before it has one."""
    return made.agent_id or made.title


def named(line: str, live: Sequence[Watch], variables: Mapping[str, Any]) -> tuple[str, list[Watch]]:
    """Return the name that a line of ``%vibe_stop`` gives, without its comment, and the live watches of that name.

    A name is a variable that holds the watch, an id, or a title; the first kind that fits counts.
    """
    whole = line.strip()
    names = dict.fromkeys((whole, without_comment(whole)))  # an id may contain a ``#``
    for name in names:
        if name == "--all":
            return name, list(live)
        unquoted = name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"" else name
        held = variables.get(name)
        for found in (
            [made for made in live if made is held],
            [made for made in live if stream_id(made) in (name, unquoted)],
            [made for made in live if made.title in (name, unquoted)],
        ):
            if found:
                return name, found
    return list(names)[-1], []


def matcher(options: Mapping[str, bool] | Collection[str]) -> Callable[[CompletionContext], Any]:
    """Return a completer that offers the options, and only those, where an option can stand."""

    @context_matcher(identifier="vibe_notebook.options", priority=150)  # type: ignore[untyped-decorator]
    def complete(context: CompletionContext) -> dict[str, Any]:
        before = context.line_with_cursor[: context.cursor_position]
        found = _OPTION.match(before)
        if found is None or not _options_only(found["before"]):
            return {"completions": [], "suppress": False}
        word = found["word"]
        names = [name for name in sorted(options) if name.startswith(word)]
        fit = [SimpleCompletion(text=name, type="option") for name in names]
        return {"completions": fit, "matched_fragment": word, "suppress": bool(fit)}

    return cast("Callable[[CompletionContext], Any]", complete)


def stop_matcher(
    live: Callable[[], Sequence[Watch]], variables: Mapping[str, Any]
) -> Callable[[CompletionContext], Any]:
    """Return a completer that offers the names of the live streams after ``%vibe_stop``."""

    @context_matcher(identifier="vibe_notebook.stop", priority=150)  # type: ignore[untyped-decorator]
    def complete(context: CompletionContext) -> dict[str, Any]:
        found = _STOP.match(context.line_with_cursor[: context.cursor_position])
        if found is None:
            return {"completions": [], "suppress": False}
        word, watches = found["word"], live()
        names = [
            name
            for name in variables
            if any(name in names_of(made, {name: variables[name]}) for made in watches)
        ]
        names += [name for made in watches for name in (stream_id(made), made.title)]
        known = dict.fromkeys([*names, "--all"])
        fit = [SimpleCompletion(text=name, type="stream") for name in known if name.startswith(word)]
        return {"completions": fit, "matched_fragment": word, "suppress": True}

    return cast("Callable[[CompletionContext], Any]", complete)


_STOP = re.compile(r"\s*%vibe_stop\s+(?P<word>.*)$")
_OPTION = re.compile(r"\s*(\w+\s*=\s*)?%{1,2}vibe_stream\s(?P<before>.*?)(?P<word>-\S*)$")


def _options_only(text: str) -> bool:
    """Return whether the text before the cursor has no TARGET yet."""
    try:
        return not split(text)[1]
    except UsageError:
        return False
