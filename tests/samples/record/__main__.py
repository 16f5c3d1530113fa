"""Record the streams of SDKs offline: ``python tests/samples/record openai_agents …``.

Without names, the command runs all scripts. A script has the name of its adapter. ``RUNS`` names its
recordings, and ``PACKAGES`` the packages of its SDK.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[0] = str(HERE.parent)  # not this folder: its files have the names of the SDKs that they import

recorder = importlib.import_module("record.recorder")
names = sys.argv[1:] or sorted(p.stem for p in HERE.glob("*.py") if p.stem != "recorder" and p.stem[0] != "_")
for name in names:
    script = importlib.import_module(f"record.{name}")
    asyncio.run(recorder.record_all(script.RUNS, script.PACKAGES))
