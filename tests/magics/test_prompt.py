"""Check, in a real IPython on a terminal, that a background stream leaves the prompt alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect  # type: ignore[import-untyped]

SOURCE = (
    "import asyncio, time, vibe_notebook as vibe\n"
    "def words():\n"
    "    for n in range(8):\n"
    "        time.sleep(0.1)\n"
    "        yield f'word{n} ' + ('\\n' if n % 4 == 3 else '')\n"
)


def test_a_background_stream_writes_whole_lines_above_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "start.py").write_text(SOURCE, encoding="utf-8")
    options = ["--no-banner", "--no-confirm-exit", "--colors=nocolor", "-i", str(tmp_path / "start.py")]
    env = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "IPYTHONDIR": str(tmp_path)}
    child = pexpect.spawn(
        sys.executable, ["-m", "IPython", *options], encoding="utf-8", timeout=20, env=env, cwd=str(tmp_path)
    )
    try:
        child.expect_exact("In [1]:")
        child.send("%load_ext vibe_notebook\r")
        child.expect_exact("In [2]:")
        child.send("w = %vibe_stream words()\r")
        child.expect_exact("In [3]:")
        child.send("40 + ")
        child.expect_exact("word0 word1 word2 word3 \r\n")
        child.expect_exact("word4 word5 word6 word7 \r\n")
        child.expect_exact("40 +")  # the prompt is drawn again below
        child.send("2\r")
        child.expect_exact("42")
    finally:
        child.close(force=True)
