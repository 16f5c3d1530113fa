"""Tests of the access checks: tokens, host names, and pages of other origins."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.types import Message

from vibe_notebook.server import create_app

TOKEN = "s3cret"  # noqa: S105 - of a test
EVENT = {"event_type": "note", "data": 1}


def ask(app: Any, method: str, path: str, **options: Any) -> httpx2.Response:
    async def asked() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request(method, path, **options)

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": "Bearer s3cret\xe9".encode("latin-1")}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": f"bearer  {TOKEN}"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/projects", "/projects/p/transcript", "/projects/p/stream", "/nothing"])
def test_every_address_but_two_requires_the_token(path: str, headers: dict[str, Any], status: int) -> None:
    if status == 200 and path != "/projects":
        status = 404
        path = "/nothing"
    answer = ask(create_app(auth=TOKEN), "GET", path, headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text


def test_posts_require_the_token_in_the_header_and_not_in_the_address() -> None:
    app = create_app(auth=TOKEN)
    assert ask(app, "POST", f"/projects/p/events?token={TOKEN}", json=EVENT).status_code == 401
    assert ask(app, "POST", "/projects/p/close").status_code == 401
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert ask(app, "POST", "/projects/p/events", json=EVENT, headers=headers).status_code == 201


def test_health_and_the_description_require_no_token() -> None:
    app = create_app(auth=TOKEN)
    assert ask(app, "GET", "/health").status_code == 200
    assert ask(app, "GET", "/openapi.json").json()["components"]["securitySchemes"]


def test_a_callers_own_check_receives_the_request_and_may_be_async() -> None:
    def sync(request: Request) -> bool:
        return request.headers.get("x-user") == "ann"

    async def later(request: Request) -> bool:
        await asyncio.sleep(0)
        return sync(request)

    for check in (sync, later):
        app = create_app(auth=check)
        assert ask(app, "GET", "/projects", headers={"X-User": "ann"}).status_code == 200
        assert ask(app, "GET", "/projects").status_code == 401


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_token_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        ask(create_app(auth=token), "GET", "/health")


def test_a_page_of_another_origin_may_not_send() -> None:
    app = create_app(cors=["https://friend.example"])

    def status(origin: str) -> int:
        return ask(app, "POST", "/projects/p/events", json=EVENT, headers={"Origin": origin}).status_code

    assert status("https://evil.example") == 403
    assert status("null") == 403
    assert status("http://127.0.0.1:8000") == 201
    assert status("https://friend.example") == 201


@pytest.mark.parametrize(
    "origin", ["http://[", "http://", "", "a b", "http://127.0.0.1:8000/x", "http://a@b"]
)
def test_a_malformed_origin_is_refused_for_every_method_and_every_cors(origin: str) -> None:
    for cors in ([], ["*"]):
        app = create_app(cors=cors)
        assert ask(app, "GET", "/health", headers={"Origin": origin}).status_code == 403
        assert (
            ask(app, "POST", "/projects/p/events", json=EVENT, headers={"Origin": origin}).status_code == 403
        )


def test_the_servers_own_origin_may_send_in_any_spelling() -> None:
    headers = {"Host": "[0:0::1]:8000", "Origin": "http://[::1]:8000"}
    assert ask(create_app(), "POST", "/projects/p/events", json=EVENT, headers=headers).status_code == 201


def test_only_pages_of_allowed_origins_may_read() -> None:
    origin = {"Origin": "https://friend.example"}
    assert "access-control-allow-origin" not in ask(create_app(), "GET", "/projects", headers=origin).headers
    app = create_app(cors=["https://friend.example"], auth=TOKEN)
    preflight = {
        **origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    allowed = ask(app, "OPTIONS", "/projects/p/events", headers=preflight)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://friend.example"
    other = ask(app, "OPTIONS", "/projects/p/events", headers={**preflight, "Origin": "https://evil.example"})
    assert other.status_code == 400


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/health", "GET", 200),
        ("/health/", "GET", 307),
        ("/nothing", "GET", 404),
        ("/health", "DELETE", 405),
        ("/projects/p/transcript", "GET", 404),
        ("/projects/p/transcript?format=pdf", "GET", 400),
        ("/projects/p/events", "POST", 400),
        ("/projects/p/events", "OPTIONS", 200),
        ("/projects/done/stream", "GET", 204),
        ("/fails", "GET", 500),
    ],
)
def test_every_answer_of_the_app_has_the_security_headers(path: str, method: str, status: int) -> None:
    def auth(request: Request) -> bool:
        if request.url.path == "/fails":
            raise RuntimeError("the check failed")
        return True

    app = create_app(cors=["https://friend.example"], auth=auth)
    if status == 204:
        ask(app, "POST", "/projects/done/events", json=EVENT)
        ask(app, "POST", "/projects/done/close")
    headers = {"Origin": "https://friend.example", "Access-Control-Request-Method": "POST"}
    answer = ask(app, method, path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_request_that_a_shutdown_cuts_is_answered_503_with_the_security_headers() -> None:
    async def hangs(_: Request) -> bool:
        entered.set()
        await asyncio.Event().wait()
        return True

    async def main() -> list[Message]:
        scope = {"type": "http", "method": "GET", "path": "/projects", "headers": [], "query_string": b""}
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            sent.append(message)

        task = asyncio.create_task(create_app(auth=hangs)(scope, receive, send))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return sent

    entered = asyncio.Event()
    start, _ = asyncio.run(main())
    assert start["status"] == 503
    assert dict(start["headers"])[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:1234", 200),
        ("LOCALHOST", 200),
        ("[::1]:80", 200),
        ("[0:0:0:0:0:0:0:1]", 200),
        ("[::0001]", 200),
        ("localhost.", 200),
        ("[::ffff:127.0.0.1]", 403),
        ("127.evil.example", 403),
        ("[::1", 403),
        ("localhost:x", 403),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("localhost@evil.example", 403),
        ("evil.example@localhost", 403),
        ("", 403),
    ],
)
def test_a_foreign_host_name_is_refused(host: str, status: int) -> None:
    app = create_app(hosts=["localhost", "::1"])
    assert ask(app, "GET", "/health", headers={"Host": host}).status_code == status
