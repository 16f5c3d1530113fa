"""Test that no text of an agent can run, load or send anything, in any form of the view."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.display.browser_half import page_html
from tests.display.hostile import PAYLOADS, attacks, mixes
from tests.markdown.markdown_documents import Page
from vibe_notebook._forms.html import transcript_html
from vibe_notebook._forms.markdown import transcript_markdown
from vibe_notebook._forms.text import transcript_text
from vibe_notebook._forms.wording import clean
from vibe_notebook._markdown.renderer import render
from vibe_notebook._markdown.sanitize import clean as sanitised
from vibe_notebook._markdown.sanitize import is_link, is_raster
from vibe_notebook._markdown.stream import MarkdownStream
from vibe_notebook.events import Usage
from vibe_notebook.parts import ArtifactPart, Run, TextPart, ThinkingPart, ToolPart
from vibe_notebook.transcript import Transcript

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def hostile_transcript(text: str) -> Transcript:
    """Return a transcript with *text* in every place that an agent or its tools can fill."""
    tool: dict[str, Any] = {"tool_call_id": text, "tool_name": text, "error": text}
    child = ToolPart(**tool, state="error", args={text: [text]}, output={text: {text: text}})
    return Transcript(
        agent_id=text,
        outcome="error",
        error=text,
        usage=Usage(model=text, input_tokens=1),
        parts=(
            TextPart(text=text),
            ThinkingPart(text=text),
            ToolPart(**tool, args_text=text, state="running", output=text),
            ToolPart(
                **tool,
                state="ok",
                output={"columns": [text], "rows": [[text]], "total": 9},
                children=(child,),
            ),
            ArtifactPart(artifact_id=text, name=text, media_type=text, url=text, data=text, action=text),
            ArtifactPart(
                artifact_id=text, name=text, media_type="image/png", data=text, url="https://" + text
            ),
            TextPart(text=text),
        ),
        runs=(Run(run_id=text, agent_name=text, error=text, parts=(TextPart(text=text),)),),
    )


def flat(tokens: list[Token]) -> list[Token]:
    return [inner for token in tokens for inner in [token, *flat(token.children or [])]]


def markdown_attacks(markdown: str) -> list[str]:
    """Return the attacks in the page of a viewer that lets the HTML of *markdown* through."""
    tokens = flat(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown))
    raw = [token.content for token in tokens if token.type in ("html_block", "html_inline")]
    remote = [str(t.attrs["src"]) for t in tokens if t.type == "image"]
    return raw + [source for source in remote if not source.startswith("data:image/")]


@pytest.mark.parametrize("text", PAYLOADS)
@pytest.mark.parametrize("math", ["tex", "mathml"])
def test_no_known_payload_survives_rendering(text: str, math: Any) -> None:
    assert attacks(render(text, math=math)) == []


@given(mixes)
def test_no_mix_of_payloads_survives_rendering(text: str) -> None:
    for html in (render(text), render(text, math="mathml")):
        assert attacks(html) == []
        page, again = Page(html), Page(sanitised(html))
        assert (page.elements, page.texts) == (again.elements, again.texts)


@pytest.mark.parametrize(
    "html", [*PAYLOADS, '<img src="https://evil.example/x">', '<a href="/x" id="a" style="top:0">x</a>']
)
def test_the_sanitiser_alone_lets_no_payload_through(html: str) -> None:
    assert attacks(sanitised(html)) == []


@given(mixes)
def test_the_sanitiser_alone_lets_no_mix_through(html: str) -> None:
    assert attacks(sanitised(html)) == []


@given(st.lists(mixes, max_size=4))
def test_no_payload_survives_in_growing_text(pieces: list[str]) -> None:
    stream = MarkdownStream()
    for piece in pieces:
        stream.append(piece)
        update = stream.update()
        assert attacks(page_html(stream.blocks, stream.open_html)) == []
        assert not update.append or stream.tail.endswith(update.append)


@pytest.mark.parametrize("text", PAYLOADS)
def test_no_known_payload_survives_in_the_saved_forms(text: str) -> None:
    transcript = hostile_transcript(text)
    assert attacks(transcript_html(transcript, title=text, note=text)) == []
    assert markdown_attacks(transcript_markdown(transcript, title=text)) == []
    assert CONTROLS.findall(transcript_text(transcript, title=text)) == []


@given(mixes)
def test_no_mix_of_payloads_survives_in_the_saved_forms(text: str) -> None:
    transcript = hostile_transcript(text)
    assert attacks(transcript_html(transcript, title=text, note=text)) == []
    assert markdown_attacks(transcript_markdown(transcript, title=text)) == []
    assert CONTROLS.findall(transcript_text(transcript, title=text)) == []


@given(st.text(alphabet=st.characters(max_codepoint=0x2100), max_size=40))
def test_cleaning_twice_is_cleaning_once_and_leaves_no_control_character(text: str) -> None:
    assert CONTROLS.findall(clean(text)) == []
    assert clean(clean(text)) == clean(text)


def test_terminal_sequences_are_removed_and_other_control_characters_made_visible() -> None:
    assert clean("a\x1b[31mred\x1b[0m\x1b]0;t\x07\r\nb\tc\x00\x7f\x81\u202e") == "ared\nb\tc␀␡�"


def test_a_call_is_marked_up_as_text_only_in_the_page() -> None:
    html = transcript_html(hostile_transcript("<b>x</b>"), title="<b>x</b>")
    assert "<b>" not in html


@pytest.mark.parametrize(
    "url",
    [
        "http\u017f://evil.example",
        "HTTP\u017f://evil.example",
        "ma\u0131lto:a@b.example",
        "ma\u0130lto:a@b.example",
    ],
)
def test_a_scheme_with_a_letter_that_only_looks_like_ascii_is_no_link(url: str) -> None:
    assert not is_link(url)
    assert "href" not in render(f"[x]({url})") + sanitised(f'<a href="{url}">x</a>')


@pytest.mark.parametrize("data", ["A\u0131AA", "A\u212aAA", "A\x1dAA", "A\u2028AA", "A\x85AA"])
def test_the_data_of_an_image_is_ascii(data: str) -> None:
    assert is_raster("data:image/png;base64,AAAA")
    assert not is_raster(f"data:image/png;base64,{data}")
    assert not is_raster("data:\u0131mage/png;base64,AAAA")
