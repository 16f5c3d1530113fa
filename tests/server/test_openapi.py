"""Tests of the OpenAPI description with schemathesis: the server matches it, and random requests do not break it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.summary import note
from vibe_notebook.server import Limits, serve_in_background

SCRIPT = Path(sys.executable).with_name("schemathesis")


# Names must be printable: no pattern can state this. So the server may refuse random names.
RANDOM = ["--phases=fuzzing,stateful", "--exclude-checks=positive_data_acceptance"]


@pytest.mark.parametrize(("token", "phases"), [(None, RANDOM), ("s3cret", ["--phases=coverage"])])
def test_schemathesis_finds_nothing(token: str | None, phases: list[str], tmp_path: Path) -> None:
    # The server ends each stream: an open stream would delay the run.
    with serve_in_background(limits=Limits(stream_seconds=0.02), token=token) as server:
        options = ["--header", f"Authorization: Bearer {token}"] if token else []
        done = subprocess.run(
            [
                str(SCRIPT),
                "--no-color",
                "run",
                f"{server.url}/openapi.json",
                *phases,
                f"--max-examples={os.environ.get('VIBE_SCHEMATHESIS') or 5}",
                "--generation-deterministic",
                *options,
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
    summary = done.stdout[done.stdout.rfind("= SUMMARY =") :]
    assert done.returncode == 0, summary
    counted = re.search(r"(\d+) generated, \d+ passed", summary)
    assert counted, summary
    assert int(counted[1]) > 50
    note("openapi", f"schemathesis: {counted[1]} requests generated, no failure")
