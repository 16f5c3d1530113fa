"""``%vibe_stream``, ``%vibe_streams``, ``%vibe_stop``: parse arguments and call the public API.

At the top of the path. ``%load_ext vibe_notebook`` loads this module; unloading removes every hook.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from ._auto.switch import auto
from ._magics import cells as _cells
from ._magics.options import OPTIONS, Options, check_url, headers, is_help, params, split, without_comment
from ._magics.targets import Target, TargetError, find
from ._watching.background import start
from ._watching.entry import watch, watch_agent
from ._watching.watch import Watch, live_watches
from .display import choose
from .exceptions import VibeNotebookError
from .logs import Log, names_a_log
from .recording import Replay, replay
from .registry import get_registry
from .remote import Follow, Merged, follow

__all__ = ["VibeMagics", "load", "unload"]

_REMOTE_ONLY = ("header", "param", "after")
_NOT_FOLLOWED = (
    '%vibe_stream: --follow is left out, and the log is read up to its present end: the renderer "static" shows a view '
    "once, at the end. To see the log grow, use the widget, or `vibe-notebook watch` in a terminal.\n"
)
_WATCHED_ONLY = {"title": "--title", "record": "--record", "no_display": "--no-display"}


@magics_class
class VibeMagics(Magics):
    """Register the magics of vibe_notebook."""

    shell: InteractiveShell
    is_loading_cell = True
    """True in the cell that loads the magics: IPython has read that cell without them."""

    def cell_ended(self, *_: object) -> None:
        """Count every later cell as one that IPython reads with the magics."""
        self.is_loading_cell = False
        if self.cell_ended in self.shell.events.callbacks["post_run_cell"]:
            self.shell.events.unregister("post_run_cell", self.cell_ended)

    @no_var_expand
    @line_cell_magic
    def vibe_stream(self, line: str, cell: str | None = None) -> Watch | Awaitable[Any] | None:
        """Watch an agent's work, live, in this cell.

        ``%vibe_stream [options] TARGET``, or ``%%vibe_stream [options]`` over a cell whose last
        expression is the stream. TARGET is an http(s) stream (or several), an agent's log or a recording
        (a file, or claude:latest), agent:ID or a Python expression. Options come first:

          --title TEXT    the view's title
          --follow        keep up with a log that grows
          --block         wait for the agent's end: later cells wait too
          --as NAME       put the watch into this variable, and stop the stream that it held
          --record FILE   write a recording, to play again later
          --speed X       play a recording X times as fast; 0: without waits
          --header K=V    send a header to the URL; K=$NAME reads the environment
          --param K=V     add a parameter to the URL; K=$NAME reads the environment
          --after ID      begin after this event of a URL
          --no-display    show nothing, and build the transcript only
          --help          print this text

        For example: ``%vibe_stream --title Analyst --as run agent.run_stream_events("…")``
        """
        options, text = split(line.removeprefix(_cells.AWAITED))
        head = text.removesuffix("--follow").rstrip()
        if head != text and " --" not in head and names_a_log(head):
            options.follow, text = True, head
        if options.help:
            _print_help("vibe_stream")
            return None if cell is None else _cells.SilentAwaitable(_nothing())
        is_static = self._renderer() == "static"
        if cell is not None:
            if text := without_comment(text):
                msg = f"%%vibe_stream takes options only; {text!r} belongs in the cell."
                raise UsageError(msg)
            self._check(options, Target("expression", "the cell's last"))
            return _cells.SilentAwaitable(self._run_cell(options, _cells.Body(self.shell, cell)))
        target = self._target(text)
        if is_static and options.follow and target.kind in ("recording", "log"):
            # A static view shows once, at the end: a log that is followed has none, and the cell would never end.
            options.follow = False
            sys.stdout.write(_NOT_FOLLOWED)
        made = self._watch(options, target)
        if options.block or is_static:
            return (
                _cells.SilentAwaitable(_drain(made))
                if line.startswith(_cells.AWAITED)
                else _drain_here(made, self.is_loading_cell)
            )
        try:
            start(made)
        except OSError as error:
            msg = f"%vibe_stream: {error}"
            raise UsageError(msg) from error
        return made

    @line_magic
    def vibe_streams(self, line: str) -> _cells.Streams | None:
        """List the streams that are live: for example ``%vibe_streams``."""
        if is_help(line):
            _print_help("vibe_streams")
            return None
        if without_comment(line):
            msg = "%vibe_streams takes no arguments; %vibe_stop ID stops one."
            raise UsageError(msg)
        return _cells.Streams(live_watches(), self.shell.user_ns)

    @line_magic
    def vibe_stop(self, line: str) -> None:
        """Stop one live stream, or all of them.

        ``%vibe_stop NAME``: its variable (``--as NAME``), its agent's id or its title. ``%vibe_stop --all`` stops
        every stream, ``%vibe_stop`` the only one. For example: ``%vibe_stop run``
        """
        if is_help(line):
            _print_help("vibe_stop")
            return
        live = live_watches()
        wanted, chosen = _cells.named(line, live, self.shell.user_ns)
        if not wanted and len(live) == 1:
            chosen = live
        if not chosen and wanted != "--all":
            ids = ", ".join(map(_cells.stream_id, live)) or "none"
            msg = f"%vibe_stop: {wanted or 'which one'}? Live streams: {ids}; or --all."
            raise UsageError(msg)
        for made in chosen:
            made.cancel()

    @line_magic
    def vibe(self, line: str) -> None:
        """Show each agent's run that no code wraps, where it starts.

        ``%vibe auto`` sets the hooks of the SDKs that are imported, and those of each SDK that a later cell imports.
        ``%vibe auto off`` shows no further run.
        """
        words = without_comment(line).split()
        if is_help(line) or not words:
            _print_help("vibe")
            return
        if words not in (["auto"], ["auto", "on"], ["auto", "off"]):
            msg = f"%vibe {line.strip()}: use %vibe auto or %vibe auto off."
            raise UsageError(msg)
        done = auto(words[-1] != "off")
        sys.stdout.write(f"{done!r}\n")

    def _target(self, text: str) -> Target:
        try:
            return find(text, self.shell.user_ns, get_registry().agents())
        except TargetError as error:
            msg = f"%vibe_stream: {error}"
            raise UsageError(msg) from None

    def _renderer(self) -> str:
        try:
            return choose()
        except ValueError as error:
            raise UsageError(str(error)) from None

    def _check(self, options: Options, target: Target) -> None:
        given = [f"--{name}" for name in _REMOTE_ONLY if getattr(options, name)]
        if target.kind != "url" and given:
            msg = f"{', '.join(given)}: only for http(s) streams; {target} is not one."
            raise UsageError(msg)
        if target.kind != "recording" and options.speed is not None:
            msg = f"--speed: only for recordings; {target} is not one."
            raise UsageError(msg)
        if target.kind not in ("recording", "log") and options.follow:
            msg = f"--follow: only for logs; {target} is not one."
            raise UsageError(msg)

    def _watch(self, options: Options, target: Target) -> Watch:
        self._check(options, target)
        if target.kind == "url":
            return self._watch_source(options, self._remote(options, target.urls))
        if target.kind == "agent":
            return self._bind_name(options, self._agent(options, target.value))
        if target.kind in ("recording", "log"):
            source = self._log(options, target)
        else:
            source = _cells.evaluate(self.shell, target.value)
        return self._watch_source(options, source)

    def _log(self, options: Options, target: Target) -> Replay | Log:
        """Return the source for a file, which tells by its content whether it is a recording."""
        try:
            log = Log(target.value, follow=options.follow)
            is_recording = not options.follow and log.found.kind == "recording"
        except (VibeNotebookError, OSError) as error:
            msg = f"%vibe_stream: {error}"
            raise UsageError(msg) from None
        if is_recording:
            return replay(log.path, speed=1.0 if options.speed is None else options.speed)
        if options.speed is not None:
            msg = f"--speed: only for recordings; {target} is not one."
            raise UsageError(msg)
        return log

    def _remote(self, options: Options, urls: list[str]) -> Follow | Merged:
        if options.after and len(urls) > 1:
            msg = "--after: an id belongs to one stream; give one URL."
            raise UsageError(msg)
        for url in urls:
            check_url(url)
        sent_headers = headers(options.header)
        query = params(options.param)
        try:
            made = [
                follow(url, last_event_id=options.after, headers=sent_headers, params=query) for url in urls
            ]
        except (VibeNotebookError, ValueError) as error:
            msg = f"%vibe_stream: {error}"
            raise UsageError(msg) from None
        return made[0] if len(made) == 1 else Merged(made)

    def _agent(self, options: Options, agent_id: str) -> Watch:
        return watch_agent(
            agent_id, title=options.title, display=not options.no_display, record=options.record
        )

    def _watch_source(self, options: Options, source: Any) -> Watch:
        """Return a watch of the expression's value."""
        if isinstance(source, Watch):
            given = [name for field, name in _WATCHED_ONLY.items() if getattr(options, field)]
            if given:
                msg = f"{', '.join(given)}: the expression gave a watch already; set it in vibe.watch(...)."
                raise UsageError(msg)
            return self._bind_name(options, source)
        if isinstance(source, str) and source in get_registry().agents():
            return self._bind_name(options, self._agent(options, source))
        try:
            made = watch(source, title=options.title, display=not options.no_display, record=options.record)
        except TypeError as error:
            msg = f"%vibe_stream: the expression gave {type(source).__name__}. {error}"
            raise UsageError(msg) from None
        return self._bind_name(options, made)

    def _bind_name(self, options: Options, made: Watch) -> Watch:
        """Put the watch into its variable; a live watch that the variable holds is stopped."""
        name = options.name
        if name:
            earlier = self.shell.user_ns.get(name)
            self.shell.user_ns[name] = made
            if earlier is not made and any(earlier is live for live in live_watches()):
                earlier.cancel()
                sys.stdout.write(f"%vibe_stream: stopped the earlier stream {name}; {name} is the new one.\n")
        return made

    async def _run_cell(self, options: Options, body: _cells.Body) -> None:
        __tracebackhide__ = True  # a traceback shows the user's own lines
        await self._watch_source(options, await body.run())


def _drain_here(made: Watch, is_loading_cell: bool) -> Watch:  # noqa: FBT001
    """Read the stream in this thread: the cell is not awaited."""
    try:
        steps = iter(made)
    except TypeError:
        made.cancel()
        msg = "an async stream needs an awaited cell: write the magic at the top level of a cell"
        if is_loading_cell:
            msg = "%load_ext works from the next cell on: write this line in a cell of its own"
        msg = f"%vibe_stream: {msg}, or write `await vibe.watch(...)`."
        raise UsageError(msg) from None
    for _ in steps:
        pass
    made.is_consumed_by_magic = True
    return made


async def _drain(made: Watch) -> Watch:
    await made
    made.is_consumed_by_magic = True
    return made


def _print_help(name: str) -> None:
    sys.stdout.write(f"{inspect.getdoc(getattr(VibeMagics, name))}\n")


async def _nothing() -> None:
    """Return at once, where the cell awaits the magic."""


def load(shell: InteractiveShell) -> None:
    """Register the magics, the transform of awaited cells, and the completion of options."""
    unload(shell)
    magics = VibeMagics(shell)
    shell.events.register("post_run_cell", magics.cell_ended)
    shell.register_magics(magics)
    shell.input_transformer_manager.cleanup_transforms.append(_cells.to_awaited)
    completer = getattr(shell, "Completer", None)
    if completer is not None:
        completer.custom_matchers.append(_cells.matcher(OPTIONS))
        completer.custom_matchers.append(_cells.stop_matcher(live_watches, shell.user_ns))


def unload(shell: InteractiveShell) -> None:
    """Remove the hooks that ``load`` added."""
    transforms = shell.input_transformer_manager.cleanup_transforms
    transforms[:] = [t for t in transforms if getattr(t, "__module__", "") != _cells.__name__]
    completer = getattr(shell, "Completer", None)
    if completer is not None:
        matchers = completer.custom_matchers
        matchers[:] = [m for m in matchers if getattr(m, "__module__", "") != _cells.__name__]
    for kind in ("line", "cell"):
        for name in ("vibe", "vibe_stream", "vibe_streams", "vibe_stop"):
            shell.magics_manager.magics[kind].pop(name, None)
    made = shell.magics_manager.registry.pop("VibeMagics", None)
    if isinstance(made, VibeMagics):
        made.cell_ended()
    # IPython adds magics to this list to configure them, and never removes them.
    shell.configurables[:] = [c for c in shell.configurables if c is not made]
