"""Tests of the access checks: tokens, host names, and pages of other origins."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from starlette.requests import Request

from vibe_notebook.server import create_app

TOKEN = "s3cret"  # noqa: S105 - of a test
EVENT = {"event_type": "note", "data": 1}


def ask(app: Any, method: str, path: str, **options: Any) -> httpx2.Response:
    async def asked() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=app)
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
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:1234", 200),
        ("LOCALHOST", 200),
        ("[::1]:80", 200),
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
