"""Read DSPy's ``streamify``: pieces of fields, status messages, and the prediction at the end.

Each field that a listener follows is a part of its predictor's message; fields of reasoning are thinking. The
prediction has all fields: those that no piece came of are shown at the end. Source: ``dspy.streaming.messages``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import Usage

from ._base import Adapter
from ._fields import fields_of, get, ident, integer, items, json_text, plain, text

__all__ = ["DSPyAdapter", "matches"]

_PIECE: Final = {"predict_name", "signature_field_name", "chunk"}
_PREDICTION: Final = {"_store", "_lm_usage"}
_REASONING: Final = frozenset(("next_thought", "rationale", "reasoning", "thought"))
_TOOLS: Final = frozenset(("next_tool_name", "next_tool_args", "trajectory"))
"""Fields of an agent's steps, which are no answer."""


def matches(native: object) -> bool:
    """Return whether *native* is a piece of a field, a status message or a prediction."""
    names = fields_of(native).keys()
    if names >= _PIECE:
        return bool(text(get(native, "signature_field_name")))
    return names >= _PREDICTION or _is_status(native)


def _is_status(native: object) -> bool:
    kind = type(native)
    return kind.__module__.startswith("dspy.") and kind.__name__ == "StatusMessage"


class DSPyAdapter(Adapter):
    """Read one run of a program."""

    name = "dspy"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: tuple[str, str] | None = None
        """The id of the open message, and the name of its predictor."""
        self._count = 0
        self._texts: dict[str, str] = {}
        """The text of each field in its newest message."""
        self._fields: set[str] = set()
        """The fields of the open message."""

    def _read(self, native: object) -> None:
        names = fields_of(native).keys()
        choices = items(get(native, "choices"))
        if names >= _PIECE and matches(native):
            self._piece(native)
        elif names >= _PREDICTION:
            self._prediction(native)
        elif _is_status(native) or (names == {"message"} and isinstance(get(native, "message"), str)):
            self._end_message()
            self.emit_unknown(text(get(native, "message")), "status", shown=True)
        elif choices:  # without a listener, the program yields the chunks of its model
            self._show("", "", text(get(choices[0], "delta", "content")))
        else:
            self.emit_unknown(native, ident(get(native, "type")))

    def _close(self) -> None:
        self._end_message()

    def _piece(self, native: object) -> None:
        name = text(get(native, "signature_field_name"))
        chunk = get(native, "chunk")
        words = text(chunk) if isinstance(chunk, str) else json_text(plain(chunk))
        self._show(text(get(native, "predict_name")), name, words)
        if get(native, "is_last_chunk") is True:
            self._fields.add(name)

    def _show(self, predictor: str, name: str, words: str) -> None:
        # A predictor that runs again begins its fields again.
        if self._message is not None and (self._message[1] != predictor or name in self._fields):
            self._end_message()
        if self._message is None:
            self._message = f"{self.run_id}:{self._count}", predictor
            self._count += 1
            self.begin_message(self._message[0])
            self._texts.pop(name, None)
        self._envelope = {"message_id": self._message[0]}
        if not self._texts.get(name):
            words = words.lstrip("\n")  # early versions leave the end of the field's header
        self._texts[name] = self._texts.get(name, "") + words
        kind = "thinking" if name in _REASONING else "text"
        self.emit_text(kind, name or "0", words)

    def _end_message(self) -> None:
        message, self._message = self._message, None
        self._fields.clear()
        if message is not None:
            self.end_message(message[0])
        self._envelope = {}

    def _prediction(self, native: object) -> None:
        self._end_message()
        self._usage = _usage(get(native, "_lm_usage"))
        fields = {str(name): value for name, value in fields_of(get(native, "_store")).items()}
        self._result = plain(fields)
        answers = [name for name in fields if name not in _TOOLS]
        for name in answers:
            value = fields[name]
            words = text(value) if isinstance(value, str) else json_text(plain(value))
            written = self._texts.get(name, self._texts.get("", "")).strip()
            if not words or written == words.strip() or ("" in self._texts and words.strip() in written):
                continue
            if len(answers) > 1 and name not in _REASONING:
                words = f"**{name}**: {words}"
            self._show("", name, words)
        self._end_message()


def _usage(used: object) -> Usage | None:
    """Return the counts of all models together."""
    models = {str(name): counts for name, counts in fields_of(used).items()}
    totals: dict[str, Any] = {}
    for ours, theirs in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        found = [n for counts in models.values() if (n := integer(get(counts, theirs))) is not None]
        totals[ours] = sum(found) if found else None
    if totals["input_tokens"] is None and totals["output_tokens"] is None:
        return None
    return Usage(**totals, model=next(iter(models)) if len(models) == 1 else None)
