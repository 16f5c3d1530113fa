"""Run each kept input of the fuzz targets once: seeds, what a long run found interesting, and what once failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, pieces, split
from tools import fuzz

CORPUS = Path(__file__).parent / "corpus"
LARGEST = 200_000
"""Bytes of the whole corpus: it is in the repository."""


@pytest.mark.parametrize("target", TARGETS)
def test_every_kept_input_gives_the_right_answer(target: str) -> None:
    inputs = sorted((CORPUS / target).iterdir())
    for path in inputs:
        try:
            TARGETS[target](path.read_bytes())
        except Exception as error:
            error.add_note(f"the input is {path}")
            raise
    assert len(inputs) >= 10


def test_the_corpus_is_small_and_has_only_known_targets() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) <= LARGEST


@pytest.mark.parametrize("data", [b"", b"\x03", b"\x03\x00\x05\xffabcdef", b"\x10abc"])
def test_the_pieces_of_an_input_make_the_whole(data: bytes) -> None:
    steps, body = split(data)
    assert b"".join(body[start:end] for start, end in pieces(steps, len(body))) == body


def test_a_wrong_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.targets.render", lambda *_, **__: "something else")
    with pytest.raises(AssertionError, match="differs from the whole"):
        TARGETS["markdown"](b"\x00text")


def test_without_atheris_the_error_names_the_group(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    monkeypatch.setattr(sys, "argv", ["tools.fuzz"])
    assert fuzz.main() == 1
    assert "pip install --group fuzz" in capsys.readouterr().err
    assert sorted(fuzz.NAMES) == sorted(TARGETS)
