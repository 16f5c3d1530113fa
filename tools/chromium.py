"""Print the path of a Chromium for the browser tests, or nothing.

Where root may install Debian's, it does; elsewhere the tests say what they lack.
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
    """Install Debian's; what apt-get says is no part of this script's answer."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", "-qq", *command], env=env, stdout=sys.stderr, check=False)


def main() -> None:
    """Find one, after an installation if that is possible."""
    if not find() and os.geteuid() == 0 and shutil.which("apt-get"):
        install()
    print(find() or "")


if __name__ == "__main__":
    main()
