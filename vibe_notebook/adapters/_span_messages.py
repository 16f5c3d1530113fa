"""Read the messages in the spans of models and agents, in the forms of all conventions.

Beside ``_spans.py``. ``gen_ai`` has messages as JSON (``gen_ai.input.messages``) and, in earlier versions, as events;
OpenInference and OpenLLMetry number them in the names of attributes; traces of openai-agents have the items of OpenAI.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ._fields import camel, get, ident, items, parsed, text
from ._files import block_file

__all__ = ["Piece", "Said", "message_of", "messages_of"]


class Piece(NamedTuple):
    """Hold a part of a message: text, thinking, a file, a call, or a call's result."""

    kind: str
    text: str = ""
    call_id: str | None = None
    name: str | None = None
    value: Any = None


class Said(NamedTuple):
    """Hold one message."""

    role: str
    pieces: tuple[Piece, ...]
    finish_reason: str | None = None

    @property
    def words(self) -> str:
        """Return the text of the message."""
        return "\n".join(piece.text for piece in self.pieces if piece.kind == "text")


_ROLES: Final = {"ai": "assistant", "developer": "system", "human": "user", "model": "assistant"}
_TEXTS: Final = frozenset(("", "text", "input_text", "output_text", "refusal"))
_THOUGHTS: Final = frozenset(("reasoning", "thinking", "summary_text", "reasoning_text"))
_CALLS: Final = frozenset(
    ("tool_call", "tool_use", "function_call", "function", "custom_tool_call", "server_tool_call")
)
_FIELDS: Final = {
    "functionCall": "tool_call",
    "functionResponse": "tool_result",
    "reasoningText": "reasoning",
    "toolResult": "tool_result",
    "toolUse": "tool_call",
}
_RESULTS: Final = frozenset(
    ("tool_call_response", "tool_result", "function_call_output", "custom_tool_call_output")
)


def messages_of(value: object) -> tuple[Said, ...]:
    """Return the messages in a list, in one message, in JSON text, or in plain text."""
    found = parsed(value)
    if isinstance(found, str):
        return (Said("", (Piece("text", found),)),) if found else ()
    if found is None:
        return ()
    if get(found, "messages") is not None:
        return messages_of(get(found, "messages"))
    listed = items(found) or [found]
    if listed and isinstance(listed[0], list):  # LangChain: a list of conversations
        listed = listed[0]
    if listed and all(isinstance(one, str) for one in listed):
        return (Said("", (Piece("text", "\n".join(map(text, listed))),)),)
    return tuple(said for one in listed if (said := message_of(one)) is not None)


def message_of(native: object) -> Said | None:
    """Return one message; ``None`` for a value that is none."""
    if isinstance(native, str):
        return Said("", (Piece("text", text(native)),)) if native else None
    inner = get(native, "message")  # a choice, or an attribute of OpenInference
    if inner is not None and not isinstance(inner, str):
        found = message_of(inner)
        reason = ident(get(native, "finish_reason"))
        return found and found._replace(finish_reason=found.finish_reason or reason)
    native = _of_langchain(native)
    role = text(get(native, "role"))
    kind = text(get(native, "type"))
    if not role and (kind in _CALLS or kind in _RESULTS or kind in _THOUGHTS):
        pieces = tuple(_piece(native))
        return Said("tool" if kind in _RESULTS else "assistant", pieces) if pieces else None
    pieces = (*_content(native, role), *_tool_calls(native))
    if not pieces and not role:
        return None
    return Said(_ROLES.get(role, role), pieces, ident(get(native, "finish_reason")))


def _of_langchain(native: object) -> object:
    """Return a message as LangChain serialises it: {"lc": 1, "id": […, "AIMessage"], "kwargs": {…}}."""
    kwargs, path = get(native, "kwargs"), items(get(native, "id"))
    if kwargs is None or not path:
        return native
    role = str(path[-1]).removesuffix("Chunk").removesuffix("Message").lower()
    return {**(kwargs if isinstance(kwargs, dict) else {}), "role": role, "type": "", "id": None}


def _content(native: object, role: str) -> Iterable[Piece]:
    if role == "tool" or (call := get(native, "tool_call_id")) is not None:
        call = ident(get(native, "tool_call_id")) or ident(get(native, "id"))
        blocks = items(get(native, "parts"))
        if not any(text(get(one, "type")) in _RESULTS for one in blocks):
            yield Piece(
                "result",
                call_id=call,
                name=ident(get(native, "name")),
                value=get(native, "content") or blocks,
            )
            return
    for thought in ("reasoning_content", "reasoning", "thinking"):
        if words := text(get(native, thought)):
            yield Piece("thinking", words)
            break
    for field in ("parts", "contents", "content"):
        found = get(native, field)
        found = get(found, "parts") or found  # Gemini's content
        if isinstance(found, str):
            if found:
                yield Piece("text", text(found))
            return
        if items(found):
            for block in items(found):
                yield from _piece(block)
            return
    if words := text(get(native, "refusal")):
        yield Piece("text", words)


def _tool_calls(native: object) -> Iterable[Piece]:
    for call in items(get(native, "tool_calls")):
        yield from _call(get(call, "tool_call") or call)
    if (legacy := get(native, "function_call")) is not None and not text(get(native, "type")):
        yield from _call(legacy)
    name = text(get(native, "function_call_name"))
    if name:
        yield Piece("call", name=name, value=parsed(get(native, "function_call_arguments_json")))


def _call(call: object) -> Iterable[Piece]:
    function = get(call, "function") or get(call, "custom") or call
    name = ident(get(function, "name"))
    fields = ("arguments", "args", "input", "action")
    args = next((found for field in fields if (found := get(function, field)) is not None), None)
    call_id = ident(get(call, "call_id")) or ident(get(call, "id"))
    if name or call_id:
        yield Piece("call", call_id=call_id, name=name, value=parsed(args))


def _piece(block: object) -> Iterable[Piece]:
    block = get(block, "message_content") or block
    if isinstance(block, str):
        yield Piece("text", text(block))
        return
    block = _of_cloud(block)
    kind = text(get(block, "type"))
    if kind in _THOUGHTS:
        yield from _thoughts(block)
    elif kind in _CALLS or kind.endswith("_tool_use"):
        yield from _call(block)
    elif kind in _RESULTS or kind.endswith("_tool_result"):
        fields = ("response", "result", "output", "content")
        value = next((found for field in fields if (found := get(block, field)) is not None), None)
        names = ("call_id", "tool_call_id", "tool_use_id", "id")
        call_id = next((found for field in names if (found := ident(get(block, field)))), None)
        yield Piece("result", call_id=call_id, name=ident(get(block, "name")), value=parsed(value))
    elif (file := _file(block, kind)) is not None:
        yield Piece("file", value=file)
    elif kind in _TEXTS or isinstance(get(block, "text"), str):
        words = text(get(block, "content")) or text(get(block, "text")) or text(get(block, "refusal"))
        if words:
            yield Piece("text", words)


def _of_cloud(block: object) -> object:
    """Return a block of Bedrock or Gemini, whose kind is the name of its only field, with that kind as its type."""
    block = get(block, "reasoningContent") or block
    for field, kind in _FIELDS.items():
        if (inner := camel(block, field)) is not None and not isinstance(inner, str):
            fields = ("toolUseId", "name", "input", "args", "id", "response", "content", "text")
            found = {name: one for name in fields if (one := camel(inner, name)) is not None}
            return {**found, "id": found.get("toolUseId") or found.get("id"), "type": kind}
    return block


def _thoughts(block: object) -> Iterable[Piece]:
    words = text(get(block, "content")) or text(get(block, "text")) or text(get(block, "thinking"))
    lists = [*items(get(block, "summary")), *items(get(block, "content"))]
    words = words or "\n\n".join(line for one in lists if (line := text(get(one, "text"))))
    if words:
        yield Piece("thinking", words)


def _file(block: object, kind: str) -> dict[str, Any] | None:
    """Return the ``Artifact`` fields of a block with a file; the conventions' own blobs and addresses too."""
    media = ident(get(block, "mime_type")) or ident(get(block, "media_type"))
    if kind == "blob" and isinstance(data := get(block, "content") or get(block, "data"), str):
        return {"media_type": media, "data": text(data)}
    if kind == "uri" and (url := ident(get(block, "uri"))):
        return {"media_type": media, "url": url}
    image = get(block, "image")
    if kind == "image" and (url := ident(get(image, "image", "url")) or ident(get(image, "url"))):
        return block_file({"type": "image_url", "image_url": {"url": url}})
    return block_file(block)
