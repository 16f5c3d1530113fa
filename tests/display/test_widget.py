"""The kernel half of the widget: its state is made when it is asked for, and what it carries is small."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path
from typing import Any

import pytest

from vibe_notebook.display._widget import StreamWidget, _source


def test_the_snapshot_is_made_when_the_state_is_asked_for() -> None:
    made: list[int] = []

    def snapshot() -> dict[str, Any]:
        made.append(1)
        return {"n": len(made)}

    widget = StreamWidget(snapshot, lambda _: None)
    before = len(made)
    assert widget.get_state()["_snapshot"] == {"n": before + 1}
    assert widget.get_state("_snapshot")["_snapshot"] == {"n": before + 2}
    assert "_snapshot" not in widget.get_state("_view_name")
    widget.close()


def test_what_travels_with_every_widget_has_no_comments_and_is_the_same_program(tmp_path: Path) -> None:
    source = _source("widget.js")
    assert len(source) < 27_500
    assert not any(line.startswith(("//", "*", "/*")) for line in source.splitlines())
    module = tmp_path / "widget.mjs"
    module.write_text(source, encoding="utf-8")
    subprocess.run(["node", "--check", str(module)], check=True)


def test_the_stylesheet_travels_in_the_module_once() -> None:
    module = str(StreamWidget._esm)
    assert module.count(".vibe-live {") == _source("widget.css").count(".vibe-live {")
    assert "widget.css" not in module
    assert not hasattr(StreamWidget, "_css") or not StreamWidget._css


def test_a_message_that_cannot_be_handled_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: dict[str, Any]) -> None:
        message = "no"
        raise ValueError(message)

    widget = StreamWidget(dict, broken)
    with caplog.at_level(logging.ERROR, "vibe_notebook"):
        widget._handle_custom_msg({"type": "stop"}, [])
        widget._handle_custom_msg("not even an object", [])
    assert [record.message for record in caplog.records] == ["The view's message 'stop' could not be handled"]
    widget.close()


def test_a_view_that_says_hello_is_known_to_be_looked_at() -> None:
    widget = StreamWidget(dict, lambda _: None)
    assert not widget.mounted
    widget._handle_custom_msg({"type": "hello", "n": 0}, [])
    assert widget.mounted
    widget.close()
