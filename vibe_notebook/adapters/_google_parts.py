"""The parts of Gemini's contents: which kind one is, and what it says.

Pure; used by ``google_adk``. A part has one of its fields; the others are null.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import Usage

from ._read import camel, get, ident, integer, plain, reason, text

__all__ = ["code_of", "failure_in", "file_in", "kind_of", "usage_in"]

_KINDS: Final = {
    "functionCall": "function_call",
    "functionResponse": "function_response",
    "inlineData": "file",
    "fileData": "file",
    "executableCode": "executable_code",
    "codeExecutionResult": "code_execution_result",
}
_STANDARD: Final = str.maketrans("-_", "+/")


def kind_of(part: object) -> str:
    """Return which kind of part it is; "" for an empty one, "unknown" for what is new."""
    for name, kind in _KINDS.items():
        if camel(part, name) is not None:
            return kind
    if isinstance(get(part, "text"), str):
        return "thinking" if get(part, "thought") is True else "text"
    fields = plain(part)
    said = fields.items() if isinstance(fields, dict) else ()
    quiet = ("thought", "thought_signature", "thoughtSignature", "video_metadata", "videoMetadata")
    return "unknown" if any(value is not None and name not in quiet for name, value in said) else ""


def file_in(part: object) -> dict[str, Any]:
    """Return the artifact fields of a part that is a file."""
    inline, linked = camel(part, "inlineData"), camel(part, "fileData")
    source = linked if inline is None else inline
    name, media = ident(camel(source, "displayName")), ident(camel(source, "mimeType"))
    data = get(inline, "data")
    if isinstance(data, bytes):
        return {"name": name, "media_type": media, "data": base64.b64encode(data).decode()}
    if data is not None:
        return {"name": name, "media_type": media, "data": text(data).translate(_STANDARD)}
    return {"name": name, "media_type": media, "url": ident(camel(linked, "fileUri"))}


def code_of(part: object) -> dict[str, Any]:
    """Return the fields of a call, or a result, of code that the model ran."""
    code, result = camel(part, "executableCode"), camel(part, "codeExecutionResult")
    if code is not None:
        return {"id": ident(get(code, "id")), "args": {"code": text(get(code, "code"))}}
    outcome, output = get(result, "outcome"), text(get(result, "output"))
    failed = text(getattr(outcome, "value", outcome)) not in ("", "OUTCOME_OK")
    fields = {"status": "error", "error": output or "error"} if failed else {}
    return {"id": ident(get(result, "id")), "output": output, **fields}


def failure_in(response: object) -> str | None:
    """Return why a call failed, where its result follows one of the SDK's conventions."""
    if not isinstance(response, Mapping):
        return None
    if response.get("error"):
        return reason(response["error"])
    if text(response.get("status")) == "error":
        return reason(response.get("error_message") or response.get("message") or dict(response))
    return reason(dict(response)) if response.get("isError") is True else None


def usage_in(native: object) -> Usage | None:
    """Return what was used so far; what was thought is part of the output."""
    found = camel(native, "usageMetadata")
    if found is None:
        return None
    said, thought = (integer(camel(found, name)) for name in ("candidatesTokenCount", "thoughtsTokenCount"))
    return Usage(
        input_tokens=integer(camel(found, "promptTokenCount")),
        output_tokens=None if said is None and thought is None else (said or 0) + (thought or 0),
        cached_input_tokens=integer(camel(found, "cachedContentTokenCount")),
        reasoning_tokens=thought,
        model=ident(camel(native, "modelVersion")),
    )
