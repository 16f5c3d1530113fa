"""Check the benchmarks' texts, and that each section writes only its own part of the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import page, texts


def test_the_writer_makes_the_committed_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = texts.FOLDER
    monkeypatch.setattr(texts, "FOLDER", tmp_path)
    texts.main()
    for file in committed.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("shape", texts.SHAPES)
@pytest.mark.parametrize("size", [8_000, 80_000, 300_000])
def test_a_text_has_its_size_and_its_pieces_make_the_whole(shape: str, size: int) -> None:
    text = texts.text(shape, size)
    assert abs(len(text) - size) < 200
    marked, count = texts.marked(text, 3)
    pieces = texts.pieces(marked)
    assert "".join(pieces) == marked
    assert [piece for piece in pieces if "zq" in piece] == [f"zq3x{number}q" for number in range(count)]
    assert re.sub(" zq3x[0-9]+q", "", marked).removesuffix("\n\nThe end\n") == text


def test_a_row_measured_again_replaces_the_old_one_and_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    tables = [page.table(["a", "b"], [["x", number], ["xy", number]]) for number in (1, 2)]
    page.write("kernel", "Kernel", "### One\n\n{}\n### Two\n\n{}".format(*tables))
    page.replace_rows("kernel", "### Two", [["x", 3]], "Today.")
    page.replace_rows("kernel", "### Two", [["x", 4]], "Today.")
    found = page.PAGE.read_text(encoding="utf-8")
    assert "| x | 1 |\n| xy | 1 |\n" in found
    assert found.endswith("| x \\* | 4 |\n| xy | 2 |\n\n\\* Today.\n<!-- end -->\n")
    with pytest.raises(ValueError, match="no row 'z' below"):
        page.replace_rows("kernel", "### Two", [["z", 5]], "Today.")


def test_a_section_replaces_itself_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    page.write("memory", "Memory", "old")
    page.write("kernel", "Kernel", page.table(["a", "b"], [[1, 2]]))
    page.write("memory", "Memory", "new")
    written = page.PAGE.read_text()
    assert "old" not in written
    assert written.index("| 1 | 2 |") < written.index("\nnew\n")
    assert written.count("<!-- section") == 2


def test_a_table_is_placed_between_the_marks_of_a_page_and_nowhere_else(tmp_path: Path) -> None:
    written = tmp_path / "page.md"
    written.write_text("before\n<!-- section server -->\nold\n<!-- end -->\nafter\n")
    page.place(written, "server", "| new |\n")
    assert written.read_text() == "before\n<!-- section server -->\n| new |\n<!-- end -->\nafter\n"
    with pytest.raises(ValueError, match="no place for kernel"):
        page.place(written, "kernel", "x")


@pytest.mark.parametrize("name", ["server"])
def test_each_page_that_a_section_writes_has_a_place_for_it(name: str) -> None:
    found = (page.DOCS / "projects.md").read_text()
    assert 0 < found.index(f"<!-- section {name} -->\n") < found.index("<!-- end -->\n")
