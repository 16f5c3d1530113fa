"""Read the notifications of Codex's app server: ``item/*`` and ``turn/*``, as the SDK's objects or as JSON-RPC.

An item begins, may grow by deltas, and comes whole when it is completed. Commands, changes of files and calls of tools
are calls here; the text and the reasoning of a turn are messages. The server's requests wait for the client; the stream
has the client's answer, or says only that there was one: then the item's end tells which. Source:
``openai_codex.generated``, ``codex-rs/app-server/README.md``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import (
    InputAnswered,
    InputRequested,
    Plan,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._fields import camel, fields_of, get, ident, integer, items, json_text, parsed, plain, reason, text
from ._files import said
from ._plans import read_steps
from ._result_blocks import read_content

__all__ = ["OpenAICodexAdapter", "matches"]

_PREFIXES: Final = ("item/", "turn/", "thread/", "serverRequest/", "mcpServer/elicitation/")
_APPROVAL: Final = "/requestApproval"
_QUESTIONS: Final = ("item/tool/requestUserInput", "mcpServer/elicitation/request")
_SILENT: Final = frozenset(("thread/started", "thread/status/changed", "turn/diff/updated", "thread/closed"))
_TOOLS: Final = frozenset(("commandExecution", "dynamicToolCall", "fileChange", "mcpToolCall", "webSearch"))
_FAILED: Final = ("declined", "failed")
_STOPPED: Final = ("interrupted", "aborted", "canceled", "cancelled")
_STATES: Final = {"completed": "completed", "inProgress": "in_progress"}


def matches(native: object) -> bool:
    """Return whether *native* is a notification of a thread, or of a turn or an item in it."""
    params = _params(native)
    is_ours = text(get(native, "method")).startswith(_PREFIXES) or get(native, "method") == "error"
    return is_ours and (
        ident(camel(params, "threadId")) is not None or get(params, "thread", "id") is not None
    )


def _params(native: object) -> object:
    found = get(native, "params")
    return get(native, "payload") if found is None else found


class OpenAICodexAdapter(Adapter):
    """Read one turn of a thread, or several."""

    name = "openai_codex"
    keeps_texts = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._started: set[str] = set()
        self._turns_open: set[str] = set()
        """The turns that have begun, and have not ended."""
        self._requests: dict[str, str | None] = {}
        """The requests that wait for an answer, each with its item; ``None`` for one without."""

    def _read(self, native: object) -> None:
        method, params = text(get(native, "method")), _params(native)
        if not matches(native):
            self._other(native, method)
            return
        item = camel(params, "item")
        item = get(item, "root") or item
        match method:
            case "item/agentMessage/delta":
                self._text("text", camel(params, "itemId"), get(params, "delta"))
            case "item/reasoning/textDelta" | "item/reasoning/summaryTextDelta":
                self._text("thinking", camel(params, "itemId"), get(params, "delta"))
            case "item/commandExecution/outputDelta" | "item/fileChange/outputDelta":
                self._progress(params, delta=text(get(params, "delta")) or None)
            case "item/mcpToolCall/progress":
                self._progress(params, message=text(get(params, "message")) or None)
            case "item/started":
                self._start(item)
            case "item/completed":
                self._complete(item)
            case "turn/plan/updated":
                self._plan(params)
            case "thread/tokenUsage/updated":
                self._usage = _usage(camel(camel(params, "tokenUsage"), "total")) or self._usage
            case "turn/started" | "turn/completed":
                self._turn(params, is_end=method == "turn/completed")
            case "error":
                self._fail(get(params, "error"), is_last=camel(params, "willRetry") is not True)
            case _ if method not in _SILENT:
                self._request(native, method, params)

    def _close(self) -> None:
        self._end_message()
        self._withdraw()
        if self._turns_open:
            self.end("interrupted")

    def _other(self, native: object, method: str) -> None:
        request = ident(get(native, "id")) or ""
        if not method and request in self._requests:
            self._answered(request, native)
        elif not method and get(native, "error") is not None:  # the answer to a request
            self._fail(get(native, "error"), is_last=True)
        else:
            self.emit_unknown(native, method or None)

    # Messages.

    def _open(self, item_id: str) -> None:
        if self._message != item_id:
            self._end_message()
            self._message = item_id
            self.begin_message(item_id)
        self._envelope = {"message_id": item_id}

    def _end_message(self) -> None:
        message, self._message = self._message, None
        self.end_message(message)

    def _text(self, kind: str, item_id: object, delta: object) -> None:
        if (found := ident(item_id)) is not None:
            self._open(found)
            self.emit_text(kind, "0", text(delta))

    def _whole(self, kind: str, item_id: str, words: str) -> None:
        if words:
            self._open(item_id)
            self.emit_whole(kind, "0", words)
            self._end_message()

    # Items.

    def _start(self, item: object) -> None:
        item_id, kind = ident(get(item, "id")), text(get(item, "type"))
        if item_id is None or kind not in _TOOLS or item_id in self._started:
            return
        self._end_message()
        self._started.add(item_id)
        name, args = _call(item, kind)
        self.emit(ToolStarted, tool_call_id=item_id, tool_name=name, args=args)

    def _progress(self, params: object, **fields: Any) -> None:
        call_id = ident(camel(params, "itemId"))
        if call_id is not None and any(fields.values()):
            self.emit(ToolProgress, tool_call_id=call_id, **fields)

    def _complete(self, item: object) -> None:
        item_id, kind = ident(get(item, "id")), text(get(item, "type"))
        if item_id is None:
            self.emit_unknown(item, kind or None)
        elif kind == "userMessage":
            self._end_message()
            words, files = said([plain(get(one, "root") or one) for one in items(get(item, "content"))])
            self.emit_turn(words, files, message_id=item_id)
        elif kind == "agentMessage":
            self._whole("text", item_id, text(get(item, "text")))
        elif kind == "reasoning":
            blocks = items(get(item, "content")) or items(get(item, "summary"))
            if not self.streamed.read((item_id, "thinking", "0")):
                self._whole("thinking", item_id, "\n\n".join(filter(None, map(text, blocks))))
        elif kind in _TOOLS:
            self._start(item)
            self._decide(item_id, _word(get(item, "status")))
            self._answer(item, item_id, kind)
        else:
            self.emit_unknown(item, kind or None)

    def _answer(self, item: object, item_id: str, kind: str) -> None:
        name, _ = _call(item, kind)
        fields: dict[str, Any] = {"tool_call_id": item_id, "tool_name": name}
        error = get(item, "error")
        value = camel(item, "aggregatedOutput") if kind == "commandExecution" else get(item, "result")
        content = get(value, "content") if kind == "mcpToolCall" else camel(item, "contentItems") or value
        if _word(get(item, "status")) in _FAILED or error is not None:
            words = text(get(error, "message")) or text(value) or _word(get(item, "status"))
            fields |= {"status": "error", "error": words}
            content = words if content is None else content
        if content is None:
            self.emit(ToolFinished, **fields)
        else:
            self.emit_result(read_content(content), **fields)

    def _plan(self, params: object) -> None:
        entries = items(get(params, "plan"))
        steps = [
            {"content": words, "status": _STATES.get(_word(get(one, "status")), "pending")}
            for one in entries
            if (words := text(get(one, "step")))
        ]
        _, others = read_steps(entries)
        if steps or not others:
            self.emit(Plan, entries=steps)
        if others:
            self.emit_unknown(others, "plan", shown=True)

    # Requests of the server to its client.

    def _request(self, native: object, method: str, params: object) -> None:
        is_approval = method.endswith(_APPROVAL)
        if method == "serverRequest/resolved":
            self._resolved(camel(params, "requestId"))
        elif is_approval or method in _QUESTIONS:
            self._ask(native, params, is_approval=is_approval)
        else:
            self.emit_unknown(native, method)

    def _ask(self, native: object, params: object, *, is_approval: bool) -> None:
        item = ident(camel(params, "itemId"))
        request = ident(get(native, "id")) or ident(camel(params, "approvalId")) or item
        if request is None:
            self.emit_unknown(native, text(get(native, "method")))
            return
        self._requests[request] = item
        fields: dict[str, Any] = {}
        words = [text(get(params, "reason")) or text(get(params, "message")), text(get(params, "url"))]
        if is_approval:
            fields["kind"] = "approval"
            words += [f"`{command}`" if (command := _words(get(params, "command"))) else ""]
            if (granted := plain(get(params, "permissions"))) is not None:
                words.append(json_text(granted))
            if item is not None:
                self.emit(ToolProgress, tool_call_id=item, state="awaiting_approval")
        else:
            questions = items(get(params, "questions"))
            words += [text(get(one, "question")) for one in questions]
            fields["answer_schema"] = plain(camel(params, "requestedSchema")) or _schema(questions)
        message = "\n\n".join(filter(None, words)) or None
        self.emit(InputRequested, request_id=request, tool_call_id=item, message=message, **fields)

    def _answered(self, request: str, native: object) -> None:
        """Read the client's own answer."""
        result, error = get(native, "result"), get(native, "error")
        decision = get(result, "decision")
        word = text(decision) or next(iter(fields_of(decision)), "") or text(get(result, "action"))
        is_given = get(result, "permissions") is not None or get(result, "answers") is not None
        action = "accept" if word.startswith(("accept", "approved", "apply")) or is_given else "decline"
        action = "cancel" if word in ("cancel", "abort") or error is not None else action
        value = plain(get(result, "answers")) or plain(get(result, "content"))
        self._end_request(request, action, value=value)

    def _resolved(self, given: object) -> None:
        """Read that a request has its answer: the end of its item will tell which, or nothing does."""
        request = ident(given)
        if request in self._requests and self._requests[request] not in self._started:
            self._end_request(request, "cancel", reason="Answered elsewhere; the stream does not say how.")

    def _decide(self, item: str, status: str) -> None:
        for request in [key for key, of in self._requests.items() if of == item]:
            self._end_request(request, "decline" if status == "declined" else "accept")

    def _withdraw(self) -> None:
        for request in list(self._requests):
            self._end_request(request, "cancel")

    def _end_request(self, request: str, action: str, **fields: Any) -> None:
        item = self._requests.pop(request)
        self.emit(InputAnswered, request_id=request, action=action, **fields)
        if item is not None and action == "accept":
            self.emit(ToolProgress, tool_call_id=item, state="running")

    # Turns.

    def _turn(self, params: object, *, is_end: bool) -> None:
        turn = ident(get(params, "turn", "id")) or ident(camel(params, "turnId")) or ""
        if is_end:
            self._turns_open.discard(turn)
            self._end_turn(get(params, "turn"), get(params, "error"))
        else:
            self._turns_open.add(turn)

    def _end_turn(self, turn: object, error: object) -> None:
        self._end_message()
        self._withdraw()
        status = _word(get(turn, "status"))
        error = error if get(turn, "error") is None else get(turn, "error")
        if status in _STOPPED:
            self.end("cancelled")
        elif status == "failed" or error is not None:
            self._fail(error, is_last=True)
        elif status not in ("", "completed"):
            self._fail(f"The turn ended: {status}.", is_last=True)

    def _fail(self, error: object, *, is_last: bool) -> None:
        words = text(get(error, "message")) or text(error) or ("error" if error is None else reason(error))
        if is_last:
            self.end("error", words)
        else:
            self.emit_unknown(words, "error", shown=True)


def _call(item: object, kind: str) -> tuple[str, Any]:
    if kind == "commandExecution":
        return "shell", {"command": text(get(item, "command")), "cwd": plain(get(item, "cwd"))}
    if kind == "fileChange":
        return "apply_patch", {"changes": plain(get(item, "changes"))}
    if kind == "webSearch":
        return "web_search", {"query": text(get(item, "query"))}
    return text(get(item, "tool")) or kind, parsed(get(item, "arguments"))


def _words(command: object) -> str:
    return text(command) or " ".join(map(text, items(command)))


def _schema(questions: list[Any]) -> Any:
    """Return the JSON Schema of the answers to questions, each with the labels that it offers."""
    fields: dict[str, Any] = {}
    for one in questions:
        labels = [text(get(option, "label")) for option in items(get(one, "options"))]
        title = {"title": text(get(one, "header"))} if text(get(one, "header")) else {}
        fields[text(get(one, "id")) or f"{len(fields) + 1}"] = {
            "type": "string",
            **title,
            **({"examples": labels} if labels else {}),
        }
    return {"type": "object", "properties": fields} if fields else None


def _word(value: object) -> str:
    return text(value) or text(get(value, "value")) or text(get(value, "root"))


def _usage(used: object) -> Usage | None:
    counts: dict[str, Any] = {
        "input_tokens": integer(camel(used, "inputTokens")),
        "output_tokens": integer(camel(used, "outputTokens")),
        "cached_input_tokens": integer(camel(used, "cachedInputTokens")),
        "reasoning_tokens": integer(camel(used, "reasoningOutputTokens")),
    }
    return None if counts["input_tokens"] is None and counts["output_tokens"] is None else Usage(**counts)
