"""Tell the dialect of a log by its content: at most its first 64 KB, and never its name.

Above the readers of ``adapters.logs``. The dialect with the most recognised lines counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from .. import adapters
from .._forms.wording import name_in_line
from ..adapters.logs import DIALECTS, Dialect
from ..exceptions import AdapterError, ProtocolError
from ._truncated_json import read_beginning

__all__ = ["Found", "loaded", "tell"]

_NATIVES: Final = 8
"""Entries that show the SDK of a stream that was saved."""
_ZIP: Final = b"PK\x03\x04"
Kind = Literal["lines", "document", "archive", "database", "recording", "transcript", "natives"]


@dataclass(frozen=True, slots=True)
class Found:
    """Hold the kind of a log, its dialect (``None`` for one of our own), and its first entries.

    ``adapter`` names the adapter of an SDK's stream that was saved.
    """

    kind: Kind
    dialect: Dialect | None = None
    head: tuple[Any, ...] = field(default=(), repr=False)
    adapter: str = ""

    @property
    def agent(self) -> str:
        """Return the agent's name for a reader."""
        own = {"recording": "a recording", "transcript": "a saved transcript"}
        return self.dialect.agent if self.dialect else own.get(self.kind, self.adapter)


def loaded(line: bytes) -> Any:
    """Return the value of a line of JSON. Raises ``ValueError`` for a damaged line."""
    try:
        return json.loads(line)
    except UnicodeDecodeError:
        return json.loads(line.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None


def tell(head: bytes, name: str, *, is_whole: bool) -> Found:
    """Return the kind and the dialect of the log *name* that begins with *head*, and ends there if it *is_whole*.

    Raises ``ProtocolError`` for an empty log, ``AdapterError`` for one that no dialect reads.
    """
    shown = name_in_line(name)
    if not head.strip():
        msg = f"{shown} is empty: the agent has written nothing yet."
        raise ProtocolError(msg)
    if head.startswith(_ZIP):
        return _told_archive(head, shown)
    entries = _entries(head, is_whole=is_whole)
    document = _document(head, is_whole=is_whole) if len(entries) <= 1 else None
    if document is not None and (found := _told_document(document)) is not None:
        return found
    counts = {dialect: sum(map(dialect.is_entry, entries)) for dialect in DIALECTS if dialect.is_entry}
    dialect = max(counts, key=lambda each: counts[each])
    own = sum(adapters.recognizes("events", entry) for entry in entries)
    if own > counts[dialect]:
        return Found("recording", head=tuple(entries))
    if counts[dialect]:
        return Found("lines", dialect, tuple(entries))
    is_line = document is not None and b"\n" not in head.strip()
    natives = entries or ([document] if is_line else [])
    adapter = _adapter_of(natives)
    if adapter is not None:
        return Found("natives", None, tuple(natives), adapter)
    raise _unknown(head, shown, is_whole=is_whole)


def _told_archive(head: bytes, shown: str) -> Found:
    for dialect in DIALECTS:
        if dialect.archive_marks and any(mark in head for mark in dialect.archive_marks):
            return Found("archive", dialect)
    msg = f"{shown} is an archive of no agent that this version knows: {_agents()}."
    raise AdapterError(msg)


def _told_document(document: object) -> Found | None:
    if not isinstance(document, Mapping):
        return None
    if "agent_id" in document and "parts" in document:
        return Found("transcript")
    for dialect in DIALECTS:
        if dialect.is_document is not None and dialect.is_document(document):
            return Found("document", dialect, (document,))
    return None


def _entries(head: bytes, *, is_whole: bool) -> list[Any]:
    """Return the entries of the whole lines; of the cut first line its first fields."""
    lines = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    cut = b"" if is_whole else lines.pop()
    found: list[Any] = []
    for line in lines:
        try:
            found += [value] if isinstance(value := loaded(line), Mapping) else []
        except ValueError:
            continue
    if not found and not is_whole and (value := read_beginning(cut.decode("utf-8", "ignore"))) is not None:
        found += [value] if isinstance(value, Mapping) else []
    return found


def _document(head: bytes, *, is_whole: bool) -> Any:
    words = head.removeprefix(b"\xef\xbb\xbf")
    if is_whole:
        try:
            return loaded(words)
        except ValueError:
            pass  # the agent may have been killed while it wrote
    return read_beginning(words.decode("utf-8", "ignore"))


def _adapter_of(natives: list[Any]) -> str | None:
    try:
        return adapters.detect(*natives[:_NATIVES]) if natives else None
    except AdapterError:
        return None


def _unknown(head: bytes, shown: str, *, is_whole: bool) -> AdapterError:
    count = len([line for line in head.split(b"\n") if line.strip()])
    part = "" if is_whole else f" in its first {len(head):,} bytes"
    return AdapterError(
        f"{shown}: 0 of {count:,} lines{part} understood. This version reads the logs of {_agents()}."
    )


def _agents() -> str:
    return ", ".join(dialect.agent for dialect in DIALECTS)
