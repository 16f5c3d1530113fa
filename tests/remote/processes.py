"""Start the processes of the no-loss test: server, proxy and Redis. End each by its own id."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PATIENCE = 30


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Server:
    """Run ``vibe-notebook serve`` on one port, across kills and restarts."""

    def __init__(self, log: str) -> None:
        self.log = log
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["-m", "vibe_notebook.cli", "serve", "--port", str(self.port), "--log", self.log]
        self.process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        """Wait until the server listens."""
        until = time.monotonic() + PATIENCE
        while not answers(self.port):
            assert self.process is not None
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server with -9: it has no time to close its connections."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def serving(log: str) -> Iterator[Server]:
    server = Server(log)
    server.start()
    try:
        server.wait()
        yield server
    finally:
        server.kill()


class Proxy:
    """Control a process of tests/remote/proxy.py in front of a port."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self.port = port

    def fail(self, how: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{how}\n")
        self._process.stdin.flush()


@contextlib.contextmanager
def proxied(port: int, seed: int) -> Iterator[Proxy]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "proxy.py"), str(port), str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        found = re.fullmatch(r"port (\d+)\n", process.stdout.readline())
        assert found is not None
        yield Proxy(process, int(found[1]))
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a separate Redis that writes every command to disk; yield its URL."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server: install one")
    port = free_port()
    options = [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(folder),
        "--save",
        "",
        "--appendonly",
        "yes",
    ]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE
        while not answers(port):
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()
