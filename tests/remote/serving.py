"""Run a small server on loopback that sends one prepared answer for each connection."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import anyio.lowlevel

RESET = b"\0reset"
"""In the place of bytes: reset the connection."""
HANG = b"\0hang"
"""In the place of bytes: send nothing more, and close nothing."""


def head(status: str = "200 OK", kind: str | None = "text/event-stream", *lines: str) -> bytes:
    """Return a response's first lines; the body ends with the connection."""
    kinds = [f"Content-Type: {kind}"] if kind is not None else []
    return "\r\n".join([f"HTTP/1.1 {status}", *kinds, *lines, "Connection: close", "", ""]).encode()


def redirect(status: int, to: str) -> list[bytes]:
    return [head(f"{status} Elsewhere", None, f"Location: {to}", "Content-Length: 0")]


class Naps:
    """Replace sleep: record the seconds of each wait, and return at once."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await anyio.lowlevel.checkpoint()


@dataclass
class Request:
    target: str
    headers: dict[str, bytes]
    method: str = "GET"
    body: bytes = b""


Answer = Iterable[bytes] | Callable[[Request], Iterable[bytes]]


@dataclass
class Server:
    """Answer each request with the next of ``answers``; repeat the last one."""

    answers: list[Answer]
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.socket = socket.create_server((self.host, 0))
        self.port: int = self.socket.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/stream"

    def close(self) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = _read(connection)
            if request is None:
                return
            answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
            self.requests.append(request)
            for piece in answer(request) if callable(answer) else answer:
                if piece == RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                if piece == HANG:
                    self.stopping.wait(30)
                    return
                connection.sendall(piece)


def _read(connection: socket.socket) -> Request | None:
    raw = b""
    while not _is_whole(raw):
        piece = connection.recv(65536)
        if not piece:
            return None
        raw += piece
    top, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = top.split(b"\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.decode().lower()] = value.strip(b" ")
    method, target, _ = first.decode().split(" ")
    return Request(target, headers, method, body)


def _is_whole(raw: bytes) -> bool:
    top, end, body = raw.partition(b"\r\n\r\n")
    size = re.search(rb"(?im)^content-length: *(\d+)", top)
    return bool(end) and len(body) >= (int(size[1]) if size else 0)


@contextlib.contextmanager
def serving(*answers: Answer, host: str = "127.0.0.1") -> Iterator[Server]:
    server = Server(list(answers), host)
    try:
        yield server
    finally:
        server.close()
