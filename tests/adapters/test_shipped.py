"""Load the adapters that other packages ship."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vibe_notebook import adapters
from vibe_notebook.adapters import _entry_points as _shipped
from vibe_notebook.events import TextDelta
from vibe_notebook.exceptions import AdapterError

GOOD = """
from vibe_notebook.adapters import Adapter
from vibe_notebook.adapters.fields import get, text

def matches(native):
    return text(get(native, "kind")).startswith("acme/")

class AcmeAdapter(Adapter):
    name = "acme"

    def _read(self, native):
        self.emit_text("text", "0", text(get(native, "words")))
"""


def package(folder: Path, name: str, code: str, value: str | None = None) -> None:
    """Write a package in the form in which pip installs it."""
    (folder / f"{name}_vibe.py").write_text(code)
    info = folder / f"{name}_vibe-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-vibe\nVersion: 1.0\n")
    entry = value or f"{name}_vibe"
    (info / "entry_points.txt").write_text(f"[vibe_notebook.adapters]\n{name.title()} = {entry}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.endswith("_vibe")]:
        del sys.modules[name]
    _shipped.load.cache_clear()


@pytest.mark.parametrize("value", ["acme_vibe", "acme_vibe:AcmeAdapter"])
def test_an_adapter_of_another_package_works_like_ours(site: Path, value: str) -> None:
    package(site, "acme", GOOD, value)
    assert "acme" in adapters.names()
    assert adapters.detect({"kind": "acme/x"}) == adapters.choose("auto", {"kind": "acme/x"}) == "acme"
    adapter = adapters.get("ACME", agent_id="a", run_id="r")
    assert adapter.feed({"words": "hi"})[-1] == TextDelta(agent_id="a", run_id="r", delta="hi")


def test_an_adapter_is_loaded_at_its_first_use(site: Path) -> None:
    package(site, "acme", GOOD)
    names = adapters.names()
    adapters.get("text")
    assert "acme" in names
    assert "acme_vibe" not in sys.modules


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("import nowhere_to_be_found", None),
        ("raise SystemError('broken')", None),
        ("matches = bool", None),
        (GOOD + "class SecondAdapter(AcmeAdapter): pass", None),
        (GOOD, "acme_vibe:missing"),
        ("from vibe_notebook.adapters import Adapter\nclass A(Adapter): pass", None),
    ],
)
def test_a_broken_adapter_is_reported_once_and_others_still_work(
    site: Path, code: str, value: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    package(site, "acme", code, value)
    assert adapters.detect("text") == adapters.detect("text") == "text"
    (record,) = caplog.records
    assert record.getMessage() == "The adapter 'Acme' of acme-vibe cannot be loaded and is left out."
    with pytest.raises(AdapterError, match=r"'acme' cannot be loaded .* uninstall the package"):
        adapters.get("acme")


def test_an_adapter_whose_matches_raises_does_not_stop_others(
    site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    package(site, "acme", GOOD.replace("text(get(native", "native.missing(get(native"))
    assert adapters.detect("text") == "text"
    assert "Pass adapter=" in caplog.text


def test_a_stream_that_two_adapters_read_is_not_guessed(site: Path) -> None:
    package(site, "acme", GOOD.replace("return text(", "return True or text("))
    with pytest.raises(AdapterError, match=r"more than one adapter reads it \(acme, text\)"):
        adapters.detect("text")
    assert adapters.choose("acme", "text") == "acme"


def test_no_package_replaces_an_adapter_of_ours(site: Path) -> None:
    package(site, "text", GOOD)
    assert adapters.get("text").name == "text"
    assert type(adapters.get("text")).__module__ == "vibe_notebook.adapters.text"


def test_an_installed_adapter_is_found_in_a_new_process(site: Path) -> None:
    package(site, "acme", GOOD)
    code = (
        "import vibe_notebook as vibe\n"
        "run = vibe.watch([{'kind': 'acme/x', 'words': 'hello'}], display=False)\n"
        "for _ in run: pass\n"
        "print(run.transcript.text)"
    )
    path = f"import sys; sys.path[:0] = [{str(site)!r}]\n"
    done = subprocess.run([sys.executable, "-c", path + code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "hello"
