"""``live``: push an agent's work from any thread into the same view that ``watch`` uses.

At the top of the path, for work without an SDK stream.
"""

from __future__ import annotations

import base64
import itertools
import os
import threading
import uuid
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import ValidationError

from .._forks import renew_in_child
from .._half_pairs import HalfPairs
from ..events import (
    Artifact,
    Event,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    Usage,
    not_valid,
    parse_event,
)
from ..exceptions import ClosedError
from ..recording import Recorder
from ..registry import Registry, get_registry
from .pipeline import Pipeline, Transcribed
from .stepper import Ticker

__all__ = ["Live", "LiveTool", "live"]


class LiveTool:
    """Report one tool call in progress; an exception that leaves its block marks the call as an error."""

    def __init__(self, owner: Live, tool_call_id: str, name: str) -> None:
        self.tool_call_id = tool_call_id
        self.name = name
        self._owner = owner
        self._finished = False

    def progress(
        self, message: str | None = None, *, progress: float | None = None, total: float | None = None
    ) -> None:
        """Report progress: a message, or ``progress`` of ``total``."""
        self._emit(ToolProgress, message=message, progress=progress, total=total)

    def write(self, text: str) -> None:
        """Append to the tool's output while the tool runs."""
        self._emit(ToolProgress, delta=text)

    def result(self, output: Any = None) -> None:
        """Finish the call with status ok. *output* is any value; a table is summarised."""
        self._finished = True
        self._emit(ToolFinished, tool_name=self.name, status="ok", output=output)

    def error(self, error: object, *, status: Literal["error", "denied", "cancelled"] = "error") -> None:
        """Finish the call with an error: a message or an exception."""
        text = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
        self._finished = True
        self._emit(ToolFinished, tool_name=self.name, status=status, error=text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owner.done():
            return  # the run ended meanwhile, and ended this call
        if error is None:
            if not self._finished:
                self.result()
        else:
            self.error(error, status="error" if isinstance(error, Exception) else "cancelled")

    def _emit(self, cls: Any, **payload: Any) -> None:
        self._owner.emit(cls, tool_call_id=self.tool_call_id, **payload)


class Live(Transcribed):
    """Report one run by hand; made by ``live``. Thread-safe; ends with its block or ``close()``."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._lock = threading.RLock()
        self._run_id = uuid.uuid4().hex
        self._numbers = itertools.count()
        self._half_pairs = HalfPairs()
        self._part: tuple[str, str] | None = None
        self._begun = False
        self._closed = False
        self._ticker = Ticker()
        self.usage: Usage | None = None
        renew_in_child(self)

    def renew(self) -> None:
        """Replace the lock in the child of a fork."""
        self._lock = threading.RLock()

    def text(self, delta: str) -> None:
        """Append to the answer, in Markdown. After a tool call or thinking this begins a new part."""
        self._delta(TextDelta, "text", delta)

    def thinking(self, delta: str) -> None:
        """Append to the thinking."""
        self._delta(ThinkingDelta, "thinking", delta)

    def tool(self, name: str, args: Any = None, *, tool_call_id: str | None = None) -> LiveTool:
        """Start a tool call: ``with live.tool("search", {"q": "x"}) as tool: tool.result(...)``."""
        made = LiveTool(self, tool_call_id or f"call-{next(self._numbers)}", name)
        self.emit(
            ToolStarted, tool_call_id=made.tool_call_id, tool_name=name, args={} if args is None else args
        )
        return made

    def artifact(
        self, name: str, data: bytes | None = None, *, url: str | None = None, media_type: str | None = None
    ) -> None:
        """Show a file: its bytes, or its URL."""
        self.emit(
            Artifact,
            artifact_id=name,
            name=name,
            data=base64.b64encode(data).decode() if data is not None else None,
            url=url,
            media_type=media_type,
        )

    def close(self, error: BaseException | None = None) -> None:
        """End the run and show its final form. Idempotent.

        In a task the final form may come by the end of the cell.
        """
        if self._finish_run(error):
            self._pipeline.finalize(later=True)

    async def aclose(self, error: BaseException | None = None) -> None:
        """Close as ``close`` does, with the loop free while the final form is rendered."""
        if self._finish_run(error):
            await self._pipeline.finalize_async()

    def _finish_run(self, error: BaseException | None) -> bool:
        with self._lock:
            if not self._begun or self._closed:
                return False
            self._closed = True
        self._ticker.stop()
        outcome = "success" if error is None else "error" if isinstance(error, Exception) else "cancelled"
        text = f"{type(error).__name__}: {error}" if outcome == "error" else None
        self._dispatch(RunFinished, outcome=outcome, error=text, usage=self.usage)
        return True

    def __enter__(self) -> Self:
        with self._lock:
            if self._begun:
                msg = "This live view was used already; start a new one with vibe.live(...)."
                raise ClosedError(msg)
            self._begun = True
        self._pipeline.begin()
        self._dispatch(RunStarted, agent_name=self.title)
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose(error)

    def emit(self, cls: type[Any], **payload: Any) -> None:
        """Dispatch an event of this run.

        Raises ``ClosedError`` outside of the block, ``ProtocolError`` for a value that the event cannot have.
        """
        with self._lock:
            self._check_open()
            if cls not in (ToolProgress, ToolFinished):
                self._part = None
        self._dispatch(cls, **payload)

    def _delta(self, cls: type[Any], kind: str, delta: str) -> None:
        with self._lock:
            self._check_open()
            if self._part is None or self._part[0] != kind:
                self._part = (kind, str(next(self._numbers)))
            part_id = self._part[1]
        self._dispatch(cls, part_id=part_id, delta=delta)

    def _check_open(self) -> None:
        if not self._begun:
            msg = "This live view has not begun: use it as `with vibe.live(...) as live:`."
            raise ClosedError(msg)
        if self._closed:
            msg = "This live view has ended; start a new one with vibe.live(...)."
            raise ClosedError(msg)

    def _dispatch(self, cls: type[Any], **payload: Any) -> None:
        """Dispatch an event. The caller does not hold the lock: callbacks run here, and may emit more."""
        kind = cls.model_fields["type"].default
        with self._lock:
            fields = {"agent_id": self.agent_id, "run_id": self._run_id, **payload}
            earlier, joined = self._half_pairs.join(kind, fields)
        try:
            event: Event = cls(**joined)
        except ValidationError as error:
            raise not_valid(error, kind) from None
        self._pipeline.dispatch([*map(parse_event, earlier), event])


def live(
    name: str = "agent",
    *,
    title: str | None = None,
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
) -> Live:
    """Show work that the caller reports by hand.

    ::

        with vibe.live("researcher") as live:
            live.thinking("hm")
            live.text("Hello **world**")
            with live.tool("search", {"q": "x"}) as tool:
                tool.progress("1 of 3")
                tool.result({"hits": 3})

    *name* is the agent's id; the view opens when the block is entered. In a coroutine, ``async with``
    leaves the event loop free while the final form is rendered. Where a task leaves a plain ``with`` beside
    other live views, the cell waits for that form at its end.
    """
    return Live(
        Pipeline(
            registry or get_registry(),
            agent_id=name,
            title=title,
            adapter="",
            renderer=None if display else "none",
            record=record,
        )
    )
