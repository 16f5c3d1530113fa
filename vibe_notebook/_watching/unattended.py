"""Answer requests that nobody sees: by the environment, or by an error's words. Beside ``requests.py``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ..exceptions import ProtocolError

if TYPE_CHECKING:
    from .questions import Request

__all__ = ["ANSWERS", "nobody", "of_environment"]

ANSWERS: Final = "VIBE_NOTEBOOK_ANSWERS"
"""Variable with the answers for runs that nobody sees: ``accept``, ``decline``, or the path of a JSON file."""


def nobody(request: Request) -> str:
    """Return the words of the error where nobody can answer."""
    asked = f"the tool {request.tool!r}" if request.tool else repr((request.message or "the request")[:100])
    return (
        f"Nobody is there to answer {asked}: no page, no terminal. Give default=, register on_request, or set {ANSWERS} "
        + ("to accept, decline or " if request.kind == "approval" else "to ")
        + "the path of a JSON file of answers by tool name or message."
    )


def of_environment(request: Request) -> tuple[Literal["accept", "decline", "cancel"], Any] | None:
    """Return the action and the value that the environment gives; ``None``: it gives none."""
    given = os.environ.get(ANSWERS, "")
    if not given:
        return None
    if given in ("accept", "decline"):
        return (given, None) if request.kind == "approval" else None  # type: ignore[return-value]
    if not Path(given).exists():
        msg = "this is neither accept, decline nor a file"
        raise ProtocolError(msg)
    answers = json.loads(Path(given).read_text(encoding="utf-8"))
    if not isinstance(answers, Mapping):
        msg = "the file holds no object of answers by tool name or message"
        raise ProtocolError(msg)
    key = next((key for key in (request.tool, request.message) if key is not None and key in answers), None)
    if key is None:
        names = " and ".join(repr(key[:100]) for key in (request.tool, request.message) if key is not None)
        msg = f"the file has no answer for {names or 'a request without words'}"
        raise ProtocolError(msg)
    found = answers[key]
    if found in ("accept", "decline", "cancel"):
        return found, None
    if request.kind == "approval":  # whatever is no plain yes approves nothing
        msg = f"the answer for {key[:100]!r} has to be accept, decline or cancel"
        raise ProtocolError(msg)
    return "accept", found
