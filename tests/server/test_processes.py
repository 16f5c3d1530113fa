"""Servers as processes: started by the command, killed, told to end, and two on one log."""

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

from tests.server.serving import ROOT, Told, read, send, serving, told
from tools import summary
from vibe_notebook.cli import main

REDIS = shutil.which("redis-server") if importlib.util.find_spec("vibe_notebook.projects._redis") else None


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis that has on the disk what it acknowledged; ended by its pid."""
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
    """A log that outlives its server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'log.db'}"
    else:
        with redis(tmp_path) as url:
            yield url


def test_nothing_acknowledged_is_lost_when_the_server_is_killed_in_the_middle(log: str) -> None:
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
        there = list(until(server.url, marker))
    kept = {event.id: event.data["number"] for event in there}
    assert len(kept) == len(there)
    assert {name: kept.get(name) for name, _ in acknowledged} == dict(acknowledged)
    # What was sent but not acknowledged may be there, whole, once: at most one for each sender.
    assert len(there) - 1 - len(acknowledged) <= 4
    kind = log.partition(":")[0]
    summary.note("kill -9", f"{kind}: {len(acknowledged)} events acknowledged, {len(kept) - 1} there")


def until(url: str, marker: str) -> Iterator[Told]:
    """All of the project, up to an event."""
    with httpx2.stream("GET", f"{url}/projects/p/stream?last_event_id=0", timeout=30) as response:
        for event in told(response):
            yield event
            if event.id == marker:
                return


def test_two_servers_on_one_log_are_one_stream(log: str) -> None:
    with serving("--log", log) as first, serving("--log", log) as second:
        got: dict[str, list[str | None]] = {}

        def listen(url: str) -> None:
            got[url] = [event.id for event in read(url, "p", most=40)]

        threads = [threading.Thread(target=listen, args=(server.url,)) for server in (first, second)]
        for thread in threads:
            thread.start()
        ids: list[str] = []
        for number in range(20):
            ids += send(first.url, "p", number)
            ids += send(second.url, "p", number)
        for thread in threads:
            thread.join(30)
        assert got == {first.url: ids, second.url: ids}
        # A key holds at the other server too: a client may be sent there after a lost answer.
        key = {"Idempotency-Key": "once"}
        assert send(first.url, "p", 1, **key) == send(second.url, "p", 1, **key)


def test_told_to_end_it_lets_its_listeners_resume_elsewhere(log: str) -> None:
    with serving("--log", log) as first, serving("--log", log) as second:
        ids = send(first.url, "p", 1, 2, 3)
        with httpx2.stream("GET", f"{first.url}/projects/p/stream?last_event_id=0") as response:
            found = told(response)
            had = [next(found).id for _ in ids]
            began = time.monotonic()
            first.process.send_signal(signal.SIGTERM)
            assert list(found) == []  # the body ends as it should: no error
        first.process.wait(30)
        assert time.monotonic() - began < 5
        more = send(second.url, "p", 4)
        assert [event.id for event in read(second.url, "p", had[-1], most=1)] == more


def test_under_a_server_of_ones_own_streams_end_as_well() -> None:
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
            events = told(response)
            assert next(events).id == ids[0]
            process.send_signal(signal.SIGTERM)
            assert list(events) == []  # whole, not cut off
        rest = process.stderr.read()
    assert "ERROR" not in rest


def test_the_command_says_where_it_is_and_takes_its_token_from_the_environment() -> None:
    with serving(VIBE_NOTEBOOK_TOKEN="s3cret") as server:  # noqa: S106 - of a test
        assert server.url.startswith("http://127.0.0.1:")
        assert httpx2.get(f"{server.url}/projects").status_code == 401
        headers = {"Authorization": "Bearer s3cret"}
        assert httpx2.get(f"{server.url}/projects", headers=headers).status_code == 200


def test_without_a_token_a_web_page_that_was_pointed_here_is_not_answered() -> None:
    with serving() as server:
        assert httpx2.get(f"{server.url}/health", headers={"Host": "evil.example"}).status_code == 403
        local = server.url.replace("127.0.0.1", "localhost")
        assert httpx2.get(f"{local}/health").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - it must not
def test_others_are_not_let_in_without_a_token(
    host: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIBE_NOTEBOOK_TOKEN", raising=False)
    assert main(["serve", "--host", host, "--port", "0"]) == 1
    assert "token" in capsys.readouterr().err


def test_what_cannot_be_served_is_a_short_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "0", "--token", ""]) == 1
    assert "empty" in capsys.readouterr().err
    for wrong in (
        ["--port", "99999"],
        ["--log", "bogus://x"],
        ["--host", "no.such.host.invalid", "--token", "t"],
    ):
        assert main(["serve", "--port", "0", *wrong]) == 1
        assert capsys.readouterr().err.startswith("vibe-notebook: ")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
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
