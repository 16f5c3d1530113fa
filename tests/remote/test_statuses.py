"""Check each status of an answer: by the standard's rule, and by the default, which tries more often.

The web-platform-tests' case (eventsource/request-status-error) is an answer of that status with the right
content type and an event in its body: the reader must not get the event, and the stream must fail, not be
silent.
"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.remote.serving import Answer, head, redirect, serving
from vibe_notebook.remote import RemoteError, Status, event_source

pytestmark = pytest.mark.anyio
EVENT = b"data: data\n\n"
LIVE: list[bytes] = [head(), b"id: 1\ndata: live\n\n"]
END = [head("204 No Content", None)]
FOR_GOOD = (
    200,
    205,
    206,
    210,
    299,
    300,
    304,
    305,
    400,
    401,
    402,
    403,
    404,
    405,
    406,
    409,
    410,
    412,
    418,
    451,
)
FOR_NOW = (408, 425, 429, 500, 501, 502, 503, 504, 507, 511, 599)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def nap(seconds: float) -> None:
    """Replace sleep by one turn of the loop: other tests check the delays."""
    del seconds
    await anyio.lowlevel.checkpoint()


class Outcome:
    """Hold one stream's events, its error, and each status that it reported."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.error: RemoteError | None = None
        self.statuses: list[Status] = []


async def outcome(url: str, **options: Any) -> Outcome:
    found = Outcome()
    source = event_source(url, sleep=nap, **options)
    source.on_status(found.statuses.append)
    with anyio.fail_after(10):
        try:
            async for event in source:
                found.events.append(event.data)
        except RemoteError as error:
            found.error = error
    return found


def answer(status: int) -> list[bytes]:
    """Return the answer of the web-platform-tests' server; a 200 can be wrong only by its type."""
    return [head(f"{status} Unknown", "text/plain" if status == 200 else "text/event-stream"), EVENT]


@pytest.mark.parametrize("status", FOR_GOOD)
async def test_a_final_status_ends_the_stream_at_once(status: int) -> None:
    with serving(answer(status)) as server:
        found = await outcome(server.url)
    assert len(server.requests) == 1
    assert found.events == []
    assert found.error is not None
    assert found.error.status == status
    assert found.statuses[-1].state == "refused"


@pytest.mark.parametrize("status", FOR_NOW)
async def test_a_passing_status_ends_the_stream_by_the_standards_rule(status: int) -> None:
    with serving(answer(status)) as server:
        found = await outcome(server.url, retry_statuses=())
    assert len(server.requests) == 1
    assert found.events == []
    assert found.error is not None
    assert (found.error.status, found.statuses[-1].state) == (status, "refused")


@pytest.mark.parametrize("status", FOR_NOW)
async def test_a_passing_status_is_tried_again_by_default_and_then_ends_the_stream(status: int) -> None:
    with serving(answer(status)) as server:
        found = await outcome(server.url)
    assert len(server.requests) == 4
    assert found.events == []
    assert found.error is not None
    assert (found.error.status, found.statuses[-1].state) == (status, "refused")
    assert str(status) in str(found.error)
    waits = [each for each in found.statuses if each.state == "reconnecting"]
    assert len(waits) == 3
    assert all(str(status) in (each.reason or "") for each in waits)


@pytest.mark.parametrize("status", FOR_NOW)
async def test_a_live_stream_survives_a_passing_status_unless_the_standard_is_requested(status: int) -> None:
    with serving(LIVE, *[answer(status)] * 8, LIVE, END) as server:
        assert (await outcome(server.url)).events == ["live", "live"]
    with serving(LIVE, answer(status)) as server:
        found = await outcome(server.url, retry_statuses=())
    assert (found.events, len(server.requests)) == (["live"], 2)
    assert found.error is not None
    assert found.error.status == status


def failed(body: bytes, media_type: str = "application/json") -> list[bytes]:
    """Return the answer of a project server whose log fails."""
    return [head("503 Service Unavailable", media_type), body]


async def test_a_passing_status_is_reported_with_the_servers_own_cause() -> None:
    long = b'{"error": "The log is \\u001b[31mlocked\\n' + b"x" * 1_000 + b'."}'
    with serving(LIVE, failed(b'{"error": "The log is locked."}'), failed(long), LIVE, END) as server:
        found = await outcome(server.url)
    assert found.events == ["live", "live"]
    reasons = [each.reason or "" for each in found.statuses if each.state == "reconnecting"]
    assert "503 Service Unavailable: The log is locked" in reasons
    (cut,) = [reason for reason in reasons if "xxx" in reason]
    assert len(cut) < 300
    assert cut.isprintable()


async def test_a_permanent_cause_ends_a_live_stream_with_its_words() -> None:
    with serving(LIVE, failed(b'{"error": "The file was deleted.", "permanent": true}')) as server:
        found = await outcome(server.url)
    assert len(server.requests) == 2
    assert found.events == ["live"]
    assert found.error is not None
    assert found.error.status == 503
    assert "503 Service Unavailable: The file was deleted" in str(found.error)
    assert found.statuses[-1].state == "refused"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"not JSON", b'{"error": 7, "permanent": true}', b'{"error": "' + b"x" * 100_000 + b'"}'],
)
async def test_a_body_that_names_no_cause_changes_nothing(body: bytes) -> None:
    with serving(
        LIVE, failed(body), failed(b'{"error": "x", "permanent": true}', "text/plain"), LIVE, END
    ) as server:
        found = await outcome(server.url)
    assert found.events == ["live", "live"]
    assert {each.reason for each in found.statuses if "503" in (each.reason or "")} == {
        "503 Service Unavailable"
    }


async def test_the_caller_chooses_the_statuses_that_are_tried_again() -> None:
    with serving(answer(404), answer(404), LIVE, END) as server:
        assert (await outcome(server.url, retry_statuses={404})).events == ["live"]
    with serving(answer(503)) as server:
        assert (await outcome(server.url, retry_statuses={404})).error is not None
    assert len(server.requests) == 1


async def test_204_ends_the_stream_without_an_error() -> None:
    with serving(answer(204)) as server:
        found = await outcome(server.url)
    assert (found.events, found.error, found.statuses[-1].state) == ([], None, "ended")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("beyond", [200, 204, 404, 503])
async def test_the_answer_of_a_redirects_target_counts(status: int, beyond: int) -> None:
    final: Answer = LIVE if beyond == 200 else answer(beyond)
    with serving(redirect(status, "/there"), final, END) as server:
        found = await outcome(server.url, retry_statuses=())
    assert [r.target for r in server.requests] == ["/stream", "/there", "/stream"][
        : 3 if beyond == 200 else 2
    ]
    assert found.events == (["live"] if beyond == 200 else [])
    assert (found.error is None) == (beyond in (200, 204))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_without_a_target_ends_the_stream(status: int) -> None:
    with serving(answer(status)) as server:
        found = await outcome(server.url)
    assert len(server.requests) == 1
    assert found.error is not None
    assert "redirects to nowhere" in str(found.error)
