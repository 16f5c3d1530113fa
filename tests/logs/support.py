"""Build lines of logs, and read logs from a folder of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from vibe_notebook.events import Event
from vibe_notebook.logs import Log

SAMPLES = Path(__file__).parent.parent / "samples" / "logs"


def text_of(lines: Iterable[Any]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def claude_user(content: Any, uuid: str, **fields: Any) -> dict[str, Any]:
    return _claude("user", {"role": "user", "content": content}, uuid, **fields)


def claude_says(block: dict[str, Any], uuid: str, message_id: str = "m1", **fields: Any) -> dict[str, Any]:
    usage = fields.pop("usage", {"input_tokens": 10, "output_tokens": 5})
    model = fields.pop("model", "claude-opus-4-6")
    message = {"id": message_id, "role": "assistant", "model": model, "content": [block], "usage": usage}
    return _claude("assistant", message, uuid, **fields)


def _claude(kind: str, message: dict[str, Any], uuid: str, **fields: Any) -> dict[str, Any]:
    line = {"parentUuid": None, "isSidechain": False, "sessionId": "s", "type": kind, "message": message}
    return {**line, "uuid": uuid, "timestamp": "2026-03-04T09:15:00.000Z", **fields}


def text_block(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call_block(call_id: str, name: str, **args: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": args}


def result_block(call_id: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **fields}


class Growing:
    """Follow a log: each step of the script runs when the log has no more, and the last one closes it."""

    def __init__(self, path: Path, *script: Callable[[], object]) -> None:
        self._script = iter(script)
        self.log = Log(path, follow=True, wait=self._next)
        self.waits: list[float] = []

    def _next(self, seconds: float) -> None:
        self.waits.append(seconds)
        step = next(self._script, None)
        if step is None:
            self.log.close()
        else:
            step()

    def __iter__(self) -> Iterator[Event]:
        return iter(self.log)


def notes(events: Iterable[Event]) -> list[tuple[str, Any]]:
    return [(event.name, event.value) for event in events if event.type == "custom" and event.shown]
