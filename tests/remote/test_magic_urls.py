"""Run ``%vibe_stream URL`` over remote streams, in a real IPython shell in this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import vibe_notebook as vibe
from tests.remote.serving import HANG, head, serving
from vibe_notebook._watching import watch as _watch

Run = Callable[[str], Any]
END = [head("204 No Content", None)]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell.instance(config=config, colors="nocolor")
    made.run_line_magic("load_ext", "vibe_notebook")
    yield made
    for watched in _watch.live_watches():
        watched.cancel()
    InteractiveShell.clear_instance()


@pytest.fixture
def run(shell: InteractiveShell) -> Run:
    def run(cell: str) -> Any:
        with capture_output():
            result = shell.run_cell(cell)
        result.raise_error()
        return result.result

    return run


def frame(n: int, kind: str = "text_delta", **fields: Any) -> bytes:
    body = {"type": kind, "agent_id": "a", "run_id": "r", "seq": n, **fields}
    return f"retry: 1\nid: 1700000000000-{n}\ndata: {json.dumps(body)}\n\n".encode()


def answer(text: str = "hello", **ids: str) -> list[bytes]:
    events = frame(0, "run_started", **ids), frame(1, delta=text, **ids), frame(2, "run_finished", **ids)
    return [head(), *events]


def test_a_url_is_followed_to_its_end_with_the_lines_options(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "k1")
    with serving(answer(), END) as server:
        made = run(
            f"%vibe_stream --block --as w --header X-A=1 --header Authorization=$MY_KEY --param q=$MY_KEY "
            f"--param r=$none --after 5-5 {server.url}?a=b"
        )
    assert (made.transcript.text, made.transcript.outcome, made.title) == (
        "hello",
        "success",
        f"{server.url}?a=***",
    )
    request = server.requests[0]
    assert request.target == "/stream?a=b&q=k1&r=%24none"
    sent = [request.headers[name] for name in ("x-a", "authorization", "last-event-id")]
    assert sent == [b"1", b"k1", b"5-5"]


def test_a_line_returns_at_once_and_its_stream_can_be_stopped(run: Run, shell: InteractiveShell) -> None:
    with serving([head(), frame(1, delta="so far"), HANG]) as server:
        made: vibe.Watch = run(f"%vibe_stream --as w {server.url}")
        assert shell.user_ns["w"] is made
        waiting = threading.Event()
        while not made.transcripts.get("a"):
            waiting.wait(0.01)
        assert not made.done()
        run("%vibe_stop --all")
        while not made.done():
            waiting.wait(0.01)
    assert (made.transcript.text, made.transcript.outcome) == ("so far", "cancelled")


def test_several_urls_and_several_agents_are_in_one_view(run: Run) -> None:
    both = [*answer("one", agent_id="a"), *answer("two", agent_id="b")[1:]]
    both[-3:] = [piece.replace(b"1700000000000", b"1700000000001") for piece in both[-3:]]
    with serving(both, END) as first, serving(answer("three", agent_id="c"), END) as second:
        made = run(f"%vibe_stream --block {first.url} {second.url}")
    assert {name: t.text for name, t in made.transcripts.items()} == {"a": "one", "b": "two", "c": "three"}
    assert made.title == f"{first.url}, {second.url}"


def test_a_refused_stream_does_not_end_the_others(run: Run) -> None:
    with serving([head("404 No")]) as first, serving(answer("three"), END) as second:
        with pytest.raises(vibe.exceptions.RemoteError, match="404"):
            run(f"%vibe_stream --block {first.url} {second.url}")
        made = vibe.last()
    assert made is not None
    assert made.transcript.text == "three"


def test_a_subagent_is_shown_inside_its_call(run: Run) -> None:
    child = {"run_id": "child", "parent_run_id": "r", "parent_tool_call_id": "t"}
    events = [
        frame(0, "run_started"),
        frame(1, "tool_started", tool_call_id="t", tool_name="ask"),
        frame(2, "run_started", **child, seq=0),
        frame(3, delta="inside", run_id="child", seq=1),
    ]
    with serving([head(), *events], END) as server:
        made = run(f"%vibe_stream --block {server.url}")
    (tool,) = made.transcript.tools
    assert [part.text for part in tool.children] == ["inside"]


def test_running_the_cell_again_shows_the_stream_again(run: Run) -> None:
    with serving(answer(), END, answer(), END) as server:
        texts = [run(f"%vibe_stream --block {server.url}").transcript.text for _ in range(2)]
    assert texts == ["hello", "hello"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--header Cookie=abc http://localhost/x", "would be saved"),
        ("--header X=$NONE_SUCH http://localhost/x", "the environment has no NONE_SUCH"),
        ("http://localhost/x and more", "'and' is no URL"),
        ("--after 1-1 http://localhost/x http://localhost/y", "belongs to one stream"),
        ("--speed 2 http://u:geheim@localhost/x?token=geheim", r"the URL 'http://\*\*\*@localhost/x\?token=\*\*\*' is not one"),
        ("http://[x/", "no http"),
        ("--header 'a b=c' http://localhost/x", "header's name"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_a_usage_error_without_secrets(run: Run, line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        run(f"%vibe_stream {line}")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://u:geheim@localhost/x", "--header Authorization=\\$NAME"),
        ("http://geheim@localhost/x", "--header Authorization=\\$NAME"),
        ("http://localhost/x?token=geheim", "--param token=\\$NAME"),
        ("http://localhost/x?a=1&apiKey=geheim", "--param apiKey=\\$NAME"),
        ("http://localhost/x?a=1;sig=geheim", "--param sig=\\$NAME"),
        ("http://localhost/x?%74oken=geheim", "--param token=\\$NAME"),
        ("http://localhost/x?q=ghp_geheim12345678", "--param q=\\$NAME"),
        ("http://localhost/x?ghp_geheim12345678", "--param K=\\$NAME"),
        ("http://localhost/x#access_token=geheim", "--param access_token=\\$NAME"),
        ("http://localhost/x#ghp_geheim12345678", "--param K=\\$NAME"),
        ("http://localhost/xoxb-geheim-12345678/x", "from the environment"),
        ("http://localhost/x http://localhost/y?password=geheim", "--param password=\\$NAME"),
    ],
)
def test_a_url_that_holds_a_secret_is_refused_with_the_way_to_pass_it(
    run: Run, url: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        run(f"%vibe_stream {url}")
    assert "geheim" not in str(caught.value)


def test_the_saved_output_has_the_reason_of_a_refusal_and_no_secret(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "geheim")
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "static")
    with serving([head("404 No")]) as server:
        url = f"{server.url}?q=geheim#geheim"
        with capture_output() as captured:
            shell.run_cell(f"%vibe_stream --header X-Key=$MY_KEY --param token=$MY_KEY {url}")
    assert server.requests[0].headers["x-key"] == b"geheim"
    assert server.requests[0].target == "/stream?q=geheim&token=geheim"
    shown = captured.stdout + captured.stderr + "".join(json.dumps(out.data) for out in captured.outputs)
    assert "there is no such stream here" in shown
    assert "geheim" not in shown.replace(f"{url}", "")
