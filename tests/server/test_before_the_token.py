"""Tests of a server process against clients without its token, over raw sockets."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.server.serving import ROOT, Process, SentEvent, send, sent_events
from tools import summary

SILENT = 1_000
CODE = """
from vibe_notebook.server import Limits, serve
serve(port=0, token="t", limits=Limits(listeners=2), ready=lambda url: print(url, flush=True))
"""
TOKEN = {"Authorization": "Bearer t"}


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    """Run a server with a token and room for two listeners."""
    process = subprocess.Popen(
        [sys.executable, "-c", CODE],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    try:
        yield Process(process, process.stdout.readline().strip())
    finally:
        process.terminate()
        process.communicate(timeout=30)


def connect(server: Process) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), 30)


def ask(server: Process, request: bytes) -> bytes:
    """Send raw bytes, and read the whole answer."""
    with connect(server) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        parts = []
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65_536):
                parts.append(part)
    return b"".join(parts)


def head(*lines: bytes, first: bytes = b"GET /health HTTP/1.1") -> bytes:
    return b"\r\n".join([first, *lines, b"Connection: close", b"", b""])


HOST = b"Host: localhost"
REQUESTS = [
    (head(HOST), 200),
    (head(b"Host: localhost:80"), 200),
    (head(b"Host: localhost:"), 200),
    (head(b"Host: [::1]:80"), 200),
    (head(b"Host: my_upstream.example"), 200),
    (head(first=b"GET /health HTTP/1.0"), 200),
    (head(b"Host:"), 403),
    (head(b"Host: "), 403),
    (head(HOST, HOST), 403),
    (head(HOST, b"Host: evil.example"), 403),
    (head(b"Host: user@localhost"), 403),
    (head(b"Host: user:password@localhost"), 403),
    (head(b"Host: [::1"), 403),
    (head(b"Host: ::1"), 403),
    (head(b"Host: []"), 403),
    (head(b"Host: [::1]x"), 403),
    (head(b"Host: [fe80::1%25eth0]"), 403),
    (head(b"Host: [1.2.3.4]"), 403),
    (head(b"Host: [::ffff:::1]"), 403),
    (head(b"Host: localhost:port"), 403),
    (head(b"Host: localhost:99999999999"), 403),
    (head(b"Host: a b"), 403),
    (head(b"Host: a,b"), 403),
    (head(b"Host: http://localhost"), 403),
    (head("Host: l\u00f6calhost".encode()), 403),
    (head(b"Host: \xff\xfe"), 403),
    (head("Host: \u2488com".encode()), 403),
    (head(HOST, b"Origin: http://["), 403),
    (head(HOST, b"Origin: http://"), 403),
    (head(HOST, b"Origin:"), 403),
    (head(HOST, b"Origin: localhost"), 403),
    (head(HOST, b"Origin: http://a@localhost"), 403),
    (head(HOST, b"Origin: http://localhost/path"), 403),
    (head(HOST, b"Origin: http://localhost http://localhost"), 403),
    (head(HOST, b"Origin: http://localhost", b"Origin: http://localhost"), 403),
    (head(HOST, b"Origin: http://\xff"), 403),
    (head(HOST, b"Origin: null"), 200),
    (head(HOST, b"Origin: http://[::1]:8888"), 200),
    (head(HOST, b"Origin: https://evil.example"), 200),
    (head(HOST, first=b"GET /projects HTTP/1.1"), 401),
    (head(HOST, b"Authorization: Bearer \xff", first=b"GET /projects HTTP/1.1"), 401),
    (head(HOST, first=b"GET /projects/%ff%fe/stream HTTP/1.1"), 401),
    (head(HOST, first=b"DELETE /health HTTP/1.1"), 405),
    (head(HOST, b"Authorization: Bearer t", first=b"GET /nothing HTTP/1.1"), 404),
    (head(HOST, b"Authorization: Bearer t", first=b"GET /projects/ HTTP/1.1"), 307),
    (head(HOST, b"X: " + b"a" * 10_000_000), 431),
    (head(HOST, *[b"X: %d" % number for number in range(1_000)]), 431),
    (head(HOST, first=b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1"), 414),
    (head(HOST, b"no colon"), 400),
    (head(HOST, b"X: a\0b"), 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
]


@pytest.mark.parametrize(("request_bytes", "status"), REQUESTS, ids=range(len(REQUESTS)))
def test_every_answer_before_the_token_has_its_status_and_the_security_headers(
    server: Process, request_bytes: bytes, status: int
) -> None:
    answer = ask(server, request_bytes)
    found, _, body = answer.partition(b"\r\n\r\n")
    lines = found.split(b"\r\n")
    assert int(lines[0].split(b" ")[1]) == status, answer
    names = [line.partition(b":")[0].lower() for line in lines]
    assert names.count(b"x-content-type-options") == 1
    assert names.count(b"content-security-policy") == 1
    if status >= 400:
        assert json.loads(body)["error"]


def test_silent_and_half_connections_fill_no_server_and_do_not_disturb_a_listener(server: Process) -> None:
    received: list[Iterator[SentEvent]] = []
    with contextlib.ExitStack() as stack:
        for number in range(SILENT):
            connection = stack.enter_context(connect(server))
            connection.sendall((b"", b"GET /projects HTTP/1.1\r\nX: ", head(HOST)[:-2])[number % 3])
        client = stack.enter_context(httpx2.Client(base_url=server.url, headers=TOKEN, timeout=30))
        streams = [
            stack.enter_context(client.stream("GET", "/projects/p/stream?last_event_id=0")) for _ in range(2)
        ]
        ids = send(server.url, "p", *range(20), **TOKEN)
        for events in [sent_events(stream) for stream in streams]:
            received.append(events)  # a generator that is dropped would close its stream
            assert [next(events).id for _ in ids] == ids
        assert client.get("/projects").status_code == 200
        third = client.get("/projects/p/stream")
        assert (third.status_code, third.headers["retry-after"]) == (503, "5")
    summary.note(
        "silent connections", f"{SILENT:,} beside 2 listeners: {len(ids)} events each, 503 for a third"
    )
