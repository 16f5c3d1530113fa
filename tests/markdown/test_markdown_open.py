"""Test the updates of open fences and long blocks, which grow as plain text until they close."""

from __future__ import annotations

from typing import Any

import pytest

from tests.display.browser_half import item_html, page_html
from tests.markdown.markdown_documents import visible
from vibe_notebook._markdown import renderer
from vibe_notebook._markdown import stream as stream_module
from vibe_notebook._markdown.renderer import lean, render
from vibe_notebook._markdown.stream import MarkdownStream, Update
from vibe_notebook._markdown.unparsed_blocks import OPEN_LIMIT


def fed(stream: MarkdownStream, *pieces: str) -> list[Update]:
    updates = []
    for piece in pieces:
        stream.append(piece)
        updates.append(stream.update())
    return updates


def test_an_open_fence_only_sends_what_is_new() -> None:
    opened, first, second = fed(MarkdownStream(), "```py\n", "a <b>", " c\nd")
    assert opened.open is not None
    assert opened.open.endswith('<pre><code class="language-py"></code></pre></div>\n')
    assert (first, second) == (Update(append="a <b>"), Update(append=" c\nd"))


@pytest.mark.parametrize("mark", ["```", "~~~", "`````"])
def test_a_line_that_could_become_the_closing_one_is_held_back(mark: str) -> None:
    stream = MarkdownStream()
    updates = fed(stream, f"{mark}\na\n", mark[:2], mark[2:], "x\n", "  ", mark, " \n")
    assert [update.append for update in updates] == ["a\n", "", "", f"{mark}x\n", "", "", ""]
    (closed,) = updates[-1].closed
    assert item_html(closed) == lean(render(f"{mark}\na\n{mark}x\n{mark}"))
    assert stream.open_html == stream.tail == ""


def test_a_closed_fence_is_sent_coloured_at_once_without_waiting_for_what_follows() -> None:
    stream = MarkdownStream()
    (update,) = fed(stream, "```python\nimport x\n```\n")
    (closed,) = update.closed
    assert item_html(closed) == lean(render("```python\nimport x\n```"))
    assert update == Update(closed=[closed], open="")


def test_an_open_fence_is_never_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = MarkdownStream()
    fed(stream, "```\n")
    parsed: list[int] = []

    def counted(source: str, *args: Any, **more: Any) -> list[renderer.Block]:
        parsed.append(len(source))
        return renderer.parse(source, *args, **more)

    monkeypatch.setattr(stream_module, "parse", counted)
    fed(stream, *["line of code\n"] * 1000)
    assert parsed == []
    assert stream.tail == "line of code\n" * 1000


LONG = {
    "quote": "> line\n",
    "formula that is not closed": "some $words ",
    "code": "    code\n",
}


@pytest.mark.parametrize("line", LONG.values(), ids=LONG)
def test_a_block_beyond_the_limit_grows_as_plain_text_and_loses_nothing(line: str) -> None:
    stream = MarkdownStream()
    count = OPEN_LIMIT // len(line)
    first, second, *rest = fed(stream, line * (count // 2), line * count, *[line] * count)
    assert first.open
    assert second.open
    assert all(u.open is None and not u.closed and len(u.append) <= len(line) + 1 for u in rest)
    count = count // 2 + 2 * count
    shown = visible(stream.open_html, stream.tail)
    assert shown.count(line.strip("-> |\n").split()[0]) == count
    end = fed(stream, "\n\n", "The end.\n")[-1]
    assert len(end.closed) == 1
    assert end.open == "<p>The end.</p>\n"
    stream.finish()
    assert page_html(stream.blocks) == lean(render(line * count + "\n\nThe end.\n", math="mathml"))


def test_a_long_item_does_not_end_at_a_blank_line_or_at_the_next_item() -> None:
    stream = MarkdownStream()
    fed(stream, "- item\n" + "  and so on\n" * 2000)
    updates = fed(stream, "\n", "- more\n", "\n  still\n", "\n1. a\n")
    assert not any(update.closed or update.open for update in updates)
    assert visible("", stream.tail) == "- more still 1. a"


def test_text_appended_to_a_long_block_does_not_join_its_last_word() -> None:
    stream = MarkdownStream()
    fed(stream, "> word\n" * 4000, "next")
    assert stream.tail == "\nnext"


def test_text_of_a_long_block_is_appended_in_an_element_of_its_own() -> None:
    stream = MarkdownStream()
    fed(stream, "> line **b**\n" * 2000)
    assert stream.open_html.endswith('<strong>b</strong><span class="vibe-tail"></span></p>\n</blockquote>\n')


def test_earlier_references_are_known_in_every_later_block() -> None:
    stream = MarkdownStream()
    fed(stream, "[a]: https://example.com/a\n\n", "# H\n\n", "see [a]")
    assert 'href="https://example.com/a"' in stream.open_html


def test_half_a_definition_is_not_read_as_the_whole() -> None:
    stream = MarkdownStream()
    fed(stream, "[a]: https://example.com/", "long\n", "'title'\n\n[a]\n")
    stream.finish()
    assert 'href="https://example.com/long" title="title"' in page_html(stream.blocks)


def test_nothing_new_is_an_empty_update() -> None:
    stream = MarkdownStream()
    assert not stream.update()
    fed(stream, "a")
    assert not stream.update()


def test_finishing_twice_changes_nothing_and_appending_afterwards_is_an_error() -> None:
    stream = MarkdownStream()
    stream.append("a")
    assert stream.finish() == Update(closed=["<p>a</p>\n"], open="")
    assert not stream.finish()
    with pytest.raises(RuntimeError, match="finished"):
        stream.append("b")


def test_a_fence_left_open_is_coloured_when_the_text_is_finished() -> None:
    stream = MarkdownStream()
    fed(stream, "```python\nimport x")
    (closed,) = stream.finish().closed
    assert item_html(closed) == lean(render("```python\nimport x"))
