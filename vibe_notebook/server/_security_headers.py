"""The security headers of every response, of the app and of a connection that the app never sees.

At the bottom of the server.
"""

from __future__ import annotations

from typing import Final

from starlette.types import Message, Send

__all__ = ["SECURITY_HEADERS", "protected"]

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    # A response that a browser opens as a page loads nothing, runs nothing, and stands in no frame.
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)
"""The headers; a response's own header of the same name replaces one."""


def protected(send: Send, started: list[bool]) -> Send:
    """Return an ASGI ``send`` that adds the security headers to the response's start, and notes it in *started*."""

    async def send_protected(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(True)
            headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            missing = [header for header in SECURITY_HEADERS if header[0] not in names]
            message = {**message, "headers": [*headers, *missing]}
        await send(message)

    return send_protected
