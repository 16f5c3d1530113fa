"""Read the chats of Gemini CLI: ``~/.gemini/tmp/PROJECT/chats/session-*.json`` and, of newer versions, ``.jsonl``.

A chat has messages; a message that changes is written again whole, with the same id. Lines of the newer form also change
the chat itself (``$set``) or go back (``$rewindTo``). Source: ``chatRecordingTypes.ts`` of gemini-cli.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vibe_notebook.events import Usage

from .._fields import get, ident, integer, items, plain, text
from .._files import said
from ._reader import LogReader, seconds

__all__ = ["GeminiCLIReader", "entries", "is_document", "recognizes"]

_TYPES: Final = frozenset(("user", "gemini", "info", "error", "warning"))
_ENDS: Final = {"success": "ok", "error": "error", "cancelled": "cancelled"}
_HEAD: Final = ("sessionId", "projectHash")


def recognizes(entry: object) -> bool:
    """Return whether *entry* is a line of a chat; the line may be cut after its first fields."""
    if not isinstance(entry, Mapping):
        return False
    if all(name in entry for name in _HEAD) or "$rewindTo" in entry or isinstance(entry.get("$set"), Mapping):
        return True
    is_own = "parentUuid" not in entry and "sessionId" not in entry
    return is_own and text(entry.get("type")) in _TYPES and "id" in entry and "timestamp" in entry


def is_document(document: Mapping[str, Any]) -> bool:
    """Return whether a JSON value is a chat, by its first fields."""
    return all(name in document for name in _HEAD) and isinstance(document.get("messages"), list)


def entries(document: Mapping[str, Any]) -> Iterator[object]:
    """Yield the chat's own fields, then its messages."""
    yield {name: value for name, value in document.items() if name != "messages"}
    yield from items(document.get("messages"))


class GeminiCLIReader(LogReader):
    """Read one chat."""

    name = "gemini_cli"
    agent = "Gemini CLI"
    keeps_texts = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._seen: set[str] = set()
        """The messages that are shown once, and the calls."""
        self._results: dict[str, str] = {}
        """By call, its status so far."""

    @classmethod
    def time_of(cls, native: object) -> float | None:
        """Return the time of an entry."""
        return seconds(get(native, "timestamp")) or seconds(get(native, "startTime"))

    @classmethod
    def project_of(cls, native: object) -> str:
        """Return the first folder of the chat, if an entry tells it."""
        return text(next(iter(items(get(native, "directories"))), ""))

    def _read(self, native: object) -> None:
        change = get(native, "$set")
        if change is not None:
            self._chat(change)
        elif get(native, "$rewindTo") is not None:
            self.close_message()
            self.note("rewound", "the messages before this line were taken back")
        elif text(get(native, "type")):
            self._message(native)
        else:
            self._chat(native)

    def _chat(self, facts: object) -> None:
        self.retitle(get(facts, "summary"))
        for message in items(get(facts, "messages")):
            self._ts = self.time_of(message) or self._ts
            self._message(message)

    def _message(self, message: object) -> None:
        kind, message_id = (
            text(get(message, "type")),
            ident(get(message, "id")) or f"{self.run_id}:{self._made}",
        )
        if kind == "gemini":
            if not self.is_repeat(message_id, message):
                self._answer(message, message_id)
            return
        if message_id in self._seen:
            return
        self._seen.add(message_id)
        shown = get(message, "displayContent")
        words, files = said(get(message, "content") if shown is None else shown)
        if kind == "user":
            self.turn(words, files, message_id=message_id)
        elif kind in _TYPES:
            self.close_message()
            self.note(kind, words)
            if kind == "error":
                self.trouble("error", words or "error")
        else:
            self.emit_unknown(message, kind)

    def _answer(self, message: object, message_id: str) -> None:
        self.open_message(message_id)
        for i, thought in enumerate(items(get(message, "thoughts"))):
            parts = (text(get(thought, name)) for name in ("subject", "description"))
            self._whole("thinking", f"thought:{i}", "\n".join(filter(None, parts)))
        words, _ = said(get(message, "content"))
        self._whole("text", "0", words)
        for call in items(get(message, "toolCalls")):
            self._call(call)
        self.open_message(message_id)
        self.close_message(self._usage_in(message))

    def _whole(self, kind: str, part_id: str, words: str) -> None:
        if self.streamed.read((self._open_id, kind, part_id)):
            self.emit_whole(kind, part_id, words)
        else:
            self.emit_text(kind, part_id, words)

    def _call(self, call: object) -> None:
        call_id = ident(get(call, "id"))
        if call_id is None or call_id not in self._seen:
            call_id = self.call(call_id, get(call, "name"), plain(get(call, "args")))
            self._seen.add(call_id)
        agent = ident(get(call, "agentId"))
        if agent is not None:
            self.found_agent(agent, call_id)
        status = text(get(call, "status"))
        if status not in _ENDS or self._results.get(call_id) == status:
            return
        self._results[call_id] = status
        value, error = _result_in(call)
        self.result(call_id, value, error=error, status=_ENDS[status])

    def _usage_in(self, message: object) -> Usage | None:
        tokens = get(message, "tokens")
        self._model = ident(get(message, "model")) or self._model
        if tokens is None:
            return None
        answer, thoughts = integer(get(tokens, "output")), integer(get(tokens, "thoughts"))
        return Usage(
            input_tokens=integer(get(tokens, "input")),
            output_tokens=None if answer is None and thoughts is None else (answer or 0) + (thoughts or 0),
            cached_input_tokens=integer(get(tokens, "cached")),
            reasoning_tokens=thoughts,
            model=self._model,
        )


def _result_in(call: object) -> tuple[Any, str]:
    """Return a call's result, and the words of its failure."""
    found: list[Any] = []
    for part in items(get(call, "result")):
        response = get(part, "functionResponse", "response")
        if isinstance(response, Mapping) and len(response) == 1:
            if words := text(response.get("error")):
                return None, words
            response = response.get("output", response)
        found.append(plain(part if response is None else response))
    failed = text(get(call, "status")) == "error"
    shown = plain(get(call, "resultDisplay"))
    value = (found[0] if len(found) == 1 else found) if found else shown
    return value, (text(shown) or text(value) or "error") if failed else ""
