"""Install the lowest version of each direct dependency into an environment of its own.

``make lowest`` then runs a part of the tests there: a lower bound in pyproject.toml is a promise.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WANTED = ("--editable", ".[remote,server,redis,rich]", "--group", "pyproject.toml:test")


def command(python: Path) -> list[str]:
    """Return the command that installs into the environment of *python*.

    It names the interpreter: without that, uv installs into the environment that uv itself runs in. It installs
    anew: uv keeps an installed version that is high enough.
    """
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    return [*uv, "--reinstall", "--resolution", "lowest-direct", *WANTED]


def main(folder: Path) -> int:
    """Make the environment in *folder*; return the exit status."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder)
    env = {"UV_SYSTEM_CERTS": "1", **os.environ}
    return subprocess.run(command(python), cwd=ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
