"""Record what SDKs yield, offline: ``python tests/samples/record openai_agents …``; all without names.

A script has the name of its adapter, and says what to record in ``RUNS`` and of what in ``PACKAGES``.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[0] = str(HERE.parent)  # not this folder: its files are called like the SDKs that they import

recorder = importlib.import_module("record.recorder")
names = sys.argv[1:] or sorted(p.stem for p in HERE.glob("*.py") if p.stem != "recorder" and p.stem[0] != "_")
for name in names:
    script = importlib.import_module(f"record.{name}")
    asyncio.run(recorder.record_all(script.RUNS, script.PACKAGES))
