"""The server's error answer: a status, and one sentence in JSON that tells the client what to do.

At the bottom of the server.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

__all__ = ["Refused"]


class Refused(Exception):  # noqa: N818 - an answer, not a fault of this program
    """Refuse a request with a status and a message.

    *fields* stand beside ``error`` in the body, for example the item and its field.
    """

    def __init__(self, status: int, message: str, *, retry_after: int | None = None, **fields: Any) -> None:
        super().__init__(message)
        self.status = status
        self.fields = fields
        self.headers: dict[str, str] = {}
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, retry_after))
        if status == 401:  # noqa: PLR2004 - RFC 9110, 11.6.1: the answer names the scheme
            self.headers["WWW-Authenticate"] = "Bearer"

    def response(self) -> JSONResponse:
        """Return the HTTP response."""
        body = {"error": str(self), **self.fields}
        return JSONResponse(body, self.status, headers={**self.headers, "Cache-Control": "no-store"})
