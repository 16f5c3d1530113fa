"""Follow vibex 0.30.1's real server, which cuts connections and whose ids have no order."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

import vibe_notebook as vibe
from vibe_notebook.remote import follow

ROOT = Path(__file__).parent.parent.parent

PYTHON = Path(sys.prefix, "vibex", "bin", "python")
"""The environment that ``make vibex`` makes."""

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="vibex's own environment is missing: run make vibex"
)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    # In a separate folder, because the import of vibex writes logs; without its warnings, which vibex owns.
    process = subprocess.Popen(
        [str(PYTHON), "-W", "ignore", str(Path(__file__).with_name("vibex_server.py"))],
        cwd=tmp_path_factory.mktemp("vibex"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        found = next((m for line in process.stdout if (m := re.fullmatch(r"port (\d+)\n", line))), None)
        assert found is not None, "vibex's server did not start"
        yield int(found[1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_following_vibexs_server_over_a_broken_connection_doubles_nothing(port: int) -> None:
    stream = follow(f"http://127.0.0.1:{port}/xagents/proj1/stream?user_id=u")
    watched = vibe.watch(stream, display=False)

    async def run() -> None:
        with anyio.fail_after(30):
            async for event in watched:
                if event.type == "custom" and event.name == "project_update":
                    watched.cancel()

    anyio.run(run)
    transcript = watched.transcript
    assert stream.dialect == "vibex"
    assert (transcript.agent_id, transcript.text) == ("proj1", "Let me check.It is 18 °C. Bye.")
    (tool,) = transcript.tools
    assert (tool.tool_name, tool.args, tool.output) == ("get_weather", {"city": "Paris"}, {"temp_c": 18})
    assert [part.name for part in transcript.parts if part.kind == "artifact"] == ["report.md"]
