"""Find the thinking that a model writes into its text as ``<think>…</think>``.

Servers without a parser for the model's reasoning (vLLM, llama.cpp, Ollama) pass it on in this form, at the beginning
of a message's content. Anywhere else the tag is text of the agent. ``Adapter.emit_text`` uses the class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["ThinkTags", "split_whole"]

_OPENING: Final = "<think>"
_CLOSING: Final = "</think>"
Piece = tuple[str, str]
"""("text" or "thinking", its text)"""


class ThinkTags:
    """Divide the deltas of one content into thinking and text, wherever the deltas cut a tag."""

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""

    def feed(self, delta: str) -> Iterator[Piece]:
        """Yield the pieces of the next delta; hold back what may be half a tag, or space around the thinking."""
        if self._state == "text":
            yield "text", delta
            return
        held, self._held = self._held + delta, ""
        if self._state == "start":
            content = held.lstrip()
            if not content.startswith(_OPENING):
                if _OPENING.startswith(content):
                    self._held = held
                else:
                    self._state = "text"
                    yield "text", held
                return
            self._state, held = "begun", content[len(_OPENING) :]
        if self._state in ("begun", "thinking"):
            thought, closing, held = held.partition(_CLOSING)
            if self._state == "begun":
                thought = thought.lstrip()
            shown = thought.rstrip() if closing else thought[: _end(thought)]
            if shown:
                self._state = "thinking"
                yield "thinking", shown
            if not closing:
                self._held = thought[len(shown) :]
                return
            self._state = "after"
        if held := held.lstrip():
            self._state = "text"
            yield "text", held

    def finish(self) -> Iterator[Piece]:
        """Yield what is held back at the end of the content. Thinking that nothing closes stays thinking."""
        held, state, self._held = self._held, self._state, ""
        if held and state == "start":
            yield "text", held
        elif held.strip():
            yield "thinking", held


def _end(thought: str) -> int:
    """Return the end of *thought* without white space and half a closing tag behind it."""
    at = thought.rfind("<")
    if at >= 0 and _CLOSING.startswith(thought[at:]):
        thought = thought[:at]
    return len(thought.rstrip())


def split_whole(content: str) -> tuple[str, str]:
    """Return the thinking and the text of a whole content."""
    tags, found = ThinkTags(), {"thinking": "", "text": ""}
    for kind, piece in (*tags.feed(content), *tags.finish()):
        found[kind] += piece
    return found["thinking"], found["text"]
