"""Send secrets to the one host they are for, and show them nowhere."""

from __future__ import annotations

import logging
import threading
import traceback
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.remote.serving import HANG, Naps, head, redirect, serving
from vibe_notebook._credentials import TokenError, TokenSource
from vibe_notebook.cli import main
from vibe_notebook.projects import publish
from vibe_notebook.registry import Registry
from vibe_notebook.remote import EventSource, RemoteError, event_source, follow
from vibe_notebook.remote._secrets import Credentials, redact
from vibe_notebook.server import create_app, serve_in_background

TOKEN = "t"  # noqa: S105 - no secret
END = [head("204 No Content", None)]
SECRET = "s3cr3t-value"  # noqa: S105 - made up


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIBE_NOTEBOOK_TOKEN", raising=False)
    monkeypatch.delenv("VIBE_NOTEBOOK_TOKEN_HOSTS", raising=False)


def read(url: str, **options: Any) -> list[str]:
    async def run() -> list[str]:
        with anyio.fail_after(10):
            return [event.data async for event in event_source(url, reconnect_delay=0.0, **options)]

    return anyio.run(run)


def drain(source: EventSource) -> list[str]:
    async def run() -> list[str]:
        with anyio.fail_after(10):
            return [event.data async for event in source]

    return anyio.run(run)


def headers_for(host: str, **given: Any) -> dict[bytes, bytes]:
    async def run() -> dict[bytes, bytes]:
        return dict(await Credentials(given.get("headers"), None, given.get("token")).headers(host, 443))

    return anyio.run(run)


def test_a_token_may_be_text_or_a_function_called_for_each_connection() -> None:
    given = iter(["one", "two", "three"])

    async def later() -> str:
        await anyio.lowlevel.checkpoint()
        return next(given)

    with serving([head(), b"data: a\n\n"], END) as server:
        read(server.url, token=TOKEN)
        read(server.url, token=lambda: next(given))
    assert [r.headers["authorization"] for r in server.requests] == [b"Bearer t", b"Bearer t", b"Bearer one"]
    with serving([head(), b"data: a\n\n"], END) as server:
        read(server.url, token=later)
    assert [r.headers["authorization"] for r in server.requests] == [b"Bearer two", b"Bearer three"]


@pytest.mark.parametrize("kind", [LookupError, ConnectionError, TimeoutError, TypeError, SystemExit])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_token_function_that_raises_once_is_called_again_as_after_a_lost_connection(
    kind: type[BaseException], *, is_async: bool
) -> None:
    calls: list[int] = []

    def token() -> str:
        calls.append(len(calls))
        if len(calls) == 2:
            raise kind(SECRET)
        return TOKEN

    async def later() -> str:
        await anyio.lowlevel.checkpoint()
        return token()

    if is_async and kind is SystemExit:
        kind = OSError
    statuses: list[str] = []
    with serving([head(), b"id: 1\ndata: a\n\n"], END) as server:
        source = event_source(server.url, token=later if is_async else token, reconnect_delay=0.0)
        source.on_status(lambda status: statuses.append(str(status)))
        assert drain(source) == ["a"]
    assert [request.headers["authorization"] for request in server.requests] == [b"Bearer t"] * 2
    assert len(calls) == 3
    assert [each for each in statuses if f"the token function raised {kind.__name__}" in each]
    assert SECRET not in str(statuses)


def test_a_token_function_that_fails_at_first_is_called_until_it_returns() -> None:
    calls: list[int] = []

    def token() -> str:
        calls.append(1)
        if len(calls) < 9:
            raise KeyError(SECRET)
        return TOKEN

    with serving(END) as server:
        read(server.url, token=token, sleep=Naps())
    assert len(calls) == 9


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_token_function_that_hangs_has_a_time_limit_and_is_called_once(
    backend: str, *, is_async: bool
) -> None:
    released = threading.Event()
    calls: list[int] = []

    def token() -> str:
        calls.append(1)
        released.wait(10)
        return TOKEN

    async def later() -> str:
        calls.append(1)
        if len(calls) < 3:
            await anyio.sleep_forever()
        return TOKEN

    async def run() -> str | None:
        source = TokenSource(later if is_async else token, seconds=0.01)
        for _ in range(2):
            with pytest.raises(TokenError, match="did not return within") as caught:
                await source.ask()
            assert not caught.value.is_lasting
        released.set()
        source._seconds = 10
        return await source.ask()

    assert anyio.run(run, backend=backend) == TOKEN
    assert len(calls) == (3 if is_async else 1)


def test_a_stream_whose_token_function_hangs_says_so_and_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vibe_notebook._credentials.TOKEN_SECONDS", 0.01)
    calls: list[int] = []

    async def token() -> str:
        calls.append(1)
        if len(calls) == 1:
            await anyio.sleep_forever()
        return TOKEN

    statuses: list[str] = []
    with serving(END) as server:
        source = event_source(server.url, token=token, reconnect_delay=0.0)
        source.on_status(lambda status: statuses.append(str(status)))
        drain(source)
    assert [each for each in statuses if "the token function did not return within 0.01 seconds" in each]


@pytest.mark.parametrize("kind", [TypeError, NameError, AttributeError])
def test_a_mistake_in_a_token_function_ends_the_stream_at_its_first_call(kind: type[Exception]) -> None:
    def broken() -> str:
        raise kind(SECRET)

    with (
        serving(END) as server,
        pytest.raises(RemoteError, match=f"the token function raised {kind.__name__}") as caught,
    ):
        read(server.url, token=broken)
    assert SECRET not in "".join(_verbose(caught.value))
    assert caught.value.__context__ is None
    assert server.requests == []


@pytest.mark.parametrize("returned", [b"t", 574_839_201, "t\n", "t\u00e9", "\u2603"])
def test_a_token_function_that_returns_no_token_that_can_be_sent_ends_the_stream(returned: Any) -> None:
    with serving(END) as server, pytest.raises(RemoteError, match="the token function returned") as caught:
        read(server.url, token=lambda: returned)
    assert repr(returned) not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize("token", [lambda _: "t", lambda *, _: "t", 5, b"t"])
def test_a_token_that_is_no_text_and_no_function_without_arguments_raises_where_it_is_given(
    token: Any,
) -> None:
    for open_ in (event_source, follow):
        with pytest.raises(TypeError, match="token"):
            open_("http://127.0.0.1:1/", token=token)
    with pytest.raises(TypeError, match="token"):
        publish(Registry(), "p", "http://127.0.0.1:1", token=token)


BAD_TOKENS = [
    "s3cr3t-value\u00e9",
    "s3cr3t-value\n",
    "s3cr3t\r\n-value",
    "s3cr3t-value\0",
    "s3cr3t-value\u2028",
    "\ud800s3cr3t-value",
]


@pytest.mark.parametrize("token", BAD_TOKENS)
def test_a_token_that_no_header_holds_raises_where_it_is_given_and_is_not_repeated(
    token: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = []
    for give in (
        lambda: event_source("http://127.0.0.1:1/", token=token),
        lambda: event_source("http://127.0.0.1:1/", headers={"Authorization": f"Bearer {token}"}),
        lambda: event_source("http://127.0.0.1:1/", headers={"X-Api-Key": token}),
        lambda: follow("http://127.0.0.1:1/", token=token),
        lambda: publish(Registry(), "p", "http://127.0.0.1:1", token=token),
        lambda: publish(Registry(), "p", "http://127.0.0.1:1", headers={"Authorization": f"Bearer {token}"}),
        lambda: create_app(auth=token),
        lambda: serve_in_background(token=token),
    ):
        with pytest.raises(ValueError, match=r"character|must be text") as caught:
            give()
        errors.append("".join(traceback.format_exception_only(caught.value)))
    assert main(["serve", "--port", "0", "--token", token]) == 1
    if "\0" not in token and token.isprintable():
        monkeypatch.setenv("VIBE_NOTEBOOK_TOKEN", token)
        assert main(["serve", "--port", "0"]) == 1
        with pytest.raises(RemoteError, match="VIBE_NOTEBOOK_TOKEN has characters") as refused:
            read("http://127.0.0.1:1/")
        errors.append(str(refused.value))
    captured = capsys.readouterr()
    assert "s3cr3t" not in "".join(errors) + captured.err + captured.out


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("agents.localhost", True),
        ("::1", True),
        ("named.example", True),
        ("NAMED.example", True),
        ("port.example", True),
        ("other-port.example", False),
        ("sub.named.example", False),
        ("named.example.evil", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("notlocalhost", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_the_environments_token_goes_to_this_machine_and_to_named_hosts_only(
    monkeypatch: pytest.MonkeyPatch, *, host: str, sent: bool
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_TOKEN", "t")
    monkeypatch.setenv("VIBE_NOTEBOOK_TOKEN_HOSTS", "named.example, port.example:443 other-port.example:8443")
    assert (b"authorization" in headers_for(host)) == sent


def test_without_named_hosts_the_token_goes_to_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_TOKEN", "t")
    assert headers_for("127.0.0.1") == {b"authorization": b"Bearer t"}
    assert headers_for("host.example") == headers_for("") == {}


def test_the_callers_token_outweighs_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_TOKEN", "other")
    assert headers_for("localhost", token=TOKEN) == {b"authorization": b"Bearer t"}
    assert headers_for("localhost", headers={"Authorization": "Basic x"}) == {b"authorization": b"Basic x"}
    assert headers_for("localhost", token="") == {}


@pytest.mark.parametrize("there_and_back", [False, True])
def test_a_redirect_to_another_host_carries_no_secret(
    monkeypatch: pytest.MonkeyPatch, *, there_and_back: bool
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_TOKEN", SECRET)
    with serving([head(), b"data: a\n\n"]) as third, serving(END, host="localhost") as other:
        if there_and_back:
            other.answers[:] = [redirect(307, third.url)]
            third.answers[:] = [END]
        target = other.url.replace("http://", f"http://u:{SECRET}@")
        with serving(redirect(302, target), redirect(302, target)) as server:
            read(
                f"{server.url}?q={SECRET}", headers={"X-Key": SECRET}, params={"k": SECRET}, last_event_id="7"
            )
        requests = other.requests + third.requests
    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}".encode()
    assert [r.headers["last-event-id"] for r in requests] == [b"7"] * len(requests)
    assert SECRET not in repr(requests)


def test_a_user_and_password_in_a_url_are_sent_as_basic_authentication() -> None:
    with serving(END) as server:
        read(server.url.replace("http://", "http://us%40er:p%3Aw@"))
    assert server.requests[0].headers["authorization"] == b"Basic dXNAZXI6cDp3"
    assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}".encode()


def test_no_secret_is_in_a_repr_a_log_a_message_or_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    options: dict[str, Any] = {
        "headers": {"X-Key": SECRET},
        "params": {"harmless": SECRET},
        "token": SECRET,
        "proxy": None,
    }
    with serving([head()], [head("401 No")]) as server:
        url = server.url.replace("http://", f"http://u:{SECRET}@") + f"?access_token={SECRET}&a=1#{SECRET}"
        source = event_source(url, **options, reconnect_delay=0.0)
        statuses: list[str] = []
        source.on_status(lambda status: statuses.append(repr(status) + str(status)))

        async def run() -> None:
            async for _ in source:
                pass

        with pytest.raises(RemoteError, match="401") as caught:
            anyio.run(run)
    assert server.requests[0].target.count(SECRET) == 2
    everything = [
        repr(source),
        repr(vars(source)),
        *statuses,
        caplog.text,
        str(caught.value),
        "".join(traceback.format_exception(caught.value)),
        "".join(_verbose(caught.value)),
    ]
    assert [text for text in everything if SECRET in text] == []
    assert "a=***" in repr(source)


def _verbose(error: BaseException) -> list[str]:
    """Return the traceback with values, as IPython's Verbose mode or rich shows it."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The first frames are the test's own, whose variables hold the secret.
    trace.stack[:] = [
        frame for frame in trace.stack if "vibe_notebook" in frame.filename and "tests" not in frame.filename
    ]
    return list(trace.format())


@pytest.mark.parametrize("name", ["X-Key", "Authorization"])
@pytest.mark.parametrize("value", [f"{SECRET}\n", f"{SECRET}\r\nX: y", f"{SECRET}\0"])
def test_a_header_that_cannot_be_sent_raises_without_its_value(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"The value of the header {name}") as caught:
        event_source("http://127.0.0.1:1/", headers={name: value})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["X Key", "", "X:", "ä", "X\n"])
def test_an_invalid_header_name_raises(name: str) -> None:
    with pytest.raises(ValueError, match="a header's name"):
        event_source("http://127.0.0.1:1/", headers={name: "x"})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/p", "https://h/p"),
        ("https://u:p@h:1/p?a=1&b=x%20y", "https://***@h:1/p?a=***&b=***"),
        ("https://u@h/", "https://***@h/"),
        ("https://h/?s3cr3t", "https://h/?***"),
        ("https://h/?sk-proj-1234567890=1&a", "https://h/?***&***"),
        ("https://h/?api_key=1&Token=2&sig=3&X-Amz-Signature=4&password=5", "https://h/?api_key=***&Token=***&sig=***&X-Amz-Signature=***&password=***"),
        ("https://h/?token=1;2&token=3", "https://h/?token=***&token=***"),
        ("https://h/#access_token=1", "https://h/"),
        ("https://u:p@[h", "(a URL that is not valid)"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_the_environments_proxy_is_used_except_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving([head(), b"data: via\n\n"], END) as proxy, serving(END) as server:
        monkeypatch.setenv("http_proxy", f"http://u:{SECRET}@127.0.0.1:{proxy.port}")
        read(server.url)
        assert proxy.requests == []
        assert read("http://far.example/x") == ["via"]
        assert proxy.requests[0].target == "http://far.example/x"
        assert b"Basic" in proxy.requests[0].headers["proxy-authorization"]
    with serving([head("407 No")]) as proxy, pytest.raises(RemoteError, match="407") as caught:
        read("http://far.example/x", proxy=f"http://u:{SECRET}@127.0.0.1:{proxy.port}")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_hanging_connection_logs_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving([head(), HANG], END) as server:
        read(server.url, token=SECRET, idle_timeout=0.1)
    assert SECRET not in caplog.text
