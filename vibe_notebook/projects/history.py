"""A task space's messages on disk: JSON Lines, one message a line, whatever happens in between."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from pydantic import ValidationError

from ._payload import encode
from .messages import Message, StreamChunk, TextPart

__all__ = ["Gathering", "append_message", "history_file", "load_history"]

OPEN_STEPS: Final = 1_000
"""Steps that are gathered at a time; beyond that the oldest is saved as it is."""


def history_file(taskspace_path: str | os.PathLike[str]) -> Path:
    """Where a task space keeps its messages."""
    return Path(taskspace_path) / "history" / "messages.jsonl"


def append_message(taskspace_path: str | os.PathLike[str], message: Message) -> None:
    """Add a message; when this returns it is on disk, and other processes' lines are whole too.

    Raises:
        OSError: it could not be saved.
    """
    path = history_file(taskspace_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = encode(message).encode() + b"\n"
    with path.open("a+b", buffering=0) as file, _alone(file):
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                # A half line of a process that died: closed off, so that it spoils no other.
                line = b"\n" + line
        try:
            written = file.write(line)
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise
        if written != len(line):
            file.truncate(size)
            raise OSError(f"only {written} of {len(line)} bytes of a message fit on the disk: {path}")


def load_history(taskspace_path: str | os.PathLike[str]) -> list[Message]:
    """The messages of a task space, in the order they were saved; none if there is no history.

    A line that is not a message, such as the half line of a crash, is left out with a warning.
    """
    path = history_file(taskspace_path)
    found: list[Message] = []
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(Message.model_validate(json.loads(line)))
        except (ValidationError, ValueError, RecursionError) as error:
            said = str(error).splitlines()[0]
            warnings.warn(
                f"{path}, line {number} is not a message and is left out: {said}",
                RuntimeWarning,
                stacklevel=2,
            )
    return found


@contextlib.contextmanager
def _alone(file: IO[bytes]) -> Iterator[None]:
    """Nobody else appends meanwhile, in this process or another."""
    with _IN_PROCESS:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - only there

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - only there

            fcntl.flock(file, fcntl.LOCK_EX)
        # Closing the file unlocks it.
        yield


_IN_PROCESS = threading.Lock()


class Gathering:
    """Puts the pieces of each step together, until the step says that it is final."""

    def __init__(self, limit: int = OPEN_STEPS) -> None:
        self._limit = limit
        self._steps: OrderedDict[tuple[str, str], list[StreamChunk]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, taskspace_path: str | os.PathLike[str], chunk: StreamChunk) -> list[tuple[str, Message]]:
        """Add a piece; what is now to be saved, as (task space, message)."""
        key = (os.fspath(taskspace_path), chunk.step_id)
        with self._lock:
            self._steps.setdefault(key, []).append(chunk)
            done = [key] if chunk.is_final else []
            if len(self._steps) - len(done) > self._limit:
                done.append(next(name for name in self._steps if name != key))
            return [(name[0], _message(self._steps.pop(name))) for name in done]


def _message(chunks: list[StreamChunk]) -> Message:
    text = "".join(chunk.text for chunk in chunks)
    last = chunks[-1]
    counts = [chunk.token_count for chunk in chunks if chunk.token_count is not None]
    metadata: dict[str, Any] = {"step_id": last.step_id, "agent_name": last.agent_name}
    if counts:
        metadata["token_count"] = sum(counts)
    if not last.is_final:
        metadata["incomplete"] = True
    return Message(
        role="assistant",
        content=text,
        parts=[TextPart(text=text)],
        timestamp=last.timestamp,
        metadata=metadata,
    )
