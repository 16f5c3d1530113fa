"""Tests of the extension of Jupyter Server: the websockets of kernels send at once."""

from __future__ import annotations

import asyncio
import logging
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

from vibe_notebook import server_extension
from vibe_notebook.server_extension import prompt

CLASS = "kernel_websocket_connection_class"


class Connection:
    """Stand in for the class that connects a websocket and a kernel."""

    def __init__(self, handler: WebSocketHandler) -> None:
        self.websocket_handler = handler
        self.is_connected = False

    async def connect(self) -> None:
        self.is_connected = True


def load(settings: dict[str, Any]) -> None:
    (point,) = server_extension._jupyter_server_extension_points()
    assert point == {"module": server_extension.__name__}
    app = SimpleNamespace(web_app=SimpleNamespace(settings=settings), log=logging.getLogger("test"))
    server_extension._load_jupyter_server_extension(app)


@pytest.mark.parametrize("is_prompt", [False, True])
def test_a_websocket_of_a_kernel_sends_at_once(*, is_prompt: bool) -> None:
    opened: list[tuple[Connection, int]] = []

    class Handler(WebSocketHandler):
        async def open(self, *_: str, **__: str) -> None:
            connection = (prompt(Connection) if is_prompt else Connection)(self)
            await connection.connect()
            assert self.ws_connection is not None
            stream: Any = self.ws_connection.stream
            opened.append((connection, stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))

        def on_message(self, message: str | bytes) -> None:
            self.write_message(message)

    async def main() -> None:
        listening, port = bind_unused_port()
        server = HTTPServer(Application([("/", Handler)]))
        server.add_socket(listening)
        client = await websocket_connect(f"ws://127.0.0.1:{port}/")
        await client.write_message("hello")
        assert await client.read_message() == "hello"
        client.close()
        server.stop()
        await server.close_all_connections()

    asyncio.run(main())
    ((connection, nodelay),) = opened
    assert connection.is_connected
    assert bool(nodelay) is is_prompt


def test_the_wrapped_class_keeps_its_name_in_the_configuration() -> None:
    settings: dict[str, Any] = {CLASS: ZMQChannelsWebsocketConnection}
    load(settings)
    made = settings[CLASS]
    assert issubclass(made, ZMQChannelsWebsocketConnection)
    assert ZMQChannelsWebsocketConnection.__name__ in made.section_names()


def test_a_server_without_such_a_class_stays_unchanged_and_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    settings: dict[str, Any] = {}
    with caplog.at_level(logging.INFO):
        load(settings)
    assert not settings
    assert "keep Nagle's algorithm" in caplog.text
