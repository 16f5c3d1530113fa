"""Read A2A, the agent-to-agent protocol: the stream of ``client.send_message``, of version 1 and 0.3, or its JSON.

A response holds one of: a task, a message, an update of a status, an update of an artifact. An artifact with text is a
text that grows (``append``); its files are artifacts. The words of a status are a message of the agent. Version 0.3
yields events with a ``kind``, and pairs of a task and its update. Source: ``a2a.types``, the protocol's specification.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import Artifact, InputAnswered, InputRequested

from ._base import Adapter
from ._fields import camel, get, ident, items, json_text, plain, reason, text
from ._files import as_base64

__all__ = ["A2AAdapter", "matches"]

_MEMBERS: Final = ("task", "message", "statusUpdate", "artifactUpdate")
_KINDS: Final = {
    "task": "task",
    "message": "message",
    "status-update": "statusUpdate",
    "artifact-update": "artifactUpdate",
}
_STATES: Final = (
    *("unspecified", "submitted", "working", "completed", "failed", "canceled"),
    *("input-required", "rejected", "auth-required"),
)
"""The states of a task, by their number in protobuf."""
_ASKING: Final = ("input-required", "auth-required")
_ROLES: Final = ("unspecified", "user", "agent")


def matches(native: object) -> bool:
    """Return whether *native* is a response of a stream, an event of version 0.3, or a pair of these."""
    return bool(_events(native))


def _events(native: object) -> list[tuple[str, object]]:
    """Return the kinds and bodies that a native holds; an empty list for one of another SDK."""
    if isinstance(native, tuple):  # version 0.3: the task so far, and the update that changed it
        task, update = native if len(native) == 2 else (None, None)  # noqa: PLR2004 - a pair
        return _events(task if update is None else update)
    inner = get(native, "result") if get(native, "jsonrpc") is not None else get(native, "root")
    if inner is not None:  # the protocol's JSON-RPC response
        return _events(get(inner, "result") or inner)
    kind = _KINDS.get(text(get(native, "kind")))
    if kind is not None:
        return [(kind, native)] if _is_body(kind, native) else []
    if text(get(native, "type")) or callable(get(native, "model_dump")):
        return []
    present = _present(native)
    found: list[tuple[str, object]] = [(name, camel(native, name)) for name in _MEMBERS if name in present]
    return found if len(found) == 1 and _is_body(*found[0]) else []


def _present(native: object) -> set[str]:
    """Return the members that a native has; protobuf gives an empty message for one that is missing."""
    which = get(native, "WhichOneof")
    if callable(which):
        try:
            name = which("payload")
        except Exception:  # noqa: BLE001 - another protobuf message has no such choice
            return set()
        head, *rest = str(name).split("_")
        return {head + "".join(word.title() for word in rest)}
    return {name for name in _MEMBERS if camel(native, name) is not None}


def _is_body(kind: str, body: object) -> bool:
    if kind == "message":
        return bool(_items(get(body, "parts"))) and ident(camel(body, "messageId")) is not None
    inner = "artifact" if kind == "artifactUpdate" else "status"
    return get(body, inner) is not None and ident(get(body, "id") or camel(body, "taskId")) is not None


class A2AAdapter(Adapter):
    """Read the work of one remote agent on one message."""

    name = "a2a"
    keeps_texts = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._seen: set[str] = set()
        self._open: str | None = None
        self._chunks: dict[str, int] = {}
        self._state = ""
        """The task's last state."""
        self._request: str | None = None
        """The open request for input."""
        self._asked = 0

    def _read(self, native: object) -> None:
        found = _events(native)
        error = get(native, "error") or get(native, "root", "error")
        if not found and error is not None:  # the protocol's JSON-RPC error
            self.end(
                "error",
                text(get(error, "message")) or text(error) or reason(error),
                ident(get(error, "code")),
            )
        elif not found:
            self.emit_unknown(native, ident(get(native, "kind")) or ident(get(native, "type")))
        for kind, body in found:
            if kind == "message":
                self._message(body)
            elif kind == "artifactUpdate":
                self._artifact(get(body, "artifact"), is_more=get(body, "append") is True)
            else:
                # The newest message of the user; the agent's are artifacts or statuses.
                for message in _items(get(body, "history"))[-1:]:
                    if _name(get(message, "role"), _ROLES) == "user":
                        self._message(message)
                for artifact in _items(get(body, "artifacts")):
                    self._artifact(artifact, is_more=False)
                self._status(get(body, "status"))

    def _close(self) -> None:
        self._end_message()
        if self._state in ("submitted", "working", *_ASKING):
            self.end("interrupted")

    # Messages.

    def _begin(self, message: str) -> None:
        if self._open != message:
            self._end_message()
            self._open = message
            self.begin_message(message)
        self._envelope = {"message_id": message}

    def _end_message(self) -> None:
        message, self._open = self._open, None
        self.end_message(message)

    def _message(self, body: object) -> None:
        message, parts = ident(camel(body, "messageId")), _items(get(body, "parts"))
        if message is None or message in self._seen:
            return
        self._seen.add(message)
        if _name(get(body, "role"), _ROLES) == "user":
            self._end_message()
            self.emit_turn("\n\n".join(filter(None, map(_words, parts))), message_id=message)
            return
        self._begin(message)
        for i, part in enumerate(parts):
            self._part(f"{i}", part)
        self._end_message()

    def _status(self, status: object) -> None:
        state, message = _name(get(status, "state"), _STATES), get(status, "message")
        if message is not None and _items(get(message, "parts")):
            self._message(message)
        words = "\n\n".join(filter(None, map(_words, _items(get(message, "parts")))))
        if state and state != self._state:
            self._answered("accept" if state in ("submitted", "working", "completed", *_ASKING) else "cancel")
        self._state = state or self._state
        if state in ("failed", "rejected"):
            self.end("error", words or state, state)
        elif state in ("canceled", "cancelled"):
            self.end("cancelled")
        elif state in _ASKING:
            if self._request is None:
                self._asked += 1
                number = f":{self._asked}" if self._asked > 1 else ""
                self._request = f"{self.run_id}:{state}{number}"
            self.emit(InputRequested, request_id=self._request, message=words or state)

    def _answered(self, action: str) -> None:
        """Close the open request: the task goes on, or has ended. The words of the answer are not in the stream."""
        request, self._request = self._request, None
        if request is not None:
            self.emit(InputAnswered, request_id=request, action=action)

    # Artifacts.

    def _artifact(self, artifact: object, *, is_more: bool) -> None:
        native_id = ident(camel(artifact, "artifactId"))
        if native_id is None or (native_id in self._chunks and not is_more and self._is_same(artifact)):
            return
        self._begin(f"{self.run_id}:{native_id}")
        if not is_more:
            self._chunks[native_id] = 0
        for part in _items(get(artifact, "parts")):
            number = self._chunks.get(native_id, 0)
            words = _words(part)
            if words and is_more:
                self.emit_text("text", "0", words)
            elif words:
                self.emit_whole("text", "0", self._so_far(number) + words)
            else:
                self._part(f"{native_id}:{number}", part, text(get(artifact, "name")))
            self._chunks[native_id] = number + 1

    def _so_far(self, number: int) -> str:
        """Return the text of an artifact's earlier parts; a first part replaces what was there."""
        return self.streamed.read(self._key("text", "0")) if number else ""

    def _is_same(self, artifact: object) -> bool:
        """Return whether a task repeats an artifact that was streamed."""
        whole = "".join(map(_words, _items(get(artifact, "parts"))))
        return self.streamed.has("text", whole)

    def _part(self, part_id: str, part: object, name: str = "") -> None:
        words, file = _words(part), get(part, "file")
        source = file if file is not None else part
        data, url = get(source, "bytes") or get(source, "raw"), get(source, "url") or get(source, "uri")
        media = text(camel(source, "mediaType")) or text(camel(source, "mimeType"))
        if words:
            self.emit_text("text", part_id, words)
        elif data or url:
            name = text(get(source, "filename")) or text(get(source, "name")) or name
            encoded = as_base64(data) if isinstance(data, str | bytes) and data else None
            place = {"data": encoded} if encoded else {"url": text(url) or None}
            fields: dict[str, Any] = {"media_type": media or None, "name": name or None, **place}
            where = f"{self._envelope.get('message_id', self.run_id)}:{part_id}"
            self.emit(Artifact, artifact_id=where, part_id=f"file:{part_id}", **fields)
        else:
            self.emit_unknown(part, "part")


def _items(value: object) -> list[Any]:
    """Return the elements of a list, or of protobuf's repeated field."""
    if isinstance(value, list | tuple):
        return items(value)
    kind = type(value).__name__
    return list(value) if "Repeated" in kind else []  # type: ignore[call-overload]


def _words(part: object) -> str:
    part = get(part, "root") or part
    if words := text(get(part, "text")):
        return words
    data = _value(get(part, "data"))
    if isinstance(data, dict | list) and data:
        return f"```json\n{json_text(plain(data))}\n```"
    return ""


def _name(value: object, names: tuple[str, ...]) -> str:
    """Return the name of a state or a role: protobuf numbers them, its JSON spells them in capitals."""
    if isinstance(value, int) and not isinstance(value, bool):
        return names[value] if 0 <= value < len(names) else ""
    word = value if isinstance(value, str) else get(value, "value")
    word = text(word).lower().replace("_", "-")
    return word.removeprefix("task-state-").removeprefix("role-")


def _value(value: object) -> Any:
    """Return a JSON value that protobuf holds as a message."""
    which = get(value, "WhichOneof")
    if not callable(which):
        return value
    kind = which("kind")
    inner = get(value, str(kind))
    if kind == "struct_value":
        return {name: _value(one) for name, one in get(inner, "fields").items()}
    if kind == "list_value":
        return [_value(one) for one in get(inner, "values")]
    return None if kind == "null_value" else inner
