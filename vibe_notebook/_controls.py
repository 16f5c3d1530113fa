"""Look up, check and carry out a click on a view.

``Pipeline`` makes the ``Controls`` of its view: its table is the only place that says what each click does.
The view's output decodes the page's message and gives it to ``Controls.use``. A control's function runs on the
thread that received the message, in the middle of anything: it must only hand over to the watch, from any
thread, and return. So ``Watch.cancel`` interrupts a step that is pending elsewhere.
"""

from __future__ import annotations

import logging
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

__all__ = ["Control", "Controls", "Payload"]

log = logging.getLogger("vibe_notebook")


class Payload(BaseModel):
    """The fields of a click's message beside its ``type``; the class itself has none."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


@dataclass(frozen=True, slots=True)
class Control:
    """One thing to click."""

    name: str
    """The ``type`` of its message."""
    do: Callable[..., object] | None
    """Carries out a click; ``None``: the view does not offer it."""
    payload: type[Payload] = Payload
    """The keywords of ``do``: the message's other fields."""


class Controls:
    """The controls that one view offers."""

    def __init__(self, *controls: Control) -> None:
        self._offered = {each.name: (each.do, each.payload) for each in controls if each.do is not None}

    def __contains__(self, name: str) -> bool:
        return name in self._offered

    def use(self, message: Mapping[str, Any]) -> bool:
        """Carry out a click, or log why not; return whether it was carried out. From any thread.

        Raises what the control's function raises.
        """
        fields = dict(message)
        name = fields.pop("type", None)
        if not isinstance(name, str) or name not in self._offered:
            log.warning("Refused a page's %s: its view has no such control", reprlib.repr(name))
            return False
        do, payload = self._offered[name]
        try:
            keywords = payload.model_validate(fields)
        except ValidationError as error:
            # A page may send anything: the log repeats the beginning of it, and no value.
            wrong = [f"{reprlib.repr('.'.join(map(str, e['loc'])))}: {e['msg']}" for e in error.errors()[:3]]
            log.warning("Refused a page's %r with wrong fields: %s", name, "; ".join(wrong))
            return False
        do(**dict(keywords))
        return True
