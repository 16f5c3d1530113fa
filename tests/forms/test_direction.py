"""Test that each text of the saved form has the direction of its own words."""

from __future__ import annotations

from html.parser import HTMLParser

from vibe_notebook._forms.html import transcript_html
from vibe_notebook.parts import ArtifactPart, Run, TextPart, ThinkingPart, ToolPart
from vibe_notebook.transcript import Transcript

ARABIC = "\u0645\u0631\u062d\u0628\u0627"


class Directions(HTMLParser):
    """Collect for each Arabic word whether an element around it has a direction of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[bool] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("br", "hr", "img"):
            self._open.append((tag, tag == "bdi" or ("dir", "auto") in attrs))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.found += [any(has for _, has in self._open)] * data.count(ARABIC)


def test_each_text_of_an_agent_stands_in_an_element_with_its_own_direction() -> None:
    parts = (
        TextPart(text=f"{ARABIC} x\n\n- {ARABIC}\n\n|{ARABIC}|\n|-|\n\n> {ARABIC}\n\n# {ARABIC}"),
        ThinkingPart(text=ARABIC),
        ToolPart(
            tool_call_id="1",
            tool_name=ARABIC,
            args={"q": ARABIC},
            output=ARABIC,
            error=f"{ARABIC}!",
            state="error",
        ),
        ToolPart(
            tool_call_id="2",
            tool_name="t",
            output={"columns": [ARABIC], "rows": [[ARABIC]], "total": 1},
            state="ok",
        ),
        ArtifactPart(artifact_id="a", name=ARABIC),
    )
    runs = (Run(run_id="s", agent_name=ARABIC, parts=(TextPart(text=ARABIC),)),)
    transcript = Transcript(parts=parts, runs=runs, error=ARABIC, outcome="error")
    html = transcript_html(transcript, title=ARABIC, note=ARABIC)
    reader = Directions()
    reader.feed(html)
    assert reader.found == [True] * html.count(ARABIC)
    assert len(reader.found) == 19


def test_each_block_of_a_text_has_a_direction_and_code_has_that_of_the_page() -> None:
    html = transcript_html(Transcript(parts=(TextPart(text=f"{ARABIC}\n\n```\nx\n```\n\nEnglish"),)))
    assert html.count('<p dir="auto" style="text-align:right">') == html.count('<p dir="auto">') == 1
    assert '<div class="highlight" style="margin:0 0 1em">' in html
