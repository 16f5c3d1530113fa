"""``%vibe_stream`` and its kin: parse arguments, call the public API, nothing else.

At the top of the path. Loaded by ``%load_ext vibe_notebook``; unloading removes every hook.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Awaitable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import MagicArgumentParser

from . import _cells
from ._targets import Target, TargetError, find
from ._watch import Watch, live_watches, watch, watch_agent
from .display._output import choose
from .recording import replay
from .registry import get_registry

__all__ = ["VibeMagics", "load", "unload"]

_SECRET = frozenset(("authorization", "cookie", "proxy-authorization"))
_REMOTE_ONLY = ("header", "param", "after")


def _parser() -> MagicArgumentParser:
    parser = MagicArgumentParser("%vibe_stream", add_help=False)
    add = parser.add_argument
    add("--title", help="what the view is called")
    add("--block", action="store_true", help="keep the cell busy until the stream ends")
    add("--as", dest="name", metavar="NAME", help="bind the watch to this variable")
    add("--record", metavar="FILE", help="keep the run in this .jsonl file")
    add("--speed", type=float, metavar="X", help="play a recording X times as fast; 0 does not wait")
    add("--header", action="append", default=[], metavar="K=V", help="a header for a URL; K=$NAME reads the environment")
    add("--param", action="append", default=[], metavar="K=V", help="a query parameter for a URL")
    add("--after", metavar="ID", help="resume a URL after this event")
    add("--no-display", action="store_true", help="show nothing, only build the transcript")
    return parser


PARSER = _parser()
OPTIONS = {option: action.nargs != 0 for action in PARSER._actions for option in action.option_strings}  # noqa: SLF001
"""Each option, and whether a value follows it."""


def split(line: str) -> tuple[argparse.Namespace, str]:
    """(options, TARGET): options come first, the rest of the line is TARGET to the letter."""
    rest = line.strip()
    given: list[str] = []
    while rest.startswith("--"):
        word, _, after = rest.partition(" ")
        if word == "--":
            rest = after.strip()
            break
        option, equals, _ = word.partition("=")
        if option not in OPTIONS:
            msg = f"%vibe_stream has no option {option}; it has {', '.join(sorted(OPTIONS))}."
            raise UsageError(msg)
        given.append(word if not equals else option)
        rest = after.lstrip() if not equals else rest[len(option) + 1 :]
        if OPTIONS[option]:
            value, rest = _word(rest, option)
            given[-1] = f"{option}={value}"
    try:
        return PARSER.parse_args(given), rest
    except UsageError as error:
        msg = f"%vibe_stream: {error}"
        raise UsageError(msg) from None


def _word(text: str, option: str) -> tuple[str, str]:
    """The next word, quoted or not, and what follows it."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        value = lexer.get_token()
    except ValueError:
        value = None
    if value is None:
        msg = f"%vibe_stream: {option} needs a value."
        raise UsageError(msg)
    return value, lexer.instream.read().lstrip()


def headers(items: list[str]) -> dict[str, str]:
    """``K=V`` pairs; ``K=$NAME`` reads the environment, so that no secret is saved in a notebook."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name:
            msg = f"--header {item!r}: write it as K=V or K=$NAME."
            raise UsageError(msg)
        if value.startswith("$"):
            if value[1:] not in os.environ:
                msg = f"--header {name}: the environment has no {value[1:]}."
                raise UsageError(msg)
            value = os.environ[value[1:]]
        elif name.lower() in _SECRET:
            msg = f"--header {name}: a literal secret would be saved in the notebook; write {name}=$NAME."
            raise UsageError(msg)
        found[name] = value
    return found


@magics_class
class VibeMagics(Magics):  # type: ignore[misc]
    """The magics of vibe_notebook."""

    @no_var_expand  # type: ignore[misc]
    @line_cell_magic  # type: ignore[misc]
    def vibe_stream(self, line: str, cell: str | None = None) -> Watch | Awaitable[Any] | None:
        """Watch an agent's work: ``%vibe_stream [options] TARGET``, or over a cell whose last
        expression is the stream.

        TARGET is an http(s) stream, a .jsonl recording, agent:ID or a Python expression.
        Options come first: --title TEXT, --block, --as NAME, --record FILE, --speed X,
        --header K=V, --param K=V, --after ID, --no-display.
        """
        options, text = split(line)
        if cell is not None:
            if text:
                msg = f"%%vibe_stream takes options only; {text!r} belongs in the cell."
                raise UsageError(msg)
            body = _cells.Body(self.shell, cell)
            return _cells.Quiet(self._cell(options, body))
        made = self._watch(options, self._target(text))
        if options.block or choose() == "static":
            return self._block(made)
        made.start()
        return made

    @line_magic  # type: ignore[misc]
    def vibe_streams(self, line: str) -> _cells.Streams:
        """List the streams that are live."""
        if line.strip():
            msg = "%vibe_streams takes no arguments; %vibe_stop ID stops one."
            raise UsageError(msg)
        return _cells.Streams(live_watches())

    @line_magic  # type: ignore[misc]
    def vibe_stop(self, line: str) -> None:
        """Stop a live stream by its id: ``%vibe_stop ID``, or all: ``%vibe_stop --all``."""
        wanted, live = line.strip(), live_watches()
        if wanted == "--all":
            chosen = live
        elif wanted:
            chosen = [made for made in live if made.agent_id == wanted]
        else:
            chosen = live if len(live) == 1 else []
        if not chosen and wanted != "--all":
            ids = ", ".join(str(made.agent_id) for made in live) or "none"
            msg = f"%vibe_stop: {wanted or 'which one'}? Live streams: {ids}; or --all."
            raise UsageError(msg)
        for made in chosen:
            made.cancel()

    def _target(self, text: str) -> Target:
        try:
            return find(text, self.shell.user_ns, get_registry().agents())
        except TargetError as error:
            msg = f"%vibe_stream: {error}"
            raise UsageError(msg) from None

    def _watch(self, options: argparse.Namespace, target: Target) -> Watch:
        given = [f"--{name}" for name in _REMOTE_ONLY if getattr(options, name)]
        if target.kind != "url" and given:
            msg = f"{', '.join(given)}: only for http(s) streams, and {target} is none."
            raise UsageError(msg)
        if target.kind != "recording" and options.speed is not None:
            msg = f"--speed: only for recordings, and {target} is none."
            raise UsageError(msg)
        if target.kind == "url":
            headers(options.header)
            msg = "This version of vibe_notebook cannot follow URLs yet; pass a stream or a recording."
            raise UsageError(msg)
        if target.kind == "recording":
            source: Any = replay(target.value, speed=1.0 if options.speed is None else options.speed)
        elif target.kind == "agent":
            return self._keep(options, self._agent(options, target.value))
        else:
            source = _cells.evaluate(self.shell, target.value)
        return self._of(options, source)

    def _agent(self, options: argparse.Namespace, agent_id: str) -> Watch:
        return watch_agent(
            agent_id, title=options.title, display=not options.no_display, record=options.record
        )

    def _of(self, options: argparse.Namespace, source: Any) -> Watch:
        """A watch of whatever an expression gave."""
        if isinstance(source, Watch):
            return self._keep(options, source)
        if isinstance(source, str) and source in get_registry().agents():
            return self._keep(options, self._agent(options, source))
        if isinstance(source, str | bytes | dict | int | float) or source is None:
            msg = f"%vibe_stream: the expression gave {type(source).__name__}, which is no stream of events."
            raise UsageError(msg)
        return self._keep(
            options, watch(source, title=options.title, display=not options.no_display, record=options.record)
        )

    def _keep(self, options: argparse.Namespace, made: Watch) -> Watch:
        if options.name:
            if not options.name.isidentifier():
                msg = f"--as {options.name}: not a variable name."
                raise UsageError(msg)
            self.shell.user_ns[options.name] = made
        return made

    def _block(self, made: Watch) -> Watch | Awaitable[Any]:
        if not made.is_async:
            for _ in made:
                pass
            return made
        return _cells.Quiet(_drained(made))

    async def _cell(self, options: argparse.Namespace, body: _cells.Body) -> None:
        source = await body.run()
        made = self._of(options, source)
        await made


async def _drained(made: Watch) -> Watch:
    await made
    return made


def load(shell: InteractiveShell) -> None:
    """Register the magics, the awaited cell form and the completion of options."""
    unload(shell)
    shell.register_magics(VibeMagics)
    shell.input_transformer_manager.cleanup_transforms.append(_cells.awaited)
    completer = getattr(shell, "Completer", None)
    if completer is not None:
        completer.custom_matchers.append(_cells.matcher(OPTIONS))


def unload(shell: InteractiveShell) -> None:
    """Remove what ``load`` added."""
    transforms = shell.input_transformer_manager.cleanup_transforms
    transforms[:] = [t for t in transforms if getattr(t, "__module__", "") != _cells.__name__]
    completer = getattr(shell, "Completer", None)
    if completer is not None:
        matchers = completer.custom_matchers
        matchers[:] = [m for m in matchers if getattr(m, "__module__", "") != _cells.__name__]
    for kind in ("line", "cell"):
        for name in ("vibe_stream", "vibe_streams", "vibe_stop"):
            shell.magics_manager.magics[kind].pop(name, None)
    shell.magics_manager.registry.pop("VibeMagics", None)


