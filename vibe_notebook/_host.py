"""Ask the program that runs the user's code and shows displays: IPython, or plain Python.

The only module that asks IPython; watching and display use it. Callers call ``host()`` for each question, because
a kernel may start after the import. This module imports nothing of IPython: a process that has not loaded IPython
has no shell. To support another notebook (marimo), add a third class with the members of ``Host``, and a line in
``host()``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import re
import sys
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any, Final, Protocol

from ._displays import use_printers
from ._event_loops import in_loop
from ._forks import in_child
from .exceptions import NoAnswerError
from .transcript import Transcript

__all__ = ["Display", "Host", "host"]

_CELL_RUNNERS: Final = frozenset(("IPython", "ipykernel", "tornado"))
"""Packages whose coroutines run a kernel's cells and its widgets' callbacks."""

_OWN: Final = __name__.partition(".")[0]

_PYTHON_CLIENT: Final = re.compile(r"_\d+_\d+\Z")
"""End of a message's id from jupyter_client: (process id, number). Pages send a bare UUID.

The clients in Python that let a cell ask for input are consoles (jupyter console, qtconsole, Spyder); those that run
notebooks (nbclient, papermill) do not, and a server that runs a page's cells names the cell.
"""


class Display(Protocol):
    """Describe a display that can be replaced."""

    def replace(self, data: Mapping[str, Any]) -> None:
        """Replace the display's bundle, even if a capture of displays has begun or ended since its opening."""

    def open_beside(self, data: Mapping[str, Any]) -> Display | None:
        """Show a further display in this one's cell, from any thread; return None where no notebook saves it."""


class Host(Protocol):
    """Describe all questions and requests of this package to its host."""

    @property
    def is_notebook(self) -> bool:
        """Return whether cells show rich displays and a page can send clicks back; False in a terminal."""

    @property
    def is_console(self) -> bool:
        """Return whether the present cell was typed into a console of a kernel, which shows text only."""

    @property
    def asks(self) -> bool:
        """Return whether somebody can answer who sees the present cell, or the terminal."""

    @property
    def asks_in_lines(self) -> bool:
        """Return whether the user answers by lines of text: in a terminal, or in a console of a kernel."""

    def ask_line(self, prompt: str) -> str:
        """Read a line from the user, on any thread. Raises ``NoAnswerError`` where none can be read."""

    def in_coroutine(self) -> bool:
        """Return whether the caller's own code runs in a coroutine, which can await."""

    def loop_turns(self, seconds: float) -> bool:
        """Return whether the kernel's loop turns within *seconds*, so that a click can arrive."""

    def show(self, data: Mapping[str, Any]) -> None:
        """Show a bundle (MIME type to value) in the present cell; a terminal prints its text."""

    def hint(self, text: str) -> None:
        """Show a line to a user who types code; plain Python runs a script, and shows nothing."""

    def open_display(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Display:
        """Show a bundle that can be replaced."""

    def current_cell(self) -> int | None:
        """Return the number of the present cell's execution; None outside of a notebook."""

    def at_cell_end(self, ended: Callable[[BaseException | None], object]) -> bool:
        """Call *ended* once, at the end of the present cell, with its error; return False without cells."""

    def in_own_task(self) -> bool:
        """Return whether a task of the user runs, and not a cell's own code or a widget's callback."""

    def keep_log_out_of_cells(self) -> None:
        """Keep Python from printing unhandled log records into whichever cell runs."""

    def printer(self, value: object, mime: str) -> Callable[[Any], Any] | None:
        """Return the function that the user has registered for *value* and this type; "" for a whole bundle."""

    def remember(self, transcripts: Iterable[Transcript], cell: int | None, title: str) -> None:
        """Shorten these transcripts to one line where they are the result of the cell that has shown them."""


def host() -> Host:
    """Return the host of this moment, without importing one."""
    # A half-imported IPython has no get_ipython yet.
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if get_shell is None else get_shell()
    return _Plain() if shell is None or shell is _parents_shell else _IPython(shell)


_parents_shell: Any = None


def _leave_notebook() -> None:
    """Act as plain Python in the child of a kernel's fork: the kernel's connections are the parent's."""
    global _parents_shell  # noqa: PLW0603 - in the child of a fork
    here = host()
    if isinstance(here, _IPython) and here.is_notebook:
        _parents_shell = here.shell


in_child(_leave_notebook)


def _printer(value: object, mime: str) -> Callable[[Any], Any] | None:
    return host().printer(value, mime)


use_printers(_printer)


_NO_STDIN: Final = "This cell cannot be asked: its client refuses input. Write `await` in the cell, or run the agent in a thread."


def _content(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return request.get("content") or {}


def _is_terminal() -> bool:
    """Return whether a user types at a terminal and reads from it."""
    streams = sys.stdin, sys.stderr
    return all(stream is not None and not stream.closed and stream.isatty() for stream in streams)


class _Plain:
    """Implement the host for a Python process without cells."""

    is_notebook = False
    is_console = False

    @property
    def asks(self) -> bool:
        return _is_terminal()

    @property
    def asks_in_lines(self) -> bool:
        return _is_terminal()

    def ask_line(self, prompt: str) -> str:
        return input(prompt)

    def in_coroutine(self) -> bool:
        return in_loop()

    def loop_turns(self, seconds: float) -> bool:
        del seconds
        return True

    def show(self, data: Mapping[str, Any]) -> None:
        sys.stdout.write(f"{data['text/plain']}\n")

    def hint(self, text: str) -> None:
        """Show nothing."""

    def open_display(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Display:
        del metadata
        self.show(data)
        return self

    def replace(self, data: Mapping[str, Any]) -> None:
        self.show(data)

    def open_beside(self, data: Mapping[str, Any]) -> None:
        del data

    def current_cell(self) -> int | None:
        return None

    def at_cell_end(self, ended: Callable[[BaseException | None], object]) -> bool:
        del ended
        return False

    def in_own_task(self) -> bool:
        return _in_task_beside(frozenset())

    def keep_log_out_of_cells(self) -> None:
        """Leave the log alone."""

    def printer(self, value: object, mime: str) -> None:
        del value, mime

    def remember(self, transcripts: Iterable[Transcript], cell: int | None, title: str) -> None:
        """Remember nothing: plain Python shows no cell's result."""


class _IPython:
    """Implement the host for IPython's shell, in a Jupyter kernel or a terminal."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.is_notebook = getattr(shell, "kernel", None) is not None

    @property
    def is_console(self) -> bool:
        if not self.is_notebook:
            return False
        request = self._request()
        asks = _content(request).get("allow_stdin", False)
        is_of_python = _PYTHON_CLIENT.search((request.get("header") or {}).get("msg_id", "")) is not None
        return bool(asks) and is_of_python and "cellId" not in (request.get("metadata") or {})

    @property
    def asks(self) -> bool:
        return (
            bool(_content(self._request()).get("allow_stdin", False)) if self.is_notebook else _is_terminal()
        )

    @property
    def asks_in_lines(self) -> bool:
        return self.is_console if self.is_notebook else _is_terminal()

    def ask_line(self, prompt: str) -> str:
        if not self.is_notebook:
            return input(prompt)
        if not self.asks:
            raise NoAnswerError(_NO_STDIN)
        return str(self.shell.kernel.raw_input(prompt))

    def in_coroutine(self) -> bool:
        if not self.is_notebook:
            return in_loop()
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as warnings.warn finds its caller
        while frame is not None:
            name = str(frame.f_globals.get("__name__")).partition(".")[0]
            if name in _CELL_RUNNERS:
                return False  # the kernel runs each cell in a coroutine of its own
            if frame.f_code.co_flags & inspect.CO_COROUTINE and name != _OWN:
                return True
            frame = frame.f_back
        return False

    def loop_turns(self, seconds: float) -> bool:
        loop = getattr(getattr(self.shell.kernel, "io_loop", None), "asyncio_loop", None)
        if loop is None or not self.is_notebook:
            return True
        turned = threading.Event()
        try:
            loop.call_soon_threadsafe(turned.set)
        except RuntimeError:
            return True  # the loop is closed: the kernel ends
        return turned.wait(seconds)

    def _request(self) -> dict[str, Any]:
        """Return the execute request of the present cell."""
        get_request = getattr(self.shell, "get_parent", None)  # not every kernel's shell has it
        return {} if get_request is None else get_request() or {}

    def show(self, data: Mapping[str, Any]) -> None:
        self.shell.display_pub.publish(data=dict(data), metadata={})

    def hint(self, text: str) -> None:
        self.show({"text/plain": text})

    def open_display(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Display:
        display = _IPythonDisplay(self.shell.display_pub)
        display.publish(data, metadata, update=False)
        return display

    def current_cell(self) -> int | None:
        return int(self.shell.execution_count) if self.is_notebook else None

    def at_cell_end(self, ended: Callable[[BaseException | None], object]) -> bool:
        events = self.shell.events

        def cell_ends(result: Any) -> None:
            with contextlib.suppress(ValueError):  # cells of subshells can end at the same time
                events.unregister("post_run_cell", cell_ends)
            ended(result.error_in_exec)

        # Not "post_execute": ipykernel triggers that event after each widget message too.
        events.register("post_run_cell", cell_ends)
        return True

    def in_own_task(self) -> bool:
        return _in_task_beside(_CELL_RUNNERS)

    def keep_log_out_of_cells(self) -> None:
        # Python prints records without a handler to stderr, in a kernel into the output of some other cell.
        # The views show failures; a user who wants the log adds a handler.
        log = logging.getLogger("vibe_notebook")
        if self.is_notebook and not log.handlers:
            log.addHandler(logging.NullHandler())

    def printer(self, value: object, mime: str) -> Callable[[Any], Any] | None:
        formatters = self.shell.display_formatter
        formatter = formatters.formatters.get(mime) if mime else formatters.mimebundle_formatter
        if formatter is None or not formatter.enabled:
            return None
        try:
            found: Callable[[Any], Any] = formatter.lookup(value)
        except KeyError:
            return None
        return found

    def remember(self, transcripts: Iterable[Transcript], cell: int | None, title: str) -> None:
        if cell is None:  # a terminal, or a watch without a view
            return
        formatter = self.shell.display_formatter.mimebundle_formatter
        known = formatter.type_printers.get(Transcript)
        if not isinstance(known, _TranscriptFormatter):
            known = _TranscriptFormatter(self.shell)
            formatter.for_type(Transcript, known)
        known.shown = [shown for shown in known.shown if shown[0] == cell]
        known.shown += [(cell, weakref.ref(transcript), title) for transcript in transcripts]


class _IPythonDisplay:
    """Publish and replace one of IPython's displays, under a unique id."""

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher  # the kernel's, or the one of the capture that holds the display
        self._cell = getattr(publisher, "parent_header", None)
        self._id = f"vibe-{uuid.uuid4().hex}"

    def replace(self, data: Mapping[str, Any]) -> None:
        self.publish(data, {}, update=True)

    def open_beside(self, data: Mapping[str, Any]) -> Display | None:
        kernels = self._publisher
        if not hasattr(kernels, "session"):
            return None  # a capture holds the displays
        # A publisher of its own: the kernel's one publishes into the cell that ran last.
        publisher = type(kernels)(session=kernels.session, pub_socket=kernels.pub_socket, topic=kernels.topic)
        publisher.parent_header = self._cell
        display = _IPythonDisplay(publisher)
        display.publish(data, {}, update=False)
        return display

    def publish(self, data: Mapping[str, Any], metadata: Mapping[str, Any], *, update: bool) -> None:
        place = {"display_id": self._id}
        self._publisher.publish(data=dict(data), metadata=dict(metadata), transient=place, update=update)


class _TranscriptFormatter:
    """Make the form in which IPython shows a transcript.

    A cell whose last line is ``await vibe.watch(…)`` has shown its transcript already: as that cell's result the
    transcript is one line. ``display(transcript)``, and any other cell, show the whole transcript.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.shown: list[tuple[int, weakref.ref[Transcript], str]] = []

    def __call__(self, transcript: Transcript, **options: Any) -> dict[str, str]:
        # ipykernel's hook has a message only while it shows a cell's result, not during display().
        is_result = getattr(self.shell.displayhook, "msg", None) is not None
        for cell, seen, title in self.shown if is_result else ():
            if cell == self.shell.execution_count and seen() is transcript:
                return {"text/plain": f"<transcript of {title!r}, shown above>"}
        return transcript._repr_mimebundle_(**options)


def _in_task_beside(runners: frozenset[str]) -> bool:
    """Return whether the running task's coroutine comes from none of these packages."""
    if not in_loop():
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return True  # a task of trio; a kernel's own loop is asyncio's
    frame = getattr(task.get_coro(), "cr_frame", None) if task is not None else None
    return frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] not in runners
