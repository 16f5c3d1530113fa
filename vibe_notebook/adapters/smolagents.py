"""Read smolagents: ``agent.run(task, stream=True)``, of a tool calling agent or a code agent.

Only their class tells the kind of its objects, and JSON has no class: the adapter recognises objects by
their fields. The end of a step repeats the streamed text; without a stream (``stream_outputs=False``),
the end is the only source. A failed tool has no output: only its step has the error, which names the
tool and its arguments. The step also has the logs of code. Source: ``smolagents.agents``,
``smolagents.memory``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import ToolFinished, ToolStarted, Usage

from ._base import Adapter
from ._fields import fields_of, get, ident, integer, items, parsed, plain, text
from ._result_blocks import read_result

__all__ = ["SmolagentsAdapter", "matches"]

_DELTA: Final = {"content", "tool_calls", "token_usage"}
_CALL: Final = {"name", "arguments", "id"}
_OUTPUT: Final = {"output", "is_final_answer"}


def _kind(native: object) -> str:
    names = fields_of(native).keys()
    if isinstance(get(native, "task"), str) and "task_images" in names:
        return "task"
    if "step_number" in names and "timing" in names:
        return "step"
    if isinstance(get(native, "plan"), str) and "timing" in names:
        return "plan"
    if names >= _OUTPUT:
        return "tool_output" if "tool_call" in names or "id" in names else "output"
    if names >= _CALL or (names >= {"id", "function"} and get(native, "function", "name")):
        return "call"
    if names >= _DELTA:
        return "delta"
    return "answer" if "output" in names else ""


def matches(native: object) -> bool:
    """Return whether *native* is an object of the SDK, or has exactly the fields of such an object."""
    if not isinstance(native, Mapping):
        return type(native).__module__.startswith("smolagents.") and _kind(native) != ""
    kind, names = _kind(native), native.keys()
    if any(isinstance(get(native, name), str) for name in ("type", "event", "event_kind")):
        return False  # another SDK's field names the kind
    if kind in ("delta", "call"):  # common field names: accept these, and no further field
        return names in (_DELTA, _CALL)
    return kind in ("step", "plan", "tool_output", "output", "task")


class SmolagentsAdapter(Adapter):
    """Read one run; a step is a message with its tool calls."""

    name = "smolagents"
    tells_usage = True
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._messages = 0
        self._steps: set[int] = set()
        self._is_streamed = False
        self._written: dict[int, tuple[str, str | None]] = {}
        """The id and name of the calls that the model writes, by their index in the answer."""
        self._started = 0
        self._running: dict[str, tuple[str | None, Any]] = {}
        self._code: str | None = None
        self._display: dict[str, Any] | None = None
        """The display of the code's value: the step's logs replace its output."""

    def _read(self, native: object) -> None:
        self._envelope = {"message_id": self._message} if self._message else {}
        match _kind(native):
            case "delta":
                self._delta(native)
            case "call":
                self._call(native)
            case "tool_output":
                self._tool_output(native)
            case "output":
                self._code_output(get(native, "output"))
            case "step":
                self._step(native)
            case "plan":
                self._plan(native)
            case "task":
                self._message_end(None)
                self._envelope = {}
                self.emit_turn(text(get(native, "task")), _images(get(native, "task_images")))
            case "answer":
                self._result = plain(get(native, "output"))
            case _:
                self.emit_unknown(native, None)

    def _close(self) -> None:
        self._message_end(None)

    # Messages.

    def _open(self) -> None:
        if self._message is None:
            self._message = f"{self.run_id}:{self._messages}"
            self._messages += 1
            self.begin_message(self._message)
        self._envelope = {"message_id": self._message}

    def _message_end(self, usage: Usage | None) -> None:
        message, self._message = self._message, None
        if message is not None:
            self.end_message(message, usage=usage)
        self._is_streamed, self._code, self._display, self._started = False, None, None, 0
        self._written.clear()
        self._running.clear()

    def _delta(self, native: object) -> None:
        self._open()
        self._is_streamed = True
        self._text(get(native, "content"))
        for place, call in enumerate(items(get(native, "tool_calls"))):
            index = integer(get(call, "index"))
            index = place if index is None else index
            name = text(get(call, "function", "name")) or None
            if index not in self._written:
                call_id = ident(get(call, "id")) or f"{self._message}:{index}"
                self._written[index] = call_id, name
                self.emit_args(call_id, name, "")
            call_id = self._written[index][0]
            if written := text(get(call, "function", "arguments")):
                self.emit_args(call_id, name, written)

    def _text(self, content: object) -> None:
        blocks = "".join(text(get(block, "text")) for block in items(content))
        if delta := text(content) or blocks:
            self.emit_text("text", "0", delta)

    # Tools.

    def _call(self, native: object) -> None:
        self._open()
        body = native if get(native, "function") is None else get(native, "function")
        name, args = text(get(body, "name")) or None, parsed(get(body, "arguments"))
        call_id = ident(get(native, "id"))
        if call_id is None:
            call_id = self._written.get(self._started, (f"{self._message}:{self._started}", None))[0]
        self._started += 1
        self._running[call_id] = name, args
        if isinstance(args, str):
            self._code = call_id
        self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)

    def _tool_output(self, native: object) -> None:
        name = text(get(native, "tool_call", "name")) or None
        call_id = ident(get(native, "id")) or ident(get(native, "tool_call", "id"))
        if call_id is None:
            found = [key for key, (called, _) in self._running.items() if called == name]
            call_id = found[0] if found else f"{self._message or self.run_id}:output"
        self._running.pop(call_id, None)
        output = get(native, "output")
        value = get(native, "observation") if output is None else output
        self.emit_result(value, tool_call_id=call_id, tool_name=name)

    def _code_output(self, output: object) -> None:
        if self._code is not None and self._code in self._running:
            name, _ = self._running.pop(self._code)
            result = read_result(output)
            self._display = result.display
            self.emit_result(result, tool_call_id=self._code, tool_name=name)

    # Steps.

    def _step(self, native: object) -> None:
        number = integer(get(native, "step_number"))
        if number in self._steps and self._message is None:
            return  # the SDK sends the last step twice after the step limit
        self._steps.add(-1 if number is None else number)
        self._open()
        if not self._is_streamed:
            self._text(get(native, "model_output"))
        if not self._started:
            for call in items(get(native, "tool_calls")):
                self._call(call)
        error = get(native, "error")
        if error is not None:
            self._failed(text(get(error, "message")) or text(error) or str(type(error).__name__))
        elif self._code is not None and (logs := text(get(native, "observations"))):
            self.emit(ToolFinished, tool_call_id=self._code, output=logs, display=self._display)
        self._message_end(_usage(get(native, "token_usage")))

    def _failed(self, why: str) -> None:
        named = [call_id for call_id, (_, args) in self._running.items() if args and str(args) in why]
        for call_id in named if len(named) == 1 else list(self._running):
            name = self._running[call_id][0]
            fields = {"tool_call_id": call_id, "tool_name": name, "output": why, "error": why}
            self.emit(ToolFinished, status="error", **fields)
        if not self._running:
            self.emit_unknown(why, "step_failed")

    def _plan(self, native: object) -> None:
        self._open()
        if not self._is_streamed:
            self._text(get(native, "plan"))
        self._message_end(_usage(get(native, "token_usage")))


def _images(images: object) -> list[dict[str, Any]]:
    """Return the images that the user gave with the task, which are Python objects."""
    found = read_result(items(images))
    shown = [found.display] if found.display else []
    bundles = [*shown, *(file["display"] for file in found.files if "display" in file)]
    return [
        {"media_type": media, "data": bundle[media]}
        for bundle in bundles
        for media in bundle
        if media.startswith("image/")
    ]


def _usage(native: object) -> Usage | None:
    counts = integer(get(native, "input_tokens")), integer(get(native, "output_tokens"))
    return None if counts == (None, None) else Usage(input_tokens=counts[0], output_tokens=counts[1])
