"""Test the kernel half of the widget: the snapshot is made on request, and the bundle is small."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

import vibe_notebook.display._tree  # noqa: F401 - defines a class for each kind
from vibe_notebook.display._parts import SentPart
from vibe_notebook.display._widget import StreamWidget
from vibe_notebook.parts import Part

ROOT = Path(__file__).parents[2]
DISPLAY = ROOT / "vibe_notebook" / "display"
BUNDLE = DISPLAY / "static" / "widget.js"
FRONTEND = DISPLAY / "frontend"


def node(script: str) -> str:
    """Return the output of a script."""
    command = ["node", "--input-type=module", "--eval", script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def descendants(of: type[SentPart]) -> Iterator[type[SentPart]]:
    """Yield the classes below *of* that send a kind of part."""
    for child in of.__subclasses__():
        if child.kind:
            yield child
        yield from descendants(child)


def test_the_snapshot_is_made_when_the_state_is_requested() -> None:
    made: list[int] = []

    def snapshot() -> dict[str, Any]:
        made.append(1)
        return {"n": len(made)}

    widget = StreamWidget(snapshot, lambda _: None, mark="m")
    before = len(made)
    assert widget.get_state()["_snapshot"] == {"n": before + 1}
    assert widget.get_state("_snapshot")["_snapshot"] == {"n": before + 2}
    assert "_snapshot" not in widget.get_state("_view_name")
    widget.close()


def test_the_bundle_that_every_widget_sends_did_not_grow_large_by_accident() -> None:
    module = str(StreamWidget._esm)
    assert module == BUNDLE.read_text(encoding="utf-8")
    # The limit guards against accidents, for example a library or an image in the bundle. The limit is no goal:
    # readable sources are worth more than small ones.
    assert len(module.encode()) <= 60_000


def test_the_bundle_is_one_module_that_imports_nothing(tmp_path: Path) -> None:
    module = tmp_path / "widget.mjs"
    script = f"import widget from {json.dumps(module.as_uri())}; console.log(Object.keys(widget()))"
    # In a folder of its own the bundle would find no other module.
    module.write_text(str(StreamWidget._esm), encoding="utf-8")
    assert node(script) == "[ 'initialize', 'render' ]"


def test_the_module_has_the_stylesheet_once() -> None:
    assert str(StreamWidget._esm).count("@keyframes vibe-turn") == 1
    assert not hasattr(StreamWidget, "_css") or not StreamWidget._css


@pytest.mark.parametrize(("setting", "kind"), [("1", "FileContents"), ("0", "str"), ("", "str")])
def test_anywidget_watches_the_bundle_only_if_a_developer_asks_for_it(setting: str, kind: str) -> None:
    # A widget stays connected to a file as long as anywidget watches the file.
    script = "from vibe_notebook.display._widget import StreamWidget; print(type(StreamWidget._esm).__name__)"
    # Without watchfiles anywidget warns, and uses the file anyway.
    command = [sys.executable, "-W", "ignore", "-c", script]
    env = {**os.environ, "ANYWIDGET_HMR": setting}
    out = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout
    assert out.strip() == kind


def test_every_kind_of_part_that_the_kernel_sends_is_drawn_by_the_front_end() -> None:
    # The test reads private names, because no public name lists the kinds on the wire.
    sent = {shown.kind for shown in descendants(SentPart)}
    cards = {"plan", "input", "custom"}  # drawn as cards: HTML that changes as a whole
    assert {member.model_fields["kind"].default for member in get_args(get_args(Part)[0])} - cards <= sent
    for module, table in (("parts.js", "KINDS"), ("templates.js", "TEMPLATES")):
        uri = (FRONTEND / module).as_uri()
        drawn = json.loads(
            node(
                f"import {{ {table} }} from {json.dumps(uri)}; console.log(JSON.stringify(Object.keys({table})))"
            )
        )
        assert set(drawn) == sent | {"root"}, module


def test_a_message_that_cannot_be_handled_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: dict[str, Any]) -> None:
        message = "no"
        raise ValueError(message)

    widget = StreamWidget(dict, broken, mark="m")
    with caplog.at_level(logging.ERROR, "vibe_notebook"):
        widget._handle_custom_msg({"type": "stop"}, [])
        widget._handle_custom_msg("not even an object", [])
    assert [record.message for record in caplog.records] == ["The view's message 'stop' could not be handled"]
    widget.close()
