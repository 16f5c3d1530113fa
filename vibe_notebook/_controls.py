"""Look up, check and carry out a click on a view.

``Pipeline`` makes the ``Controls`` of its view: that table is the only place that defines what each click does.
The view's output decodes the page's message and calls ``Controls.use`` with it. A control's function runs on the
thread that received the message, at any moment: the function may only signal the watch, in a thread-safe way,
and return. For example, ``Watch.cancel`` interrupts a step that is pending on another thread.
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
    """Describe the fields of a click's message beside ``type``; a subclass adds them, this class has none."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


@dataclass(frozen=True, slots=True)
class Control:
    """Define one control: a click's name, its action and its payload."""

    name: str
    """The ``type`` of the click's message."""
    do: Callable[..., object] | None
    """The function that carries out a click; ``None``: the view does not offer the control."""
    payload: type[Payload] = Payload
    """The message's other fields, which become the keywords of ``do``."""


class Controls:
    """Hold the controls that one view offers."""

    def __init__(self, *controls: Control) -> None:
        self._offered = {each.name: (each.do, each.payload) for each in controls if each.do is not None}

    def __contains__(self, name: str) -> bool:
        return name in self._offered

    def use(self, message: Mapping[str, Any]) -> bool:
        """Carry out a click, or log the reason to refuse it; return whether it was carried out.

        Any thread may call this method. An error of the control's function propagates.
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
            # A page may send anything: the log repeats the first wrong fields, shortened, and no value.
            wrong = [f"{reprlib.repr('.'.join(map(str, e['loc'])))}: {e['msg']}" for e in error.errors()[:3]]
            log.warning("Refused a page's %r with wrong fields: %s", name, "; ".join(wrong))
            return False
        do(**dict(keywords))
        return True
