"""Run a TCP proxy on loopback that fails on command; a program: ``proxy.py PORT SEED``.

The proxy forwards to PORT in pieces cut at random bytes, prints its own port, and reads commands from
standard input, a line each: ``drop`` (every connection goes silent, and neither side gets an end:
half-open), ``reset`` (every connection is reset), ``close`` (every connection ends). The failure
happens in the middle of the server's next bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import sys
import threading

PIECE = 4000


class Proxy:
    """Forward connections until a command makes them fail."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.random = random.Random(seed)
        self.open: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self.tasks: dict[asyncio.StreamWriter, list[asyncio.Task[None]]] = {}
        self.silent: list[object] = []
        self.armed = ""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, both ways."""
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.close()
            return
        pair = writer, back
        self.open.add(pair)
        tasks = [
            asyncio.create_task(self.pump(reader, back)),
            asyncio.create_task(self.pump(there, writer, fails=True)),
        ]
        self.tasks[writer] = tasks
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if pair in self.open:
            self.open.discard(pair)
            for each in pair:
                each.close()
        else:
            self.silent.append((reader, writer, there, back))  # held, or the garbage collector would close it

    async def pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, fails: bool = False
    ) -> None:
        """Forward one way, in pieces of any size."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                at = 0
                if fails and self.armed:
                    writer.write(data[: self.random.randrange(len(data))])
                    await writer.drain()
                    await asyncio.sleep(0.01)  # the bytes must arrive first: a reset would discard them
                    self.fail()
                    return
                while at < len(data):
                    size = self.random.randint(1, PIECE)
                    writer.write(data[at : at + size])
                    await writer.drain()
                    at += size

    def arm(self, name: str) -> None:
        """Fail in the way *name* at the server's next bytes."""
        self.armed = name

    def fail(self) -> None:
        """Fail in the armed way, now."""
        name, self.armed = self.armed, ""
        pairs, self.open = self.open, set()
        for pair in pairs:
            for task in self.tasks.pop(pair[0], ()):
                if task is not asyncio.current_task():
                    task.cancel()
            for writer in pair if name != "drop" else ():
                if name == "reset":
                    found = writer.get_extra_info("socket")
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    writer.transport.abort()
                else:
                    writer.close()


async def main(port: int, seed: int) -> None:
    """Serve until standard input ends."""
    proxy = Proxy(port, seed)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201 - for the parent process
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(proxy.arm, line.strip())
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=listen, daemon=True).start()
    await over.wait()


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
