"""Protect this machine and its network: from proxies, and from a public server's redirects."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.remote.serving import Request, head, redirect, serving
from vibe_notebook import projects
from vibe_notebook._addresses import Reach, is_loopback, reach_of
from vibe_notebook.events import TextDelta
from vibe_notebook.exceptions import RemoteError
from vibe_notebook.registry import Registry
from vibe_notebook.remote import event_source

SECRET = "s3cret"  # noqa: S105 - made up
PRIVATE = "redirects to a private address"

HERE = (
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "127.0.0.1",
    "127.0.0.1.",
    "127.255.0.9",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "0.0.0.0",  # noqa: S104 - an address to connect to
    "::1",
    "[::1]",
    "::",
    "::ffff:127.0.0.1",
    "[::ffff:7f00:1]",
    "64:ff9b::7f00:1",
)
NOT_HERE = (
    "127.evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil-localhost",
    "1270.0.0.1",
    "128.0.0.1",
    "::2",
    "::ffff:128.0.0.1",
    "far.example",
    "",
)
NEAR = {
    "10.0.0.1": Reach.PRIVATE,
    "172.16.0.1": Reach.PRIVATE,
    "192.168.1.1": Reach.PRIVATE,
    "100.64.0.1": Reach.PRIVATE,
    "fd00::1": Reach.PRIVATE,
    "224.0.0.1": Reach.PRIVATE,
    "::ffff:10.0.0.1": Reach.PRIVATE,
    "2002:0a00:0001::": Reach.PRIVATE,
    "169.254.169.254": Reach.LINK,
    "fe80::1": Reach.LINK,
    "fe80::1%eth0": Reach.LINK,
    "8.8.8.8": Reach.PUBLIC,
    "2606:4700::1111": Reach.PUBLIC,
    "far.example": None,
}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the proxies of the machine that runs the tests."""
    for name in ("no_proxy", "all_proxy", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def read(url: str, **options: Any) -> list[str]:
    async def run() -> list[str]:
        options.setdefault("reconnect_delay", 0.0)
        async with event_source(url, **options) as source:
            return [event.data async for event in source]

    import anyio  # noqa: PLC0415

    return anyio.run(run)


def publish(url: str) -> Exception | None:
    """Send one event with a token; return the error, if any."""
    registry = Registry()
    publisher = projects.publish(registry, "p", url, token=SECRET)
    registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="private text"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        publisher.close(5)
    return publisher.error


def accepted(_: Request) -> list[bytes]:
    return [head("201 Created", "application/json", "Content-Length: 10"), b'{"ids":[]}']


def test_an_address_is_classified_by_its_meaning_and_not_by_its_first_characters() -> None:
    assert [host for host in HERE if not is_loopback(host)] == []
    assert [host for host in NOT_HERE if is_loopback(host)] == []
    assert {host: reach_of(host) for host in NEAR} == NEAR
    print(f"{len(HERE)} forms of this machine, {len(NOT_HERE)} that only look like it, {len(NEAR)} others")  # noqa: T201 - the counts


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"])
def test_publishing_and_reading_on_this_machine_use_no_proxy(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    with serving(accepted) as proxy, serving(accepted) as server:
        for name in ("http_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        here = f"http://{host}:{server.port}"
        assert publish(here) is None
        with pytest.raises(RemoteError, match="this answer holds no stream"):
            read(f"{here}/stream", token=SECRET)
        assert proxy.requests == []
        assert [request.method for request in server.requests] == ["POST", "GET"]
        assert {request.headers["authorization"] for request in server.requests} == {b"Bearer s3cret"}


def test_publishing_to_another_host_uses_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(accepted) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert publish("http://127.evil.example") is None
        assert [r.target for r in proxy.requests] == ["http://127.evil.example/projects/p/events"]


def test_publishing_follows_no_redirect() -> None:
    with serving(accepted) as other, serving(redirect(307, other.url)) as server:
        assert "answers 307" in str(publish(f"http://127.0.0.1:{server.port}"))
        assert (len(server.requests), other.requests) == (1, [])


@pytest.mark.parametrize(
    "host", [*(h if ":" not in h or h[0] == "[" else f"[{h}]" for h in HERE), "10.0.0.1", "169.254.169.254"]
)
def test_a_public_servers_redirect_to_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    with serving([head()]) as inside, serving(redirect(302, f"http://{host}:{inside.port}/")) as public:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{public.port}")
        with pytest.raises(RemoteError, match=PRIVATE):
            read("http://far.example/stream", token=SECRET)
        assert inside.requests == []
        assert [r.target for r in public.requests] == ["http://far.example/stream"]


def test_a_public_servers_redirect_to_the_name_of_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve = socket.getaddrinfo

    def resolved(host: Any, *args: Any, **options: Any) -> Any:
        is_inside = host in ("inside.example", b"inside.example")
        return resolve("127.0.0.1" if is_inside else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with serving([head()]) as inside:
        target = f"http://inside.example:{inside.port}/"
        with serving(redirect(302, target)) as public:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{public.port}")
            monkeypatch.setenv("no_proxy", "inside.example")
            with pytest.raises(RemoteError, match=PRIVATE):
                read("http://far.example/stream", token=SECRET)
        assert inside.requests == []


def test_the_target_of_a_local_servers_redirect_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved_names: list[str] = []
    resolve = socket.getaddrinfo

    def resolved(host: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        resolved_names.append(name)
        return resolve("127.0.0.1" if name == "inside.example" else name, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with serving([head("204 No Content", None)]) as inside:
        with serving(redirect(302, f"http://inside.example:{inside.port}/x")) as server:
            assert read(server.url, token=SECRET) == []
        assert [r.headers["host"] for r in inside.requests] == [f"inside.example:{inside.port}".encode()]
        assert "authorization" not in inside.requests[0].headers
    assert resolved_names.count("inside.example") == 1


HOSTILE = (
    "x\x1b]0;pwned\x07\x1b[2J\nERROR:root:forged line\x1b]52;c;ZXZpbA==\x07\u202eevil\x9b31m\ud800"
    + "y" * 50_000
)


def test_a_servers_words_reach_the_log_on_one_line_bounded_and_without_controls(
    caplog: pytest.LogCaptureFixture,
) -> None:
    import json  # noqa: PLC0415

    body = json.dumps({"error": HOSTILE}).encode()
    answer = [head("400 No", "application/json", f"Content-Length: {len(body)}"), body]
    with serving(answer) as server:
        message = str(publish(f"http://127.0.0.1:{server.port}"))
    for words in (message, *(record.getMessage() for record in caplog.records)):
        assert len(words) < 10_200
        assert words.isprintable()
    assert "x␛]0;pwned␇␛[2J␊ERROR:root:forged line" in message
    assert "⟨U+202E⟩evil⟨U+009B⟩31m\ufffdyyy" in message
    print(f"{len(HOSTILE):,} characters sent, {len(message):,} reported")  # noqa: T201 - the counts


def test_an_endless_answer_to_a_publisher_is_not_read_to_its_end() -> None:
    sent: list[int] = []

    def endless(_: Request) -> Iterator[bytes]:
        yield head("400 No", "application/json")
        for _number in range(2_000):
            sent.append(1)
            yield b"x" * 65_536

    with serving(endless) as server:
        assert "answers 400" in str(publish(f"http://127.0.0.1:{server.port}"))
    print(f"{sum(sent)} of 2,000 pieces of 64 KB were read")  # noqa: T201 - the counts
    assert sum(sent) < 500  # the sockets' buffers hold that much
