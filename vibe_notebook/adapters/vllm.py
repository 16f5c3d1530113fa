"""Read vLLM: ``AsyncLLM.generate`` yields the request with its outputs so far; with ``DELTA`` the newest pieces.

An output repeats all of its text and its tokens, unless it is a piece: a piece does not begin with the text before.
Source: ``vllm.outputs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from vibe_notebook.events import MessageFinished, MessageStarted, Usage

from ._base import Adapter
from ._fields import fields_of, get, ident, integer, items, text

__all__ = ["VLLMAdapter", "matches"]

_REQUEST: Final = {"request_id", "prompt", "prompt_token_ids", "outputs", "finished"}
_OUTPUT: Final = {"index", "text", "token_ids", "finish_reason"}


def matches(native: object) -> bool:
    """Return whether *native* is the output of a request for text."""
    outputs = get(native, "outputs")
    if not fields_of(native).keys() >= _REQUEST or not isinstance(outputs, list):
        return False
    return all(fields_of(one).keys() >= _OUTPUT for one in outputs)


class VLLMAdapter(Adapter):
    """Read one request, or several, one after the other; of several outputs the first."""

    name = "vllm"
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._request: str | None = None
        self._count = 0
        self._text = ""
        self._tokens = 0
        self._reason: str | None = None
        self._usage_now: Usage | None = None

    def _read(self, native: object) -> None:
        if not matches(native):
            self.emit_unknown(native, ident(get(native, "type")))
            return
        if self._message is None or ident(get(native, "request_id")) != self._request:
            self._end_message()
            self._request = ident(get(native, "request_id"))
            self._message = f"{self.run_id}:{self._count}"
            self._count += 1
            self._envelope = {"message_id": self._message}
            self.emit(MessageStarted)
        self._envelope = {"message_id": self._message}
        outputs = items(get(native, "outputs"))
        output = next((one for one in outputs if (integer(get(one, "index")) or 0) == 0), None)
        if output is not None:
            self._output(native, output)
        if get(native, "finished") is True:
            self._end_message()

    def _close(self) -> None:
        self._end_message()

    def _output(self, native: object, output: object) -> None:
        words, tokens = text(get(output, "text")), _count(get(output, "token_ids"))
        if words.startswith(self._text) and (tokens >= self._tokens or not tokens):
            delta, self._text, self._tokens = words[len(self._text) :], words, tokens
        else:
            delta, self._text, self._tokens = words, self._text + words, self._tokens + tokens
        self.emit_text("text", "0", delta)
        self._reason = ident(get(output, "finish_reason")) or self._reason
        prompt = _count(get(native, "prompt_token_ids"))
        if self._tokens:
            self._usage_now = Usage(input_tokens=prompt or None, output_tokens=self._tokens)

    def _end_message(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._envelope = {"message_id": message}
            self.emit(MessageFinished, finish_reason=self._reason, usage=self._usage_now)
            self.streamed.forget(message)
        self._envelope, self._text, self._tokens, self._reason, self._usage_now = {}, "", 0, None, None


def _count(tokens: object) -> int:
    """Return the number of tokens in a list, or in one of vLLM's own sequences."""
    return len(tokens) if isinstance(tokens, Sequence) and not isinstance(tokens, str | bytes) else 0
