"""Test that long lists and tables close item by item: no closed item is parsed or sent again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.display.browser_half import page_html
from tests.markdown.test_markdown_open import fed
from vibe_notebook._markdown import renderer
from vibe_notebook._markdown import stream as stream_module
from vibe_notebook._markdown.long_blocks import GROUP_FROM, LEAVE
from vibe_notebook._markdown.renderer import lean, render
from vibe_notebook._markdown.stream import MarkdownStream

ITEM = "- an item with **bold** words\n"
ROW = "| a | **b** | `c` |\n"
TABLE = "| x | y | z |\n| - | -: | - |\n"
SHAPES = {
    "list": ("", ITEM),
    "numbered": ("", "7. x **y** z\n"),
    "tasks": ("", "- [x] done\n"),
    "table": (TABLE, ROW),
}


@pytest.mark.parametrize(("head", "line"), SHAPES.values(), ids=SHAPES)
def test_each_item_closes_once_and_the_parsed_source_does_not_grow(
    head: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = MarkdownStream()
    fed(stream, head + line * (GROUP_FROM // len(line) + 1))
    assert str(stream.blocks[0]).startswith(LEAVE)
    parsed: list[int] = []

    def counted(source: str, *args: Any, **more: Any) -> list[renderer.Block]:
        parsed.append(len(source))
        return renderer.parse(source, *args, **more)

    monkeypatch.setattr(stream_module, "parse", counted)
    updates = fed(stream, *[line] * 300)
    assert [len(update.closed) for update in updates] == [1] * 300
    assert max(parsed) <= len(head) + 2 * len(line)
    fed(stream, "\nThe end.\n")
    stream.finish()
    text = head + line * (GROUP_FROM // len(line) + 301) + "\nThe end.\n"
    assert page_html(stream.blocks) == lean(render(text))


def test_text_behind_a_long_list_is_shown_there_before_its_line_is_complete() -> None:
    stream = MarkdownStream()
    fed(stream, ITEM * 50, "\n", "What fol")
    assert stream.open_html.endswith(f"</li>\n{LEAVE}<p>What fol</p>\n")
    fed(stream, "lows\n")
    assert stream.blocks[-1] == LEAVE
    assert stream.open_html == "<p>What follows</p>\n"


def test_a_list_that_becomes_loose_is_sent_anew_when_it_ends() -> None:
    stream = MarkdownStream()
    fed(stream, ITEM * 50, "\n" + ITEM)
    (update,) = fed(stream, "# After\n")
    assert update.keep == 0
    assert page_html(stream.blocks) == lean(render(f"{ITEM * 50}\n{ITEM}# After\n"))


def test_short_lists_and_lists_of_one_item_stay_one_block() -> None:
    stream = MarkdownStream()
    fed(stream, ITEM * 3, "\n\ntext\n\n", "- one\n" + "  long\n" * 300, "\n\ntext\n")
    assert not any(str(item).startswith(LEAVE) for item in stream.blocks)
