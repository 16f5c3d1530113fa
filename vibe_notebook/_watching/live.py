"""``live``: push an agent's work from any thread into the same view that ``watch`` uses.

At the top of the path, for work without an SDK stream.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import textwrap
import threading
import uuid
from collections.abc import Callable, Hashable, Iterable
from types import TracebackType
from typing import Any, Final, Literal, Self

from pydantic import ValidationError

from .._displays import make_bundle, shown_bundle
from .._forks import renew_in_child
from .._half_pairs import HalfPairs
from ..events import (
    Artifact,
    Citation,
    Custom,
    Event,
    Plan,
    PlanEntry,
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
from ..parts import Answer
from ..recording import Recorder
from ..registry import Registry, get_registry
from .context import ContextToken, enter, leave
from .displays import PacedDisplays
from .pipeline import Pipeline
from .questions import Question
from .requests import ENDED, Pending
from .stepper import Ticker
from .transcribed import Transcribed

__all__ = ["Live", "LiveTool", "live"]


_GROUPS: Final = 4
"""Levels of groups of errors that an error's text shows."""
_ERRORS: Final = 20
"""Errors of one group that an error's text shows."""


class LiveTool:
    """Report one tool call in progress; an exception that leaves its block marks the call as an error."""

    def __init__(self, owner: Live, tool_call_id: str, name: str) -> None:
        self.tool_call_id = tool_call_id
        self.name = name
        self._owner = owner
        self._finished = False
        self._shown: dict[str, Any] | None = None
        self._has_asked = False

    def progress(
        self, message: str | None = None, *, progress: float | None = None, total: float | None = None
    ) -> None:
        """Report progress: a message, or ``progress`` of ``total``."""
        self._emit(ToolProgress, message=message, progress=progress, total=total)

    def write(self, text: str) -> None:
        """Append to the tool's output while the tool runs."""
        self._emit(ToolProgress, delta=text)

    def display(self, value: Any) -> None:
        """Show a value beside the output: a figure, a table, an image, a bundle, any object that shows itself.

        The next one REPLACES it. Of many in a second two are sent, and always the last one.
        """
        bundle = shown_bundle(value)
        self._owner.show_later(self, bundle)
        self._shown = bundle

    def approve(
        self,
        message: str | None = None,
        *,
        default: Literal["decline", "cancel"] | None = None,
        timeout: float | None = None,
    ) -> Pending:
        """Ask whether the call may go on: ``if await tool.approve():``. Without a yes it ends as denied.

        *timeout* is seconds. In a worker thread: ``tool.approve().result()``.
        """
        if again := self._has_asked:  # a call shows one request: a further one stands by itself
            message = message or f"May {self.name} run?"
        self._has_asked = True
        question = Question("approval", message, default=default, timeout=timeout)
        return self._owner.ask_for(question, self, is_apart=again, then=self._deny_unless_yes)

    def _deny_unless_yes(self, answer: Answer) -> None:
        if not answer:
            with contextlib.suppress(ClosedError):  # the run has ended, and its calls with it
                self.error(answer.reason or f"{answer.action} by {answer.by or 'the user'}", status="denied")

    def result(self, output: Any = None) -> None:
        """Finish the call with status ok. *output* is any value; a figure, a table or an image is shown as such."""
        bundle = make_bundle(output)
        if isinstance(output, bytes | bytearray | memoryview) and bundle is not None:
            image = next((mime for mime in bundle if mime.startswith("image/")), None)
            output = {"$display": image} if image else bundle["text/plain"]
        self._finish(status="ok", output=output, display=self._shown or bundle)

    def error(self, error: object, *, status: Literal["error", "denied", "cancelled"] = "error") -> None:
        """Finish the call with an error: a message or an exception, with its notes."""
        text = _error_text(error) if isinstance(error, BaseException) else str(error)
        self._finish(status=status, error=text, display=self._shown)

    def _finish(self, **payload: Any) -> None:
        self._finished = True
        self._owner.drop_later(self)
        self._emit(ToolFinished, tool_name=self.name, **payload)

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
        self._token: ContextToken | None = None
        self._ticker = Ticker()
        self._places: set[tuple[type, str]] = set()
        self._written = "0", 0, ""  # the newest text part, the place of its last piece, and that piece
        self._displays = PacedDisplays(self._send_display)
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

    def display(self, value: Any, id: str | None = None) -> None:  # noqa: A002 - as IPython's display_id
        """Show a value: a figure, a table, an image, a bundle, any object that shows itself.

        A later one with the same *id* REPLACES it in its place. Of many in a second two are sent, and always the last.
        """
        bundle = shown_bundle(value)
        artifact_id = f"display-{next(self._numbers)}" if id is None else str(id)
        self._find_place(Artifact, artifact_id)
        self._displays.put(artifact_id, bundle)

    def plan(self, entries: Iterable[str | PlanEntry | dict[str, Any]], *, id: str = "plan") -> None:  # noqa: A002
        """Show the plan: its steps as texts, or as ``{"text": …, "status": "in_progress"}``.

        *status* is pending, in_progress, completed or cancelled. A later plan REPLACES it in its first place.
        """
        if isinstance(entries, str):
            msg = f"entries={entries[:60]!r}: give a list of steps."
            raise TypeError(msg)
        steps = tuple(entries)
        self._find_place(Plan, id)
        self._dispatch(Plan, plan_id=id, entries=steps)

    def cite(
        self,
        url: str | None = None,
        *,
        title: str | None = None,
        quote: str | None = None,
        source: str | None = None,
    ) -> None:
        """Name a source of the text that was written last; *source* is a file or a document."""
        with self._lock:
            self._check_open()
            part_id, start, piece = self._written
        self._dispatch(
            Citation,
            citation_id=f"source-{next(self._numbers)}",
            part_id=part_id,
            start=start if piece else None,
            end=start + len(piece.rstrip()) if piece else None,
            url=url,
            title=title,
            quote=quote,
            source=source,
        )

    def note(self, text: str, value: Any = None) -> None:
        """Show a line for the reader, with a value to unfold."""
        self.emit(Custom, name=text, value=value, shown=True)

    def approve(
        self,
        message: str,
        *,
        default: Literal["decline", "cancel"] | None = None,
        timeout: float | None = None,
    ) -> Pending:
        """Ask for a yes: ``if await live.approve("Delete the folder?"):``. *timeout* is seconds.

        Without an answer in time the default counts, else it is cancelled. Raises ``NoAnswerError``, when awaited,
        where nobody is there and no default is given.
        """
        return self.ask_for(Question("approval", message, default=default, timeout=timeout))

    def ask(
        self,
        message: str,
        *,
        options: Iterable[Any] = (),
        answer_schema: Any = None,
        default: Any = None,
        timeout: float | None = None,
    ) -> Pending:
        """Ask a question: ``(await live.ask("Which city?", options=["Lima", "Quito"])).value``.

        *answer_schema* is JSON Schema of one flat object, or a pydantic model, of which ``value`` is then an instance.
        """
        return self.ask_for(
            Question("question", message, tuple(options), answer_schema, default=default, timeout=timeout)
        )

    def ask_for(
        self,
        question: Question,
        tool: LiveTool | None = None,
        *,
        is_apart: bool = False,
        then: Callable[[Answer], object] | None = None,
    ) -> Pending:
        """Ask in this run, about a tool call or by itself; call *then* with the answer before anybody goes on."""
        with self._lock:
            self._check_open()
            self._part = None
        call = (None if tool is None or is_apart else tool.tool_call_id, None if tool is None else tool.name)
        return self._pipeline.desk.ask(question, (self.agent_id or "", self._run_id), call, then=then)

    def show_later(self, tool: LiveTool, bundle: dict[str, Any]) -> None:
        """Show the display of a tool call, at most twice a second."""
        with self._lock:
            self._check_open()
        self._displays.put(tool, bundle)

    def drop_later(self, tool: LiveTool) -> None:
        """Forget the display of a tool call that still waits: the call's result carries it."""
        self._displays.take(tool)

    def _find_place(self, cls: type, part_id: str) -> None:
        """End the text so far, unless a plan or display takes the place of an earlier one."""
        with self._lock:
            self._check_open()
            if (cls, part_id) not in self._places:
                self._places.add((cls, part_id))
                self._part = None

    def _send_display(self, key: Hashable, bundle: dict[str, Any]) -> None:
        if isinstance(key, LiveTool):
            self._dispatch(ToolProgress, tool_call_id=key.tool_call_id, display=bundle)
        else:
            self._dispatch(Artifact, artifact_id=key, display=bundle)

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
            token, self._token = self._token, None
        if token is not None:
            leave(token)
        self._pipeline.desk.close(ENDED if error is None else "an error")
        self._ticker.stop()
        self._displays.flush()
        outcome = "success" if error is None else "error" if isinstance(error, Exception) else "cancelled"
        text = _error_text(error) if error is not None and outcome == "error" else None
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
        self._token = enter(self)
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
            if kind == "text":
                last_id, at, piece = self._written
                self._written = part_id, at + len(piece) if last_id == part_id else 0, delta
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
        self._pipeline.dispatch([*map(parse_event, earlier), event], outranked=True)


def _error_text(error: BaseException, depth: int = 0) -> str:
    """Return an error with its notes; of a group, also the errors in it."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - the user's own error must reach the view
        text = f"its text raised {type(broken).__name__}"
    notes = getattr(error, "__notes__", None)
    lines = [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else []
    if isinstance(error, BaseExceptionGroup) and depth < _GROUPS:
        inner = [_error_text(each, depth + 1) for each in error.exceptions[:_ERRORS]]
        lines += [textwrap.indent(each, "  ") for each in inner]
        if len(error.exceptions) > _ERRORS:
            lines.append(f"  … {len(error.exceptions) - _ERRORS:,} more")
    return "\n".join([f"{name}: {text}", *lines])


def live(
    name: str = "agent",
    *,
    title: str | None = None,
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
    input: Any = None,  # noqa: A002 - the field's name
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
    other live views, the cell waits for that form at its end. *input* is what the user asked.
    """
    return Live(
        Pipeline(
            registry or get_registry(),
            agent_id=name,
            title=title,
            adapter="",
            renderer=None if display else "none",
            record=record,
            input=input,
        )
    )
