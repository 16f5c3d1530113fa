"""Follow hosted runs over a server of this machine that speaks the services' wire, and cuts it at every event."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from tests.adapters.support import recording, run
from tests.remote.serving import RESET, Naps, Request, Server, head, redirect, serving
from tests.watching.streams import quiet
from vibe_notebook import remote
from vibe_notebook.events import Event
from vibe_notebook.remote import Hosted, RemoteError

SERVICES = ("openai", "gemini", "langgraph")
KEY = "sk-hosted-0123456789abcdef"
KEYS = ("OPENAI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY", "LANGGRAPH_API_KEY", "VIBE_NOTEBOOK_TOKEN")
ADAPTERS = {"openai": "openai_responses", "gemini": "google_interactions", "langgraph": "langgraph"}
CUTS = ("close", "reset", "half")


def natives(service: str) -> list[Any]:
    """Return the natives of one run."""
    if service == "openai":
        return list(recording("openai_responses").natives[:30])
    if service == "gemini":
        found = recording("google_interactions").natives
        return list(found[: 1 + next(i for i, one in enumerate(found) if _kind(one).endswith("completed"))])
    return [[kind, data, f"1763-{i}"] for i, (kind, data, _) in enumerate(recording("langgraph_sdk").natives)]


def _kind(native: Any) -> str:
    return str(native.get("event_type")) if isinstance(native, dict) else ""


def line_of(native: Any) -> bytes:
    """Return an event as its service sends it."""
    if isinstance(native, list):
        return f"id: {native[2]}\nevent: {native[0]}\ndata: {json.dumps(native[1])}\n\n".encode()
    kind = native.get("type") or native.get("event_type")
    return f"event: {kind}\ndata: {json.dumps(native)}\n\n".encode()


class Patience(Naps):
    """Replace sleep, and end a test that connects without end."""

    async def __call__(self, seconds: float) -> None:
        await super().__call__(seconds)
        assert len(self.seconds) < 200, "The client connects again without end."


class Double:
    """Answer each request with the events after its place, and cut the answer as told."""

    def __init__(self, service: str, cuts: Iterator[tuple[int, str]]) -> None:
        self.service = service
        self.natives = natives(service)
        self.lines = [line_of(native) for native in self.natives]
        self.places: list[str | None] = []
        self._cuts = cuts

    def place_of(self, i: int) -> str:
        native = self.natives[i]
        if self.service == "langgraph":
            return str(native[2])
        return str(native["sequence_number" if self.service == "openai" else "event_id"])

    def __call__(self, request: Request) -> Iterator[bytes]:
        query = parse_qs(urlsplit(request.target).query)
        header = request.headers.get("last-event-id", b"").decode() or None
        parameter = {"openai": "starting_after", "gemini": "last_event_id"}.get(self.service, "")
        place = header if self.service == "langgraph" else next(iter(query.get(parameter, [])), None)
        assert self.service == "langgraph" or header is None
        self.places.append(place)
        places = [self.place_of(i) for i in range(len(self.natives))]
        start = places.index(place) + 1 if place in places else 0
        count, how = next(self._cuts, (len(self.lines), "close"))
        yield head()
        yield from self.lines[start : start + count]
        if start + count < len(self.lines):
            if how == "half":
                yield b": a comment\n\n" + self.lines[start + count][:-3]
            if how != "close":
                yield RESET


def hosted(service: str, server: Server, **options: Any) -> Hosted:
    base = f"http://{server.host}:{server.port}"
    options = {"sleep": Patience(), "verify": False, "jitter": lambda: 0.5, "agent_id": "a", **options}
    if service == "langgraph":
        return remote.langgraph("thread", "r", url=base, **options)
    return getattr(remote, service)("r", base_url=f"{base}/v1", **options)


async def read(found: Hosted) -> list[Event]:
    return [event async for event in found]


def plain(events: list[Event]) -> list[dict[str, Any]]:
    """Return the events without the ids of delivery."""
    return [event.model_dump(exclude={"id", "ts"}) for event in events]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, KEY)
    for name in ("OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_connection_that_breaks_after_every_event_loses_nothing_and_doubles_nothing(
    service: str, how: str
) -> None:
    double = Double(service, itertools.repeat((1, how)))
    with serving(double) as server:
        events = anyio.run(read, hosted(service, server))
    assert plain(events) == plain(run(ADAPTERS[service], double.natives))
    places = [double.place_of(i) for i in range(len(double.natives))]
    first = "-1" if service == "langgraph" else None
    after = places[-1:] if service == "langgraph" else []
    # A reset may take the bytes that came before it along: the same place is asked for again then.
    assert list(dict.fromkeys(double.places)) == [first, *places[:-1], *after]


@pytest.mark.parametrize("service", SERVICES)
def test_one_cut_anywhere_loses_nothing_and_doubles_nothing(service: str) -> None:
    expected = plain(run(ADAPTERS[service], natives(service)))
    doubles = [
        Double(service, iter([(count, how)]))
        for count, how in zip(range(len(natives(service)) + 1), itertools.cycle(CUTS), strict=False)
    ]
    now: list[Double] = []

    async def each() -> None:
        with serving(lambda request: now[-1](request)) as server:  # noqa: PLW0108 - the newest one at each call
            for double in doubles:
                now.append(double)
                assert plain(await read(hosted(service, server))) == expected, len(now)

    anyio.run(each)


@pytest.mark.parametrize("service", SERVICES)
def test_a_run_is_followed_after_a_given_place(service: str) -> None:
    double = Double(service, iter(()))
    place: Any = double.place_of(3)
    start = {"starting_after": int(place)} if service == "openai" else {"last_event_id": place}
    with serving(double) as server:
        found = hosted(service, server, **start)
        events = anyio.run(read, found)
    assert plain(events) == plain(run(ADAPTERS[service], double.natives[4:]))
    assert (double.places[0], found.last_event_id) == (place, double.place_of(len(double.natives) - 1))


@pytest.mark.parametrize("service", ["openai", "gemini"])
def test_a_run_whose_events_end_before_its_end_is_an_error(service: str) -> None:
    double = Double(service, iter(()))
    double.lines = double.lines[:-1]
    double.natives = double.natives[:-1]

    async def failing() -> list[Event]:
        got: list[Event] = []
        try:
            async for event in found:
                got.append(event)  # noqa: PERF401 - the events before the error count
        except RemoteError as error:
            assert "ended in the middle" in str(error)  # noqa: PT017 - the events before it count too
            return got
        pytest.fail("The run is not said to be cut.")

    with serving(double) as server:
        found = hosted(service, server)
        events = anyio.run(failing)
    assert events[-1].type == "run_finished"
    assert events[-1].outcome == "error"


def test_a_run_of_langgraph_without_places_ends_with_its_answer_and_a_break_is_an_error() -> None:
    lines = [
        f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode() for kind, data, _ in natives("langgraph")
    ]

    async def failing() -> None:
        with pytest.raises(RemoteError, match=r"cannot be resumed|not continue|broke"):
            await read(hosted("langgraph", server))

    with serving([head(), *lines]) as server:
        events = anyio.run(read, hosted("langgraph", server))
        assert len(server.requests) == 1
    assert plain(events) == plain(run("langgraph", natives("langgraph")))
    with serving([head(), *lines[:5], RESET]) as server:
        anyio.run(failing)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("service", "line"),
    [
        ("openai", b'data: {"error": {"message": "Gone.", "code": "not_found"}}\n\n'),
        ("gemini", b'data: {"event_type": "error", "error": {"message": "Gone.", "code": "not_found"}}\n\n'),
        ("langgraph", b'event: error\ndata: {"error": "Gone", "message": "Gone."}\n\n'),
    ],
)
def test_an_error_of_the_service_ends_the_run_as_an_error(service: str, line: bytes) -> None:
    with serving([head(), line]) as server:
        events = anyio.run(read, hosted(service, server))
        assert len(server.requests) == 1
    assert events[-1].type == "run_finished"
    assert "Gone." in (events[-1].error or "")


@pytest.mark.parametrize("end", [b"event: done\ndata: [DONE]\n\n", b"event: end\ndata: null\n\n"])
@pytest.mark.parametrize("service", SERVICES)
def test_the_services_last_line_ends_the_stream_at_once(service: str, end: bytes) -> None:
    with serving([head(), line_of(natives(service)[0]), end]) as server:
        events = anyio.run(read, hosted(service, server))
        assert len(server.requests) == 1
    assert events[-1].type == "run_finished"


HEADERS = {"openai": "authorization", "gemini": "x-goog-api-key", "langgraph": "x-api-key"}


@pytest.mark.parametrize("service", SERVICES)
def test_the_key_goes_to_the_service_alone_and_is_never_shown(service: str) -> None:
    with serving(Double(service, iter(()))) as other:
        target = f"http://{other.host}:{other.port}/elsewhere"
        with serving(redirect(307, target)) as server:
            found = hosted(service, server)
            anyio.run(read, found)
    assert KEY.encode() in server.requests[0].headers[HEADERS[service]]
    given = [name for name, value in server.requests[0].headers.items() if KEY.encode() in value]
    assert given == [HEADERS[service]]
    assert other.requests
    for request in other.requests:
        assert not any(KEY.encode() in value for value in request.headers.values())
        assert KEY not in request.target
    shown = (repr(found), str(found.status), found.title, found.url, repr(vars(found._source._http)))
    assert not any(KEY in one for one in shown)


@pytest.mark.parametrize("service", ["openai", "gemini"])
def test_a_missing_key_is_said_before_a_request(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name)
    with pytest.raises(RemoteError, match=r"There is no key: set (OPENAI|GOOGLE)_API_KEY"):
        getattr(remote, service)("r")


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("openai", "/v1/responses/r?stream=true&x=1"),
        ("gemini", "/v1/interactions/r?stream=true&x=1"),
        ("langgraph", "/threads/thread/runs/r/stream?stream_mode=updates&x=1"),
    ],
)
def test_the_address_and_the_title_name_the_run(service: str, path: str) -> None:
    mode = {"stream_mode": "updates"} if service == "langgraph" else {}
    with serving(Double(service, iter(()))) as server:
        found = hosted(service, server, params={"x": 1}, **mode)
        anyio.run(read, found)
        assert server.requests[0].target == path
    assert found.title.split()[1] == "r"


def test_a_watched_run_is_shown_over_its_cuts() -> None:
    async def watched() -> str:
        watch = quiet(hosted("gemini", server))
        await watch
        return watch.transcript.text

    with serving(Double("gemini", itertools.repeat((2, "half")))) as server:
        assert asyncio.run(watched()) == "Let me check both cities."
