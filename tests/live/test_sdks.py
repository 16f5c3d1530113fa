"""Every SDK that is installed, run offline for real: ``make live``, or ``pytest -m live``.

What runs is the scripts that made the recordings. Watched, each must amount to what its recording
does; and what a live object says, its JSON form says too.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
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
    pytest.mark.filterwarnings("ignore"),  # an SDK's own are not ours to mend
]
SCRIPTS = sorted(path.stem for path in (SAMPLES / "record").glob("[a-z]*.py") if path.stem != "recorder")
Start = Callable[[], AsyncIterator[Any]]


def scripted(script: str) -> dict[str, Start]:
    """What a script runs; a script whose SDK is not there is skipped, one that is broken is not."""
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
def test_what_is_watched_is_what_the_sdk_did(script: str) -> None:
    for name, start in scripted(script).items():
        expected = recording(name).expected

        async def watched(start: Start = start, name: str = name) -> Any:
            with Registry() as registry:
                one = watch(start(), display=False, registry=registry)
                try:
                    async for _ in one:
                        pass
                except Exception as error:  # noqa: BLE001 - whatever an SDK raises
                    assert recording(name).raised is not None, error  # noqa: PT017 - or it is none
                return one.transcript

        transcript = asyncio.run(watched())
        check_parts(transcript.parts, expected["items"])
        assert [transcript.outcome] == expected["run"], name


@pytest.mark.parametrize("script", SCRIPTS)
def test_live_objects_and_their_json_say_what_the_recording_says(script: str) -> None:
    recorder = importlib.import_module("tests.samples.record.recorder")
    for name, start in scripted(script).items():
        reader, live = adapters.get(recording(name).adapter, **IDS), list[Event]()

        # Read as it comes: some SDKs go on changing what they have yielded.
        def seen(native: Any, reader: Adapter = reader, live: list[Event] = live) -> None:
            live.extend(reader.feed(native))

        natives, _, error = asyncio.run(recorder.collected(start(), seen))
        live += reader.finish(error)
        assert live == run(reader.name, [native for _, native in natives], error), name
        shown = fold(live, numbered=True)
        check_items(shown["items"], EXPECTED[name]["items"])
        assert shown["runs"] == EXPECTED[name].get("runs", {})
        assert [shown["run"]] == EXPECTED[name]["run"]
