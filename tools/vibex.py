"""Make an environment of its own for vibex, the origin of the project server, beside ours.

The test that follows vibex's real server runs it from here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VERSION = "0.30.1"


def main() -> int:
    """Make it where the first argument says."""
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
