"""Open the logs that agents write for themselves: Claude Code and others.

``load`` returns a transcript. ``Log`` is a source for ``watch`` that can follow a log as it grows, ``PipedLog`` one that
reads a pipe. ``sessions`` lists the logs of this machine. Above the recording and the readers of ``adapters.logs``, below
``watch`` and the command line.
"""

from ._homes import meant_log, names_a_log
from ._listing import session_lines
from ._load import load
from ._log import Log
from ._piped import PipedLog
from ._sessions import Session, sessions

__all__ = ["Log", "PipedLog", "Session", "load", "meant_log", "names_a_log", "session_lines", "sessions"]
