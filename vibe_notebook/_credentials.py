"""Check tokens and headers, ask a function for a token, and recognise secrets by name and by value.

Near the bottom of the package. Remote streams, publishers, the server and the magics use it. No message of this
module repeats a value.
"""

from __future__ import annotations

import base64
import inspect
import re
import threading
import unicodedata
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, Final

import anyio

from ._event_loops import wait_for

__all__ = [
    "TOKEN_SECONDS",
    "Token",
    "TokenError",
    "TokenSource",
    "check_token",
    "checked_header",
    "is_secret_name",
    "looks_secret",
]

Token = str | Callable[[], str | None] | Callable[[], Awaitable[str | None]]
"""A bearer token, or a function that returns one: the client calls the function for every connection."""

TOKEN_SECONDS: Final = 30.0
"""Seconds that a connection waits for the token's function: a login by browser has a timeout of its own."""

_TOKEN: Final = re.compile(r"[\x20-\x7e]*")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_WORDS: Final = re.compile(r"[^a-z0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SECRET_WORD: Final = re.compile(
    r"key|auth|authorization|authentication|sig|session|sess|sid|cookie|jwt|bearer|pwd|pass|otp|\w*sess(?:ion)?id"
    r"|\w*(?:token|secret|secrets|password|passwd|passphrase|passcode|credential|credentials|signature)"
    r"|\w*(?:access|account|api|app|auth|master|private|secret|shared|signing|subscription)key"
)
_SECRET_VALUE: Final = re.compile(
    r"""
    \b(?:sk|pk|rk)[-_](?=[\w-]*[0-9])[\w-]{8,}      # OpenAI, Anthropic, Stripe
    | \bgh[oprsu]_\w{6,} | \bgithub_pat_\w{6,}      # GitHub
    | \bglpat-[\w-]{6,}                             # GitLab
    | \bxox[a-z]-[\w-]{6,} | \bxapp-[\w-]{6,}       # Slack
    | \b(?:AKIA|ASIA)[0-9A-Z]{12,}                  # Amazon
    | \bAIza[\w-]{20,} | \bya29\.[\w-]{10,}         # Google
    | \beyJ[\w-]{4,}\.[\w-]{4,}\.                   # a JSON web token
    | \b(?:hf|gsk|npm|r8|whsec)_\w{10,} | \bpypi-[\w-]{16,} | \bSG\.[\w-]{10,}\.
    | \b(?:dckr_pat|dop_v1|lin_api)[_-][\w-]{6,}
    | -----BEGIN[ ]
    | \A\s*(?i:bearer)\s+\S
    | ://[^/@\s]*:[^/@\s]*@                         # a URL with a password
    """,
    re.VERBOSE,
)
_BASIC: Final = re.compile(r"\s*basic\s+([\w+/]+=*)\s*", re.IGNORECASE)
_USERS_FAULT: Final = (TypeError, NameError, AttributeError, ImportError, NotImplementedError, AssertionError)
"""Errors that a wrong function raises at every call, and a network that is down does not."""


def is_secret_name(name: str) -> bool:
    """Return True if a header or parameter of this *name* holds a secret as a rule.

    A name is secret if one of its words is, in any case, joined by ``-``, ``_``, ``.`` or capitals.
    """
    plain = _CAMEL.sub(" ", unicodedata.normalize("NFKC", name)).lower()
    return any(_SECRET_WORD.fullmatch(word) for word in _WORDS.split(plain))


def looks_secret(value: str) -> bool:
    """Return True if *value* has the form of a known kind of key or token."""
    if _SECRET_VALUE.search(value):
        return True
    basic = _BASIC.fullmatch(value)
    try:
        return basic is not None and b":" in base64.b64decode(basic[1])
    except ValueError:
        return False


def check_token(token: object, name: str = "The token") -> None:
    """Check that a header can hold a token.

    Raises:
        ValueError: the token has characters that no header holds.
        TypeError: the token is no text, and no function without arguments.
    """
    if isinstance(token, str):
        if _TOKEN.fullmatch(token) is None:
            msg = f"{name} has characters that no header holds: only visible ASCII characters may be in it, no line feed."
            raise ValueError(msg)
    elif not callable(token):
        msg = f"{name} must be text, or a function that returns text, not {type(token).__name__}."
        raise TypeError(msg)
    else:
        try:
            inspect.signature(token).bind()
        except TypeError:
            msg = f"{name} is a function that needs arguments; the client calls the function without any."
            raise TypeError(msg) from None
        except ValueError:
            pass  # a function of an extension module has no signature to check


def checked_header(name: str, value: str) -> tuple[str, str]:
    """Return a header that can be sent. The HTTP client's own check would repeat the value in its error.

    Raises:
        ValueError: the name or the value cannot be sent.
    """
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        msg = "headers: a header's name is letters, digits and hyphens."
        raise ValueError(msg)
    if not isinstance(value, str) or _CONTROL.search(value):
        msg = f"The value of the header {name} must be text without control characters."
        raise ValueError(msg)
    if is_secret_name(name):
        check_token(value.strip(" \t"), f"The value of the header {name}")
    return name, value.strip(" \t")


class TokenError(Exception):
    """Report that there is no token to send. ``is_lasting``: another try gives none either."""

    def __init__(self, reason: str, *, is_lasting: bool) -> None:
        super().__init__(reason)
        self.is_lasting = is_lasting


class TokenSource:
    """Hold a token, or the function that returns one.

    A function runs in a thread, an async one in the caller's event loop, each for *seconds* at most (``TOKEN_SECONDS``). Any error is
    worth another try, with one exception: an error of ``_USERS_FAULT`` before the function has returned a token
    is a mistake in the function.
    """

    def __init__(self, token: Token, seconds: float | None = None) -> None:
        check_token(token)
        self._token = token
        self._seconds = TOKEN_SECONDS if seconds is None else seconds
        self._has_returned = False
        self._running: Future[tuple[Any, type[BaseException] | None]] | None = None

    async def ask(self) -> str | None:
        """Return the token as it is now, or None for none.

        Raises:
            TokenError: the function has failed, or returned no text, or not returned in time.
        """
        if isinstance(self._token, str):
            return self._token or None
        token, failure = await self._answer(self._token)
        if failure is not None:
            raise failure
        self._has_returned = True
        return token

    async def _answer(
        self, function: Callable[[], str | None] | Callable[[], Awaitable[str | None]]
    ) -> tuple[str | None, TokenError | None]:
        """Return the function's token or its failure: an error raised here would chain one that holds the secret."""
        kind: type[BaseException] | None = None
        token: Any = None
        with anyio.move_on_after(self._seconds) as scope:
            try:
                token, kind = await self._call(function)
                if inspect.isawaitable(token):
                    token = await token
            except Exception as error:  # noqa: BLE001 - a function of the user's may raise anything
                kind = type(error)
        if scope.cancelled_caught:
            msg = f"the token function did not return within {self._seconds:g} seconds"
            return None, TokenError(msg, is_lasting=False)
        if kind is not None:
            is_lasting = issubclass(kind, _USERS_FAULT) and not self._has_returned
            return None, TokenError(f"the token function raised {kind.__name__}", is_lasting=is_lasting)
        if token is not None and not isinstance(token, str):
            msg = f"the token function returned {type(token).__name__}, not text"
            return None, TokenError(msg, is_lasting=True)
        if _TOKEN.fullmatch(token or "") is None:
            msg = "the token function returned characters that no header holds"
            return None, TokenError(msg, is_lasting=True)
        return token or None, None

    async def _call(self, function: Callable[[], Any]) -> tuple[Any, type[BaseException] | None]:
        """Return what the function returned, and the type of what it raised."""
        if inspect.iscoroutinefunction(function):
            return function(), None
        # The next try waits again for a call that hangs, and starts no second one.
        if self._running is None:
            self._running = _in_thread(function)
        found = await wait_for(self._running)
        self._running = None
        return found


def _in_thread(function: Callable[[], Any]) -> Future[tuple[Any, type[BaseException] | None]]:
    """Call a function in a daemon thread: a function that hangs must not keep the process alive."""
    future: Future[tuple[Any, type[BaseException] | None]] = Future()

    def call() -> None:
        try:
            found: tuple[Any, type[BaseException] | None] = (function(), None)
        except BaseException as error:  # noqa: BLE001 - the thread that waits reports it
            found = (None, type(error))
        future.set_result(found)

    threading.Thread(target=copy_context().run, args=(call,), name="vibe-token", daemon=True).start()
    return future
