"""Open files for this package's data: regular files that only their owner can read, and no device, pipe or link.

Near the bottom of the package: recordings, the history of a task space and the SQLite log use it. An agent may be able
to put a link or a pipe in a file's place.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from .exceptions import ProtocolError

__all__ = ["check_path", "check_regular", "open_private", "open_to_read"]

_OWNER: Final = 0o600
SHOWN: Final = 200
"""Characters of a path that an error shows."""
_KINDS: Final = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
# A pipe must not block the opening; the flags are missing on some systems.
_FLAGS: Final = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY", "O_NOCTTY"))
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


def check_path(path: str | os.PathLike[str], what: str) -> None:
    """Check that a file can have this path. Raises ``ProtocolError`` that names the wrong character."""
    try:
        is_valid = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        is_valid = False
    if not is_valid:
        shown = ascii(os.fspath(path))
        shown = shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"
        msg = f"{what} cannot have the path {shown}: it has a NUL or half a character. Give another path."
        raise ProtocolError(msg, field="path")


def check_regular(path: str | os.PathLike[str], what: str, *, follows_links: bool = True) -> bool:
    """Return whether the file exists; raise ``OSError`` if it is no regular file. *what* names it in the error."""
    check_path(path, what)
    try:
        found = Path(path).stat(follow_symlinks=follows_links)
    except FileNotFoundError:
        return False
    _check(found, path, what)
    return True


def _check(
    found: os.stat_result, path: str | os.PathLike[str], what: str, *, names: int | None = None
) -> None:
    for is_kind, words in _KINDS:
        if is_kind(found.st_mode):
            raise OSError(f"{what} must be a regular file, and {os.fspath(path)} is {words}.")
    if names is not None and found.st_nlink > names:
        raise OSError(f"{what} must have one name only, and {os.fspath(path)} has {found.st_nlink}.")


def open_private(
    path: str | os.PathLike[str], what: str, *, appends: bool = False, follows_links: bool = True
) -> int:
    """Open a file to write and return its descriptor; a new file belongs to its owner alone (0600).

    Without *appends* the file is emptied. Raises ``OSError`` for anything but a regular file, and, unless it
    *follows_links*, for a link: a symbolic one, or one of several names of a file.
    """
    check_regular(path, what, follows_links=follows_links)  # before the opening, which can move a tape
    mode = (
        os.O_RDWR | os.O_CREAT | _FLAGS | (os.O_APPEND if appends else 0) | (0 if follows_links else _NO_LINK)
    )
    descriptor = os.open(path, mode, _OWNER)
    try:
        _check(os.fstat(descriptor), path, what, names=None if follows_links else 1)
        if not appends:
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_to_read(path: str | os.PathLike[str], what: str, *, follows_links: bool = True) -> BinaryIO:
    """Open a file to read. Raises ``OSError`` for anything but a regular file."""
    check_regular(path, what, follows_links=follows_links)
    descriptor = os.open(path, os.O_RDONLY | _FLAGS | (0 if follows_links else _NO_LINK))
    try:
        _check(os.fstat(descriptor), path, what)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
