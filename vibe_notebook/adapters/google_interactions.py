"""Read Gemini's Interactions: ``client.interactions.create(stream=True)``, resumed streams, and whole interactions.

An interaction is one message. It has steps, numbered by ``index``: text, thoughts, calls and results. The service runs
all tools but functions: their results the application feeds in, as ``function_result`` steps, as the reports of
``_tool_results``, or as our events. Source: ``google.genai.interactions``.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import Artifact, MessageFinished, ToolStarted, Usage

from ._base import Adapter
from ._citations import byte_places
from ._fields import get, ident, integer, items, json_text, parsed, plain, reason, text
from ._files import block_file, said
from ._result_blocks import read_result
from ._tool_results import read_report

__all__ = ["GoogleInteractionsAdapter", "matches"]

_KINDS: Final = frozenset(
    (
        "interaction.completed",
        "interaction.created",
        "interaction.status_update",
        "step.delta",
        "step.start",
        "step.stop",
    )
)
_OUTCOMES: Final = {
    "budget_exceeded": "error",
    "cancelled": "cancelled",
    "failed": "error",
    "incomplete": "error",
}
"""The states in which an interaction ends without its answer."""
_FILES: Final = ("document", "image", "video")
_QUIET: Final = ("thought_signature", "processing_call", "processing_result")
_SOUNDS: Final = ("speech_metadata", "word_info")
"""Annotations that name no source."""


def matches(native: object) -> bool:
    """Return whether *native* is an event of an interaction, a whole interaction, or a function's result."""
    kind = text(get(native, "event_type"))
    if kind:
        is_error = kind == "error" and get(native, "error") is not None
        return kind in _KINDS or is_error or (kind == "UNKNOWN" and get(native, "is_unknown") is True)
    if text(get(native, "type")) == "function_result":
        return ident(get(native, "call_id")) is not None and get(native, "result") is not None
    return _is_whole(native)


def _is_whole(native: object) -> bool:
    return text(get(native, "object")) == "interaction" and isinstance(get(native, "steps"), list)


@dataclass
class _Step:
    kind: str
    call_id: str = ""
    name: str | None = None
    args: Any = None
    """The whole arguments, of a call whose arguments do not come as text."""
    results: list[Any] = field(default_factory=list)
    is_error: bool = False
    sound: list[bytes] = field(default_factory=list)
    media: str = ""


class GoogleInteractionsAdapter(Adapter):
    """Read one run: one interaction, or a loop of interactions and function calls."""

    name = "google_interactions"
    tells_usage = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._count = 0
        self._used: set[str] = set()
        self._model: str | None = None
        self._message_usage: Usage | None = None
        self._steps: dict[int, _Step] = {}
        self._newest_call = ""
        """The newest call that the service runs itself."""

    def _read(self, native: object) -> None:
        kind = text(get(native, "event_type"))
        index = integer(get(native, "index")) or 0
        match kind:
            case "interaction.created":
                self._begin(get(native, "interaction"))
            case "step.start":
                self._open()
                self._start_step(index, get(native, "step"))
            case "step.delta":
                self._open()
                self._delta(index, get(native, "delta"))
            case "step.stop":
                self._open()
                self._stop_step(index)
            case "interaction.status_update":
                self._count_tokens(get(native, "usage"))
                self._judge_status(native)
            case "interaction.completed":
                self._complete(get(native, "interaction"))
            case "error":
                problem = get(native, "error")
                code = ident(get(problem, "code"))
                self.end("error", text(get(problem, "message")) or code or "error", code)
            case _ if not kind and _is_whole(native):
                self._whole(native)
            case _:
                self._other(native, kind)

    def _other(self, native: object, kind: str) -> None:
        if not kind and text(get(native, "type")) == "function_result" and ident(get(native, "call_id")):
            self._finish_message()
            self._answer(native, [get(native, "result")])
        elif (report := read_report(native)) is not None:
            self._finish_message()
            self.emit_report(report)
        elif kind == "UNKNOWN":
            raw = get(native, "raw")
            self.emit_unknown(raw, text(get(raw, "event_type")) or kind)
        else:
            self.emit_unknown(native, kind or ident(get(native, "type")))

    # The interaction, which is one message.

    def _begin(self, interaction: object) -> None:
        self._finish_message()
        made, native_id = f"{self.run_id}:{self._count}", ident(get(interaction, "id"))
        self._count += 1
        self._message = native_id if native_id and native_id not in self._used else made
        self._used.add(self._message)
        self._model = ident(get(interaction, "model")) or ident(get(interaction, "agent"))
        self.begin_message(self._message)

    def _open(self) -> None:
        if self._message is None:  # a watch may start in the middle of an interaction
            self._begin(None)
        self._envelope = {"message_id": self._message}

    def _finish_message(self) -> None:
        message = self._message
        if message is None:
            return
        self._envelope = {"message_id": message}
        for index in list(self._steps):
            self._stop_step(index)
        self._message = None
        self.emit(MessageFinished, usage=self._message_usage)
        self._message_usage = None
        self.streamed.forget(message)
        self._envelope = {}

    def _close(self) -> None:
        self._finish_message()

    def _complete(self, interaction: object) -> None:
        self._model = ident(get(interaction, "model")) or self._model
        self._count_tokens(get(interaction, "usage"))
        self._judge_status(interaction)
        self._finish_message()

    def _count_tokens(self, used: object) -> None:
        answer, thinking = (
            integer(get(used, name)) for name in ("total_output_tokens", "total_thought_tokens")
        )
        inputs = integer(get(used, "total_input_tokens"))
        if inputs is None and answer is None and thinking is None:
            return
        self._message_usage = Usage(
            input_tokens=inputs,
            output_tokens=None if answer is None and thinking is None else (answer or 0) + (thinking or 0),
            cached_input_tokens=integer(get(used, "total_cached_tokens")),
            reasoning_tokens=thinking,
            model=self._model,
        )

    def _judge_status(self, native: object) -> None:
        status = text(get(native, "status"))
        if (outcome := _OUTCOMES.get(status)) is None:
            return
        problems = [text(get(one, "message")) for one in items(get(native, "errors"))]
        words = "; ".join(filter(None, problems)) or f"The interaction ended: {status}."
        self.end(outcome, words if outcome == "error" else None, status)

    def _whole(self, native: object) -> None:
        steps = items(get(native, "steps"))
        for step in steps:
            if text(get(step, "type")) == "user_input":
                self.emit_turn(*said(get(step, "content")))
        self._begin(native)
        for i, step in enumerate(steps):
            if text(get(step, "type")) != "user_input":
                self._start_step(i, step)
                self._stop_step(i)
        self._complete(native)

    # Steps.

    def _start_step(self, index: int, native: object) -> None:
        kind = text(get(native, "type"))
        step = self._steps[index] = _Step(kind)
        if kind == "user_input":
            words, files = said(get(native, "content"))
            self.emit_turn(words, files, message_id=f"{self._message}:user:{index}")
        elif kind == "model_output":
            for content in items(get(native, "content")):
                self._delta(index, content)
                self._cite(index, get(content, "annotations"))
            if problem := text(get(native, "error", "message")):
                self.end("error", problem, ident(get(native, "error", "code")))
        elif kind == "thought":
            for content in items(get(native, "summary")):
                self._thought(index, content)
        elif kind.endswith("_call"):
            self._start_call(index, step, native)
        elif kind.endswith("_result"):
            step.call_id = ident(get(native, "call_id")) or self._newest_call
            self._add_result(step, native)
        elif kind:
            self.emit_unknown(native, kind)

    def _start_call(self, index: int, step: _Step, native: object) -> None:
        step.call_id = ident(get(native, "id")) or f"{self._message}:{index}"
        step.name = text(get(native, "name")) or step.kind.removesuffix("_call")
        step.args = plain(get(native, "arguments")) or None
        if step.kind != "processing_call":
            self.announce_call(step.call_id, step.name)
        if step.kind != "function_call":
            self._newest_call = step.call_id

    def _delta(self, index: int, delta: object) -> None:
        kind = text(get(delta, "type"))
        step = self._steps.get(index)
        if step is None:  # the watch has missed the step's start
            step = self._steps[index] = _Step(kind)
        if kind == "text":
            self.emit_text("text", str(index), text(get(delta, "text")))
        elif kind == "thought_summary":
            self._thought(index, get(delta, "content"))
        elif kind == "arguments_delta":
            if step.call_id and (words := text(get(delta, "arguments"))):
                step.args = None
                self.emit_args(step.call_id, step.name, words)
        elif kind == "text_annotation_delta":
            self._cite(index, get(delta, "annotations"))
        elif kind == "audio":
            step.sound.append(_decoded(get(delta, "data")))
            step.media = text(get(delta, "mime_type")) or step.media
        elif kind in _FILES:
            if (file := block_file(delta)) is not None:
                name = f"{self._message}:{index}:{len(step.results)}"
                step.results.append(None)
                self.emit(Artifact, artifact_id=name, part_id=str(index), **file)
        elif kind.endswith("_call") and step.call_id:
            step.args = plain(get(delta, "arguments")) or step.args
        elif kind.endswith("_result") and step.call_id:
            self._add_result(step, delta)
        elif kind not in _QUIET:
            self.emit_unknown(delta, kind or "step.delta")

    def _thought(self, index: int, content: object) -> None:
        if words := text(get(content, "text")):
            self.emit_text("thinking", str(index), words)
        elif (file := block_file(content)) is not None:
            self.emit(Artifact, artifact_id=f"{self._message}:{index}", part_id=str(index), **file)

    def _cite(self, index: int, annotations: object) -> None:
        written = self.streamed.read((self._message, "text", str(index)))
        for one in items(annotations):
            if text(get(one, "type")) in _SOUNDS:
                continue
            found = {
                "url": text(get(one, "url")) or text(get(one, "document_uri")),
                "title": text(get(one, "title")) or text(get(one, "name")) or text(get(one, "file_name")),
                "source": text(get(one, "source")),
            }
            fields = {name: value for name, value in found.items() if value}
            places = byte_places(written, get(one, "start_index"), get(one, "end_index"))
            self.emit_citation(str(index), {**fields, **places} if fields else None)

    def _stop_step(self, index: int) -> None:
        step = self._steps.pop(index, None)
        if step is None:
            return
        if step.sound and (data := b"".join(step.sound)):
            made = base64.b64encode(data).decode()
            name, media = f"{self._message}:{index}:sound", step.media or "audio/wav"
            self.emit(Artifact, artifact_id=name, part_id=str(index), media_type=media, data=made)
        if step.kind.endswith("_call") and step.call_id and step.kind != "processing_call":
            if step.args is not None:
                self.emit_rest_of_args(step.call_id, step.name, json_text(step.args))
            if step.kind != "function_call":
                args = step.args
                if args is None:
                    args = parsed(self.streamed.read((self._message, "args", step.call_id)))
                self.emit(ToolStarted, tool_call_id=step.call_id, tool_name=step.name, args=args)
        elif step.kind.endswith("_result") and step.call_id and step.kind != "processing_result":
            self._answer({"call_id": step.call_id, "is_error": step.is_error}, step.results)

    # Results.

    def _add_result(self, step: _Step, native: object) -> None:
        if (result := get(native, "result")) is not None and result != []:
            step.results.append(result)
        step.is_error = step.is_error or get(native, "is_error") is True

    def _answer(self, native: object, results: list[Any]) -> None:
        lists = [one for result in results for one in (result if isinstance(result, list) else [result])]
        is_text = bool(results) and all(isinstance(one, str) for one in results)
        value = "".join(results) if is_text else results[0] if len(results) == 1 else lists
        result = read_result(_said(value))
        failed = get(native, "is_error") is True
        fields = {"status": "error", "error": reason(result.output)} if failed else {}
        call_id, name = ident(get(native, "call_id")), text(get(native, "name")) or None
        self.emit_result(result, tool_call_id=call_id, tool_name=name, **fields)


def _said(value: Any) -> Any:
    """Return the text of a result that is one list of texts; every other result as it is."""
    blocks = items(value)
    if blocks and all(text(get(one, "type")) == "text" for one in blocks):
        return "\n".join(text(get(one, "text")) for one in blocks)
    return value


def _decoded(value: object) -> bytes:
    try:
        return base64.b64decode(value) if isinstance(value, str | bytes) else b""
    except (ValueError, binascii.Error):
        return b""
