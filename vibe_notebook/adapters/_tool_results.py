"""What an application says of the tools that it runs itself, in a form that any model API's adapter takes.

Used by those adapters: a model API streams what the model asks for, never what came of it. The form:
``{"call_id", "name", "arguments"}`` when a tool starts, ``{"call_id", "output"}`` or ``{"call_id",
"error"}`` when it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vibe_notebook.events import ToolFinished, ToolStarted

from ._fields import get, ident, parsed, plain, reason, text
from ._files import take_blocks

__all__ = ["app_event", "message_result", "result_of"]


def app_event(native: object) -> tuple[type[Any], dict[str, Any]] | None:
    """Return the event and its fields; ``None``: *native* is not of that form."""
    call_id = ident(get(native, "call_id"))
    if call_id is None or not isinstance(native, Mapping) or text(get(native, "type")):
        return None
    if "output" in native or "error" in native:
        return ToolFinished, result_of(native)
    name, args = text(get(native, "name")) or None, parsed(get(native, "arguments"))
    return ToolStarted, {"tool_call_id": call_id, "tool_name": name, "args": args}


def result_of(native: object) -> dict[str, Any]:
    """Return the fields of a ``ToolFinished``."""
    output, error = plain(get(native, "output")), get(native, "error")
    fields = {"tool_call_id": ident(get(native, "call_id")), "tool_name": text(get(native, "name")) or None}
    if error is None:
        return {**fields, "output": output}
    return {
        **fields,
        "status": "error",
        "output": plain(error) if output is None else output,
        "error": reason(error),
    }


def message_result(
    call_id: str, native: object, *, is_error: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the fields of a ``ToolFinished``, and the files, of a message that answers a tool call.

    Its ``content`` is text or a list of blocks, as the next request repeats it to the model.
    """
    output, files = take_blocks(get(native, "content"))
    fields = {
        "tool_call_id": call_id,
        "tool_name": text(get(native, "name")) or None,
        "status": "error" if is_error else "ok",
        "output": output,
        "error": reason(output) if is_error else None,
    }
    return fields, files
