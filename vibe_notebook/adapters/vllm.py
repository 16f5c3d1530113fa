"""Read vLLM: ``AsyncLLM.generate`` yields the request with its outputs so far; with ``DELTA`` the newest pieces.

No field names the kind (``SamplingParams.output_kind`` is not in the output), but the token ids tell it: an output so far
begins with all tokens of the output before it. Source: ``vllm.outputs``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from vibe_notebook.events import MessageFinished, Usage

from ._base import Adapter
from ._fields import fields_of, get, ident, integer, items, text
from ._text_so_far import TextSoFar

__all__ = ["VLLMAdapter", "matches"]

_REQUEST: Final = {"request_id", "prompt", "prompt_token_ids", "outputs", "finished"}
_OUTPUT: Final = {"index", "text", "token_ids", "finish_reason"}
_REPEATED: Final = 3
"""Tokens that outputs must repeat from their beginning on: a model hardly writes the same pieces again by chance."""


def matches(native: object) -> bool:
    """Return whether *native* is the output of a request for text."""
    outputs = get(native, "outputs")
    if not fields_of(native).keys() >= _REQUEST or not isinstance(outputs, list):
        return False
    return all(fields_of(one).keys() >= _OUTPUT for one in outputs)


class _Outputs:
    """Make pieces of the outputs of one request, and tell by the first ones which kind they are.

    ``tokens`` is the count of the tokens so far.
    """

    def __init__(self, *, so_far: bool | None) -> None:
        self._is_so_far = so_far
        self._by_text = TextSoFar(is_certain=so_far is True)
        self._text = ""
        self._ids: Sequence[Any] = ()
        self._first = ""
        """The text that has been shown while the kind is open."""
        self._held: list[str] = []
        self._repeated = 0
        self._has_ids = False
        self._sum = 0
        self._last = 0

    @property
    def tokens(self) -> int:
        """Return the count of the tokens so far."""
        return self._sum if self._is_so_far is False else self._last

    def feed(self, words: str, ids: Sequence[Any]) -> Iterator[tuple[str, str]]:
        """Yield what is new in an output, as ("delta", piece), or as ("whole", text) if it was revised."""
        self._sum, self._last = self._sum + len(ids), len(ids)
        self._has_ids = self._has_ids or bool(ids)
        if self._is_so_far is False:
            yield "delta", words
        elif self._is_so_far or not self._has_ids:
            yield from self._by_text.feed(words)
        else:
            yield from self._judge(words, ids)

    def finish(self, *, is_abort: bool) -> Iterator[tuple[str, str]]:
        """Yield what was held back. An abort alone repeats an output so far; growing outputs are outputs so far."""
        if self._is_so_far is None and self._has_ids:
            has_grown = self._repeated > 0
            yield from self._decide(so_far=has_grown or (is_abort and len(self._held) == 1))
        elif self._is_so_far is None:
            yield from self._by_text.finish()

    def _judge(self, words: str, ids: Sequence[Any]) -> Iterator[tuple[str, str]]:
        before, known = self._text, self._ids
        self._text, self._ids = words, ids
        if not known:
            self._first += words
            yield "delta", words
            return
        self._held.append(words)
        if not words.startswith(before) or list(ids[: len(known)]) != list(known):
            yield from self._decide(so_far=False)
        elif len(ids) > len(known):
            self._repeated += len(known)
            if self._repeated >= _REPEATED:
                yield from self._decide(so_far=True)
        elif len(self._held) >= _REPEATED and not self._repeated:
            yield from self._decide(so_far=False)  # vLLM gives no output so far without a new token

    def _decide(self, *, so_far: bool) -> Iterator[tuple[str, str]]:
        self._is_so_far, held, self._held = so_far, self._held, []
        if not so_far:
            for words in held:
                yield "delta", words
        elif held:
            self._by_text = TextSoFar(is_certain=True)
            for _ in self._by_text.feed(self._first):
                pass  # it is shown
            yield from self._by_text.feed(held[-1])


class VLLMAdapter(Adapter):
    """Read one request, or several, one after the other; of several outputs the first.

    ``so_far`` says whether each output repeats the text before; ``None`` finds it by the first outputs.
    """

    name = "vllm"
    has_think_tags = True

    def __init__(self, *, so_far: bool | None = None, **ids: Any) -> None:
        super().__init__(**ids)
        self._so_far = so_far
        self._message: str | None = None
        self._request: str | None = None
        self._count = 0
        self._outputs = _Outputs(so_far=so_far)
        self._whole = ""
        self._reason: str | None = None
        self._prompt = 0

    def _read(self, native: object) -> None:
        if not matches(native):
            self.emit_unknown(native, ident(get(native, "type")))
            return
        if self._message is None or ident(get(native, "request_id")) != self._request:
            self._end_message()
            self._request = ident(get(native, "request_id"))
            self._message = f"{self.run_id}:{self._count}"
            self._count += 1
            self.begin_message(self._message)
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
        found = get(output, "token_ids")
        ids = found if isinstance(found, Sequence) and not isinstance(found, str | bytes) else ()
        self._show(self._outputs.feed(text(get(output, "text")), ids))
        self._reason = ident(get(output, "finish_reason")) or self._reason
        self._prompt = _count(get(native, "prompt_token_ids")) or self._prompt

    def _show(self, pieces: Iterable[tuple[str, str]]) -> None:
        for kind, piece in pieces:
            if kind == "delta" and not self._whole:
                self.emit_text("text", "0", piece)
            else:
                self._whole = piece if kind == "whole" else self._whole + piece
                self.emit_whole("text", "0", self._whole)

    def _end_message(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._envelope = {"message_id": message}
            self._show(self._outputs.finish(is_abort=self._reason == "abort"))
            tokens = self._outputs.tokens
            usage = Usage(input_tokens=self._prompt or None, output_tokens=tokens) if tokens else None
            self.emit(MessageFinished, finish_reason=self._reason, usage=usage)
            self.streamed.forget(message)
        self._envelope, self._outputs, self._whole = {}, _Outputs(so_far=self._so_far), ""
        self._reason, self._prompt = None, 0


def _count(tokens: object) -> int:
    """Return the number of tokens in a list, or in one of vLLM's own sequences."""
    return len(tokens) if isinstance(tokens, Sequence) and not isinstance(tokens, str | bytes) else 0
