"""Check the table of sessions: in a terminal no line is wider than the window, and each name opens its log."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from vibe_notebook.logs import Session, session_lines

TINT = re.compile("\x1b\\[\\d+m")


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in TINT.sub("", line))


SESSIONS = [
    Session(
        Path(f"/logs/{number}.jsonl"),
        "Pi",
        project="/srv/a-rather-long-path/of/a/project",
        title="日本語のとても長い題名です、幅は二倍 and more words " * number,
        turns=number,
        cost=cost,
        changed_at=1_772_704_801.0,
    )
    for number, cost in ((1, None), (20, 0.004), (300, 1234.5))
]


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_no_line_is_wider_than_the_terminal_and_all_columns_stand_in_line(width: int) -> None:
    lines = list(session_lines(SESSIONS, width=width))
    assert max(map(columns, lines)) <= width
    assert all(line.endswith("…") for line in lines[2:])
    ends = {
        columns(line[: match.end()]) for line in lines[1:] if (match := re.search(r"  (1|20|300)  ", line))
    }
    assert len(ends) == 1


def test_a_narrow_terminal_shows_words_before_projects() -> None:
    wide, narrow = (list(session_lines(SESSIONS, width=width))[1] for width in (110, 60))
    assert "of/a/project" in wide
    assert "project" not in narrow
    assert "日本" in narrow


def test_a_file_gets_every_word_and_no_colour() -> None:
    lines = list(session_lines(SESSIONS))
    assert all(columns(line) > 200 for line in lines[2:])
    assert not any(TINT.search(line) for line in lines)


def test_a_terminal_gets_a_bold_head_and_problems_in_a_colour() -> None:
    broken = Session(Path("/logs/x.jsonl"), problem="x.jsonl is empty", changed_at=1.0)
    head, line = session_lines([broken], width=100, has_colours=True)
    assert head.startswith("\x1b[1m")
    assert line.endswith("\x1b[33mx.jsonl is empty\x1b[0m")


def test_a_cost_below_a_cent_is_not_nothing() -> None:
    shown = [line.split()[5] for line in list(session_lines(SESSIONS))[1:]]
    assert shown[1:] == ["<$0.01", "$1,234.50"]


def test_sessions_whose_names_begin_alike_get_as_much_of_them_as_tells_them_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    ids = [
        "5d1f0c3a-7b52-4e0e-9a54-2f6f4a1c8e10",
        "5d1f0c3a-7b52-4e0e-9a54-2f6f4a1c8e11",
        "7d1f0c3a-7b52-4e0e-9a54-2f6f4a1c8e10",
    ]
    found = [Session(tmp_path / "projects" / "-p" / f"{one}.jsonl", changed_at=1.0) for one in ids]
    names = [line.split()[0] for line in list(session_lines(found))[1:]]
    assert names == [f"claude:{ids[0]}", f"claude:{ids[1]}", f"claude:{ids[2][:13]}"]
