"""Run the front end's tests in node. With ``VIBE_REQUIRE_ALL``, a skipped test is a failure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.summary import note

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run ``tests/js/*.test.js`` and record the number of passed tests."""
    files = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/js/*.test.js"))
    if not files:
        # Without a file, node --test searches the whole tree for tests.
        note("js", "no tests")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        tap = Path(folder, "tap")
        reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout"]
        reporters += ["--test-reporter=tap", f"--test-reporter-destination={tap}"]
        environment = {**os.environ, "VIBE_PYTHON": sys.executable}
        command = ["node", "--test", *reporters, *files]
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        report = tap.read_text(encoding="utf-8")
    counts = {name: int(number) for name, number in re.findall(r"^# (\w+) (\d+)$", report, re.MULTILINE)}
    skipped = re.findall(r"^\s*ok \d+ - (.*) # SKIP", report, re.MULTILINE)
    if code == 0 and skipped and os.environ.get("VIBE_REQUIRE_ALL"):
        print(
            f"error: skipped, though VIBE_REQUIRE_ALL allows no skipped test: {'; '.join(skipped)}",
            file=sys.stderr,
        )
        return 1
    note("js", f"{counts.get('pass', 0)} passed", skipped)
    return code


if __name__ == "__main__":
    sys.exit(main())
