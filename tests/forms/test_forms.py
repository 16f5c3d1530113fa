"""Test that each saved form shows everything that a transcript holds."""

from __future__ import annotations

import re
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.markdown.markdown_documents import Page, visible
from vibe_notebook._forms.html import transcript_html
from vibe_notebook._forms.markdown import transcript_markdown
from vibe_notebook._forms.text import transcript_text
from vibe_notebook._forms.wording import STATE_MARKS
from vibe_notebook._markdown.renderer import render
from vibe_notebook.events import Usage
from vibe_notebook.parts import ArtifactPart, Run, TextPart, ThinkingPart, ToolPart
from vibe_notebook.transcript import Transcript

PNG = "iVBORw0KGgo="
FORMS = [transcript_html, transcript_markdown, transcript_text]


def tool(**fields: Any) -> ToolPart:
    return ToolPart(**{"tool_call_id": "call_1", "tool_name": "search", "state": "ok"} | fields)


def transcript(*parts: Any, **fields: Any) -> Transcript:
    return Transcript(**{"outcome": "success", "parts": parts} | fields)


FULL = transcript(
    ThinkingPart(text="Where to look?"),
    TextPart(text="I **look**."),
    tool(
        args={"q": "rain"},
        output={"hits": 3},
        children=(TextPart(text="inner text"), tool(tool_name="inner_tool")),
    ),
    tool(tool_call_id="call_2", tool_name="fetch", state="error", error="404 not found"),
    ArtifactPart(artifact_id="a1", name="plot.png", media_type="image/png", data=PNG),
    TextPart(text="Done."),
    runs=(
        Run(
            run_id="r2",
            agent_name="critic",
            outcome="error",
            error="boom",
            parts=(TextPart(text="I object."),),
        ),
    ),
    error="RateLimitError: later",
    outcome="error",
    usage=Usage(input_tokens=1234, output_tokens=5, cost=0.25, model="m1"),
)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_shows_everything_in_order(form: Any) -> None:
    said = form(FULL, title="Weather")
    words = ["Weather", "✗", "error", "Where to look?", "look", "search", "rain", "hits", "inner text", "inner_tool",
             "fetch", "404 not found", "plot.png", "Done.", "critic", "I object.", "boom", "RateLimitError"]  # fmt: skip
    places = [said.index(word) for word in words]
    assert places == sorted(places)


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_transcript_is_no_error(form: Any) -> None:
    assert form(Transcript()) is not None
    assert "t" in form(Transcript(), title="t")


@pytest.mark.parametrize("form", FORMS)
def test_a_very_deep_chain_of_subagents_is_shown_without_recursion(form: Any) -> None:
    part = tool(tool_name="innermost", output="the bottom")
    for _ in range(500):
        part = tool(children=(TextPart(text="down"), part))
    said = form(transcript(part))
    assert said.count("down") == 500
    assert "the bottom" in said


@pytest.mark.parametrize("form", [transcript_html, transcript_markdown])
def test_a_duration_is_shown_only_if_its_start_and_end_are_known(form: Any) -> None:
    assert "· 75.0 s" not in form(transcript(tool(started_at=1.0)))
    assert "1 min 15 s" in form(transcript(tool(started_at=1.0, finished_at=76.0)))
    assert "1.5 s" in form(transcript(tool(started_at=1.0, finished_at=2.5)))


@pytest.mark.parametrize("form", FORMS)
def test_a_big_output_keeps_its_start_and_its_end_with_a_note_between(form: Any) -> None:
    by_lines = form(transcript(tool(output="\n".join(f"line {n}" for n in range(1, 3001)))))
    for shown in ("line 1000\n", "[1,500 lines are left out here]", "line 2501\n", "line 3000"):
        assert shown in by_lines
    assert "line 1001\n" not in by_lines
    assert "line 2500\n" not in by_lines
    by_size = form(transcript(tool(output="start" + "x" * 249_990 + "the end")))
    assert "start" in by_size
    assert "[160,000 characters are left out here]" in by_size
    assert "the end" in by_size
    assert len(by_size) < 102_000


@pytest.mark.parametrize("form", FORMS)
def test_a_table_has_a_note_about_its_omitted_rows(form: Any) -> None:
    said = form(
        transcript(
            tool(output={"columns": ["day", "high"], "rows": [["Mon", 21], ["Tue", None]], "total": 900})
        )
    )
    assert "howing 2 of 900 rows" in said
    assert said.index("day") < said.index("Mon") < said.index("Tue")


def test_the_page_has_the_text_as_rendered_markdown() -> None:
    assert render("I **look** at $5 and $x$.") in transcript_html(
        transcript(TextPart(text="I **look** at $5 and $x$."))
    )


def test_calls_and_thinking_are_folded_unless_the_user_opened_them() -> None:
    folds = [attrs for tag, attrs in Page(transcript_html(FULL)).elements if tag == "details"]
    assert len(folds) == 4
    assert not any("open" in attrs for attrs in folds)
    chosen = {FULL.parts[0].key: True, FULL.tools[1].key: True, FULL.tools[0].key: False}
    folds = [attrs for tag, attrs in Page(transcript_html(FULL, is_open=chosen)).elements if tag == "details"]
    assert ["open" in attrs for attrs in folds] == [True, False, False, True]


def test_a_call_with_a_picture_is_open_unless_the_user_closed_it_or_it_failed() -> None:
    plot = tool(display={"image/png": PNG})
    page = transcript(plot, tool(tool_call_id="c2", display={"image/png": PNG}, state="error", error="no"))
    assert transcript_html(page).count("<details") == 2
    assert transcript_html(page).count("open style") == 1
    assert "open style" not in transcript_html(page, is_open={plot.key: False})


def test_the_row_of_a_command_that_ended_badly_says_its_exit_code() -> None:
    row = transcript_html(transcript(tool(output={"stdout": "", "exit_code": 3}))).split("</summary>")[0]
    assert "exit 3" in row
    row = transcript_html(transcript(tool(output={"stdout": "", "exit_code": 0}))).split("</summary>")[0]
    assert "exit" not in row


@pytest.mark.parametrize(("end", "words"), [(13.24, "3.2 s"), (10.0, ""), (None, "")])
def test_a_thought_says_how_long_it_took(end: float | None, words: str) -> None:
    page = transcript(ThinkingPart(text="Hm.", started_at=10.0, finished_at=end))
    for form in FORMS:
        assert re.findall(r"\d\.\d s\b", form(page)) == ([words] if words else [])


def folds_around(html: str, word: str) -> int:
    before = html[: html.index(word)]
    return before.count("<details") - before.count("</details")


def test_more_than_a_thousand_calls_and_thoughts_are_folded_into_clusters_but_text_is_not() -> None:
    calls = [
        tool(tool_call_id=f"c{n}", tool_name=f"call-{n}-", state="error" if n == 3 else "ok")
        for n in range(1, 1002)
    ]
    few = transcript_html(transcript(*calls[:1000]))
    assert "vibe-cluster" not in few
    parts = [
        *calls[:250],
        ThinkingPart(text="Hm."),
        TextPart(text="Half-way."),
        *calls[250:999],
        TextPart(text="Well."),
        calls[999],
    ]
    many = transcript_html(transcript(*parts, ThinkingPart(text="Last."), TextPart(text="Now."), calls[1000]))
    titles = re.findall(r'class="vibe-cluster".*?<summary[^>]*>(.*?)</summary>', many)
    hundreds = [f"Tool calls {first} to {first + 99}" for first in range(251, 900, 100)]
    bad = ' · <strong style="color:#e23c32">1 ✗</strong>'
    assert titles == [
        f"Tool calls 1 to 100{bad}",
        "Tool calls 101 to 200",
        "Tool calls 201 to 250 · 1 thought",
        *hundreds,
        "Tool calls 951 to 999",
        "Tool call 1000 · 1 thought",
    ]
    places = [many.index(f"call-{n}-") for n in range(1, 1002)]
    assert places == sorted(places)
    assert {
        word: folds_around(many, word) for word in ("Half-way.", "call-2-", "Hm.", "Now.", "call-1001-")
    } == {
        "Half-way.": 0,
        "call-2-": 2,
        "Hm.": 2,
        "Now.": 0,
        "call-1001-": 1,
    }


def test_a_cluster_is_open_if_the_user_opened_one_of_its_calls() -> None:
    calls = [tool(tool_call_id=f"c{n}") for n in range(1001)]
    said = transcript_html(transcript(*calls), is_open={calls[150].key: True, calls[350].key: False})
    opened = [
        number for number, fold in enumerate(re.findall('class="vibe-cluster"[^>]*', said)) if " open" in fold
    ]
    assert opened == [1]


@pytest.mark.parametrize(
    ("state", "mark"),
    [
        ("ok", "✓"),
        ("error", "✗"),
        ("denied", "⊘"),
        ("cancelled", "■"),
        ("awaiting_approval", "‖"),
        ("unfinished", "○"),
    ],
)
def test_a_calls_state_is_a_mark_a_class_and_unless_it_is_ok_a_word(state: Any, mark: str) -> None:
    html = transcript_html(transcript(tool(state=state)))
    assert f'class="vibe-tool vibe-is-{state}"' in html
    word = "" if state == "ok" else f" {state.replace('_', ' ')}"
    assert f"{mark} search{word}" in visible(html)


def test_the_page_needs_no_stylesheet_and_no_attribute_that_a_host_removes() -> None:
    html = transcript_html(FULL, title="t", note="n")
    assert not any(name.startswith(("data-", "aria-", "role")) for _, a in Page(html).elements for name in a)
    assert "var(" not in html  # JupyterLab's sanitiser drops a style with a variable
    assert "anywhere" not in html  # and this value


def test_the_colours_are_readable_in_a_light_and_in_a_dark_theme() -> None:
    shown = [
        transcript_html(FULL, title="t"),
        *(transcript_html(transcript(tool(state=s))) for s in STATE_MARKS),
    ]
    styles = ";".join(attrs.get("style", "") for html in shown for _, attrs in Page(html).elements)
    given = [style.partition(":") for style in set(styles.split(";"))]
    colours = [value for name, _, value in given if name == "color"]
    assert len(colours) == 3
    for colour in colours:
        assert min(contrast(colour, "#ffffff"), contrast(colour, "#111111")) > 4
    # The theme's own background shows through.
    backgrounds = {value for name, _, value in given if name.startswith("background")}
    assert backgrounds == {"none", "rgba(128,128,128,.13)"}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours by WCAG 2: 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [part / 255 for part in bytes.fromhex(colour[1:])]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_only_a_raster_image_is_shown_and_only_an_http_address_is_linked() -> None:
    def page(**fields: Any) -> Page:
        return Page(transcript_html(transcript(ArtifactPart(artifact_id="a", **fields))))

    assert ("img" in dict(page(media_type="image/png", data=PNG).elements)) is True
    assert ("img" in dict(page(media_type="image/svg+xml", data=PNG).elements)) is False
    assert ("img" in dict(page(media_type="image/png", data="not base64!").elements)) is False
    assert ("img" in dict(page(media_type="image/png", url="https://example.com/x.png").elements)) is False
    assert dict(page(url="https://example.com/r.pdf").elements)["a"]["href"] == "https://example.com/r.pdf"
    assert "a" not in dict(page(url="javascript:alert(1)").elements)


def test_money_in_titles_and_thoughts_is_not_typeset_as_a_formula() -> None:
    html = transcript_html(transcript(ThinkingPart(text="$5 or $6")), title="$1 and $2")
    assert html.count("<span>$</span>") == html.count("$") == 4


def test_the_plain_form_does_not_depend_on_ids_times_and_addresses() -> None:
    def plain_form(run: str, at: float, address: str) -> str:
        call = tool(
            tool_call_id=run,
            run_id=run,
            tool_name="",
            started_at=at,
            finished_at=at * 2,
            output=f"<X at {address}>",
        )
        file = ArtifactPart(artifact_id=run, run_id=run, media_type="text/csv")
        return transcript_text(
            transcript(TextPart(text="hi", run_id=run, message_id=run), call, file, agent_id=run, usage=Usage(cost=at),
                       runs=(Run(run_id=run, parts=(call,)),)), title="t")  # fmt: skip

    assert plain_form("r1", 1.0, "0x7f00aa11") == plain_form("r2", 99.0, "0x55aa0001")


def test_an_unclosed_fence_in_one_part_does_not_hide_the_next_part() -> None:
    for mark in ("```", "~~~~", "  ```py"):
        said = transcript_markdown(transcript(TextPart(text=f"{mark}\nx = 1"), TextPart(text="**after**")))
        assert "<strong>after</strong>" in render(said)


def test_code_in_output_cannot_end_its_fence() -> None:
    said = transcript_markdown(
        transcript(tool(output="```\n# not a heading\n`````\n"), TextPart(text="after"))
    )
    assert "<h1>" not in render(said)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b, x<y and `<code>`", "a < b, x&lt;y and `<code>`"),
        ("```html\n<b>\n```", "```html\n<b>\n```"),
        ("    <indented>", "```\n<indented>\n```"),
        ("<https://example.com> <b>", "<https://example.com> &lt;b>"),
        ("![a](https://example.com/a.png)", "🖼 [a](https://example.com/a.png)"),
        ("![a](https://example.com/a.png) and `<b>`", "🖼 [a](https://example.com/a.png) and `<b>`"),
        ("![a](data:image/png;base64,AAAA)", "![a](data:image/png;base64,AAAA)"),
        ("$a<b$\n\n$$\nx<y\n$$", "$a< b$\n\n$$\nx< y\n$$"),
        ("|a|b|c|\n|-|-|-|\n|`|<b>|`|", "| a | b | c |\n|---|---|---|\n| &#96; | &lt;b> | &#96; |"),
        ("a <!-- hidden --> b", "a  b"),
        ("x<sup>2 and H<sub onclick=x>2</sub>O", "x<sup>2 and H<sub>2</sub>O</sup>"),
        ("**\u91cd\u8981\uff1a**\u8bf7", "**\u91cd\u8981\uff1a**&#35831;"),
        ("<details><summary>a</summary>\n\nb\n\n</details>", "a\n\nb"),
    ],
)
def test_markdown_stays_unchanged_but_for_html_and_images(text: str, expected: str) -> None:
    assert transcript_markdown(transcript(TextPart(text=text), outcome=None)) == expected + "\n"


def test_code_stays_code_behind_a_list() -> None:
    said = transcript_markdown(transcript(TextPart(text="- a"), TextPart(text="    <b>x</b>")))
    assert "<pre><code>&lt;b&gt;x" in MarkdownIt("commonmark").render(said)


def test_arguments_that_fit_on_the_calls_line_are_not_repeated() -> None:
    assert "Arguments" not in transcript_markdown(transcript(tool(args={"q": "rain", "limit": 3})))
    said = transcript_markdown(transcript(tool(args={"q": "rain " * 50})))
    assert said.index("Arguments") < said.index("rain " * 50)


def test_the_plain_form_has_no_blanks_at_the_end_of_a_line() -> None:
    said = transcript_text(transcript(ThinkingPart(text="one\n\ntwo"), tool(output="a\n\nb\n\n")))
    assert said == "thinking:\n    one\n\n    two\n\n✓ search()\n  → a\n\n    b"


def test_wide_elements_scroll_by_themselves_and_long_words_wrap() -> None:
    table = {"columns": ["c"] * 50, "rows": [[1] * 50], "total": 1}
    page = Page(transcript_html(transcript(TextPart(text="| a |\n|---|\n| b |"), tool(output=table))))
    tags = [(tag, attrs.get("style", "")) for tag, attrs in page.elements]
    before = [tags[i - 1][1] for i, (tag, _) in enumerate(tags) if tag == "table"]
    assert len(before) == 2
    assert all("overflow-x:auto" in style for style in before)
    assert "overflow-wrap:break-word" in tags[0][1]


def test_a_markdown_file_with_the_page_in_it_reads_nothing_of_it_as_markdown() -> None:
    hostile = "one\n\n    indented\n \t\r\n![x](https://evil.example/p.png)\r\r- item\n\n\n\n</div>"
    page = transcript_html(
        transcript(
            ThinkingPart(text=hostile),
            TextPart(text=f"```\n{hostile}\n```\n\n{hostile}"),
            tool(args={"code": hostile}, output=hostile, error=hostile),
            error=hostile,
        ),
        title=hostile,
        note=hostile,
    )
    (block,) = MarkdownIt("commonmark").parse(page)
    assert block.type == "html_block"
    assert "one&#10;\n    indented&#10; \t\n![x]" in page


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a[^1]\n\n[^1]: $x^2$", "a&#91;1&#93;\n\n&#91;1&#93; $x^2$"),
        ("[^1]: $5", "&#91;1&#93; \\$5"),
        (r"> [^1]: $\let\x\y$", r"> &#91;1&#93; `$\let\x\y$`"),
        ("[^1]: ![x](http://a.example/y.png)", "&#91;1&#93; 🖼 [x](http://a.example/y.png)"),
        ('[r]\n\n[r]: http://a.example "costs $5"', '[r](http://a.example "costs &#36;5")'),
        (r'[x](http://a.example/$ "\let $5")', '[x](http://a.example/%24 "&#92;let &#36;5")'),
    ],
)
def test_footnotes_are_text_and_titles_keep_their_dollars_in_markdown(text: str, form: str) -> None:
    assert form in Transcript(parts=(TextPart(text=text),)).to_markdown()
