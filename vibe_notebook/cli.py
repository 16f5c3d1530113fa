"""``vibe-notebook``: show and list agents' logs, replay a recording, serve projects, or run the demo.

At the top of the path. The module parses arguments and calls the public API.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from . import __version__
from ._forms.wording import name_in_line
from .display import Printer
from .events import Event
from .exceptions import VibeNotebookError
from .logs import Log, PipedLog, load, session_lines, sessions
from .recording import Replay

__all__ = ["main"]

_TOKEN = "VIBE_NOTEBOOK_TOKEN"  # noqa: S105 - the variable's name
_SWITCH = 0.001
"""Seconds for which a thread may keep others waiting: Python's own 5 ms, several times in each request, delayed all
listeners by up to 0.35 s while four transcripts were rendered."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 for an error, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="vibe-notebook", description="Watch AI agents work.")
    parser.add_argument("--version", action="version", version=f"vibe-notebook {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_logs(commands)
    play = commands.add_parser(
        "replay",
        help="show a recording in the terminal",
        epilog="For example: vibe-notebook replay --speed 4 run.jsonl",
    )
    play.add_argument("file", type=Path)
    play.add_argument("--speed", type=float, default=1.0, help="2 plays twice as fast; 0 does not wait")
    _add_serve(
        commands.add_parser(
            "serve",
            help="serve projects over HTTP",
            epilog="For example: vibe-notebook serve --log sqlite:///projects.db",
        )
    )
    demo = commands.add_parser(
        "demo",
        help="run the quickstart notebook and open it in JupyterLab",
        epilog="For example: vibe-notebook demo --headless --to build/demo",
    )
    demo.add_argument("--headless", action="store_true", help="run it without a window")
    demo.add_argument("--to", type=Path, default=Path("build/demo"), help="folder for the results")
    options = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An agent's text may have characters that the terminal cannot show.
        sys.stdout.reconfigure(errors="replace")
    try:
        if options.command in _LOGS:
            return _LOGS[options.command](options)
        if options.command == "replay":
            return _replay(options.file, options.speed)
        if options.command == "serve":
            return _serve(options)
        from ._demo import run  # noqa: PLC0415 - imports packages that only the demo needs

        return run(options.to, headless=options.headless)
    except BrokenPipeError:
        # The reader has closed the pipe (`| head`): Python must not flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # the status of a process that SIGPIPE ended
    except (VibeNotebookError, OSError, ValueError) as error:
        sys.stderr.write(f"vibe-notebook: {_in_words(error)}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _in_words(error: Exception) -> str:
    """Return an error as a sentence: the system's own has a number, and no advice."""
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    name = name_in_line(os.fsdecode(error.filename))
    if isinstance(error, FileNotFoundError):
        return f"there is no file {name}; check the path."
    if isinstance(error, PermissionError):
        return f"this user may not open {name}; check the file's permissions."
    return f"{name} cannot be used: {error.strerror}."


def _add_logs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    named = "a file, or an agent's log by name: claude:latest, codex:latest, claude:PROJECT"
    show = commands.add_parser(
        "show",
        help="show an agent's log, a recording or a saved transcript in the terminal",
        epilog="For example: vibe-notebook show claude:latest",
    )
    show.add_argument("file", help=named)
    watching = commands.add_parser(
        "watch",
        help="show a log as it grows, or the JSON lines of a pipe, in the terminal",
        epilog="For example: vibe-notebook watch claude:latest, or some-agent --json | vibe-notebook watch -",
    )
    watching.add_argument("file", nargs="?", default="-", help=f"{named}; - or nothing reads standard input")
    listing = commands.add_parser(
        "list",
        help="list the agents' sessions of this machine, the newest first",
        epilog="For example: vibe-notebook list claude -n 50",
    )
    listing.add_argument("agent", nargs="*", help="claude, codex …: only these agents")
    listing.add_argument("-n", type=int, default=20, metavar="COUNT", help="sessions to list (20); 0 for all")


def _show(options: argparse.Namespace) -> int:
    log = Log(options.file)
    if log.found.kind == "transcript":
        print(load(log.path).to_text())
        return 0
    return _print(log)


def _watch(options: argparse.Namespace) -> int:
    if options.file == "-":
        return _print(PipedLog(sys.stdin.buffer))
    return _print(Log(options.file, follow=True))


def _list(options: argparse.Namespace) -> int:
    found = list(sessions(*options.agent, limit=options.n if options.n > 0 else None))
    if not found:
        sys.stderr.write("No sessions: no agent has written a log here.\n")
        return 0
    is_terminal = sys.stdout.isatty()
    wide = shutil.get_terminal_size().columns if is_terminal else None
    tints = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    for line in session_lines(found, width=wide, has_colours=tints):
        print(line)
    return 0


_LOGS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {"list": _list, "show": _show, "watch": _watch}


def _print(events: Iterable[Event]) -> int:
    printer = Printer()
    try:
        for event in events:
            printer(event)
    finally:
        printer.end()
    return 0


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="any but a loopback address needs a token")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free port and prints the URL")
    parser.add_argument(
        "--log", default="memory:", metavar="URL", help="memory:, sqlite:///PATH or redis://HOST"
    )
    parser.add_argument(
        "--token", help=f"the clients' token; other users of this machine see it here, not in ${_TOKEN}"
    )
    parser.add_argument(
        "--cors", action="append", default=[], metavar="ORIGIN", help="origin whose pages may use the server"
    )


def _serve(options: argparse.Namespace) -> int:
    from .server import serve  # noqa: PLC0415 - an extra

    token = options.token if options.token is not None else os.environ.get(_TOKEN) or None
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    try:
        serve(
            host=options.host,
            port=options.port,
            log=options.log,
            token=token,
            cors=options.cors,
            ready=lambda url: print(url, flush=True),
        )
    finally:
        sys.setswitchinterval(interval)
    return 0


def _replay(file: Path, speed: float) -> int:
    return _print(Replay(file, speed=speed))


if __name__ == "__main__":
    sys.exit(main())
