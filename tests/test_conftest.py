"""Check the tests' own rules: time limits that grow with the load, and counted examples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import MOST_LOAD, time_limit

ROOT = Path(__file__).parent.parent


def test_a_time_limit_grows_where_several_programs_share_a_core() -> None:
    assert time_limit(120, load=0.3, cores=2) == 120
    assert time_limit(120, load=8, cores=2) == 480
    assert time_limit(120, load=1e6, cores=2) == 120 * MOST_LOAD


def test_a_fuzz_run_reports_the_number_of_examples_of_each_property(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from hypothesis import settings
from tests.conftest import *
settings.register_profile("few", max_examples=7, database=None)
settings.load_profile("few")
""")
    (tmp_path / "test_it.py").write_text("""
import pytest
from hypothesis import given, strategies as st

@given(st.integers())
def test_plain(n): pass

@pytest.mark.parametrize("word", ["a", "b"])
@given(n=st.booleans())
def test_small(word, n): pass

def test_no_property(): pass
""")
    env = {**os.environ, "VIBE_HYPOTHESIS": "fuzz", "VIBE_SUMMARY": "", "VIBE_SECTION": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", str(tmp_path)]
    out = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False).stdout
    lines = [line.split() for line in out.splitlines()]
    assert ["7", "test_it.py::test_plain"] in lines, out
    assert ["2", "test_it.py::test_small[a]"] in lines  # there are no other examples
    assert ["2", "test_it.py::test_small[b]"] in lines
    assert ["11", "of", "3", "properties"] in lines
