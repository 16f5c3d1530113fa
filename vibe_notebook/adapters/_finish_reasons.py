"""Tell from a message's finish reason whether the message is whole.

Each API has names of its own for the same reasons; a reason that is on no list means that the message is whole.
"""

from __future__ import annotations

from typing import Final

__all__ = ["problem_of"]

_INCOMPLETE: Final = frozenset(
    (
        "blocklist",
        "content_filter",
        "content_filtered",
        "guardrail_intervened",
        "image_other",
        "image_prohibited_content",
        "image_recitation",
        "image_safety",
        "language",
        "length",
        "max_completion_tokens",
        "max_length",
        "max_output_tokens",
        "max_tokens",
        "model_armor",
        "model_context_window_exceeded",
        "model_length",
        "no_image",
        "prohibited_content",
        "recitation",
        "refusal",
        "repetition_truncation",
        "safety",
        "spii",
        "token_limit",
    )
)
"""The message is cut short, or held back in part."""

_FAILED: Final = frozenset(
    (
        "abort",
        "aborted",
        "engine_error",
        "error",
        "failed",
        "failure",
        "insufficient_system_resource",
        "internal_error",
        "malformed_function_call",
        "malformed_model_output",
        "malformed_response",
        "malformed_tool_use",
        "missing_thought_signature",
        "model_error",
        "server_error",
        "timeout",
        "too_many_tool_calls",
        "unexpected_tool_call",
    )
)
"""The server gave up."""


def problem_of(reason: str | None) -> str | None:
    """Return the sentence that says why a message with this finish reason is not whole; ``None`` if it is."""
    name = (reason or "").lower().replace("-", "_")
    if name in _INCOMPLETE:
        return f"The message is incomplete: {reason}."
    if name in _FAILED:
        return f"The server ended the message: {reason}."
    return None
