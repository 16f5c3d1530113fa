"""Show tool calls by renderers of the user."""

from __future__ import annotations

import html
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from vibe_notebook._watching.displays import Displays
from vibe_notebook._watching.renderers import registered
from vibe_notebook.adapters import Adapter
from vibe_notebook.events import RunStarted, ToolCallDelta, ToolFinished, ToolStarted
from vibe_notebook.parts import ToolPart

IDS = {"agent_id": "a", "run_id": "r"}


@pytest.fixture(autouse=True)
def no_renderer_stays() -> Iterator[None]:
    assert registered() == []
    yield
    for one in registered():
        one.remove()


class Html:
    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        return self.text


def call(output: Any = 1, name: str = "query", **fields: Any) -> list[Any]:
    ids = {**IDS, "tool_call_id": "t", "tool_name": name}
    return [
        RunStarted(**IDS),
        ToolStarted(**ids, args={"sql": "select 1"}),
        ToolFinished(**ids, output=output, **fields),
    ]


def watched(events: Any, **options: Any) -> ToolPart:
    run = vibe.watch(events, **{"registry": vibe.Registry(), "display": False, **options})
    for _ in run:
        pass
    return run.transcript.tools[0]


def test_a_renderer_gets_the_finished_call_and_its_bundle_comes_on_that_event() -> None:
    seen: list[ToolPart] = []
    registry = vibe.Registry()
    finished: list[Any] = []
    registry.register("a", on_tool_finished=finished.append)

    @vibe.renderer("query")
    def table(part: ToolPart) -> Any:
        seen.append(part)
        return Html("<table></table>")

    part = watched(call({"rows": 3}), registry=registry)
    (given,) = seen
    assert (given.tool_name, given.args, given.output, given.state) == (
        "query",
        {"sql": "select 1"},
        {"rows": 3},
        "ok",
    )
    assert part.display is not None
    assert part.display["text/html"] == "<table></table>"
    assert [event.display for event in finished] == [part.display]
    assert part.output == {"rows": 3}


def test_a_renderer_of_one_slot_sees_the_arguments_of_that_slot() -> None:
    ids = {**IDS, "tool_call_id": "t"}
    seen: list[ToolPart] = []
    with vibe.renderer("late")(seen.append):
        displays = Displays(vibe.Registry(), print)
        slot = [
            ToolCallDelta(**ids, tool_name="late", delta="{"),
            ToolStarted(**ids, args={"q": 1}),
            ToolFinished(**ids, status="error", error="no"),
        ]
        assert displays.prepare(slot) == slot
    (given,) = seen
    assert (given.tool_name, given.args, given.state, given.error) == ("late", {"q": 1}, "error", "no")


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("query", True),
        ("quer", False),
        ("q*", True),
        ("Q*", False),
        ("[pq]uery", True),
        (["other", "que??"], True),
        (("other",), False),
        (lambda part: part.args["sql"] == "select 1", True),
        (lambda part: part.output is None, False),
    ],
)
def test_a_match_is_a_name_a_glob_a_list_or_a_predicate(match: Any, fits: bool) -> None:  # noqa: FBT001
    with vibe.renderer(match)(lambda _: "**shown**"):
        display = watched(call()).display
    assert (display or {}).get("text/markdown") == ("**shown**" if fits else None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"text/html": "<b>x</b>"}, {"text/html": "<b>x</b>"}),
        ("*x*", {"text/markdown": "*x*", "text/plain": "*x*"}),
        (7, {"text/plain": "7"}),
        ({"a": 1}, {"application/json": {"a": 1}, "text/plain": "{'a': 1}"}),
        ({"image/png": "nonsense"}, {"text/plain": "[image/png: no image, but 6 B of other data]"}),
        (None, None),
    ],
)
def test_a_renderer_returns_a_bundle_markdown_a_value_or_none(value: Any, expected: Any) -> None:
    with vibe.renderer("query")(lambda _: value):
        assert watched(call()).display == expected


def test_the_renderer_that_was_registered_last_comes_first_and_one_that_returns_none_leaves_it_to_the_others() -> (
    None
):
    with vibe.renderer("*")(lambda _: "first"), vibe.renderer("*")(lambda part: part.output and "last"):
        assert (watched(call(1)).display or {})["text/markdown"] == "last"
        assert (watched(call(0)).display or {})["text/plain"] == "0"
    with vibe.renderer("*")(lambda _: "first"), vibe.renderer("*")(lambda _: None):
        assert (watched(call()).display or {})["text/markdown"] == "first"


def test_a_removed_renderer_shows_nothing_and_the_same_one_again_replaces_itself() -> None:
    def define(words: str) -> Any:
        @vibe.renderer("query")
        def shown(part: ToolPart) -> str:
            return words

        return shown

    define("old")
    made = define("new")
    assert registered() == [made]
    assert made(ToolPart(tool_call_id="t")) == "new"
    made.remove()
    made.remove()
    assert watched(call()).display is None


def test_an_event_with_a_display_a_recording_and_a_followed_stream_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    watched(call(), record=path)

    class Followed(list[Any]):
        connections = (type("Connection", (), {"title": "far", "on_status": lambda *_: None})(),)

    called: list[ToolPart] = []
    with vibe.renderer("query")(called.append):
        assert watched(call(display={"text/html": "<i>own</i>"})).display == {"text/html": "<i>own</i>"}
        assert watched(vibe.replay(path, speed=0)).display is None
        assert watched(Followed(call())).display is None
    assert called == []


STRANDS_CALL: Any = [
    {
        "message": {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": "t", "name": "query", "input": {}}}],
        }
    },
    {
        "message": {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "t", "status": "success", "content": [{"text": "rows"}]}}
            ],
        }
    },
]


def raising(part: ToolPart) -> Any:
    raise LookupError("no rows\nat all")


def nonsense(part: ToolPart) -> Any:
    return object()


def no_image(part: ToolPart) -> Any:
    return {"image/png": "nonsense"}


FAULTS = [
    (raising, "raised LookupError: no rows at all."),
    (nonsense, "returned a value of type object, which has no form."),
    (no_image, "returned [image/png: no image, but 6 B of other data]."),
]


@pytest.mark.parametrize(("function", "words"), FAULTS)
def test_a_renderers_fault_is_one_line_of_every_form_and_the_call_keeps_its_usual_form(
    function: Any,
    words: str,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "run.jsonl"
    live = vibe.live("a", registry=vibe.Registry(), record=path)
    with vibe.renderer("query")(function) as made, caplog.at_level(logging.WARNING), live:
        for _ in range(2):
            with live.tool("query") as tool:
                tool.result(Html("<b>own</b>"))
    line = f"renderer {made.name}: {words}"
    assert len(caplog.records) == 1
    assert f"◇ {line}" in capsys.readouterr().out
    replayed = vibe.watch(vibe.replay(path, speed=0), display=False)
    list(replayed)
    kept = vibe.Transcript.model_validate_json(live.transcript.model_dump_json())
    for transcript in (live.transcript, kept, replayed.transcript):
        assert [(part.display or {}).get("text/html") for part in transcript.tools] == ["<b>own</b>"] * 2
        assert transcript.to_text().count(line) == 1
        shown = html.unescape(re.sub("<[^>]*>", "", transcript.to_html()))
        assert line.replace(":", "", 1) in " ".join(shown.split())
        (paragraph,) = [text for text in transcript.to_markdown().split("\n\n") if function.__name__ in text]
        assert "\n" not in paragraph
        assert [part.kind for part in transcript.parts] == ["tool", "custom", "tool"]


def test_a_predicate_that_raises_is_said_and_the_next_renderer_shows_the_call() -> None:
    said: list[Any] = []
    displays = Displays(vibe.Registry(), said.append)
    with (
        vibe.renderer("*")(lambda _: "shown"),
        vibe.renderer(lambda part: part.args["no"])(lambda _: "never"),
    ):
        (*_, event) = displays.prepare(call())
    assert isinstance(event, ToolFinished)
    assert event.display == {"text/markdown": "shown", "text/plain": "shown"}
    assert [line.value for line in said] == ["raised KeyError: 'no'."]


def test_a_slow_renderer_is_said_once_and_its_bundle_is_shown() -> None:
    now = iter([0.0, 0.6, 1.0, 1.7, 2.0, 2.4])
    said: list[Any] = []
    displays = Displays(vibe.Registry(), said.append, clock=lambda: next(now))
    with vibe.renderer("*")(lambda _: "shown"):
        for _ in range(3):
            (*_, event) = displays.prepare(call())
            assert isinstance(event, ToolFinished)
            assert event.display is not None
    assert [line.value for line in said] == ["took more than 0.5 s, and the agent waits for it."]


def test_a_renderer_may_use_the_handler_whose_call_it_shows() -> None:
    hook = vibe.handler("strands", registry=vibe.Registry(), display=False)

    @vibe.renderer("query")
    def nested(part: ToolPart) -> str:
        thread = threading.Thread(target=lambda: hook(data="Meanwhile"))  # no lock keeps another thread out
        thread.start()
        thread.join(5)
        assert not thread.is_alive()
        hook(data=", more")
        return "**rows**"

    with nested, hook:
        for event in STRANDS_CALL:
            hook(**event)
    assert hook.transcript.text == "Meanwhile, more"
    (part,) = hook.transcript.tools
    assert (part.state, (part.display or {})["text/markdown"]) == ("ok", "**rows**")


def test_a_renderer_that_blocks_keeps_no_other_thread_of_a_handler_from_its_events_or_its_end() -> None:
    hook = vibe.handler("strands", registry=vibe.Registry(), display=False)
    is_shown, may_end = threading.Event(), threading.Event()

    def block(part: ToolPart) -> str:
        is_shown.set()
        assert may_end.wait(10)
        return "**late**"

    def push() -> None:
        for event in STRANDS_CALL:
            hook(**event)

    with vibe.renderer("query")(block):
        thread = threading.Thread(target=push)
        thread.start()
        assert is_shown.wait(10)
        hook(data="Meanwhile")
        assert hook.transcript.text == "Meanwhile"
        hook.close()
        may_end.set()
        thread.join(10)
    (part,) = hook.transcript.tools
    assert (part.state, part.output, part.display) == ("ok", "rows", None)


@pytest.mark.parametrize("match", [None, 7, ["x", 7]])
def test_a_match_of_another_type_and_an_async_function_are_refused(match: Any) -> None:
    with pytest.raises(TypeError, match="names or globs"):
        vibe.renderer(match)(lambda _: None)

    async def later(part: ToolPart) -> None: ...

    with pytest.raises(TypeError, match="not async"):
        vibe.renderer("x")(later)


class Sdk(Adapter):
    """An SDK whose tools return objects that show themselves."""

    name = "sdk"

    def _read(self, native: object) -> None:
        assert native == 1
        self.emit(ToolStarted, tool_call_id="t", tool_name="query", args={})
        self.emit(ToolFinished, tool_call_id="t", output=1, display={"text/html": "<b>own</b>"})


def test_a_renderer_comes_before_what_a_result_of_an_sdk_shows_of_itself() -> None:
    assert (watched([1], adapter=Sdk()).display or {})["text/html"] == "<b>own</b>"
    with vibe.renderer("query")(lambda _: "mine"):
        assert (watched([1], adapter=Sdk()).display or {})["text/markdown"] == "mine"


def test_a_renderer_comes_before_the_display_of_the_tool_and_that_before_the_values_own() -> None:
    def shown(*, display: bool) -> Any:
        with vibe.live("a", registry=vibe.Registry(), display=False) as live, live.tool("query") as tool:
            if display:
                tool.display(Html("<i>tool</i>"))
            tool.result(Html("<b>own</b>"))
        return (live.transcript.tools[0].display or {}).get("text/html")

    assert shown(display=False) == "<b>own</b>"
    assert shown(display=True) == "<i>tool</i>"
    with vibe.renderer("query")(lambda _: Html("<u>renderer</u>")):
        assert shown(display=True) == "<u>renderer</u>"


def test_a_renderer_that_changes_the_call_changes_no_transcript() -> None:
    @vibe.renderer("query")
    def change(part: ToolPart) -> None:
        part.output["rows"].append("changed")
        part.args["sql"] = "changed"

    part = watched(call({"rows": [1]}))
    assert (part.args, part.output) == ({"sql": "select 1"}, {"rows": [1]})
    assert part.display is None
