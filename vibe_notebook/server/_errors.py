"""How the server says no: a status, and one sentence that says what to do, as JSON.

At the bottom of the server.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

__all__ = ["Refused"]


class Refused(Exception):  # noqa: N818 - an answer, not a fault of this program
    """An answer that is not what was asked for.

    *fields* stand beside ``error`` in the body: which item, which field of it.
    """

    def __init__(self, status: int, message: str, *, retry_after: int | None = None, **fields: Any) -> None:
        super().__init__(message)
        self.status = status
        self.fields = fields
        self.headers: dict[str, str] = {}
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, retry_after))
        if status == 401:  # noqa: PLR2004 - RFC 9110, 11.6.1: says how to ask
            self.headers["WWW-Authenticate"] = "Bearer"

    def response(self) -> JSONResponse:
        """Say it over HTTP."""
        body = {"error": str(self), **self.fields}
        return JSONResponse(body, self.status, headers={**self.headers, "Cache-Control": "no-store"})
