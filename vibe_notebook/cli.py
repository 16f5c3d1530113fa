"""``vibe-notebook``: replay a recording in the terminal, serve projects, or run the demo.

At the top of the path. The module parses arguments and calls the public API.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ._forms.wording import name_in_line
from .display import Printer
from .exceptions import VibeNotebookError
from .recording import Replay

__all__ = ["main"]

_TOKEN = "VIBE_NOTEBOOK_TOKEN"  # noqa: S105 - the variable's name
_SWITCH = 0.001
"""Seconds for which a thread may keep others waiting: Python's own 5 ms, several times in each request, delayed all
listeners by up to 0.35 s while four transcripts were rendered."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 for an error, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="vibe-notebook", description="Watch AI agents work.")
    commands = parser.add_subparsers(dest="command", required=True)
    play = commands.add_parser("replay", help="show a recording in the terminal")
    play.add_argument("file", type=Path)
    play.add_argument("--speed", type=float, default=1.0, help="2 plays twice as fast; 0 does not wait")
    _add_serve(commands.add_parser("serve", help="serve projects over HTTP"))
    demo = commands.add_parser("demo", help="run the quickstart notebook and open it in JupyterLab")
    demo.add_argument("--headless", action="store_true", help="run it without a window")
    demo.add_argument("--to", type=Path, default=Path("build/demo"), help="folder for the results")
    options = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An agent's text may have characters that the terminal cannot show.
        sys.stdout.reconfigure(errors="replace")
    try:
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
    printer = Printer()
    try:
        for event in Replay(file, speed=speed):
            printer(event)
    finally:
        printer.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
