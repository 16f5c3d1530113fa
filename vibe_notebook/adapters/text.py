"""Read a stream of plain strings: ``watch(["Hello ", "world"])``.

The strings are deltas, or each is the text so far, as pydantic-ai's ``stream_text()`` yields it by default.
"""

from __future__ import annotations

from ._base import Adapter, is_event_line
from ._fields import get, ident, text
from ._text_so_far import TextSoFar
from ._tool_results import is_turn
from .chatlas import ChatlasAdapter
from .chatlas import matches as is_chatlas

__all__ = ["TextAdapter", "matches"]

_UNCLEAR = (
    "Each string began with all of the string before. They were too few to tell the text so far from deltas, so they "
    'are shown one after the other. Pass adapter=vibe_notebook.adapters.get("text", so_far=True), or so_far=False.'
)


def matches(native: object) -> bool:
    """Return whether *native* is a string, and no line of a recording."""
    return isinstance(native, str) and not is_event_line(native)


class TextAdapter(Adapter):
    """Build one text part of all strings; emit other natives under the name of their type.

    ``so_far`` says whether each string is the text so far; ``None`` finds it by the first strings.
    """

    name = "text"
    has_think_tags = True

    def __init__(self, *, so_far: bool | None = None, **ids: str | None) -> None:
        super().__init__(**ids)  # type: ignore[arg-type]  # the base checks none of them either
        self._so_far = so_far
        self._part = "0"
        self._parts = 0
        self._pieces = None if so_far is False else TextSoFar(is_certain=so_far is True)
        self._is_revised = False
        self._whole = ""
        self._contents: ChatlasAdapter | None = None
        """Reads the rest of a stream whose strings chatlas has mixed with its contents."""

    def _read(self, native: object) -> None:
        if self._contents is None and not isinstance(native, str) and is_chatlas(native):
            self._finish_text()
            self._contents = ChatlasAdapter(agent_id=self.agent_id, run_id=self.run_id)
        if self._contents is not None:
            made = self._contents.feed(native)
            self.add_events(event for event in made if event.type != "run_started")
        elif is_turn(native):
            self._finish_text()
            self.emit_unknown(native, None)
            # The text goes on after the turn, in a part of its own.
            self._pieces = None if self._so_far is False else TextSoFar(is_certain=self._so_far is True)
            self._is_revised, self._whole, self._part = False, "", str(self._turns)
        elif not isinstance(native, str):
            self.emit_unknown(native, ident(get(native, "type")))
        elif self._pieces is None:
            self._emit("text", text(native))
        else:
            for kind, piece in self._pieces.feed(native):
                self._emit(kind, piece)

    def _emit(self, kind: str, piece: str) -> None:
        if self.is_interrupted and not self._is_revised:
            self.is_interrupted = False
            self._parts += 1
            self._part = f"{self._turns}.{self._parts}"
        if kind == "whole":
            self._is_revised, self._whole = True, piece
        elif self._is_revised:
            self._whole += piece
        else:
            self.emit_text("text", self._part, text(piece))
            return
        # After a replacement every piece is one: a tag of thinking may stand anywhere in it.
        self.emit_whole("text", self._part, text(self._whole))

    def _close(self) -> None:
        if self._contents is not None:
            own = ("run_started", "run_finished")
            self.add_events(event for event in self._contents.finish() if event.type not in own)
        else:
            self._finish_text()

    def _finish_text(self) -> None:
        if self._pieces is None:
            return
        is_unclear = self._pieces.is_unclear
        for kind, piece in self._pieces.finish():
            self._emit(kind, piece)
        if is_unclear:
            self._finish_texts()
            self.emit_unknown(_UNCLEAR, "text_or_text_so_far", shown=True)

    def _record_delta(self, kind: str, name: str, delta: str) -> None:
        """Hold no text: no whole text follows to compare with."""
