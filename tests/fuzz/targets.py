"""Check one input of each fuzz target: a wrong answer is an ``AssertionError``, a crash is any other error.

``tests/fuzz/test_corpus.py`` calls a target for each file of ``tests/fuzz/corpus``, ``tools/fuzz.py`` for the inputs that
atheris makes. The first bytes of an input choose where the rest is cut.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.display.browser_half import page_html
from tests.remote.reference import decode
from vibe_notebook import adapters
from vibe_notebook._json_values import scrub
from vibe_notebook._markdown.long_blocks import Item
from vibe_notebook._markdown.renderer import lean, render
from vibe_notebook._markdown.stream import MarkdownStream, Update
from vibe_notebook.events import parse_event, to_json
from vibe_notebook.exceptions import ProtocolError
from vibe_notebook.recording import Recorder, Replay
from vibe_notebook.registry import Registry
from vibe_notebook.remote import SSEDecoder
from vibe_notebook.transcript import Transcript

LONGEST_MARKDOWN = 4_000
"""Characters: a longer text takes too long to find what a short one does not."""


def split(data: bytes) -> tuple[list[int], bytes]:
    """Return the steps of the cuts, and the rest of the input: the first byte is the number of cuts."""
    count = data[0] % 16 if data else 0
    return [1 + step for step in data[1 : 1 + count]], data[1 + count :]


def pieces(steps: list[int], size: int) -> list[tuple[int, int]]:
    """Return the ranges of the pieces; the last step goes on to the end."""
    found, start = [], 0
    for step in steps:
        found.append((start, min(start + step, size)))
        start = min(start + step, size)
    return [*found, (start, size)]


def check_event(data: bytes) -> None:
    """Check that a parsed event survives its JSON form, and that every form of its transcript can be made."""
    adapter = adapters.get("events", agent_id="a", run_id="r")
    adapted = [*adapter.feed(data), *adapter.finish()]
    try:
        event = parse_event(data)
    except ProtocolError:
        return
    again = parse_event(to_json(event))
    assert again == event, "an event changes in its JSON form"
    with Registry(hold=0) as registry:
        registry.dispatch(data)
        registry.dispatch(adapted)
        transcript = registry.transcript(event.agent_id)
    assert Transcript.model_validate_json(transcript.model_dump_json()) == transcript
    for form in (transcript.to_text(), transcript.to_markdown(), transcript.to_html()):
        form.encode()


def check_sse(data: bytes) -> None:
    """Check that the same bytes give the same events, however they are cut, and those of the reference."""
    steps, body = split(data)
    whole, cut = SSEDecoder(), SSEDecoder()
    wanted = whole.feed(body)
    found = [event for start, end in pieces(steps, len(body)) for event in cut.feed(body[start:end])]
    assert found == wanted, "a cut changes the events"
    assert (cut.last_event_id, cut.retry) == (whole.last_event_id, whole.retry)
    assert (wanted, whole.last_event_id, whole.retry) == decode(body), "the events are not the reference's"


def check_markdown(data: bytes) -> None:
    """Check that the live rendering of any cuts ends as the rendering of the whole text."""
    steps, body = split(data)
    text = body.decode("utf-8", "replace")[:LONGEST_MARKDOWN]
    stream, closed = MarkdownStream(), list[Item]()

    def apply(update: Update) -> None:
        if update.keep is not None:
            del closed[update.keep :]
        if update.closed:
            closed.extend(update.closed)

    for number, (start, end) in enumerate(pieces(steps, len(text))):
        stream.append(text[start:end])
        if number % 3 != 2:
            apply(stream.update())
        else:
            apply(stream.pause())
    apply(stream.finish())
    assert page_html(closed) == lean(render(text, math="mathml")), "the live rendering differs from the whole"


def check_recording(data: bytes) -> None:
    """Check that a recording is read or refused with its line, and that what was read is recorded alike."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        path.write_bytes(data)
        events = []
        try:
            for event in Replay(path, speed=None):
                events.append(event)  # noqa: PERF402 - those before the error count
        except ProtocolError as error:
            line = error.line
        else:
            line = 1
        assert line is not None, "an error names no line"
        assert line <= data.count(b"\n") + 1
        recorder = Recorder(path)
        for event in events:
            recorder.write(event)
        recorder.close()
        again = list(Replay(path, speed=None))
    assert len(again) == len(events)
    with Registry(hold=0) as registry:
        for event in events:
            registry.dispatch(event)
        for agent_id in registry.agents():
            scrub(registry.transcript(agent_id).to_text()).encode()
            json.loads(registry.transcript(agent_id).model_dump_json())


TARGETS: dict[str, Callable[[bytes], None]] = {
    "event": check_event,
    "sse": check_sse,
    "markdown": check_markdown,
    "recording": check_recording,
}
