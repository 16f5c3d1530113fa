"""Run the fuzz targets with atheris for some seconds each, and print their counts: a part of ``make fuzz``.

``python -m tools.fuzz`` is the driver; ``python -m tools.fuzz run NAME …`` is one target's process, whose other arguments
libFuzzer reads. New inputs that reach new code are kept in ``.fuzz/NAME``, failing ones in ``.fuzz/NAME.failed``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "tests" / "fuzz" / "corpus"
SCRATCH = ROOT / ".fuzz"
NAMES = ("event", "sse", "markdown", "recording")
MISSING = (
    "error: the fuzz targets need atheris, which has wheels for Linux only: "
    "pip install --group fuzz (the group is in pyproject.toml)"
)


def run(name: str, arguments: list[str]) -> None:
    """Fuzz one target in this process, until libFuzzer ends it."""
    import atheris  # noqa: PLC0415 - a group of its own

    with atheris.instrument_imports(include=["vibe_notebook"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - what is imported here is instrumented
    atheris.Setup([name, *arguments], TARGETS[name])
    atheris.Fuzz()


def measure(name: str, seconds: int) -> tuple[list[str], bool]:
    """Fuzz one target in a process of its own; return its counts, and whether it has found nothing."""
    new, failed = SCRATCH / name, SCRATCH / f"{name}.failed"
    for folder in (new, failed):
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tools.fuzz", "run", name, str(new), str(KEPT / name)]
    command += [f"-max_total_time={seconds}", "-print_final_stats=1", "-timeout=20", "-max_len=8192"]
    done = subprocess.run(
        [*command, f"-artifact_prefix={failed}/"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    said = done.stderr + done.stdout
    counts = dict(re.findall(r"stat::(\w+):\s+(\d+)", said))
    findings = len(list(failed.iterdir()))
    corpus = sum(1 for folder in (new, KEPT / name) for _ in folder.iterdir())
    if done.returncode or findings:
        print(said[-4_000:], file=sys.stderr)
    row = [name, f"{int(counts.get('number_of_executed_units', 0)):,}", f"{corpus:,}", str(findings)]
    return row, not findings and not done.returncode


def main() -> int:
    """Run the targets, and print a line for each."""
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2], sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(prog="tools.fuzz")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"targets: {', '.join(NAMES)}; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"unknown target {', '.join(unknown)}; choose from {', '.join(NAMES)}")
    try:
        import atheris  # noqa: F401, PLC0415 - as above
    except ImportError:
        print(MISSING, file=sys.stderr)
        return 1
    is_clean = True
    print(f"{'target':<12}{'executions':>14}{'corpus':>10}{'findings':>10}", flush=True)
    for name in options.names or NAMES:
        row, is_good = measure(name, options.seconds)
        is_clean = is_clean and is_good
        print(f"{row[0]:<12}{row[1]:>14}{row[2]:>10}{row[3]:>10}", flush=True)
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
