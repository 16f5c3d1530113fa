"""The helpers of the server's tests: a server as a process, posts, and a simple reader of streams."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class SentEvent:
    """Hold one event of a stream."""

    id: str | None
    event: str
    data: Any


def blocks(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Yield the fields of each block, without comments and blocks of comments."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if fields:
                yield fields
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def sent_events(response: httpx2.Response) -> Iterator[SentEvent]:
    """Yield the events of an open stream."""
    for fields in blocks(response.iter_lines()):
        if "event" in fields:
            yield SentEvent(fields.get("id"), fields["event"], json.loads(fields["data"]))


def read(url: str, project: str, after: str | None = "0", *, limit: int | None = None) -> list[SentEvent]:
    """Read a project's events until the end of the stream, or the first *limit* events."""
    params = {} if after is None else {"last_event_id": after}
    events: list[SentEvent] = []
    with httpx2.stream("GET", f"{url}/projects/{project}/stream", params=params, timeout=30) as response:
        for event in sent_events(response):
            events.append(event)
            if len(events) == limit:
                break
    return events


def send(url: str, project: str, *numbers: int, **headers: str) -> list[str]:
    """Post numbered notes, and return their ids."""
    events = [{"event_type": "note", "data": {"number": number}} for number in numbers]
    answer = httpx2.post(f"{url}/projects/{project}/events", json=events, headers=headers, timeout=30)
    assert answer.status_code == 201, answer.text
    ids: list[str] = answer.json()["ids"]
    return ids


@dataclass
class Process:
    """Hold the process and the URL of a server."""

    process: subprocess.Popen[str]
    url: str

    def kill(self) -> None:
        """Kill the process, as a crash does: no shutdown, no flush."""
        self.process.kill()
        self.process.wait(30)


@contextlib.contextmanager
def serving(*args: str, **environment: str) -> Iterator[Process]:
    """Run ``vibe-notebook serve`` on a free port, and end it by its process id."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "vibe_notebook.cli", "serve", "--port", "0", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=env,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("http://"), process.stderr.read()
        yield Process(process, line.strip())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
