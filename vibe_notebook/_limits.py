"""Define the bounds that users and peers can meet, each with its unit, its value and its reason.

At the bottom of the package: imports nothing of it. A bound of one module's own work stays in that module.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ANSWER_BYTES",
    "ANSWER_SECONDS",
    "CHAT_QUEUE",
    "CHAT_SHOWN",
    "COUNT_LIMIT",
    "DISPLAYS_BYTES",
    "DISPLAY_BYTES",
    "DISPLAY_SECONDS",
    "FOREIGN_WORDS",
    "FORM_BYTES",
    "ID_LIMIT",
    "IMAGE_PIXELS",
    "INT_LIMIT",
    "LOG_DOCUMENT_BYTES",
    "LOG_FILES",
    "LOG_HEAD_BYTES",
    "LOG_LINE_BYTES",
    "LOG_POLL_SECONDS",
    "MESSAGE_SHOWN",
    "NAME_LIMIT",
    "NAME_SHOWN",
    "OPTIONS_LIMIT",
    "PLAN_LIMIT",
    "RENDERER_SECONDS",
    "RENDERS",
    "RENDER_SECONDS",
    "TABLE_CELLS",
    "TAIL_BYTES",
    "TAIL_EVENTS",
    "TIME_LIMIT",
    "TRANSCRIPT_BYTES",
    "WINDOW_BYTES",
]

INT_LIMIT: Final = 2**63 - 1
"""The largest whole number of a request, an option or an event: SQLite, Redis and most peers hold 64 bits."""

COUNT_LIMIT: Final = 2**53 - 1
"""The largest count of tokens: JSON readers in JavaScript do not distinguish larger numbers."""

TIME_LIMIT: Final = 253_402_300_800.0
"""Seconds since the epoch below which a time is valid: Python's dates end with the year 9999."""

TABLE_CELLS: Final = 20_000
"""Cells of one table that a form shows: more cells make megabytes of HTML that no reader scrolls through."""

TRANSCRIPT_BYTES: Final = 16 << 20
"""Bytes of one transcript's HTML, Markdown or text in a server's response: more bytes stall a browser."""

FORM_BYTES: Final = 5_000_000
"""Bytes that the final form of one view adds to a notebook, in HTML, Markdown and text together: a browser needs
seconds for more, and each save of the notebook sends all of it."""

RENDERS: Final = 2
"""Transcripts that one server renders at once: each needs a thread and memory, and delays all other requests."""

RENDER_SECONDS: Final = 20.0
"""Seconds that a response waits for its transcript: proxies give up after 30 seconds or more."""

ID_LIMIT: Final = 1_000
"""Characters of an event's ids: some SDKs put a signature of hundreds of characters into one."""

NAME_LIMIT: Final = 1_000
"""Characters of a name in an event: forms show fewer."""

NAME_SHOWN: Final = 200
"""Characters of a name that a form, a view or a terminal shows: a longer one hides the line around it."""

ANSWER_SECONDS: Final = 600
"""Seconds that a request stays open once the last page has left: a laptop is closed, or a page reloaded."""
DISPLAY_BYTES: Final = 1_000_000
"""Bytes of one display's JSON: a plot has 100 KB, and every view, recording and notebook holds a copy.
``configure(display_limit=…)`` changes the bound."""

DISPLAYS_BYTES: Final = 20_000_000
"""Bytes of the displays that one run shows: a larger notebook opens in no browser within seconds.
``configure(displays_limit=…)`` changes the bound."""

DISPLAY_SECONDS: Final = 0.5
"""Seconds between two displays of one unfinished call: more of them fill a recording, and nobody sees them."""

RENDERER_SECONDS: Final = 0.5
"""Seconds after which a user's renderer counts as slow: the agent waits for it."""

PLAN_LIMIT: Final = 500
"""Steps of one plan: each update of the plan sends all of them."""

OPTIONS_LIMIT: Final = 100
"""Answers that a request offers: nobody reads more of them."""

MESSAGE_SHOWN: Final = 10_000
"""Characters of an error or a note that a form shows at once: more hides the work around it."""

CHAT_QUEUE: Final = 100
"""Messages of a chat that wait for their turn: nobody means more of them, and a view shows them all."""

CHAT_SHOWN: Final = 300
"""Characters of a waiting message that a view shows: each change sends all that wait."""

IMAGE_PIXELS: Final = 100_000_000
"""Pixels of an image that a browser gets: it decodes four bytes for each, whatever the file's size."""

FOREIGN_WORDS: Final = 10_000
"""Characters of a peer's message that an error, a warning or a log repeats: more hides the lines around it."""

ANSWER_BYTES: Final = 64 * 1024
"""Bytes of a server's response to a batch: 500 ids are 10 KB, and a server may send without end."""

WINDOW_BYTES: Final = 1 << 20
"""Bytes of events in one read of a log, and in one batch of a listener: each slow listener holds so many. A single
larger event passes alone."""

TAIL_EVENTS: Final = 4_096
"""Events of a project that a log in a file or in Redis holds in memory for all of its listeners."""

TAIL_BYTES: Final = 8 << 20
"""Bytes of these events; their encoded form takes as many again. Eight windows let a listener fall behind a little
before it must read the log."""

LOG_HEAD_BYTES: Final = 64 * 1024
"""Bytes of an agent's log by which its dialect is told, and from which a list takes its title and first words; from its
end as many: a list may have hundreds of logs."""

LOG_LINE_BYTES: Final = 16 << 20
"""Bytes of one line of an agent's log: a line holds a few pictures of 5 MB at most, and a longer one would fill the
memory."""

LOG_DOCUMENT_BYTES: Final = 128 << 20
"""Bytes of an agent's log, or of a part of it, that is one JSON value: Python needs about ten times as many for it."""

LOG_POLL_SECONDS: Final = 0.3
"""Seconds between two looks at a growing log: a reader sees no shorter delay, and the disk no load."""

LOG_FILES: Final = 100_000
"""Files and folders that a search for logs visits in one home: years of work, and no endless tree."""
