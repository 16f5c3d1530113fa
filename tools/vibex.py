"""Make a separate environment for vibex, the origin of the project server, beside the package's own.

A test follows vibex's real server, which runs in that environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VERSION = "0.30.1"


def main() -> int:
    """Make the environment in the folder that the first argument names."""
    venv = Path(sys.argv[1])
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
    python = str(venv / "bin" / "python")
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, f"vibex=={VERSION}"]
    if subprocess.run(uv, env={"UV_SYSTEM_CERTS": "1", **os.environ}, check=False).returncode:
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", f"vibex=={VERSION}"]
        subprocess.run(pip, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
