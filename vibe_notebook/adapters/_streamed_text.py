"""Hold the streamed part of each text, to compare with the whole text that many SDKs send after it.

``Adapter`` keeps one ``StreamedTexts`` a run. The class stores deltas by their number: a repeated or
late delta changes nothing.
"""

from __future__ import annotations

from vibe_notebook._json_values import scrub

__all__ = ["Key", "StreamedTexts"]

_CALLS = 64
"""Calls of finished messages whose arguments are kept: one message seldom has more."""
Key = tuple[str | None, str, str]
"""(message, kind, part or tool call)"""


class StreamedTexts:
    """Hold the growing texts of a run.

    ``at`` is the number that the source gave to a delta; ``None`` stands for the next in arrival.
    """

    def __init__(self) -> None:
        self._deltas: dict[Key, dict[int, str]] = {}
        self._floors: dict[Key, int] = {}
        self._count = 0
        self._last_args: dict[str, str] = {}

    def add(self, key: Key, delta: str, at: int | None = None) -> None:
        """Append a delta to a text, unless a later whole has replaced that delta already."""
        at = self._next(at)
        if at > self._floors.get(key, -1):
            self._deltas.setdefault(key, {})[at] = delta

    def replace(self, key: Key, whole: str, at: int | None = None) -> None:
        """Replace all deltas up to *at* with *whole*."""
        at = self._floors[key] = self._next(at)
        later = {i: delta for i, delta in self._deltas.get(key, {}).items() if i > at}
        self._deltas[key] = {at: whole, **later}

    def read(self, key: Key) -> str:
        """Return the text so far."""
        deltas = self._deltas.get(key, {})
        return scrub("".join(deltas[at] for at in sorted(deltas)))

    def read_args(self, key: Key | None, call_id: str) -> str:
        """Return the arguments of a call, also those of a finished message."""
        return (self.read(key) if key is not None else "") or self._last_args.get(call_id, "")

    def has(self, kind: str, whole: str) -> bool:
        """Return whether a text of this kind is *whole*."""
        return any(key[1] == kind and self.read(key) == whole for key in self._deltas)

    def forget(self, message: str | None) -> None:
        """Drop the texts of a finished message; keep the newest arguments until their calls start."""
        for key in [key for key in self._deltas if key[0] == message and key[1] == "args"]:
            self._last_args[key[2]] = self.read(key)
            if len(self._last_args) > _CALLS:
                del self._last_args[next(iter(self._last_args))]
        for texts in (self._deltas, self._floors):
            for key in [key for key in texts if key[0] == message]:
                del texts[key]

    def _next(self, at: int | None) -> int:
        self._count += 1
        return self._count if at is None else at
