"""The messages of a task space on disk, as JSON Lines.

Beside ``_send``, which saves whole messages here. Each line holds one message, also after a crash or a full disk.
"""

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

from .._files import check_path, open_private, open_to_read
from .._foreign_words import on_one_line
from .._forks import in_child, renew_in_child
from ._payload import encode
from .messages import Message, StreamChunk, TextPart

__all__ = ["Gathering", "append_message", "history_file", "load_history"]

_WHAT: Final = "The history"
OPEN_STEPS: Final = 1_000
"""Unfinished steps in memory at one time; beyond it the oldest step is saved unfinished."""


def history_file(taskspace_path: str | os.PathLike[str]) -> Path:
    """Return the path of a task space's messages."""
    return Path(taskspace_path) / "history" / "messages.jsonl"


def append_message(taskspace_path: str | os.PathLike[str], message: Message) -> None:
    """Append a message, and return when it is on disk. Lines of other processes stay whole.

    Raises:
        OSError: the message could not be saved, or the history is no regular file of the task space. Agents may write
            in a task space: a link there could lead to any file of the user.
    """
    path = history_file(taskspace_path)
    check_path(path, _WHAT)
    path.parent.mkdir(parents=True, exist_ok=True)
    _check_folder(path.parent)
    line = encode(message).encode() + b"\n"
    descriptor = open_private(path, _WHAT, appends=True, follows_links=False)
    with os.fdopen(descriptor, "a+b", buffering=0) as file, _exclusive(file):
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                # A process died inside of its line: end the half line, so that only this one is lost.
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
    """Return the messages of a task space in the order of their saving; none if there is no history.

    A line that is not a message, such as the half line of a crash, causes a warning and is left out.

    Raises:
        OSError: the history is no regular file of the task space.
    """
    path = history_file(taskspace_path)
    found: list[Message] = []
    try:
        _check_folder(path.parent)
        with open_to_read(path, _WHAT, follows_links=False) as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(Message.model_validate(json.loads(line)))
        except (ValidationError, ValueError, RecursionError) as error:
            reason = on_one_line(str(error).splitlines()[0], 200)
            warnings.warn(
                f"{path}, line {number} is not a message and is left out: {reason}",
                RuntimeWarning,
                stacklevel=2,
            )
    return found


def _check_folder(folder: Path) -> None:
    """Check that the folder of the history is in the task space, and not behind a link."""
    if folder.is_symlink():
        raise OSError(f"{_WHAT} must be in its task space, and {folder} is a link.")


@contextlib.contextmanager
def _exclusive(file: IO[bytes]) -> Iterator[None]:
    """Lock the file against appends of other threads and processes."""
    with _PROCESS_LOCK:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - only on Windows

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - not on Windows

            fcntl.flock(file, fcntl.LOCK_EX)
        # Closing the file releases the lock.
        yield


_PROCESS_LOCK: threading.Lock = threading.Lock()


def _renew() -> None:
    global _PROCESS_LOCK  # noqa: PLW0603 - one lock for the process
    _PROCESS_LOCK = threading.Lock()


in_child(_renew)


class Gathering:
    """Collect the chunks of each step until its final chunk, and join them into one message."""

    def __init__(self, limit: int = OPEN_STEPS) -> None:
        self._limit = limit
        self._steps: OrderedDict[tuple[str, str], list[StreamChunk]] = OrderedDict()
        self._lock = threading.Lock()
        renew_in_child(self)

    def renew(self) -> None:
        """Replace the lock in the child of a fork; the open steps are the parent's."""
        self._lock = threading.Lock()
        self._steps = OrderedDict()

    def add(self, taskspace_path: str | os.PathLike[str], chunk: StreamChunk) -> list[tuple[str, Message]]:
        """Add a chunk; return the messages to save now, as (task space, message)."""
        key = (os.fspath(taskspace_path), chunk.step_id)
        with self._lock:
            self._steps.setdefault(key, []).append(chunk)
            complete = [key] if chunk.is_final else []
            if len(self._steps) - len(complete) > self._limit:
                complete.append(next(step for step in self._steps if step != key))
            return [(step[0], _message(self._steps.pop(step))) for step in complete]


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
