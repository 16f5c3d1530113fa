"""A part as the browser has it: what every kind has in common.

Below ``_parts.py`` and ``_texts.py``.
"""

from __future__ import annotations

from typing import Any

from ._fields import Field, Op

__all__ = ["Shown"]

_NOTHING = object()


class Shown:
    """A part as the browser has it. ``ops`` of the base only sets what changed in ``props``."""

    kind = ""

    def __init__(self, key: int) -> None:
        self.key = key
        self.parent = ""
        self.version = -1  # of the node when it was read
        self.props: dict[str, Any] = {}
        self.fields: dict[str, Field] = {}
        self._new: dict[str, Any] = {}

    def read(self, node: Any) -> None:
        """Under the lock: take what is new."""

    def ops(self) -> list[Op]:
        """Outside of the lock: what brings the browser up to date."""
        changed = {k: v for k, v in self._new.items() if self.props.get(k, _NOTHING) != v}
        self.props.update(changed)
        self._new = {}
        return [["set", self.key, changed]] if changed else []

    def sent_whole(self) -> None:
        """The browser has what the snapshot says."""

    def snapshot(self) -> dict[str, Any]:
        """The part as a whole."""
        return {
            "key": self.key,
            "kind": self.kind,
            "props": dict(self.props),
            "fields": {name: text for name, field in self.fields.items() if (text := field.read())},
            "blocks": [],
            "open": "",
            "tail": "",
            "parts": [],
        }

    def _append(self, name: str, text: str) -> list[Op]:
        if not text:
            return []
        return [self.fields.setdefault(name, Field()).append(self.key, name, text)]

    def _replace(self, name: str, text: str) -> list[Op]:
        return self.fields.setdefault(name, Field()).replace(self.key, name, text)
