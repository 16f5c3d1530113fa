"""``vibe-notebook``: replay a recording in the terminal, or run the demo.

At the top of the path: parses arguments and calls the public API.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .display._terminal import Printer
from .exceptions import VibeNotebookError
from .recording import Replay

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0, 1 for an error, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="vibe-notebook", description="Watch AI agents work.")
    commands = parser.add_subparsers(dest="command", required=True)
    play = commands.add_parser("replay", help="show a recording in the terminal")
    play.add_argument("file", type=Path)
    play.add_argument(
        "--speed", type=float, default=1.0, help="2 is twice as fast as it was; 0 does not wait"
    )
    demo = commands.add_parser("demo", help="run the quickstart notebook and open it in JupyterLab")
    demo.add_argument("--headless", action="store_true", help="only run it: no window")
    demo.add_argument("--to", type=Path, default=Path("build/demo"), help="where the results go")
    options = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an agent writes more than every terminal can show
    try:
        if options.command == "replay":
            return _replay(options.file, options.speed)
        from ._demo import run  # noqa: PLC0415 - needs what only the demo needs

        return run(options.to, headless=options.headless)
    except BrokenPipeError:
        # Whoever read has enough (`| head`); Python must not try to flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # as if by SIGPIPE
    except (VibeNotebookError, OSError, ValueError) as error:
        sys.stderr.write(f"vibe-notebook: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _replay(file: Path, speed: float) -> int:
    printer = Printer()
    for event in Replay(file, speed=speed):
        printer(event)
    return 0


if __name__ == "__main__":
    sys.exit(main())
