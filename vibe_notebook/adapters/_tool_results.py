"""Read an application's reports about the tools that the application runs itself.

The adapters of model APIs share these functions: such an API streams the model's tool calls, never
their results. The application reports the start of a tool as ``{"call_id", "name", "arguments"}``, and
its end as ``{"call_id", "output"}`` or ``{"call_id", "error"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vibe_notebook.events import ToolFinished, ToolStarted

from ._fields import get, ident, parsed, plain, reason, text
from ._files import split_blocks

__all__ = ["finish_fields", "message_result", "report_event"]


def report_event(native: object) -> tuple[type[Any], dict[str, Any]] | None:
    """Return the event class and fields of a report; ``None`` if *native* is no report."""
    call_id = ident(get(native, "call_id"))
    if call_id is None or not isinstance(native, Mapping) or text(get(native, "type")):
        return None
    if "output" in native or "error" in native:
        return ToolFinished, finish_fields(native)
    name, args = text(get(native, "name")) or None, parsed(get(native, "arguments"))
    return ToolStarted, {"tool_call_id": call_id, "tool_name": name, "args": args}


def finish_fields(native: object) -> dict[str, Any]:
    """Return the fields of a ``ToolFinished`` for a report of a tool's end."""
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

    The message's ``content`` is text or a list of blocks, as the next request sends it to the model.
    """
    output, files = split_blocks(get(native, "content"))
    fields = {
        "tool_call_id": call_id,
        "tool_name": text(get(native, "name")) or None,
        "status": "error" if is_error else "ok",
        "output": output,
        "error": reason(output) if is_error else None,
    }
    return fields, files
