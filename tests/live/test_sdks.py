"""Run every installed SDK offline: ``make live``, or ``pytest -m live``.

The tests run the scripts that made the recordings. Each watched run must give the transcript of its
recording. Each live object must give the events of its JSON form.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from collections.abc import AsyncIterator, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

from tests.adapters.support import EXPECTED, IDS, SAMPLES, check_items, check_parts, fold, recording, run
from vibe_notebook import adapters, watch
from vibe_notebook.adapters import Adapter
from vibe_notebook.events import Event
from vibe_notebook.registry import Registry

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore"),  # this project does not fix an SDK's warnings
]
SCRIPTS = sorted(path.stem for path in (SAMPLES / "record").glob("[a-z]*.py") if path.stem != "recorder")
Start = Callable[[], AsyncIterator[Any]]


def scripted(script: str) -> dict[str, Start]:
    """Return the streams that a script starts; skip the test without the SDK, not for a broken script."""
    try:
        record = importlib.import_module(f"tests.samples.record.{script}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(("tests", "vibe_notebook")):
            raise
        pytest.skip(f"{error.name} is not installed")
    packages = []
    for package in record.PACKAGES:
        try:
            packages.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            pytest.skip(f"{package} is not installed")
    sys.stdout.write(f"with {', '.join(packages)}\n")
    return {name: start for name, (_, start) in record.RUNS.items()}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_watched_sdk_gives_the_recorded_transcript(script: str) -> None:
    for name, start in scripted(script).items():
        expected = recording(name).expected

        async def watched(start: Start = start, name: str = name) -> Any:
            with Registry() as registry:
                one = watch(start(), display=False, registry=registry)
                try:
                    async for _ in one:
                        pass
                except Exception as error:  # noqa: BLE001 - an SDK may raise any exception
                    assert recording(name).raised is not None, error  # noqa: PT017 - other runs raise nothing
                return one.transcript

        transcript = asyncio.run(watched())
        check_parts(transcript.parts, expected["items"])
        assert [transcript.outcome] == expected["run"], name


@pytest.mark.parametrize("script", SCRIPTS)
def test_live_objects_and_their_json_give_the_recorded_parts(script: str) -> None:
    recorder = importlib.import_module("tests.samples.record.recorder")
    for name, start in scripted(script).items():
        reader, live = adapters.get(recording(name).adapter, **IDS), list[Event]()

        # The adapter reads each native at once: some SDKs change natives after they yield them.
        def seen(native: Any, reader: Adapter = reader, live: list[Event] = live) -> None:
            live.extend(reader.feed(native))

        natives, _, error = asyncio.run(recorder.collected(start(), seen))
        live += reader.finish(error)
        assert live == run(reader.name, [native for _, native in natives], error), name
        shown = fold(live, numbered=True)
        check_items(shown["items"], EXPECTED[name]["items"])
        assert shown["runs"] == EXPECTED[name].get("runs", {})
        assert [shown["run"]] == EXPECTED[name]["run"]


NOT_COUNTED = {
    "agno_team": "a member that begins at that moment is not registered yet, and may make its first call",
    "dspy": "inside of a generator its task group ends in another task, and cancels the task of the test",
    "crewai_chunks": "kickoff_async() runs the crew in a thread, which nothing can end; akickoff() can be ended",
}
"""Runs of which calls may begin afterwards, or that cannot be counted here, and the reasons."""
_FIRST = 10
"""The bytecode up to which a frame has just been entered."""


class _Tools:
    """Count the calls of the scripts' tool that begin, in every thread."""

    def __init__(self) -> None:
        self.begun = 0

    def __call__(self, frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        # A coroutine's frame is entered again after each pause: only its first entry begins the call.
        is_first = frame.f_lasti <= _FIRST
        if event == "call" and code.co_name == "get_weather" and "samples" in code.co_filename and is_first:
            self.begun += 1


async def _stopped(start: Start, at: int, how: str) -> Any:
    with Registry() as registry:
        one = watch(start(), display=False, registry=registry)
        count = 0
        if how == "block":
            async with one:
                async for _ in one:
                    if (count := count + 1) == at:
                        break
        else:
            async for _ in one:
                if (count := count + 1) == at:
                    if how == "cancel":
                        one.cancel()
                    else:
                        break
        while not one.done():  # noqa: ASYNC110 - a watch has no event for its end
            await asyncio.sleep(0)
        return one.transcript


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_tool_call_begins_after_the_end_of_a_watch(script: str) -> None:
    tools = _Tools()

    async def main(start: Start, at: int, how: str) -> tuple[int, int]:
        await _stopped(start, at, how)
        before = tools.begun
        await asyncio.sleep(0.2)  # the time in which a run that goes on calls the next tool
        return before, tools.begun

    for name, start in scripted(script).items():
        if name in NOT_COUNTED:
            continue
        count = len(recording(name).natives)
        for how in ("break", "block", "cancel"):
            for at in sorted({max(1, count * part // 4) for part in range(1, 4)}):
                threading.setprofile(tools)
                sys.setprofile(tools)
                try:
                    before, after = asyncio.run(main(start, at, how))
                finally:
                    sys.setprofile(None)
                    threading.setprofile(None)  # type: ignore[arg-type]  # None ends it
                assert after == before, (name, how, at)
