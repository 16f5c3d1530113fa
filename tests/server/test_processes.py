"""Tests of servers as processes: started by the command, killed, stopped by a signal, two on one log."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.server.serving import ROOT, SentEvent, read, send, sent_events, serving
from tools import summary
from vibe_notebook.cli import main

REDIS = shutil.which("redis-server") if importlib.util.find_spec("vibe_notebook.projects._redis") else None


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a Redis that writes every event to disk before its acknowledgement; end it by its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    assert REDIS is not None
    process = subprocess.Popen([REDIS, *options, *durable], stdout=subprocess.DEVNULL)
    try:
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                break
            time.sleep(0.01)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("redis", marks=pytest.mark.skipif(REDIS is None, reason="no redis-server")),
    ]
)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a log that survives its server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'log.db'}"
    else:
        with redis(tmp_path) as url:
            yield url


def test_a_killed_server_loses_no_acknowledged_event(log: str) -> None:
    acknowledged: list[tuple[str, int]] = []
    sent = itertools.count()

    def sender(url: str) -> None:
        with contextlib.suppress(httpx2.TransportError), httpx2.Client(base_url=url) as client:
            while True:
                number = next(sent)
                body = {"event_type": "note", "data": {"number": number}}
                ids = client.post("/projects/p/events", json=body).json()["ids"]
                acknowledged.append((ids[0], number))

    enough = 1_000
    with serving("--log", log) as server:
        threads = [threading.Thread(target=sender, args=(server.url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 60
        while len(acknowledged) < enough and time.monotonic() < end:
            time.sleep(0.001)
        server.kill()
        for thread in threads:
            thread.join(30)
    assert len(acknowledged) >= enough
    with serving("--log", log) as server:
        marker = send(server.url, "p", -1)[0]
        stored = list(events_up_to(server.url, marker))
    numbers = {event.id: event.data["number"] for event in stored}
    assert len(numbers) == len(stored)
    assert {name: numbers.get(name) for name, _ in acknowledged} == dict(acknowledged)
    # Each of the four senders may have one event in the log that the server has not acknowledged.
    assert len(stored) - 1 - len(acknowledged) <= 4
    kind = log.partition(":")[0]
    summary.note("kill -9", f"{kind}: {len(acknowledged)} events acknowledged, {len(numbers) - 1} there")


def events_up_to(url: str, marker: str) -> Iterator[SentEvent]:
    """Yield the project's events up to the one with the id *marker*."""
    with httpx2.stream("GET", f"{url}/projects/p/stream?last_event_id=0", timeout=30) as response:
        for event in sent_events(response):
            yield event
            if event.id == marker:
                return


def test_two_servers_on_one_log_are_one_stream(log: str) -> None:
    with serving("--log", log) as first, serving("--log", log) as second:
        received: dict[str, list[str | None]] = {}

        def listen(url: str) -> None:
            received[url] = [event.id for event in read(url, "p", limit=40)]

        threads = [threading.Thread(target=listen, args=(server.url,)) for server in (first, second)]
        for thread in threads:
            thread.start()
        ids: list[str] = []
        for number in range(20):
            ids += send(first.url, "p", number)
            ids += send(second.url, "p", number)
        for thread in threads:
            thread.join(30)
        assert received == {first.url: ids, second.url: ids}
        # The other server knows the key too: a proxy may send the client there after a lost answer.
        key = {"Idempotency-Key": "once"}
        assert send(first.url, "p", 1, **key) == send(second.url, "p", 1, **key)


def test_listeners_of_a_stopped_server_resume_at_another(log: str) -> None:
    with serving("--log", log) as first, serving("--log", log) as second:
        ids = send(first.url, "p", 1, 2, 3)
        with httpx2.stream("GET", f"{first.url}/projects/p/stream?last_event_id=0") as response:
            found = sent_events(response)
            had = [next(found).id for _ in ids]
            began = time.monotonic()
            first.process.send_signal(signal.SIGTERM)
            assert list(found) == []  # a complete body: no error
        first.process.wait(30)
        assert time.monotonic() - began < 5
        more = send(second.url, "p", 4)
        assert [event.id for event in read(second.url, "p", had[-1], limit=1)] == more


def test_streams_end_at_the_shutdown_of_another_asgi_server_too() -> None:
    command = [sys.executable, "-m", "uvicorn", "--factory", "vibe_notebook.server:create_app", "--port", "0"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env) as process:
        assert process.stderr is not None
        url = ""
        for line in process.stderr:
            if found := re.search(r"http://[0-9.:]+", line):
                url = found.group()
                break
        ids = send(url, "p", 1)
        with httpx2.stream("GET", f"{url}/projects/p/stream?last_event_id=0") as response:
            events = sent_events(response)
            assert next(events).id == ids[0]
            process.send_signal(signal.SIGTERM)
            assert list(events) == []  # a complete body: no error
        rest = process.stderr.read()
    assert "ERROR" not in rest


def test_the_command_prints_its_url_and_reads_its_token_from_the_environment() -> None:
    with serving(VIBE_NOTEBOOK_TOKEN="s3cret") as server:  # noqa: S106 - of a test
        assert server.url.startswith("http://127.0.0.1:")
        assert httpx2.get(f"{server.url}/projects").status_code == 401
        headers = {"Authorization": "Bearer s3cret"}
        assert httpx2.get(f"{server.url}/projects", headers=headers).status_code == 200


def test_without_a_token_the_server_answers_only_to_local_host_names() -> None:
    with serving() as server:
        assert httpx2.get(f"{server.url}/health", headers={"Host": "evil.example"}).status_code == 403
        local = server.url.replace("127.0.0.1", "localhost")
        assert httpx2.get(f"{local}/health").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.0.2.1", "127.evil.example", "0", "0x0", "::ffff:0.0.0.0", "", "localhost.example"],  # noqa: S104 - the server must refuse it
)
def test_the_command_refuses_a_public_address_without_a_token(
    host: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIBE_NOTEBOOK_TOKEN", raising=False)
    assert main(["serve", "--host", host, "--port", "0"]) == 1
    assert "token" in capsys.readouterr().err


def test_wrong_options_of_the_command_cause_a_short_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "0", "--token", ""]) == 1
    assert "empty" in capsys.readouterr().err
    for wrong in (
        ["--port", "99999"],
        ["--log", "bogus://x"],
        ["--host", "no.such.host.invalid", "--token", "t"],
    ):
        assert main(["serve", "--port", "0", *wrong]) == 1
        assert capsys.readouterr().err.startswith("vibe-notebook: ")
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        assert main(["serve", "--port", str(used.getsockname()[1])]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_without_the_extra_the_error_names_it() -> None:
    code = (
        "import sys; sys.modules['starlette'] = None\n"
        "from vibe_notebook.exceptions import MissingExtraError\n"
        "try:\n    from vibe_notebook.server import create_app\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert "vibe_notebook[server]" in done.stdout
