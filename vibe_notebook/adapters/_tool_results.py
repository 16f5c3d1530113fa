"""Read an application's reports about the tools that the application runs itself.

The adapters of model APIs share these functions: such an API streams the model's tool calls, never
their results. The application reports the start of a tool as ``{"call_id", "name", "arguments"}``, and
its end as ``{"call_id", "output"}`` or ``{"call_id", "error"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ._fields import get, ident, parsed, reason, text
from ._result_blocks import Result, read_content, read_result

__all__ = ["Report", "finish_report", "is_answer", "is_call_item", "is_turn", "message_result", "read_report"]


class Report(NamedTuple):
    """Hold a report: the fields of a ``ToolStarted``, or with a result of a ``ToolFinished``."""

    fields: dict[str, Any]
    result: Result | None = None


def read_report(native: object) -> Report | None:
    """Return the report that *native* is; ``None`` if *native* is no report."""
    call_id = ident(get(native, "call_id"))
    if call_id is None or not isinstance(native, Mapping) or text(get(native, "type")):
        return None
    if "output" in native or "error" in native:
        return finish_report(native)
    name, args = text(get(native, "name")) or None, parsed(get(native, "arguments"))
    return Report({"tool_call_id": call_id, "tool_name": name, "args": args})


def finish_report(native: object) -> Report:
    """Return the report of a tool's end, also in the form in which the next request sends it to the model."""
    output, error = get(native, "output"), get(native, "error")
    fields = {"tool_call_id": ident(get(native, "call_id")), "tool_name": text(get(native, "name")) or None}
    if error is None:
        return Report(fields, read_result(output))
    fields |= {"status": "error", "error": reason(error)}
    return Report(fields, read_result(error if output is None else output))


def message_result(
    call_id: str, native: object, *beside: object, is_error: bool
) -> tuple[Result, dict[str, Any]]:
    """Return the result, and the other fields of a ``ToolFinished``, of a message that answers a tool call.

    The message's ``content`` is text or a list of blocks, as the next request sends it to the model. *beside* are
    values that may have the blocks which the content has not.
    """
    result = read_content(get(native, "content"), *beside)
    fields = {
        "tool_call_id": call_id,
        "tool_name": text(get(native, "name")) or None,
        "status": "error" if is_error else "ok",
        "error": reason(result.output) if is_error else None,
    }
    return result, fields


def is_turn(native: object) -> bool:
    """Return whether *native* is a message of the user's or of the system's, which stands before any stream."""
    return isinstance(native, dict) and text(native.get("role")) in ("user", "system", "developer")


def is_call_item(native: object) -> bool:
    """Return whether *native* is a call as an item of the Responses API's input: no stream yields one by itself."""
    return isinstance(native, dict) and text(native.get("type")) == "function_call"


def is_answer(native: object) -> bool:
    """Return whether *native* is a tool's message, which is in lists of messages and in streams of models' APIs."""
    names = (get(native, "tool_call_id"), get(native, "tool_name"))
    return text(get(native, "role")) == "tool" and not get(native, "type") and any(map(ident, names))
