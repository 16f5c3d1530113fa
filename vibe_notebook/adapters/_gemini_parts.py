"""Read the parts of Gemini's messages, its sources and its counts; for google-genai and Google's ADK.

A part sets one of its fields; the others are null. Field names are in snake_case, or in camelCase from the API.
Source: ``google.genai.types``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

from vibe_notebook.events import Usage

from ._citations import citation_fields
from ._fields import camel, get, ident, integer, items, plain, text

__all__ = ["cited_works", "code_of", "file_in", "kind_of", "usage_in"]

_KINDS: Final = {
    "functionCall": "function_call",
    "functionResponse": "function_response",
    "inlineData": "file",
    "fileData": "file",
    "executableCode": "executable_code",
    "codeExecutionResult": "code_execution_result",
    "toolCall": "server_call",
    "toolResponse": "server_result",
}
_STANDARD: Final = str.maketrans("-_", "+/")


def kind_of(part: object) -> str:
    """Return the kind of a part; "" for an empty part, "unknown" for a new kind."""
    for name, kind in _KINDS.items():
        if camel(part, name) is not None:
            return kind
    if isinstance(get(part, "text"), str):
        return "thinking" if get(part, "thought") is True else "text"
    fields = plain(part)
    values = fields.items() if isinstance(fields, dict) else ()
    quiet = ("thought", "thought_signature", "thoughtSignature", "video_metadata", "videoMetadata")
    return "unknown" if any(value is not None and name not in quiet for name, value in values) else ""


def file_in(part: object) -> dict[str, Any]:
    """Return the artifact fields of a file part."""
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
    """Return the fields of the call, or of the result, of code that the model ran."""
    code, result = camel(part, "executableCode"), camel(part, "codeExecutionResult")
    if code is not None:
        return {"id": ident(get(code, "id")), "args": {"code": text(get(code, "code"))}}
    outcome, output = get(result, "outcome"), text(get(result, "output"))
    failed = text(getattr(outcome, "value", outcome)) not in ("", "OUTCOME_OK")
    fields = {"status": "error", "error": output or "error"} if failed else {}
    return {"id": ident(get(result, "id")), "output": output, **fields}


def usage_in(native: object) -> Usage | None:
    """Return the usage so far; thinking counts as output."""
    found = camel(native, "usageMetadata")
    if found is None:
        return None
    answer, thinking = (
        integer(camel(found, name)) for name in ("candidatesTokenCount", "thoughtsTokenCount")
    )
    return Usage(
        input_tokens=integer(camel(found, "promptTokenCount")),
        output_tokens=None if answer is None and thinking is None else (answer or 0) + (thinking or 0),
        cached_input_tokens=integer(camel(found, "cachedContentTokenCount")),
        reasoning_tokens=thinking,
        model=ident(camel(native, "modelVersion")),
    )


def cited_works(metadata: object) -> Iterator[dict[str, Any]]:
    """Yield the citation of each work that a text repeats."""
    for citation in items(get(metadata, "citations")) or items(camel(metadata, "citationSources")):
        names = {"uri": get(citation, "uri"), "title": get(citation, "title")}
        places = {
            name: camel(citation, of)
            for name, of in (("start_index", "startIndex"), ("end_index", "endIndex"))
        }
        if (fields := citation_fields({**names, **places})) is not None:
            yield fields
