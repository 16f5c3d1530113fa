"""What the server's tests share: servers as processes, posting, and reading a stream plainly."""

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
class Told:
    """One event of a stream, read by the simplest reader there is."""

    id: str | None
    event: str
    data: Any


def blocks(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The fields of each block, comments and blocks of comments left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if fields:
                yield fields
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def told(response: httpx2.Response) -> Iterator[Told]:
    """The events of an open stream."""
    for fields in blocks(response.iter_lines()):
        if "event" in fields:
            yield Told(fields.get("id"), fields["event"], json.loads(fields["data"]))


def read(url: str, project: str, after: str | None = "0", *, most: int | None = None) -> list[Told]:
    """A project's events until the stream ends, or the first of them."""
    params = {} if after is None else {"last_event_id": after}
    found: list[Told] = []
    with httpx2.stream("GET", f"{url}/projects/{project}/stream", params=params, timeout=30) as response:
        for event in told(response):
            found.append(event)
            if len(found) == most:
                break
    return found


def send(url: str, project: str, *numbers: int, **headers: str) -> list[str]:
    """Post numbered notes; their ids."""
    events = [{"event_type": "note", "data": {"number": number}} for number in numbers]
    answer = httpx2.post(f"{url}/projects/{project}/events", json=events, headers=headers, timeout=30)
    assert answer.status_code == 201, answer.text
    ids: list[str] = answer.json()["ids"]
    return ids


@dataclass
class Process:
    """A server as a process of its own."""

    process: subprocess.Popen[str]
    url: str

    def kill(self) -> None:
        """End it as a crash does: nothing is said, nothing is flushed."""
        self.process.kill()
        self.process.wait(30)


@contextlib.contextmanager
def serving(*args: str, **environment: str) -> Iterator[Process]:
    """``vibe-notebook serve`` on a free port; ended by its pid."""
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
