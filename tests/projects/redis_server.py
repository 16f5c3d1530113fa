"""A Redis server for tests: on a free port, with a folder of its own, ended by its process id."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAM = shutil.which("redis-server")
MISSING = "no redis-server: install Debian's package redis-server"
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class RedisServer:
    """Start a Redis server, which a test may kill and start again on the same port and folder."""

    def __init__(self, folder: Path, *options: str, is_sentinel: bool = False) -> None:
        self.folder = folder
        self.options = options
        self.is_sentinel = is_sentinel
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        assert PROGRAM is not None
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        if self.is_sentinel:
            file = self.folder / "sentinel.conf"
            file.touch()
            where = [str(file), "--sentinel", *where]
        else:
            where += ["--save", ""]
        self.process = subprocess.Popen([PROGRAM, *where, *self.options], stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self._answers():
            assert self.process.poll() is None, "redis-server has ended"
            assert time.monotonic() < end, "redis-server does not answer"
            time.sleep(0.01)

    def stop(self, *, kill: bool = False) -> None:
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(30)
            self.process = None

    def _answers(self) -> bool:
        # The server replies LOADING until it has read its files.
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 1) as connection,
        ):
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
