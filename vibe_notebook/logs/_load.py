"""``load``: a log, a recording or a saved transcript as one ``Transcript``.

At the top of this folder.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any, overload

from pydantic import ValidationError

from .._files import open_to_read
from .._foreign_words import clean_logger
from .._forms.wording import name_in_line
from .._limits import LOG_DOCUMENT_BYTES
from ..exceptions import ProtocolError, VibeNotebookError
from ..registry import Registry
from ..transcript import Transcript
from ._log import Log

__all__ = ["load"]

log = clean_logger("vibe_notebook")
_GLOB = frozenset("*?[")


@overload
def load(path: os.PathLike[str]) -> Transcript: ...
@overload
def load(path: str) -> Any: ...
def load(path: str | os.PathLike[str]) -> Transcript | list[Transcript]:
    """Read a whole file: an agent's own log, a recording of ours, or a transcript that was saved as JSON.

    ::

        vibe.load("~/.claude/projects/-work-app/0b6c….jsonl")
        vibe.load("claude:latest")
        vibe.load("runs/*.jsonl")  # a list, sorted by path

    A pattern gives a list of the files that can be read, and a warning for each other. Of a recording of several agents the first one's transcript is returned. Raises ``OSError``
    for a file that cannot be read, ``ProtocolError`` for an empty one, ``AdapterError`` for one of an unknown format.
    """
    if isinstance(path, str) and not os.path.lexists(Path(path).expanduser()) and _GLOB & set(path):
        paths = sorted(glob.glob(str(Path(path).expanduser()), recursive=True))  # noqa: PTH207 - it may be absolute
        if not paths:
            msg = f"No file fits {name_in_line(path)}."
            raise FileNotFoundError(msg)
        return _load_each([Path(one) for one in paths if not Path(one).is_dir()])
    return _load(path)


def _load_each(paths: list[Path]) -> list[Transcript]:
    """Return the transcripts of the files that can be read; a warning names each other file."""
    found: list[Transcript] = []
    first: Exception | None = None
    for path in paths:
        try:
            found.append(_load(path))
        except (OSError, VibeNotebookError) as error:
            first = first or error
            log.warning("%s is left out: %s", name_in_line(str(path)), error)
    if first is not None and not found:
        raise first
    return found


def _load(path: str | os.PathLike[str]) -> Transcript:
    source = Log(path)
    if source.found.kind == "transcript":
        return _saved(source.path)
    registry = Registry()
    for event in source:
        registry.dispatch(event)
    agents = registry.agents()
    if not agents:
        msg = f"{source.path.name} holds no event."
        raise ProtocolError(msg)
    if len(agents) > 1:
        log.warning(
            "%s has %d agents; the transcript is that of %r.", source.path.name, len(agents), agents[0]
        )
    return registry.transcript(agents[0])


def _saved(path: Path) -> Transcript:
    with open_to_read(path, "A transcript") as file:
        data = file.read(LOG_DOCUMENT_BYTES + 1)
    if len(data) > LOG_DOCUMENT_BYTES:
        msg = (
            f"{path.name} has more than {LOG_DOCUMENT_BYTES:,} bytes: load the recording or the log instead."
        )
        raise ProtocolError(msg)
    try:
        return Transcript.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "JSON"
        msg = f"{path.name} is no saved transcript: {name_in_line(place)}: {first['msg']}."
        raise ProtocolError(msg) from None
