"""Tests behind a real nginx, with the configuration of docs/projects.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.server.serving import ROOT, SentEvent, sent_events
from vibe_notebook.server import serve_in_background

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
OPENSSL = shutil.which("openssl")
NAME = "projects.example.org"
TOKEN = "s3cret"  # noqa: S105 - of the test's own servers

pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="no nginx: install Debian's package nginx-light"),
    pytest.mark.skipif(OPENSSL is None, reason="no openssl: install Debian's package openssl"),
]

# The configuration around a site's, with the test's folders instead of the machine's.
AROUND = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def documented() -> str:
    """Read the configuration from the docs."""
    page = (ROOT / "docs" / "projects.md").read_text(encoding="utf-8")
    found = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    assert len(found) == 1
    site: str = found[0]
    return site


def site(port: int, servers: list[str], folder: Path) -> str:
    """Replace the ports and files of the documented configuration by the test's; each must occur once."""
    configuration = documented()
    for documented_text, test_text in {
        "127.0.0.1:8001": servers[0].removeprefix("http://"),
        "127.0.0.1:8002": servers[1].removeprefix("http://"),
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/ssl/projects.pem": f"{folder}/certificate.pem",
        "/etc/ssl/projects.key": f"{folder}/certificate.key",
    }.items():
        assert configuration.count(documented_text) == 1, documented_text
        configuration = configuration.replace(documented_text, test_text)
    return configuration


def certificate(folder: Path) -> None:
    """Create a certificate for this test alone."""
    command = [
        str(OPENSSL),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    files = ["-keyout", str(folder / "certificate.key"), "-out", str(folder / "certificate.pem")]
    subject = ["-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run([*command, *files, *subject], check=True, capture_output=True)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """Connect to nginx in front of two servers on one log."""
    folder = tmp_path_factory.mktemp("nginx")
    certificate(folder)
    port = free_port()
    log = f"sqlite:///{folder / 'events.db'}"
    with (
        serve_in_background(log=log, token=TOKEN, heartbeat=0.2) as one,
        serve_in_background(log=log, token=TOKEN, heartbeat=0.2) as other,
    ):
        (folder / "site.conf").write_text(site(port, [one.url, other.url], folder))
        # As root, nginx would run its workers as the user nobody, who may not read a test's folder.
        user = "user root root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
        process = subprocess.Popen(
            [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            wait_until_nginx_answers(port, process)
            with httpx2.Client(
                base_url=f"https://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {TOKEN}", "Host": NAME},
                verify=ssl.create_default_context(cafile=folder / "certificate.pem"),
                timeout=10,
            ) as made:
                # The certificate holds the name, not the address.
                made.event_hooks["request"].append(
                    lambda request: request.extensions.update(sni_hostname=NAME)
                )
                yield made
        finally:
            process.terminate()
            process.communicate(timeout=30)


def wait_until_nginx_answers(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until nginx accepts connections."""
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < end, "nginx does not answer"
            time.sleep(0.01)
        else:
            return


def post(client: httpx2.Client, project: str, number: int) -> str:
    answer = client.post(
        f"/projects/{project}/events", json={"event_type": "note", "data": {"number": number}}
    )
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["ids"][0]
    return found


def numbers(events: list[SentEvent]) -> list[int]:
    return [event.data["number"] for event in events]


def test_each_event_arrives_before_the_next_is_sent(client: httpx2.Client) -> None:
    with client.stream("GET", "/projects/one/stream", params={"last_event_id": "0"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = sent_events(response)
        for number in range(5):
            sent = post(client, "one", number)
            assert next(events) == SentEvent(sent, "note", {"number": number})


def test_a_stream_resumes_after_the_last_event_id_of_the_header(client: httpx2.Client) -> None:
    ids = [post(client, "resumed", number) for number in range(6)]
    # Several times, so that both servers resume the stream.
    for after in (1, 3, 1, 3):
        with client.stream(
            "GET", "/projects/resumed/stream", headers={"Last-Event-ID": ids[after]}
        ) as response:
            events = sent_events(response)
            assert numbers([next(events) for _ in range(5 - after)]) == list(range(after + 1, 6))


def test_nginx_passes_the_heartbeats_of_a_quiet_stream(client: httpx2.Client) -> None:
    with client.stream("GET", "/projects/quiet/stream") as response:
        lines = response.iter_lines()
        beats = 0
        while beats < 3:
            beats += next(lines) == ": ping"


def test_nginx_passes_the_largest_body_that_the_server_accepts(client: httpx2.Client) -> None:
    def send(size: int) -> int:
        body = json.dumps({"event_type": "note", "data": {"number": 0, "text": ""}})
        text = body.replace('""', f'"{"x" * (size - len(body))}"')
        return client.post(
            "/projects/large/events", content=text, headers={"Content-Type": "application/json"}
        ).status_code

    assert send(4 * 1024 * 1024) == 201
    assert send(4 * 1024 * 1024 + 1) == 413


def test_nginx_passes_the_refusal_of_a_client_without_a_token(client: httpx2.Client) -> None:
    assert client.get("/projects", headers={"Authorization": ""}).status_code == 401
