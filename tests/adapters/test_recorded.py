"""The SDKs themselves, run offline by the scripts that made the recordings.

What a live object says and what its JSON form says is the same, and both amount to what the
recording of the same run amounts to.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest

from tests.adapters.support import EXPECTED, IDS, check_items, fold, recording, run
from vibe_notebook import adapters
from vibe_notebook.adapters import Adapter
from vibe_notebook.events import Event

RECORDED = {
    "acp": "acp",
    "agno": "agno",
    "claude_agent_sdk": "claude_agent_sdk",
    "google_adk": "google.adk",
    "langgraph": "langgraph",
    "llama_index": "llama_index.core",
    "openai_agents": "agents",
    "smolagents": "smolagents",
    "strands": "strands",
}
"""Each script of ``tests/samples/record``, and the module that its SDK is imported as."""


def scripts() -> list[Any]:
    return [pytest.param(name, sdk, id=name) for name, sdk in RECORDED.items()]


@pytest.mark.filterwarnings("ignore")  # an SDK's own are not ours to mend
@pytest.mark.parametrize(("script", "sdk"), scripts())
def test_live_objects_and_their_json_say_what_the_recording_says(script: str, sdk: str) -> None:
    pytest.importorskip(sdk)
    record = importlib.import_module(f"tests.samples.record.{script}")
    recorder = importlib.import_module("tests.samples.record.recorder")
    for name, (_, start) in record.RUNS.items():
        reader, live = adapters.get(recording(name).adapter, **IDS), list[Event]()

        def seen(native: Any, reader: Adapter = reader, live: list[Event] = live) -> None:
            live.extend(reader.feed(native))

        natives, _, error = asyncio.run(recorder.collected(start(), seen))
        live += reader.finish(error)
        assert live == run(reader.name, [native for _, native in natives], error), name
        shown = fold(live, numbered=True)
        check_items(shown["items"], EXPECTED[name]["items"])
        assert shown["runs"] == EXPECTED[name].get("runs", {})
        assert [shown["run"]] == EXPECTED[name]["run"]
