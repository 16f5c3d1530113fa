"""A cell whose last line is ``await vibe.watch(…)`` shows the stream, not its transcript once more.

Between the pipeline and IPython's displayhook: a transcript that the cell has shown is a line there.
``display(transcript)``, and any other cell, show the whole of it.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable
from typing import Any

from ..transcript import Transcript

__all__ = ["current_cell", "kernel_shell", "remember"]


def kernel_shell() -> Any:
    """The kernel's shell, ``None`` if this process is no kernel; nothing is imported for it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell if getattr(shell, "kernel", None) is not None else None


def current_cell() -> int | None:
    """The number of the kernel's present cell."""
    shell = kernel_shell()
    return None if shell is None else int(shell.execution_count)


def remember(transcripts: Iterable[Transcript], cell: int | None, title: str) -> None:
    """Take note of what a cell shows under a title."""
    shell = kernel_shell()
    if shell is None or cell is None:
        return
    formatter = shell.display_formatter.mimebundle_formatter
    known = formatter.type_printers.get(Transcript)
    if not isinstance(known, _Results):
        known = _Results(shell)
        formatter.for_type(Transcript, known)
    known.shown = [shown for shown in known.shown if shown[0] == cell]
    known.shown += [(cell, weakref.ref(transcript), title) for transcript in transcripts]


class _Results:
    """What IPython asks for the form of a transcript."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.shown: list[tuple[int, weakref.ref[Transcript], str]] = []

    def __call__(self, transcript: Transcript, **options: Any) -> dict[str, str]:
        # ipykernel's hook has a message only while a cell's result is made: display() is not that.
        is_result = getattr(self._shell.displayhook, "msg", None) is not None
        for cell, seen, title in self.shown if is_result else ():
            if cell == self._shell.execution_count and seen() is transcript:
                return {"text/plain": f"<transcript of {title!r}, shown above>"}
        return transcript._repr_mimebundle_(**options)
