"""Print the path of a Chromium for the browser tests, or an empty line.

As root on Debian, the script installs Debian's Chromium. Elsewhere the tests report the missing browser.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """Return the chosen or the first Chromium on the PATH."""
    return os.environ.get("VIBE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def install() -> None:
    """Install Debian's Chromium. The output of apt-get goes to standard error, not into the printed path."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", "-qq", *command], env=env, stdout=sys.stderr, check=False)


def main() -> None:
    """Print the path of a Chromium, installed first if there is none and root may install one."""
    if not find() and os.geteuid() == 0 and shutil.which("apt-get"):
        install()
    print(find() or "")


if __name__ == "__main__":
    main()
